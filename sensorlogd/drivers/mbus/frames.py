"""M-Bus frames. Finding a frame among the bytes is done here; pyMeterBus decodes its records.

Long frame (EN 13757-2, FT1.2): 68 L L 68 C A CI data... checksum 16; L counts from C to the last data byte, the checksum is the
sum of the same bytes. Records are EN 13757-3; values come in base units (Wh, m³, W, °C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import meterbus

from sensorlogd.drivers.serial.effort import Effort, Tally

Count = Callable[[str, int, str], None]
SHORT, LONG, END, ACK = 0x10, 0x68, 0x16, 0xE5
SND_NKE, REQ_UD2 = 0x40, 0x5B
FCB = 0x20  # flips with every question, so that a meter knows whether its last answer has arrived
_FUNCTIONS = {"MINIMUM_VALUE": "min", "MAXIMUM_VALUE": "max", "ERROR_STATE_VALUE": "error"}


def short_frame(control: int, address: int) -> bytes:
    """The bytes 10 C A checksum 16."""
    return bytes((SHORT, control, address, (control + address) & 0xFF, END))


class LongFrames:
    """Finds the long frames with the right checksum among the bytes given to ``feed``.

    Counts ``bad_checksum``, ``bad_length`` (its two lengths differ, or are too small), ``cut_short`` and ``skipped_bytes``.
    """

    def __init__(self, count: Count) -> None:
        self.acknowledged = False
        self._tally = Tally(count)
        self._buffer = bytearray()
        self._base = 0  # where in the stream the buffer begins
        self._effort = Effort()
        self._owed = 0  # bytes still to come that are given up already
        self._skipped = 0
        self._noise = b""

    def reset(self) -> None:
        """Forget an incomplete frame, before a question or in a gap. It is counted."""
        left = bytes(self._buffer)
        if len(left) >= 4 and left[1] == left[2] and left[3] == LONG:
            self._tally.add("cut_short", 1, left[:16])
        elif left:
            self._tally.add("skipped_bytes", len(left), left[:16])
        self._tally.pass_on()
        self._base += len(left)
        self._owed = 0
        self._buffer.clear()
        self.acknowledged = False

    @property
    def waiting(self) -> bool:
        """Whether a frame is incomplete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that the data completes. Exhaust the iterator before the next call."""
        owed = min(self._owed, len(data))
        self._owed -= owed
        self._base += owed
        self._noted(data[:owed])
        self._buffer += data[owed:]
        buffer, at = self._buffer, 0
        try:
            while at < len(buffer):
                start = buffer.find(LONG, at)
                self._skip(at, len(buffer) if start < 0 else start)
                at = len(buffer) if start < 0 else start
                if len(buffer) - at < 4:
                    return
                length = buffer[at + 1]
                if buffer[at + 3] != LONG or buffer[at + 2] != length or length < 3:
                    if buffer[at + 3] == LONG:
                        self._tally.add("bad_length", 1, bytes(buffer[at : at + 8]))
                    at = self._none(at, 0)
                    continue
                if len(buffer) - at < length + 6:
                    return
                frame = bytes(buffer[at : at + length + 6])
                if sum(frame[4:-2]) & 0xFF != frame[-2] or frame[-1] != END:
                    self._tally.add("bad_checksum", 1, frame[:16])
                    at = self._none(at, length)
                    continue
                at += len(frame)
                yield frame
        finally:
            self._owed += max(at - len(buffer), 0)
            self._base += min(at, len(buffer))
            del buffer[:at]
            if self._skipped:
                self._tally.add("skipped_bytes", self._skipped, self._noise)
                self._skipped, self._noise = 0, b""
            self._tally.pass_on()

    def _none(self, at: int, cost: int) -> int:
        stop = at + self._effort.failed(self._base + at, cost)
        self._skip(at, min(stop, len(self._buffer)))
        return stop

    def _skip(self, start: int, stop: int) -> None:
        self._noted(bytes(self._buffer[start:stop]))

    def _noted(self, skipped: bytes) -> None:
        self.acknowledged = self.acknowledged or ACK in skipped
        noise = len(skipped) - skipped.count(ACK)
        if noise:
            self._skipped += noise
            self._noise = self._noise or skipped[:16]


def records(frame: bytes, count: Count) -> tuple[dict[str, float], dict[str, str], bool]:
    """(field -> value, field -> unit, whether another frame follows). Never raises.

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
            interpreted = record.interpreted
            value = _number(interpreted.get("value"))
            name = _name(interpreted, record)
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


def _name(interpreted: Any, record: Any) -> str:
    kind = str(interpreted.get("type", "")).rpartition(".")[2].lower()
    if not kind or kind == "none":
        return ""
    # The library tells energies apart by their unit already (energy_wh, energy_j): keep them apart.
    function = _FUNCTIONS.get(str(interpreted.get("function", "")).rpartition(".")[2], "")
    storage = interpreted.get("storage_number") or 0
    return "_".join(filter(None, (kind, function, str(storage) if storage else "")))
