"""Blocks of key/value lines that carry checksums: Victron VE.Direct and its like, and Linky teleinfo.

Sources: Victron "VE.Direct Protocol" (text mode: the bytes of a block, its checksum included, add to zero; HEX records may
stand between any two bytes of it and do not count); Enedis-NOI-CPT_54E (teleinfo: STX groups ETX, each group with a
checksum character of its own).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from sensorlogd.batch import EXACT, Batch, whole
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.sentinels import NUMBER, Texts, integer
from sensorlogd.drivers.serial.effort import Tally
from sensorlogd.drivers.serial.framing.frame_options import BlockFormat
from sensorlogd.drivers.serial.regex.expressions import linear_bytes
from sensorlogd.notation.symbols import micro

_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,16}")


class BlockDecoder:
    """Decodes blocks of lines of key and value. ``feed`` gives the samples of the blocks that ``data`` completes.

    ``wanted``: the keys that are logged; None = all that are numbers. ``maps``: key -> text -> number, of the channels.
    """

    def __init__(
        self,
        options: BlockFormat,
        wanted: set[str] | None,
        count: Count,
        maps: Mapping[str, Mapping[str, float]] | None = None,
        *,
        midway: bool = False,
    ) -> None:
        self.options = options
        self.wanted = wanted
        self.missing = Texts(options.missing, options.missing_only)
        self.maps = maps or {}
        self.count = count
        self._tally = Tally(count)
        self._buffer = bytearray()
        self._searched = 0  # of the buffer, known to hold no end of a block
        self._first = True
        self._midway = midway
        self._too_long = False  # what is kept is the end of a block that is too long
        self._openers: set[bytes] = set()
        equals = _latin1(options.equals)
        self._equals = equals
        if options.last is not None:
            self._last = b"\r\n" + _latin1(options.last) + equals
            after = re.escape(_latin1(options.last) + equals)
            self._aside = linear_bytes(options.aside) if options.aside else None
            self._is_sum = re.compile(after + rb"\Z", re.DOTALL)
        else:
            self._begin, self._end = _latin1(options.begin or ""), _latin1(options.end or "")

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """None if no block is complete."""
        self._buffer += data
        found = self._summed_blocks() if self.options.last is not None else self._enclosed_blocks()
        rows = [row for pairs in found if (row := self._wanted_numbers(pairs))]
        self._tally.pass_on()
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch([now_us] * len(rows), {name: [row.get(name) for row in rows] for name in names})

    def idle(self, now_us: int = 0) -> Batch | None:
        """Nothing more will come: what is incomplete is given up."""
        if self._buffer.strip(b"\r\n") and not self._too_long:
            enclosed = self.options.last is None
            counter = "first_partial" if self._first and self._midway and not enclosed else "cut_short"
            self._tally.add(counter, 1, b"", repr(bytes(self._buffer[:40]))[1:])
        self._buffer.clear()
        self._searched, self._first, self._midway, self._too_long = 0, False, False, False
        self._tally.pass_on()
        return None

    # ---- a block whose bytes add to zero ---------------------------------------------------------------------------

    def _remove_aside(self) -> None:
        """Take out of the buffer the records that may come at any moment; the sum's own byte is none of them."""
        assert self._aside is not None
        buffer = bytes(self._buffer)
        kept, position, look, removed = list[bytes](), 0, 0, 0
        while (found := self._aside.search(buffer, look)) is not None:
            if found.end() == found.start() or self._is_sum.search(
                buffer, max(found.start() - len(self._last), 0), found.start()
            ):
                look = found.start() + 1
                continue
            kept.append(buffer[position : found.start()])
            position = look = found.end()
            removed += 1
        if removed:
            self._tally.add("aside", removed)
            self._buffer = bytearray(b"".join(kept) + buffer[position:])

    def _summed_blocks(self) -> list[dict[bytes, bytes]]:
        """Key -> value of each good block that the buffer holds; these and the bad ones are taken out of it."""
        if self._aside is not None:
            self._remove_aside()
        buffer, last, blocks, begin = self._buffer, self._last, list[dict[bytes, bytes]](), 0
        while (position := buffer.find(last, max(begin, self._searched))) >= 0 and len(buffer) > position + len(last):
            stop = position + len(last) + 1
            block = bytes(buffer[begin:stop])
            begin, self._searched = stop, stop
            if (pairs := self._parse_summed(block)) is not None:
                blocks.append(pairs)
        del buffer[:begin]
        if len(buffer) > self.options.max_block + len(last):
            if not self._too_long:
                self._tally.add("too_long", 1, b"", repr(bytes(buffer[:40]))[1:])
            self._too_long = True
            del buffer[: len(buffer) - len(last)]
        self._searched = 0 if self._aside is not None else max(len(buffer) - len(last), 0)
        return blocks

    def _parse_summed(self, block: bytes) -> dict[bytes, bytes] | None:
        """Key -> value of one block; None, and counted, if its sum is wrong, it is too long, or it began before the port was
        opened."""
        first, self._first = self._first, False
        too_long, self._too_long = self._too_long, False
        if too_long:
            return None
        if len(block) - 1 > self.options.max_block + len(self._last):
            self._tally.add("too_long", 1, b"", repr(block[:40])[1:])
            return None
        good = None if first and self._midway else self._good_part(block)
        if good is None:
            self._tally.add("first_partial" if first else "bad_blocks", 1, b"", repr(block[-40:]))
            return None
        pairs = {}
        for line in good[: -len(self._last) - 1].split(b"\r\n"):
            key, equals, value = line.partition(self._equals)
            if equals:
                pairs[key] = value
        if len(self._openers) < 16:
            self._openers.add(good[2:].split(self._equals, 1)[0])
        return pairs

    def _good_part(self, block: bytes) -> bytes | None:
        """The block; or, where the end of the one before it was damaged, what begins with a key that began one before."""
        if sum(block) & 0xFF == 0:
            return block
        starts = sorted((block.rfind(b"\r\n" + opener + self._equals) for opener in self._openers), reverse=True)
        for start in starts:
            if start > 0 and sum(block[start:]) & 0xFF == 0:
                self._tally.add("bad_blocks", 1, b"", repr(block[:40]))
                return block[start:]
        return None

    # ---- groups between STX and ETX --------------------------------------------------------------------------------

    def _enclosed_blocks(self) -> list[dict[bytes, bytes]]:
        """Key -> value of each block that the buffer holds, which is taken out of it."""
        buffer, blocks, position = self._buffer, list[dict[bytes, bytes]](), 0
        opens, closes, longest = self._begin, self._end, self.options.max_block
        while True:
            start = buffer.find(opens, position)
            self._count_skipped(position, start if start >= 0 else len(buffer) - len(opens) + 1)
            if start < 0:
                position = max(len(buffer) - len(opens) + 1, position)
                break
            position = start
            last = start + len(opens) + longest + len(closes)
            stop = buffer.find(closes, max(start + len(opens), self._searched), last)
            if stop < 0 and len(buffer) < last:
                self._searched = max(len(buffer) - len(closes) + 1, 0)
                break
            if stop < 0:  # its end was lost: the last one that begins inside may be good
                self._tally.add("too_long", 1, b"", repr(bytes(buffer[start : start + 40]))[1:])
                inner = buffer.rfind(opens, start + 1, last)
                position, self._searched = (inner if inner >= 0 else last), 0
                continue
            inside = bytes(buffer[start + len(opens) : stop])
            position, self._searched = stop + len(closes), 0
            cut = inside.rfind(opens)
            if cut >= 0:  # the end of the block before was lost
                self._tally.add("bad_blocks", 1, b"", repr(inside[:40]))
                inside = inside[cut + len(opens) :]
            self._first = False
            blocks.append(self._parse_groups(inside))
        del buffer[:position]
        self._searched = max(self._searched - position, 0)
        return blocks

    def _count_skipped(self, start: int, stop: int) -> None:
        """Count bytes between blocks."""
        if stop <= start:
            return
        noise = repr(bytes(self._buffer[start : min(stop, start + 24)]))
        if self._first and self._midway:
            self._tally.add("first_partial", 1, b"", noise)
            self._first = False
        self._tally.add("skipped_bytes", stop - start, b"", noise)

    def _parse_groups(self, inside: bytes) -> dict[bytes, bytes]:
        """Key -> value of the lines of a block whose own checksum is right, if lines have one. The others are counted."""
        pairs = {}
        for line in inside.replace(b"\r", b"\n").split(b"\n"):
            if not line:
                continue
            content: bytes | None = line
            if self.options.line_sum is not None:
                content = self._checked_content(line)
            if content is None:
                self._tally.add("bad_lines", 1, b"", repr(line[:60]))
                continue
            key, equals, value = content.partition(self._equals)
            if equals:
                pairs[key] = value.rsplit(self._equals, 1)[-1]  # a time may stand between key and value
        return pairs

    def _checked_content(self, line: bytes) -> bytes | None:
        """A line without its checksum; None if that is wrong."""
        rule = self.options.line_sum
        assert rule is not None
        if len(line) < 4:
            return None
        covered = line[:-1] if rule.with_separator else line[: -1 - len(self._equals)]
        total = sum(covered)
        if rule.type == "xor8":
            total = 0
            for byte in covered:
                total ^= byte
        expected = (total % rule.modulo + rule.plus) if rule.type == "sum_modulo" else total & 0xFF
        return line[: -1 - len(self._equals)] if line[-1] == expected else None

    # ---- values ----------------------------------------------------------------------------------------------------

    def _wanted_numbers(self, pairs: Mapping[bytes, bytes]) -> dict[str, float]:
        """Field -> number of a block. Keys that are not logged, and logged ones without a number, are counted."""
        row: dict[str, float] = {}
        for key, value in pairs.items():
            name, text = key.decode("latin-1").strip(), value.decode("latin-1").strip()
            if self.wanted is not None and name not in self.wanted:
                self.count("unmapped", 1, f"{name}={text}"[:80])
                continue
            number = self._parse_number(micro(text), self.maps.get(name))
            if number is None:
                if self.wanted is not None:
                    self.count("bad_values", 1, f"{name}={text}"[:80])
                continue
            row[name] = number
        return row

    def _parse_number(self, text: str, mapped: Mapping[str, float] | None) -> float | None:
        """The number that a text stands for, NaN for "no value", None for a text that is neither."""
        if mapped is not None and text in mapped:
            return mapped[text]
        if text in self.options.words:
            return self.options.words[text]
        if text.lower() in self.missing.texts:
            return math.nan
        if NUMBER.fullmatch(text):
            number = float(text)
            if number in self.missing.numbers or not math.isfinite(number):
                return math.nan
            return whole(integer(text)) if abs(number) >= EXACT and text.lstrip("+-").isdigit() else number
        if not _HEX.fullmatch(text):
            return None
        bits = int(text, 16)
        return math.nan if bits in self.missing.bits or bits in self.missing.numbers else whole(bits)


def _latin1(text: str) -> bytes:
    return text.encode("latin-1", "replace")
