"""Smart-meter telegrams: IEC 62056-21 mode D text as DSMR P1 uses it.

Sources: DSMR P1 companion standard 2.2 to 5.0.2 (CRC16/ARC over everything from ``/`` to ``!``; versions 2 and 3 have none),
and its Belgian, Swedish, Hungarian and Irish relatives. Objects are named by their OBIS code (IEC 62056-61):
``1-0:1.8.1(000671.578*kWh)`` gives the field ``1-0:1.8.1`` and, short, ``1.8.1``. A meter on an M-Bus channel says its kind in
``0-n:24.1.0``; its value is also given as ``gas``, ``water``, ``heat``, ``cooling`` or ``electricity``, whatever n is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from sensorlogd.batch import Batch
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.frame_options import ObisFormat

Count = Callable[[str, int, str], None]

_OBJECT = re.compile(
    r"(?:(\d{1,3})-(\d{1,3}):)?([0-9A-F]{1,3}\.[0-9A-F]{1,3}(?:\.[0-9A-F]{1,3})?)(?:[*&]\d{1,3})?((?:\([^()]*\)\s*)+)",
    re.ASCII,
)
_CELLS = re.compile(r"\(([^()]*)\)")
_VALUE = re.compile(r"([+-]?\d+(?:\.\d*)?)(?:\*([^\s*]+))?", re.ASCII)
# The end, with or without a CRC; a new telegram right behind the "!" shows that there is none, too.
_END = re.compile(rb"!(?:([0-9A-Fa-f]{4})|[ \t]{0,8}\r?\n|(?=/))")
_SINCE_CRC = re.compile(rb"\n1-3:0\.2\.8\(")  # the version object came with DSMR 4, and so did the CRC
# EN 13757-3 device types
_MBUS_KINDS = {2: "electricity", 3: "gas", 4: "heat", 6: "water", 7: "water", 8: "heat", 10: "cooling", 11: "cooling", 12: "heat"}
# Some meters send W where others send kW: one channel has one unit.
_KILO = frozenset(("W", "Wh", "VA", "VAh", "var", "varh", "VAr", "VArh"))


class ObisDecoder:
    """``feed`` gives the samples of the telegrams that ``data`` completes; ``wanted``: fields that are logged, None = all."""

    def __init__(self, options: ObisFormat, wanted: set[str] | None, count: Count) -> None:
        self.options = options
        self.wanted = wanted
        self.count = count
        self._buffer = b""
        self._has_crc = False
        self._crc = CHECKSUMS["crc16_arc"].compute

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """None if no telegram is complete."""
        self._buffer += data
        rows = []
        while (telegram := self._next()) is not None:
            row = self._fields(telegram)
            if row:
                rows.append(row)
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch([now_us] * len(rows), {name: [row.get(name) for row in rows] for name in names})

    def idle(self) -> None:
        """Nothing more will come: what is incomplete is given up."""
        self._buffer = b""

    def _next(self) -> bytes | None:
        """The next telegram with a right CRC, or without one where that is allowed."""
        while True:
            start = self._buffer.find(b"/")
            if start < 0:
                self._skip(len(self._buffer))
                return None
            self._skip(start)
            end = _END.search(self._buffer)
            if end is None:
                if len(self._buffer) > self.options.max_telegram:
                    self._skip(1)
                    continue
                return None
            telegram, crc = self._buffer[: end.start() + 1], end.group(1)
            # A start inside: the end of the telegram before was lost, this one is not to be lost with it.
            inner = max(telegram.rfind(b"\n/"), telegram.rfind(b"!/"))
            if inner >= 0:
                self.count("bad_telegrams", 1, f"{telegram[:40]!r}: has no end")
                self._buffer = self._buffer[inner + 1 :]
                continue
            if crc is not None and int(crc, 16) != self._crc(telegram):
                self.count("bad_telegrams", 1, f"{telegram[:30]!r}: CRC {crc.decode()}, expected {self._crc(telegram):04X}")
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[end.end() :]
            self._has_crc = self._has_crc or crc is not None
            # A flipped bit turns a ")" into a "!": of a meter that sends a CRC, a telegram without one is damaged.
            if crc is None and (self.options.crc == "required" or self._has_crc or _SINCE_CRC.search(telegram)):
                self.count("bad_telegrams", 1, f"{telegram[:30]!r}: has no CRC")
                continue
            return telegram

    def _skip(self, count: int) -> None:
        if count:
            lost = self._buffer[:count]
            if lost.strip():
                self.count("skipped_bytes", count, repr(lost[:24]))
            self._buffer = self._buffer[count:]

    def _fields(self, telegram: bytes) -> dict[str, float]:
        text = telegram.decode("latin-1")
        found: dict[str, float] = {}
        kinds: dict[str, str] = {}
        values: list[tuple[str, str, float, bool]] = []  # (medium-channel prefix, code, value, whether it has a unit)
        for match in _OBJECT.finditer(text):
            medium, channel, code, cells = match.groups()
            contents = _CELLS.findall(cells)
            prefix = f"{medium}-{channel}" if medium is not None else ""
            if code == "24.1.0" and prefix:
                kind = _MBUS_KINDS.get(int(contents[0])) if contents[0].isdigit() else None
                if kind:
                    kinds[prefix] = kind
                continue
            number, has_unit = _number(contents)
            if number is not None:
                values.append((prefix, code, number, has_unit))
        for prefix, code, number, has_unit in values:
            if prefix:
                found.setdefault(f"{prefix}:{code}", number)
            found.setdefault(code, number)
            # A meter that was taken out still has its channel, with a value but no unit.
            if has_unit and prefix in kinds and code.startswith("24."):
                found.setdefault(kinds[prefix], number)
        if self.wanted is None:
            return found
        for name in found.keys() - self.wanted:
            if ":" in name:
                self.count("unmapped", 1, name)
        return {name: value for name, value in found.items() if name in self.wanted}


def _number(contents: list[str]) -> tuple[float | None, bool]:
    """The value among the cells of one object, in kilo where it is an energy or power; and whether it has a unit."""
    if len(contents) >= 6 and contents[-2] in ("m3", "kWh", "GJ", "MJ"):
        match = _VALUE.fullmatch(contents[-1].strip())  # DSMR 2 and 3: unit and value in two cells
        return (float(match[1]), True) if match else (None, False)
    plain: float | None = None
    for content in contents:
        match = _VALUE.fullmatch(content.strip())
        if match is None:
            continue
        if match[2] is not None:
            return float(match[1]) / (1000 if match[2] in _KILO else 1), True
        if "." in content or len(content) < 12:  # twelve digits and more without a point are a time or a number plate
            plain = float(match[1])
    return (plain if plain is not None and math.isfinite(plain) else None), False
