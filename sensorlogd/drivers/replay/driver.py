"""The ``replay`` driver: reads a file as if its contents came from the device, at the recorded pace or any other."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from sensorlogd.batch import Batch, Sample, Stamp
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError, EndOfData
from sensorlogd.drivers.decoding import Decoder, decoder_of
from sensorlogd.drivers.replay.bytes_file import PlayedBytes, pieces
from sensorlogd.drivers.replay.options import ReplayKeys, ReplayNmeaOptions, ReplayOptions, ReplaySerialOptions
from sensorlogd.drivers.replay.readings_file import Row, rows
from sensorlogd.drivers.serial.decoders import LineDecoder

BATCH = 4096  # rows or bytes handed over at once when nothing has to be waited for
GAP_US = 1_000_000  # where silence is what ends a line or frame; who recorded may have stood still for less
LAP_PAUSE_US = 1_000_000  # before a file of one entry begins again


class ReplayDriver(Driver):
    """Plays one file; see the module. Every item of it is due when as much time has passed as lies between it and the first
    item."""

    Options = ReplayOptions
    summary = "recorded bytes or readings, at any pace"
    waits = True

    def __init__(self, options: ReplayKeys, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: ReplayKeys = options
        self.bytes_seen = 0
        self._items: Generator[PlayedBytes | Row] | None = None
        self._next: PlayedBytes | Row | None = None
        self._decoder: Decoder | None = None
        self._lap_began = 0.0

    def open(self) -> None:
        """Read the file's first item. Raises DriverError for a file that is not there, is no ordinary file or cannot be understood, and
        for one that does not say when it was recorded although ``times: original`` asks for it."""
        path = Path(self.options.file)
        if not path.exists():
            raise DriverError(f"{path}: no such file", "a relative path is relative to the configuration")
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "a pipe or a device"
            raise DriverError(f"{path}: is {kind}; only an ordinary file can be replayed")
        self._begin_lap()
        if self._next is not None and self.options.times == "original" and self._original_us(self._next) is None:
            raise DriverError(
                f"{self.options.file}: does not tell when it was recorded", "say so with start:, or write times: now"
            )

    def _begin_lap(self) -> None:
        """Open the file anew and read its first item; time counts from now. Raises DriverError for a file that cannot be
        understood."""
        self.close()
        path, count = Path(self.options.file), self.context.count
        if isinstance(self.options, ReplayOptions):
            self._items = rows(path, self.options, count)
        else:
            assert isinstance(self.options, ReplaySerialOptions | ReplayNmeaOptions)
            self._items = pieces(path, self.options, count)
            self._decoder = decoder_of(self.options, count)
            by_silence = isinstance(self.options, ReplaySerialOptions) and self.options.ends_by_silence()
            self._gap_us = (self.options.gap or GAP_US) if by_silence else math.inf
        self._lap_began = time.monotonic()
        self._number = 0
        self._next = self._read_item()
        self._first_us = self._last_us = 0 if self._next is None else self._offset_us(self._next)
        self._stamped_us, self._same = -1, 0
        self._heard_us = self._first_us

    def _read_item(self) -> PlayedBytes | Row | None:
        """The next item of the file; None at its end. Raises DriverError for a file that cannot be understood."""
        assert self._items is not None
        try:
            return next(self._items, None)
        except ValueError as error:
            raise DriverError(str(error)) from error

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """The items that are due, at most BATCH bytes or rows of them, in one batch. What the silence after the last byte completes comes
        with it. Raises EndOfData after the last item unless ``loop:`` is set, DriverError for an item that cannot be understood."""
        if self._next is None:
            self._begin_again()
        assert self._next is not None
        wait = self._due(self._next) - time.monotonic()
        if wait > 0 and (self.context.wait(min(wait, max(timeout_s, 0))) or wait > timeout_s):
            return []
        batches: list[Batch] = []
        size = 0
        while self._next is not None and size < BATCH and self._due(self._next) <= time.monotonic():
            item = self._next
            size += len(item.data) if isinstance(item, PlayedBytes) else 1
            batch = self._play(item)
            if batch is not None:
                batches.append(batch)
            self._number += 1
            self._last_us = self._offset_us(item)
            self._next = self._read_item()
            if self._next is None and self._decoder is not None and not math.isinf(self._gap_us):
                at_us = self._original_us(item)
                silence = self._stamp_as_recorded(self._decoder.idle(self.context.now_us() if at_us is None else at_us), at_us)
                batches += [silence] if silence is not None else []
        return _join(batches) if batches else []

    def _begin_again(self) -> None:
        """Begin again from the start, or raise EndOfData."""
        if isinstance(self._decoder, LineDecoder) and self._decoder.lines.pending:
            self.context.count("unfinished_lines", 1, "")
        if not self.options.loop:
            raise EndOfData
        if not self._number:
            raise DriverError(f"{self.options.file}: holds nothing to replay", "loop: needs a file with one reading at least")
        pause_us = (self._last_us - self._first_us) / (self._number - 1) if self._number > 1 else LAP_PAUSE_US
        ended = self._lap_began + (self._last_us - self._first_us) / 1e6 / self.options.pace
        self._begin_lap()
        self._lap_began = max(ended, self._lap_began) + max(pause_us, 0) / 1e6 / self.options.pace
        if self._next is None:
            raise DriverError(
                f"{self.options.file}: holds nothing to replay any longer", "something has emptied the file; see what"
            )

    def _due(self, item: PlayedBytes | Row) -> float:
        """When the next item is due, on the monotonic clock."""
        if math.isinf(self.options.pace):
            return -math.inf
        return self._lap_began + (self._offset_us(item) - self._first_us) / 1e6 / self.options.pace

    def _offset_us(self, item: PlayedBytes | Row) -> int:
        """The time of the item in the file. Rows without times follow each other at the interval."""
        if item.at_us is not None:
            return item.at_us
        return self._number * (self.options.interval or 1_000_000)

    def _original_us(self, item: PlayedBytes | Row) -> int | None:
        """When the item was recorded; None if that is unknown or not wanted."""
        if self.options.times == "now" or self.options.loop:
            return None
        if self.options.start is not None:
            return self.options.start + self._offset_us(item) - self._first_us
        if isinstance(item, PlayedBytes):
            return item.at_us if item.absolute else None
        return item.at_us

    def _play(self, item: PlayedBytes | Row) -> Batch | None:
        """The samples that an item gives now, those that the silence before it has ended included; None if it gives none."""
        original_us = self._original_us(item)
        at_us = self.context.now_us() if original_us is None else original_us
        if isinstance(item, Row):
            return Batch([at_us], {name: [value] for name, value in item.values.items()}, device_time=original_us is not None)
        assert self._decoder is not None
        self.bytes_seen += len(item.data)
        silence = self._decoder.idle(at_us) if item.at_us - self._heard_us > self._gap_us else None
        self._heard_us = item.at_us
        batch = self._decoder.feed(item.data, at_us)
        if silence is not None:
            batch = silence if batch is None else _join([silence, batch])
        return self._stamp_as_recorded(batch, original_us)

    def _stamp_as_recorded(self, batch: Batch | None, original_us: int | None) -> Batch | None:
        """Put the batch under the time at which it was recorded, if that is known; times that the device gave itself stay."""
        if batch is None or original_us is None or (batch.device_time and batch.stamps is None):
            return batch
        at_us = original_us
        # As readings of a past time they are told apart by it: those that arrived together follow each other by a microsecond.
        if at_us != self._stamped_us:
            self._stamped_us, self._same = at_us, 0
        stamps = batch.stamps or bytes(len(batch.times_us))
        times = [
            ts if stamp == Stamp.DEVICE else at_us + self._same + index
            for index, (ts, stamp) in enumerate(zip(batch.times_us, stamps, strict=True))
        ]
        batch.times_us, batch.stamps = times, None
        self._same += len(batch.times_us)
        batch.device_time = True
        return batch

    def close(self) -> None:
        if self._items is not None:
            self._items.close()
        self._items, self._next, self._decoder = None, None, None


def _join(batches: list[Batch]) -> Batch:
    """One batch of all rows in order. All batches of a file have times of the same kind."""
    if len(batches) == 1:
        return batches[0]
    whole = Batch([], {}, batches[0].device_time)
    if any(batch.stamps is not None for batch in batches):
        whole.stamps = b"".join(batch.stamps or bytes([batch.device_time]) * len(batch.times_us) for batch in batches)
    for batch in batches:
        before = len(whole.times_us)
        whole.times_us += batch.times_us
        for name, column in batch.values.items():
            whole.values.setdefault(name, [None] * before).extend(column)
        for column in whole.values.values():
            column.extend([None] * (len(whole.times_us) - len(column)))
    return whole
