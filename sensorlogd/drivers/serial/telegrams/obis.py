"""Smart-meter telegrams: IEC 62056-21 mode D text as DSMR P1 uses it.

Sources: DSMR P1 companion standard 2.2 to 5.0.2 (CRC16/ARC over everything from ``/`` to ``!``; versions 2 and 3 have none),
and its Belgian, Swedish, Hungarian and Irish relatives; also the block between STX and ETX that other meters send, with its
block check character. What the objects mean is ``obis_values``' matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import reduce
from operator import xor

from sensorlogd.batch import Batch, Stamp
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.effort import Tally
from sensorlogd.drivers.serial.framing.frame_options import ObisFormat
from sensorlogd.drivers.serial.telegrams.obis_values import Fields

# The end, with or without a CRC; a new telegram right after the "!" shows that there is none, too.
_END = re.compile(rb"!(?:([0-9A-Fa-f]{4})|[ \t]{0,8}\r?\n|(?=/))")
# A telegram's beginning that is worth a look where another one seems to go on: manufacturer and baud rate.
_START = re.compile(rb"/[A-Za-z]{3}[0-9A-Za-z]")
MAX_LOOKS = 4  # beginnings that are tried in a telegram whose CRC is wrong; the last ones, for what is after them came later
_SINCE_CRC = re.compile(rb"\n1-3:0\.2\.8\(")  # the version object came with DSMR 4, and so did the CRC
# Mode A and C: the block check after ETX is the exclusive or of all after STX, ETX included (IEC 62056-21, 5.2).
_BLOCK = b"\n\x02"  # an STX in the identification begins none
_BLOCK_END = re.compile(rb"!\r?\n\x03(.)", re.DOTALL)


class ObisDecoder:
    """Decodes smart-meter telegrams. ``feed`` gives the samples of the telegrams that ``data`` completes. ``wanted``: fields that
    are logged, None = all; ``units``: those that their channels have."""

    def __init__(
        self,
        options: ObisFormat,
        wanted: set[str] | None,
        count: Count,
        units: Mapping[str, str] | None = None,
        *,
        midway: bool = False,
    ) -> None:
        self.options = options
        self.count = count
        self._tally = Tally(count)
        self.fields = Fields(wanted, units or {}, options.zone, self._count_example)
        self._buffer = bytearray()
        self._searched = 0  # of the buffer, known to hold no end
        self._has_crc = False
        self._crc = CHECKSUMS["crc16_arc"].compute
        self._midway = midway

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """None if no telegram is complete."""
        self._buffer += data
        rows: list[tuple[int | None, dict[str, float]]] = []  # when a meter behind the meter was read, else None
        while (telegram := self._next_telegram()) is not None:
            by_time: dict[int | None, dict[str, float]] = {}
            for name, (value, read_us) in self.fields.of(telegram.decode("latin-1")).items():
                by_time.setdefault(read_us, {})[name] = value
            rows += by_time.items()
        self._tally.pass_on()
        if not rows:
            return None
        names = dict.fromkeys(name for _, row in rows for name in row)
        own = any(read_us is not None for read_us, _ in rows)
        return Batch(
            [now_us if read_us is None else read_us for read_us, _ in rows],
            {name: [row.get(name) for _, row in rows] for name in names},
            stamps=bytes(Stamp.ARRIVAL if read_us is None else Stamp.DEVICE for read_us, _ in rows) if own else None,
        )

    def idle(self, now_us: int = 0) -> Batch | None:
        """Nothing more will come: what is incomplete is given up."""
        if self._buffer.startswith(b"/"):
            self._tally.add("cut_short", 1, b"", repr(bytes(self._buffer[:30]))[1:])
            self._drop(len(self._buffer))
        self._skip_noise(len(self._buffer))
        self._midway = False
        self._tally.pass_on()
        return None

    def _next_telegram(self) -> bytes | None:
        """The next telegram with a right CRC, or without one where that is allowed; of one with a block only what its check covers."""
        buffer, longest = self._buffer, self.options.max_telegram
        while True:
            start = buffer.find(b"/")
            self._skip_noise(start if start >= 0 else len(buffer))
            if start < 0:
                return None
            self._midway = False
            end = _END.search(buffer, max(self._searched, 1), longest + 12)
            if end is None or end.start() > longest:
                if len(buffer) <= longest + 12:
                    self._searched = max(len(buffer) - 12, 1)
                    return None
                self._searched = max(longest - 12, 1)
                self._skip_overlong()
                continue
            telegram, crc = bytes(buffer[: end.start() + 1]), end[1]
            inner = self._inner_start(telegram)
            if inner:
                # The end of the telegram before was lost, this one is not to be lost with it.
                self._count_bad(telegram, "has no end")
                self._drop(inner)
                continue
            if _BLOCK in telegram:
                checked = self._take_block(telegram)
                if checked is None:
                    return None
                if checked:
                    return telegram[telegram.find(_BLOCK) :]
                continue
            if crc is not None and int(crc, 16) != self._crc(telegram):
                self._count_bad(telegram, f"CRC {crc.decode()}, expected {self._crc(telegram):04X}")
                self._drop(self._hidden_start(telegram, self._crc, int(crc, 16)) or end.end())
                continue
            self._drop(end.end())
            self._has_crc = self._has_crc or crc is not None
            # A flipped bit turns a ")" into a "!": of a meter that sends a CRC, a telegram without one is damaged.
            if crc is None and (self.options.crc == "required" or self._has_crc or _SINCE_CRC.search(telegram)):
                self._count_bad(telegram, "has no CRC")
                continue
            return telegram

    def _inner_start(self, telegram: bytes) -> int:
        """Where the last line of ``telegram`` begins that begins another one; 0 if none does."""
        return max(telegram.rfind(b"\n/"), telegram.rfind(b"!/")) + 1

    def _hidden_start(self, telegram: bytes, check: Callable[[bytes], int | None], found: int) -> int:
        """Where a telegram begins inside whose check is the one that was ``found``; 0 if none does."""
        starts = [found.start() for found in _START.finditer(telegram, 1)]
        return next((start for start in reversed(starts[-MAX_LOOKS:]) if check(telegram[start:]) == found), 0)

    def _take_block(self, telegram: bytes) -> bool | None:
        """Whether the block of ``telegram`` is whole; telegram and check are used up. None: its check has not come."""
        tail = _BLOCK_END.match(self._buffer, len(telegram) - 1)
        if tail is None:
            if len(self._buffer) - len(telegram) < len(b"\r\n\x03x"):
                return None
            self._count_bad(telegram, "has no block check")
            self._drop(len(telegram))
            return False
        ending = tail[0][1:-1]
        expected, found = _block_check(telegram + ending), tail[1][0] & 0x7F  # seven bits, and a parity
        if found != expected:
            self._count_bad(telegram, f"block check {found:02X}, expected {expected:02X}")
            self._drop(self._hidden_start(telegram, lambda inside: _block_check(inside + ending), found) or tail.end())
            return False
        self._drop(tail.end())
        self._has_crc = True
        return True

    def _skip_overlong(self) -> None:
        """The end does not come: go on at the next beginning inside, if there is one."""
        longest = self.options.max_telegram
        self._tally.add("too_long", 1, bytes(self._buffer[:24]))
        found = _START.search(self._buffer, 1, longest)
        begin, searched = found.start() if found else longest, self._searched
        self._drop(begin)
        self._searched = max(searched - begin, 1) if found else 0

    def _count_bad(self, telegram: bytes, why: str) -> None:
        self._count_example("bad_telegrams", 1, f"{telegram[:30]!r}: {why}")

    def _count_example(self, name: str, n: int, example: str) -> None:
        self._tally.add(name, n, b"", example)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = 0

    def _skip_noise(self, count: int) -> None:
        if count:
            lost = bytes(self._buffer[:count])
            if noise := len(lost.translate(None, b" \t\r\n")):
                if self._midway:
                    self._tally.add("first_partial", 1, b"", repr(lost[:24])[1:])
                    self._midway = False
                self._tally.add("skipped_bytes", noise, b"", repr(lost[:24]))
            self._drop(count)


def _block_check(telegram: bytes) -> int | None:
    """The block check of all after the STX that begins a block; None if none begins."""
    start = telegram.find(_BLOCK)
    return None if start < 0 else reduce(xor, telegram[start + len(_BLOCK) :], 0) & 0x7F
