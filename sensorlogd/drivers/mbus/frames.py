"""M-Bus frames: finding one in what arrives is done here, what its records mean is pyMeterBus'.

Long frame (EN 13757-2, FT1.2): 68 L L 68 C A CI data... checksum 16; L counts from C to the last data byte, the checksum is the
sum of the same bytes. Records are EN 13757-3; values come in base units (Wh, m³, W, °C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import meterbus

Count = Callable[[str, int, str], None]
SHORT, LONG, END, ACK = 0x10, 0x68, 0x16, 0xE5
SND_NKE, REQ_UD2 = 0x40, 0x5B
FCB = 0x20  # flips with every question, so that a meter knows whether its last answer has arrived
_FUNCTIONS = {"MINIMUM_VALUE": "min", "MAXIMUM_VALUE": "max", "ERROR_STATE_VALUE": "error"}


def short_frame(control: int, address: int) -> bytes:
    """10 C A checksum 16."""
    return bytes((SHORT, control, address, (control + address) & 0xFF, END))


class LongFrames:
    """``feed`` gives every long frame whose checksum is right; counts ``bad_checksum`` and ``skipped_bytes``."""

    def __init__(self, count: Count) -> None:
        self.count = count
        self.acknowledged = False
        self._buffer = b""

    def reset(self) -> None:
        """Before a question: what is left of an earlier answer is none to this one. It is counted."""
        if self._buffer:
            self.count("skipped_bytes", len(self._buffer), self._buffer[:16].hex(" "))
        self._buffer, self.acknowledged = b"", False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Exhaust it before the next feed."""
        self._buffer += data
        while self._buffer:
            start = self._buffer.find(LONG)
            skipped = self._buffer if start < 0 else self._buffer[:start]
            self.acknowledged = self.acknowledged or ACK in skipped
            noise = len(skipped) - skipped.count(ACK)
            if noise:
                self.count("skipped_bytes", noise, skipped[:16].hex(" "))
            self._buffer = self._buffer[len(skipped) :]
            if len(self._buffer) < 4:
                return
            length = self._buffer[1]
            if self._buffer[2] != length or self._buffer[3] != LONG or length < 3:
                self.count("skipped_bytes", 1, self._buffer[:8].hex(" "))
                self._buffer = self._buffer[1:]
                continue
            if len(self._buffer) < length + 6:
                return
            frame = self._buffer[: length + 6]
            if sum(frame[4:-2]) & 0xFF != frame[-2] or frame[-1] != END:
                self.count("bad_checksum", 1, frame[:16].hex(" "))
                self._buffer = self._buffer[1:]
                continue
            self._buffer = self._buffer[len(frame) :]
            yield frame


def records(frame: bytes, count: Count) -> tuple[dict[str, float], dict[str, str], bool]:
    """(field -> value, field -> unit, whether more follow in another frame). Never raises.

    A field is named by what it is, in lower case (``energy``, ``volume_flow``), then ``min``, ``max`` or ``error`` where it is no present
    value, then the storage number where it is not 0; of several alike the second is ``..._b``, the third ``..._c``.
    """
    try:
        telegram: Any = meterbus.load(frame)
        found = list(telegram.records)
        more = bool(getattr(telegram, "more_records_follow", False))
    except Exception as error:  # a parser of strangers' bytes: fixed data structures and manufacturers' own are not decoded
        count("undecoded_frames", 1, f"{type(error).__name__}: {error}"[:80])
        return {}, {}, False
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    for record in found:
        try:
            one = record.interpreted
            value = _number(one.get("value"))
            name = _name(one, record)
        except Exception as error:  # as above, one record
            count("bad_records", 1, f"{type(error).__name__}: {error}"[:80])
            continue
        if value is None or not name:
            continue
        unique, letter = name, "b"
        while unique in values and letter <= "z":
            unique, letter = f"{name}_{letter}", chr(ord(letter) + 1)
        values[unique] = value
        units[unique] = str(record.unit or "")
    return values, units, more


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = float(value)
    if not math.isfinite(number):
        return None
    return float(f"{number:.12g}")  # the library multiplies in binary: 54.321 comes as 54.32099999999999795


def _name(one: Any, record: Any) -> str:
    kind = str(one.get("type", "")).rpartition(".")[2].lower()
    if not kind or kind == "none":
        return ""
    # The library tells energies apart by their unit already (energy_wh, energy_j): keep them apart.
    function = _FUNCTIONS.get(str(one.get("function", "")).rpartition(".")[2], "")
    storage = one.get("storage_number") or 0
    return "_".join(filter(None, (kind, function, str(storage) if storage else "")))
