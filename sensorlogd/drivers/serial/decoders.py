"""From bytes to batches: one decoder for each kind of format. A decoder has no effect other than its counters."""

from __future__ import annotations

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.decoding import Decoder
from sensorlogd.drivers.serial.framing.frame_options import BlockFormat, FrameFormat, ObisFormat
from sensorlogd.drivers.serial.framing.frames import FrameDecoder
from sensorlogd.drivers.serial.options import LineOptions
from sensorlogd.drivers.serial.telegrams.blocks import BlockDecoder
from sensorlogd.drivers.serial.telegrams.obis import ObisDecoder
from sensorlogd.drivers.serial.text.formats import LineParser
from sensorlogd.drivers.serial.text.lines import LineSplitter


class LineDecoder:
    """Decodes lines with one of the line formats."""

    def __init__(self, options: LineOptions, count: Count, *, whole: bool = False, midway: bool = False) -> None:
        self._end = {"any": b"\n", "silence": b""}.get(options.terminator, options.terminator.encode("latin-1"))
        self.lines = LineSplitter(options.terminator.encode("latin-1"), options.max_line, count, midway=midway)
        self.parser = LineParser(options, count)
        self.parser.first = not whole and not midway

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """The samples of the good lines that ``data`` completes."""
        lines = self.lines.feed(data)
        return self.parser.parse(lines, now_us) if lines else None

    def idle(self, now_us: int = 0) -> Batch | None:
        """The sample of the line that the silence has ended, if silence ends lines here."""
        lines = self.lines.quiet()
        self.parser.first = False
        return self.parser.parse(lines, now_us) if lines else None

    def finish(self, now_us: int) -> Batch | None:
        """The source has ended, so the last line needs no line end."""
        if not self.lines.pending:
            return None
        batch = self.feed(self._end, now_us)
        return batch if batch is not None else self.idle(now_us)


def decoder_for(options: LineOptions, count: Count, *, whole: bool = False, midway: bool = False) -> Decoder:
    """The decoder for ``options.format``.

    ``whole``: the first bytes begin a unit (a program's output). ``midway``: they may belong to one that began earlier, and what
    comes before the first terminator, header or silence is no reading (a port that was just opened). Neither: they are judged by
    whether they fit (a file).
    """
    wanted = {channel.source or name for name, channel in options.channel_options().items()}
    match options.format:
        case FrameFormat():
            return FrameDecoder(options.format, wanted, count, midway=midway)
        case BlockFormat():
            return BlockDecoder(options.format, wanted, count, options.maps(), midway=midway)
        case ObisFormat():
            plain = [
                (name, channel)
                for name, channel in options.channel_options().items()
                if channel.scale == 1.0 and channel.curve() is None
            ]
            units = {channel.source or name: channel.unit for name, channel in plain if channel.unit}
            return ObisDecoder(options.format, wanted, count, units, midway=midway)
    return LineDecoder(options, count, whole=whole, midway=midway)
