"""What the objects of a smart-meter telegram say. Pure.

Objects are named by their OBIS code (IEC 62056-61): ``1-0:1.8.1(000671.578*kWh)`` gives the field ``1-0:1.8.1`` and, short,
``1.8.1``. What it was at the end of an earlier billing period, ``1-0:1.8.1*01(000650.100*kWh)``, is a field of its own,
``1-0:1.8.1*01`` and ``1.8.1*01``; ``*255`` is the present value (IEC 62056-61, value group F; ``&`` instead of ``*`` says that
the period was ended by hand). A meter on an M-Bus channel says its kind in ``0-n:24.1.0``; its value is also given as ``gas``, ``water``, ``heat``,
``cooling`` or ``electricity``, whatever n is, and with the time at which it was read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.sentinels import NO_VALUE
from sensorlogd.notation.microseconds import DAY_US

_OBJECT = re.compile(
    r"(?:(\d{1,3})-(\d{1,3}):)?([0-9A-Z]{1,3}\.[0-9A-F]{1,3}(?:\.[0-9A-F]{1,3})?)(?:[*&](\d{1,3}))?((?:\([^()]*\)\s*)+)",
    re.ASCII,
)
_CELLS = re.compile(r"\(([^()]*)\)")
_VALUE = re.compile(r"([+-]?\d+(?:\.\d*)?)(?:\*([^\s*]+))?", re.ASCII)
_TIME = re.compile(r"(\d{12})([SW]?)", re.ASCII)  # YYMMDDhhmmss; S: daylight saving time
# EN 13757-3 device types
_MBUS_KINDS = {2: "electricity", 3: "gas", 4: "heat", 6: "water", 7: "water", 8: "heat", 10: "cooling", 11: "cooling", 12: "heat"}
_BASE = {unit.lower(): unit for unit in ("W", "Wh", "VA", "VAh", "var", "varh", "J")}
_PREFIXES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_SAME = {"m3": "m³", "dm3": "dm³"}
_PRESENT = 255  # of value group F: no earlier billing period
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    """One value: ``unit`` empty if it has none; ``read_us``: when a meter behind the meter was read; ``period``: value group F as
    the meter writes it, empty if it does not."""

    prefix: str
    code: str
    value: float
    unit: str
    read_us: int | None
    period: str = ""

    @property
    def is_of_submeter(self) -> bool:
        """Whether it is the present value of a meter on an M-Bus channel."""
        return self.code.startswith("24.") and not self.is_former

    @property
    def is_former(self) -> bool:
        """Whether it was the value at the end of an earlier billing period."""
        return bool(self.period) and int(self.period) != _PRESENT

    @property
    def name(self) -> str:
        """The code, with the billing period where it is an earlier one."""
        return f"{self.code}*{self.period}" if self.is_former else self.code


def items(text: str, zone: ZoneInfo, count: Count) -> Iterator[Item | tuple[str, str]]:
    """The values of a telegram; and (prefix, kind) of each M-Bus channel. What fits no object is counted as ``unread_items``."""
    position = text.find("\n") + 1  # after the identification
    for match in _OBJECT.finditer(text, position):
        _count_left_over(text[position : match.start()], count)
        position = match.end()
        medium, channel, code, period, cells = match.groups()
        contents = _CELLS.findall(cells)
        prefix = f"{medium}-{channel}" if medium is not None else ""
        if code == "24.1.0" and prefix:
            kind = _MBUS_KINDS.get(int(contents[0])) if contents[0].isdecimal() else None
            if kind:
                yield prefix, kind
            continue
        value, unit = _value_and_unit(contents)
        if value is None:
            yield Item(prefix, code, math.nan, contents[-1][:40] if "".join(contents) else "", None, period or "")
            continue
        read = _read_us(contents[0], zone) if code.startswith("24.") and len(contents) > 1 else None
        yield Item(prefix, code, value, unit, read, period or "")
    _count_left_over(text[position:].rstrip().removesuffix("!"), count)


def _count_left_over(between: str, count: Count) -> None:
    lost = between.strip("\r\n\x02\x03 ")
    if lost:
        count("unread_items", 1, lost[:60])


def _value_and_unit(contents: list[str]) -> tuple[float | None, str]:
    """The value among the cells of one object, and its unit. (None, ""): there is none."""
    if len(contents) >= 6 and contents[-2] in ("m3", "kWh", "GJ", "MJ"):
        match = _VALUE.fullmatch(contents[-1].strip())  # DSMR 2 and 3: unit and value in two cells
        return (float(match[1]), contents[-2]) if match else (None, "")
    plain: float | None = None
    for content in contents:
        match = _VALUE.fullmatch(content.strip())
        if match is None:
            continue
        if match[2] is not None:
            return float(match[1]), match[2]
        if "." in content or len(content) < 12:  # twelve digits and more without a point are a time or a number plate
            plain = float(match[1])
    return plain if plain is not None and math.isfinite(plain) else None, ""


def _read_us(text: str, zone: ZoneInfo) -> int | None:
    """``261125100000W`` in UTC; the letter tells which of the zone's two offsets holds."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        at = datetime.strptime(match[1], "%y%m%d%H%M%S")  # noqa: DTZ007  # in the zone, below
        local = at.replace(tzinfo=zone)
        offset = local.utcoffset()
        if match[2]:
            offsets = [at.replace(month=month, day=1, tzinfo=zone).utcoffset() or timedelta() for month in (1, 7)]
            offset = max(offsets) if match[2] == "S" else min(offsets)
        since = at.replace(tzinfo=UTC) - (offset or timedelta()) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 1_000_000


def factor(unit: str, target_unit: str) -> float | None:
    """What a value in ``unit`` is multiplied by to be in ``target_unit``: W and kWh are told apart, m3 is m³. None: they do not fit.

    A unit that is none of a meter's is nobody's business here: 1.
    """
    unit, target_unit = _SAME.get(unit, unit), _SAME.get(target_unit, target_unit)
    if not unit or not target_unit or unit == target_unit:
        return 1.0
    given, wanted_parts = _unit_parts(unit), _unit_parts(target_unit)
    if given is None or wanted_parts is None:
        return None if wanted_parts is not None and unit in _SAME.values() else 1.0
    return given[1] / wanted_parts[1] if given[0] == wanted_parts[0] else None


def _unit_parts(unit: str) -> tuple[str, float] | None:
    """(base unit, factor to it)."""
    if unit.lower() in _BASE:
        return _BASE[unit.lower()], 1.0
    if unit[:1] in _PREFIXES and unit[1:].lower() in _BASE:
        return _BASE[unit[1:].lower()], _PREFIXES[unit[:1]]
    return None


Found = dict[str, tuple[float, int | None]]  # field -> value, and when it was read if the meter says


class Fields:
    """Makes the fields of a telegram. ``units``: of the fields whose values are stored as they come. ``wanted``: fields that are
    logged, None = all."""

    def __init__(self, wanted: set[str] | None, units: Mapping[str, str], zone: str, count: Count) -> None:
        self.wanted = wanted
        self.units = units
        self.zone = ZoneInfo(zone)
        self.count = count

    def of(self, telegram: str) -> Found:
        """What of a telegram is logged."""
        kinds: dict[str, str] = {}
        values: list[Item] = []
        for entry in items(telegram, self.zone, self.count):
            if isinstance(entry, Item):
                values.append(entry)
            else:
                kinds[entry[0]] = entry[1]
        former = _exchanged(values, kinds)
        found: Found = {}
        for item in values:
            code = item.name
            names = [code] if item.prefix not in former else []
            if item.prefix:
                names.insert(0, f"{item.prefix}:{code}")
            if item.period and not item.is_former and self.wanted is not None:
                names += [name for name in (f"{each}*{item.period}" for each in names) if name in self.wanted]
            # A meter that was taken out still has its channel, with a value but no unit, or with an old one.
            if item.unit and item.prefix in kinds and item.prefix not in former and item.is_of_submeter:
                names.append(kinds[item.prefix])
            for name in names:
                self._store(found, name, item)
        return found

    def _store(self, found: Found, name: str, item: Item) -> None:
        """Put a value into ``found`` under that name, in the unit of its channel; of several the first. What is not logged, no
        number, or in a unit that does not fit is counted."""
        if name in found:
            return
        if self.wanted is not None and name not in self.wanted:
            if ":" in name and not math.isnan(item.value):
                self.count("unmapped", 1, name)
            return
        if math.isnan(item.value):
            if item.unit.strip().lower() in NO_VALUE:
                found[name] = (math.nan, item.read_us)
            elif self.wanted is not None:
                self.count("bad_values", 1, f"{name}({item.unit})")
            return
        by = factor(item.unit, self.units.get(name, ""))
        if by is None:
            self.count("bad_values", 1, f"{name} is in {item.unit}, the channel in {self.units[name]}")
            return
        found[name] = (item.value / (1 / by) if by < 1 else item.value * by, item.read_us)


def _exchanged(values: list[Item], kinds: Mapping[str, str]) -> set[str]:
    """Channels of meters that were exchanged: last read over a day before another one of their kind."""
    read = {
        item.prefix: item.read_us
        for item in values
        if item.prefix in kinds and item.unit and item.read_us is not None and item.is_of_submeter
    }
    newest: dict[str, int] = {}
    for prefix, at_us in read.items():
        newest[kinds[prefix]] = max(at_us, newest.get(kinds[prefix], at_us))
    return {prefix for prefix, at_us in read.items() if newest[kinds[prefix]] - at_us > DAY_US}
