"""M-Bus frames. Finding a frame among the bytes is done here; pyMeterBus decodes its records.

Long frame (EN 13757-2, FT1.2): 68 L L 68 C A CI data... checksum 16; L counts from C to the last data byte, the checksum is the
sum of the same bytes. Records are EN 13757-3; values come in base units (Wh, m³, W, °C).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

import meterbus

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.serial.effort import Effort, Tally

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

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that the data completes, in the order of arrival. ``acknowledged`` and what is counted are up to date then."""
        found = list(self._scan(data))
        if self._skipped:
            self._tally.add("skipped_bytes", self._skipped, self._noise)
            self._skipped, self._noise = 0, b""
        self._tally.pass_on()
        return found

    def _scan(self, data: bytes) -> Iterator[bytes]:
        owed = min(self._owed, len(data))
        self._owed -= owed
        self._base += owed
        self._note_skipped(data[:owed])
        self._buffer += data[owed:]
        buffer, position = self._buffer, 0
        try:
            while position < len(buffer):
                start = buffer.find(LONG, position)
                self._skip(position, len(buffer) if start < 0 else start)
                position = len(buffer) if start < 0 else start
                if len(buffer) - position < 4:
                    return
                length = buffer[position + 1]
                if buffer[position + 3] != LONG or buffer[position + 2] != length or length < 3:
                    if buffer[position + 3] == LONG:
                        self._tally.add("bad_length", 1, bytes(buffer[position : position + 8]))
                    position = self._give_up(position, 0)
                    continue
                if len(buffer) - position < length + 6:
                    return
                frame = bytes(buffer[position : position + length + 6])
                if sum(frame[4:-2]) & 0xFF != frame[-2] or frame[-1] != END:
                    self._tally.add("bad_checksum", 1, frame[:16])
                    position = self._give_up(position, length)
                    continue
                position += len(frame)
                yield frame
        finally:
            self._owed += max(position - len(buffer), 0)
            self._base += min(position, len(buffer))
            del buffer[:position]

    def _give_up(self, start: int, cost: int) -> int:
        """There is no frame at ``start``, after ``cost`` bytes of it were examined: skip it. Returns the place in the buffer
        where to go on, which may be after its end."""
        stop = start + self._effort.note_failure(self._base + start, cost)
        self._skip(start, min(stop, len(self._buffer)))
        return stop

    def _skip(self, start: int, stop: int) -> None:
        self._note_skipped(bytes(self._buffer[start:stop]))

    def _note_skipped(self, skipped: bytes) -> None:
        """An acknowledgement may stand anywhere between frames; everything else is noise."""
        self.acknowledged = self.acknowledged or ACK in skipped
        noise = len(skipped) - skipped.count(ACK)
        if noise:
            self._skipped += noise
            self._noise = self._noise or skipped[:16]


def records(frame: bytes, count: Count, taken: Collection[str] = ()) -> tuple[dict[str, float], dict[str, str], bool]:
    """(field -> value, field -> unit, whether another frame follows). ``taken``: the fields of the frames before this one. Never
    raises.

    A field is named by what it is, in lower case (``energy``, ``volume_flow``), then ``min``, ``max`` or ``error`` where it is no present
    value, then the storage number where it is not 0; of several alike, in whichever frame, the second is ``..._b``, the third ``..._c``;
    one beyond ``..._z`` is counted.
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
            value = _finite_number(interpreted.get("value"))
            name = _field_name(interpreted, record)
        except Exception as error:  # as above, one record
            count("bad_records", 1, f"{type(error).__name__}: {error}"[:80])
            continue
        if value is None or not name:
            continue
        unique, letter = name, "b"
        while (unique in values or unique in taken) and letter <= "z":
            unique, letter = f"{name}_{letter}", chr(ord(letter) + 1)
        if unique in values or unique in taken:
            count("bad_records", 1, f"no letter is left for another {name}")
            continue
        values[unique] = value
        units[unique] = str(record.unit or "")
    return values, units, more


def _finite_number(value: object) -> float | None:
    """The value with 12 significant digits; None if it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = float(value)
    if not math.isfinite(number):
        return None
    return float(f"{number:.12g}")  # the library multiplies in binary: 54.321 comes as 54.32099999999999795


def _field_name(interpreted: Any, record: Any) -> str:
    """The name of the field as in ``records``, without a letter; empty for a record without a kind."""
    kind = str(interpreted.get("type", "")).rpartition(".")[2].lower()
    if not kind or kind == "none":
        return ""
    # The library tells energies apart by their unit already (energy_wh, energy_j): keep them apart.
    function = _FUNCTIONS.get(str(interpreted.get("function", "")).rpartition(".")[2], "")
    storage = interpreted.get("storage_number") or 0
    return "_".join(filter(None, (kind, function, str(storage) if storage else "")))
