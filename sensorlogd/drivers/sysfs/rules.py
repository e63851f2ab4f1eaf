"""What the kernel says its files hold: unit, scale and kind by the file's place and name.

Sources: Documentation/ABI/testing/sysfs-class-hwmon, sysfs-bus-iio, sysfs-class-thermal, sysfs-class-power,
sysfs-class-net-statistics, sysfs-class-powercap; Documentation/w1/slaves/w1_therm.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rule:
    """Files whose path ends like ``pattern`` hold ``unit`` times ``1/scale``."""

    pattern: re.Pattern[str]
    unit: str
    scale: float
    kind: str = "gauge"


# IIO: what a processed value, or (raw + offset) * scale, is in; then our unit and the factor to it.
_IIO = {
    "temp": ("°C", 0.001),
    "humidityrelative": ("%", 0.001),
    "pressure": ("hPa", 10.0),  # the kernel's is kPa
    "illuminance": ("lx", 1.0),
    "voltage": ("V", 0.001),
    "altvoltage": ("V", 0.001),
    "current": ("A", 0.001),
    "power": ("W", 0.001),
    "resistance": ("Ω", 1.0),
    "capacitance": ("nF", 1.0),
    "accel": ("m/s²", 1.0),
    "anglvel": ("rad/s", 1.0),
    "magn": ("G", 1.0),
    "concentration": ("%", 1.0),
    "distance": ("m", 1.0),
    "proximity": ("m", 1.0),
    "ph": ("", 1.0),
    "uvindex": ("", 1.0),
    "electricalconductivity": ("S/m", 1.0),
    "velocity": ("m/s", 1.0),
    "gravity": ("m/s²", 1.0),
    "massconcentration": ("µg/m³", 1.0),
    "intensity": ("", 1.0),
}
IIO_FILE = re.compile(r"in_(?P<type>[a-z]+?)(?P<index>\d*)(?P<modifier>(?:-[a-z]+\d*)?(?:_\w+?)?)_(?P<what>raw|input)")

_PATTERNS = (
    (r"/w1_slave$", "°C", 0.001),
    (r"/[0-9a-f]{2}-[0-9a-f]{12}/temperature$", "°C", 0.001),
    (r"/thermal_zone\d+/temp$", "°C", 0.001),
    (r"/hwmon\d+/temp\d+_(?:input|average)$", "°C", 0.001),
    (r"/hwmon\d+/in\d+_(?:input|average)$", "V", 0.001),
    (r"/hwmon\d+/curr\d+_(?:input|average)$", "A", 0.001),
    (r"/hwmon\d+/power\d+_(?:input|average)$", "W", 0.000001),
    (r"/hwmon\d+/energy\d+_input$", "J", 0.000001, "counter"),
    (r"/hwmon\d+/humidity\d+_input$", "%", 0.001),
    (r"/hwmon\d+/fan\d+_input$", "1/min", 1.0),
    (r"/hwmon\d+/freq\d+_input$", "Hz", 1.0),
    (r"/power_supply/[^/]+/voltage_(?:now|avg)$", "V", 0.000001),
    (r"/power_supply/[^/]+/current_(?:now|avg)$", "A", 0.000001),
    (r"/power_supply/[^/]+/power_(?:now|avg)$", "W", 0.000001),
    (r"/power_supply/[^/]+/energy_now$", "Wh", 0.000001),
    (r"/power_supply/[^/]+/charge_now$", "Ah", 0.000001),
    (r"/power_supply/[^/]+/capacity$", "%", 1.0),
    (r"/power_supply/[^/]+/temp$", "°C", 0.1),
    (r"/power_supply/[^/]+/(?:online|present)$", "", 1.0, "state"),
    (r"/powercap/[^/]+/energy_uj$", "J", 0.000001, "counter"),
    (r"/net/[^/]+/statistics/\w+_bytes$", "B", 1.0, "counter"),
    (r"/net/[^/]+/statistics/\w+$", "", 1.0, "counter"),
    (r"/cpufreq/scaling_cur_freq$", "MHz", 0.001),
)
_RULES = [Rule(re.compile(pattern), unit, scale, *kind) for pattern, unit, scale, *kind in _PATTERNS]

# Where sources are looked for, below /sys; the class under which they can be named by their chip.
PLACES = (
    ("hwmon", "class/hwmon/hwmon*", ("*_input", "*_average")),
    ("thermal", "class/thermal/thermal_zone*", ("temp",)),
    ("w1", "bus/w1/devices/*-*", ("temperature", "w1_slave")),
    ("iio", "bus/iio/devices/iio:device*", ("in_*_input", "in_*_raw")),
    (
        "power_supply",
        "class/power_supply/*",
        ("voltage_now", "current_now", "power_now", "energy_now", "charge_now", "capacity", "temp", "online"),
    ),
    ("powercap", "class/powercap/*", ("energy_uj",)),
    ("net", "class/net/*", ("statistics/rx_bytes", "statistics/tx_bytes", "statistics/rx_errors", "statistics/tx_errors")),
)
CLASSES = tuple(name for name, _, _ in PLACES)


def rule_for(path: str) -> Rule | None:
    """What the kernel says a file of this name holds; ``*`` stands for a number."""
    concrete = path.replace("*", "0")
    head, _, rest = concrete.partition(":")
    if head in CLASSES and "/" in rest:  # hwmon:coretemp/temp1_input
        folder = {"hwmon": "hwmon0", "thermal": "thermal_zone0", "w1": "28-000000000000", "iio": "iio:device0"}.get(head, "x")
        concrete = f"/{head}/{folder}/{rest.partition('/')[2]}"
    found = next((rule for rule in _RULES if rule.pattern.search(concrete)), None)
    if found is None and (match := IIO_FILE.fullmatch(concrete.rpartition("/")[2])):
        known = _IIO.get(match["type"])
        return None if known is None else Rule(IIO_FILE, *known)
    return found


def iio_parts(path: Path) -> tuple[list[Path], list[Path]]:
    """Where the scale and the offset of a raw IIO file may stand, the most special first."""
    match = IIO_FILE.fullmatch(path.name)
    if match is None or match["what"] != "raw":
        return [], []
    kind, index, modifier = match["type"], match["index"], match["modifier"]
    differential = re.sub(r"\d+$", "", modifier)  # in_voltage0-voltage1_raw: in_voltage-voltage_scale
    special = (f"{kind}{index}{modifier}", f"{kind}{modifier}", f"{kind}{differential}", f"{kind}{index}")
    stems = dict.fromkeys((*(f"in_{name}" for name in special), f"in_{kind}", "in"))
    scales, offsets = ([path.with_name(f"{stem}_{part}") for stem in stems] for part in ("scale", "offset"))
    return scales, offsets


def chip(folder: Path) -> str:
    """What the kernel calls the chip, zone or supply; its folder's name where it has none."""
    for name in ("name", "type"):
        if name == "type" and folder.parent.name != "thermal":
            continue
        try:
            return (folder / name).read_text().strip() or folder.name
        except OSError:
            continue
    return folder.name


def folders(kind: str, name: str, root: Path) -> Iterator[Path]:
    """The folders of a class that go by a chip's name, or are called so."""
    for place, pattern, _ in PLACES:
        if place == kind:
            for folder in sorted(root.glob(pattern)):
                if name in (folder.name, chip(folder)):
                    yield folder
