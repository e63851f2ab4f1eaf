"""Bytes to batches: one decoder for each kind of format. A decoder is pure but for its counters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sensorlogd.batch import Batch
from sensorlogd.drivers.serial.blocks import BlockDecoder
from sensorlogd.drivers.serial.formats import LineParser
from sensorlogd.drivers.serial.frame_options import BlockFormat, FrameFormat, ObisFormat
from sensorlogd.drivers.serial.frames import FrameDecoder
from sensorlogd.drivers.serial.lines import LineSplitter
from sensorlogd.drivers.serial.obis import ObisDecoder
from sensorlogd.drivers.serial.options import LineOptions

Count = Callable[[str, int, str], None]
MISSING = ("nan", "na", "n/a", "null", "none", "", "---")


class Decoder(Protocol):
    """``feed`` takes what arrived at ``now_us`` and gives the samples it completes; any cutting gives the same samples."""

    def feed(self, data: bytes, now_us: int) -> Batch | None: ...

    def idle(self) -> None: ...


class LineDecoder:
    """Lines and their formats."""

    def __init__(self, options: LineOptions, count: Count, *, whole: bool = False) -> None:
        terminator = b"any" if options.terminator == "any" else options.terminator.encode("latin-1")
        self.lines = LineSplitter(terminator, options.max_line, count)
        self.parser = LineParser(options, count)
        self.parser.first = not whole

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """The good lines that ``data`` completes."""
        lines = self.lines.feed(data)
        return self.parser.parse(lines, now_us) if lines else None

    def idle(self) -> None:
        """A late answer is still an answer."""


def decoder_for(options: LineOptions, count: Count, *, whole: bool = False) -> Decoder:
    """The decoder that ``options.format`` describes. ``whole``: the first line is not the tail of one that began earlier."""
    wanted = {channel.source or name for name, channel in options.channel_options().items()}
    match options.format:
        case FrameFormat():
            return FrameDecoder(options.format, wanted, count)
        case BlockFormat():
            return BlockDecoder(options.format, wanted, MISSING, count)
        case ObisFormat():
            return ObisDecoder(options.format, wanted, count)
    return LineDecoder(options, count, whole=whole)
