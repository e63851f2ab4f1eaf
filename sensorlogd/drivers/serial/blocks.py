"""Blocks of key/value lines that carry checksums: Victron VE.Direct and its like, and Linky teleinfo.

Sources: Victron "VE.Direct Protocol" (text mode: the bytes of a block, its checksum included, add to zero; HEX records may
stand between any two bytes of it and do not count); Enedis-NOI-CPT_54E (teleinfo: STX groups ETX, each group with a
checksum character of its own).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from sensorlogd.batch import Batch
from sensorlogd.drivers.serial.frame_options import BlockFormat

Count = Callable[[str, int, str], None]
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,12}")


class BlockDecoder:
    """``feed`` gives the samples of the blocks that ``data`` completes.

    ``wanted``: the keys that are logged; None = all that are numbers. ``missing``: texts that mean "no value", lower case.
    """

    def __init__(self, options: BlockFormat, wanted: set[str] | None, missing: Iterable[str], count: Count) -> None:
        self.options = options
        self.wanted = wanted
        self.missing = frozenset(missing)
        self.count = count
        self._buffer = b""
        self._first = True
        self._openers: set[bytes] = set()
        equals = _bytes(options.equals)
        self._equals = equals
        if options.last is not None:
            self._last = b"\r\n" + _bytes(options.last) + equals
            lookbehind = b"(?<!" + re.escape(_bytes(options.last) + equals) + b")"
            self._aside = re.compile(lookbehind + b"(?:" + _bytes(options.aside) + b")") if options.aside else None
        else:
            self._begin, self._end = _bytes(options.begin or ""), _bytes(options.end or "")

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """None if no block is complete."""
        self._buffer += data
        found = self._summed() if self.options.last is not None else self._enclosed()
        rows = [row for pairs in found if (row := self._numbers(pairs))]
        if len(self._buffer) > self.options.max_block:
            self.count("skipped_bytes", len(self._buffer), repr(self._buffer[:24]))
            self._buffer = b""
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch([now_us] * len(rows), {name: [row.get(name) for row in rows] for name in names})

    def idle(self) -> None:
        """Nothing more will come: what is incomplete is given up."""
        self._buffer = b""

    # ---- a block whose bytes add to zero ---------------------------------------------------------------------------

    def _summed(self) -> list[dict[bytes, bytes]]:
        if self._aside is not None:
            self._buffer, removed = self._aside.subn(b"", self._buffer)
            if removed:
                self.count("aside", removed, "")
        blocks: list[dict[bytes, bytes]] = []
        while (at := self._buffer.find(self._last)) >= 0 and len(self._buffer) > at + len(self._last):
            stop = at + len(self._last) + 1
            block, self._buffer = self._buffer[:stop], self._buffer[stop:]
            first, self._first = self._first, False
            good = self._good_part(block)
            if good is None:
                self.count("partial_first" if first else "bad_blocks", 1, repr(block[-40:]))
                continue
            pairs = {}
            for line in good[: -len(self._last) - 1].split(b"\r\n"):
                key, equals, value = line.partition(self._equals)
                if equals:
                    pairs[key] = value
            opener = good[2:].split(self._equals, 1)[0]
            if len(self._openers) < 16:
                self._openers.add(opener)
            blocks.append(pairs)
        return blocks

    def _good_part(self, block: bytes) -> bytes | None:
        """The block; or, where the end of the one before it was damaged, what begins with a key that began one before."""
        if sum(block) & 0xFF == 0:
            return block
        starts = sorted((block.rfind(b"\r\n" + opener + self._equals) for opener in self._openers), reverse=True)
        for start in starts:
            if start > 0 and sum(block[start:]) & 0xFF == 0:
                self.count("bad_blocks", 1, repr(block[:40]))
                return block[start:]
        return None

    # ---- groups between STX and ETX --------------------------------------------------------------------------------

    def _enclosed(self) -> list[dict[bytes, bytes]]:
        blocks: list[dict[bytes, bytes]] = []
        while True:
            start = self._buffer.find(self._begin)
            if start < 0:
                keep = len(self._begin) - 1
                lost = len(self._buffer) - keep
                if lost > 0:
                    self.count("skipped_bytes", lost, repr(self._buffer[:24]))
                    self._buffer = self._buffer[lost:]
                return blocks
            if start:
                self.count("skipped_bytes", start, repr(self._buffer[:24]))
                self._buffer = self._buffer[start:]
            stop = self._buffer.find(self._end, len(self._begin))
            if stop < 0:
                return blocks
            inside = self._buffer[len(self._begin) : stop]
            self._buffer = self._buffer[stop + len(self._end) :]
            cut = inside.rfind(self._begin)
            if cut >= 0:  # the end of the block before was lost
                self.count("bad_blocks", 1, repr(inside[:40]))
                inside = inside[cut + len(self._begin) :]
            blocks.append(self._groups(inside))

    def _groups(self, inside: bytes) -> dict[bytes, bytes]:
        pairs = {}
        for line in inside.replace(b"\r", b"\n").split(b"\n"):
            if not line:
                continue
            content: bytes | None = line
            if self.options.line_sum is not None:
                content = self._summed_line(line)
            if content is None:
                self.count("bad_lines", 1, repr(line[:60]))
                continue
            key, equals, value = content.partition(self._equals)
            if equals:
                pairs[key] = value.rsplit(self._equals, 1)[-1]  # a time may stand between key and value
        return pairs

    def _summed_line(self, line: bytes) -> bytes | None:
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

    def _numbers(self, pairs: Mapping[bytes, bytes]) -> dict[str, float]:
        row: dict[str, float] = {}
        for key, value in pairs.items():
            name, text = key.decode("latin-1").strip(), value.decode("latin-1").strip()
            if self.wanted is not None and name not in self.wanted:
                self.count("unmapped", 1, f"{name}={text}"[:80])
                continue
            number = self._number(text)
            if number is None:
                if self.wanted is not None:
                    self.count("bad_values", 1, f"{name}={text}"[:80])
                continue
            row[name] = number
        return row

    def _number(self, text: str) -> float | None:
        if text in self.options.words:
            return self.options.words[text]
        if text.lower() in self.missing:
            return math.nan
        if _NUMBER.fullmatch(text):
            number = float(text)
            return number if math.isfinite(number) else None
        return float(int(text, 16)) if _HEX.fullmatch(text) else None


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")
