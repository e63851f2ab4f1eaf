"""From binary frames to samples; ``unescaped`` and ``stuffing`` find the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.serial.effort import Tally
from sensorlogd.drivers.serial.framing.fields import BadFrame, Read, readers, variants
from sensorlogd.drivers.serial.framing.frame_options import FrameFormat
from sensorlogd.drivers.serial.framing.shape import Shape
from sensorlogd.drivers.serial.framing.stuffing import Delimited, Dle
from sensorlogd.drivers.serial.framing.unescaped import BySilence, Unescaped


class FrameDecoder:
    """Decodes binary frames. ``feed`` gives the samples of the frames that ``data`` completes; ``wanted``: the fields to read."""

    def __init__(self, options: FrameFormat, wanted: set[str], count: Count, *, midway: bool = False) -> None:
        self.count = count
        self.options = options
        self.frames = Frames(options, count, midway=midway)
        self._fields = _only_wanted(readers(options.fields, options.byte_order), wanted)
        self._variants = [(fits, _only_wanted(fields, wanted)) for fits, fields in variants(options.variants, options.byte_order)]

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """None if no frame is complete."""
        return self._batch(self.frames.feed(data), now_us)

    def idle(self, now_us: int = 0) -> Batch | None:
        """Nothing more will come: an incomplete frame is given up, and frames inside it are found."""
        return self._batch(self.frames.quiet(), now_us)

    def _batch(self, frames: Iterable[bytes], now_us: int) -> Batch | None:
        rows = [row for frame in frames if (row := self._row(frame))]
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch([now_us] * len(rows), {name: [row.get(name) for row in rows] for name in names})

    def _row(self, frame: bytes) -> dict[str, float] | None:
        """The wanted fields of a frame, as far as it reaches; None, and counted, for a bad one and for one of which nothing is
        known."""
        wanted = self._fields
        if self._variants:
            for fits, fields in self._variants:
                if fits(frame):
                    wanted = wanted | fields
                    break
            else:
                if self.options.others == "bad":
                    self.count("bad_frames", 1, f"{frame[:24].hex(' ')}: of no known kind")
                    return None
                if not wanted:
                    self.count("other_frames", 1, frame[:24].hex(" "))
                    return None
        try:
            return {name: value for name, read in wanted.items() if (value := read(frame)) is not None}
        except BadFrame as bad:
            self.count("bad_frames", 1, f"{frame[:24].hex(' ')}: {bad}")
            return None


def _only_wanted(fields: dict[str, Read], wanted: set[str]) -> dict[str, Read]:
    return {name: read for name, read in fields.items() if name in wanted}


class Splitter(Protocol):
    """Finds frames in a stream. Exhaust one iterator before the next call."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that ``data`` completes, stuffing undone. What is no frame is counted."""

    def quiet(self) -> Iterator[bytes]:
        """The frames that the end of a burst completes or uncovers. What is left of the burst is counted and forgotten."""


class Frames:
    """The frames in a stream of bytes, checked, in order; any cutting of the same bytes gives the same frames.

    Counts ``bad_frames`` (checksum, footer), ``bad_length``, ``too_long``, ``cut_short``, ``first_partial`` and ``skipped_bytes``.
    """

    def __init__(self, options: FrameFormat, count: Count, *, midway: bool = False) -> None:
        self._tally = Tally(count)
        shape = Shape(options)
        self._frames: Splitter
        if options.escape == "dle":
            self._frames = Dle(shape, self._tally, midway=midway)
        elif options.escape != "none":
            self._frames = Delimited(shape, self._tally, slip=options.escape == "slip", midway=midway)
        elif options.length == "silence":
            self._frames = BySilence(shape, self._tally, midway=midway)
        else:
            self._frames = Unescaped(shape, self._tally, midway=midway)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes."""
        frames = list(self._frames.feed(data))
        self._tally.pass_on()
        return frames

    def quiet(self) -> list[bytes]:
        """The line is silent, so an incomplete frame will not go on."""
        frames = list(self._frames.quiet())
        self._tally.pass_on()
        return frames
