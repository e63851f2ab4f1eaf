"""One file, one number. Also which files there are on this machine."""

from __future__ import annotations

import re
from pathlib import Path

from sensorlogd.calibration.scaling import divisor
from sensorlogd.drivers.sysfs.rules import PLACES, chip, iio_parts, rule_for
from sensorlogd.notation import numbers

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_W1 = re.compile(r"((?:[0-9a-f]{2} )+): crc=[0-9a-f]{2} (YES|NO).*t=(-?\d+)", re.DOTALL)
_W1_POWER_ON = "85000"  # a DS18B20 that was not yet asked says 85 °C (datasheet, "power-on reset value")
READ_BYTES = 4096


def read_value(path: Path, scale: float) -> float:
    """The number in a file times ``scale``; of a raw IIO file (number + its offset) * its scale * ``scale``.

    Raises OSError, or ValueError for content that is no number, or none to be believed.
    """
    text = _read_text(path)
    if path.name == "w1_slave":
        text = _w1_temperature(text)
    if path.name in ("w1_slave", "temperature") and text == _W1_POWER_ON:
        raise ValueError("85 °C is what a thermometer says that has just been powered")
    number = _parse_number(text)
    scales, offsets = iio_parts(path)
    for offset in offsets:
        if offset.exists():
            number += _parse_number(_read_text(offset))
            break
    for factor in scales:
        if factor.exists():
            number *= _parse_number(_read_text(factor))
            break
    by = divisor(scale)
    return number * scale if by is None else number / by


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(READ_BYTES).decode("ascii", "replace").strip()


def _parse_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number; one such as 21437, -3.5 or 1e3 is expected")
    return float(text)


def _w1_temperature(text: str) -> str:
    """The text of the temperature, in thousandths of a degree, in a ``w1_slave`` file. Raises ValueError if the sensor was not
    read well."""
    match = _W1.search(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a reading of a 1-Wire sensor: bytes, crc=, YES and t= with a number are expected")
    if match[2] != "YES":
        raise ValueError("the 1-Wire CRC is wrong: the kernel says NO after crc=, where YES is expected")
    if not match[1].replace("00 ", ""):
        raise ValueError(
            "nothing but zeros: the 1-Wire line is held low; look at its wires and its pull-up resistor"
        )  # whose CRC is zero, too
    return match[3]


def sources(root: Path = Path("/sys")) -> list[dict[str, str]]:
    """What this machine's kernel measures: ``path`` for a configuration, value, unit, the chip's own label, the file.

    The path names the chip where only one goes by that name: the numbers in hwmon2 or thermal_zone0 change between boots.
    """
    rows = []
    for kind, pattern, names in PLACES:
        found = sorted(root.glob(pattern))
        chips = [chip(folder) for folder in found]
        for folder, name in zip(found, chips, strict=True):
            for file in _preferred_files(folder, names):
                within = file.relative_to(folder)
                stable = f"{kind}:{name}/{within}" if chips.count(name) == 1 and "/" not in name else str(file)
                rule = rule_for(str(file))
                try:
                    shown = numbers.text(read_value(file, rule.scale if rule else 1.0))
                except (OSError, ValueError) as error:
                    shown = f"- ({getattr(error, 'strerror', None) or error})"
                unit = rule.unit if rule else ""
                rows.append({"path": stable, "value": shown, "unit": unit, "label": _chip_label(file), "file": str(file)})
    return rows


def _preferred_files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The files to list: of a thermometer that has both the simpler one; of an IIO channel that has both the processed one."""
    found = sorted({file for name in names for file in folder.glob(name)})
    if "w1_slave" in names:
        return found[:1]
    return [file for file in found if not (file.name.endswith("_raw") and file.with_name(file.name[:-3] + "input") in found)]


def _chip_label(file: Path) -> str:
    """What the chip calls the quantity in the file; empty if it does not say."""
    for end in ("_input", "_average", "_raw"):
        if file.name.endswith(end):
            try:
                return file.with_name(file.name.removesuffix(end) + "_label").read_text().strip()
            except OSError:
                return ""
    return ""
