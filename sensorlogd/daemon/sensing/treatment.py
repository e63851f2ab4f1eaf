"""Per-sample treatment between driver and inbox: every batch of a sensor becomes a block of what is to be stored.

Batches are treated by column: times are checked and made unique, then each channel is scaled and tested (``channel_treatment``),
and its deadband (``deadband``) takes out what need not be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import compress, islice, repeat
from operator import is_not, lt
from typing import Any

from sensorlogd.batch import Batch, Block, Column
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.channel_treatment import ChannelTreatment, Values, steps_of
from sensorlogd.daemon.sensing.spikes import WaitingReading
from sensorlogd.quality import Test

BAD_TIME = int(Test.BAD_TIME)  # a mark beside the flag, as the following
CLOCK_UNSYNCED = int(Test.CLOCK_UNSYNCED)  # a mark beside the flag: the time is in doubt, not the value

# A wall clock that goes back by more than this was set; readings then follow it. Less is jitter, or many lines in one
# read, and gets the next free microsecond.
STEP_BACK_US = 1_000_000

# The years 1 to 9999: what can be shown as a date. A time outside comes from a fault, and is counted, not stored.
FIRST_US = -62_135_596_800_000_000
LAST_US = 253_402_300_799_999_999


class Treatment:
    """All channels of one sensor. Used by the sensor's thread only.

    ``count``: called as count(counter, n, example) for whatever is not stored: ``unmapped`` fields, ``suppressed``
    readings (deadband), samples with a ``bad_time``.
    """

    def __init__(
        self,
        sensor: str,
        channels: Mapping[str, ChannelOptions],
        heartbeat_us: int,
        count: Callable[[str, int, str], None],
    ) -> None:
        self._sensor = sensor
        self._count = count
        self._by_source: dict[str, list[ChannelTreatment]] = {}
        for name, options in channels.items():
            self._by_source.setdefault(options.source or name, []).append(ChannelTreatment(name, options, heartbeat_us))
        self._newest_us: int | None = None
        self._device_time = False  # of the batch before
        self.mapped = 0  # readings of configured channels so far, suppressed ones included

    def blocks(self, batch: Batch, *, clock_synced: bool = True) -> Iterator[Block]:
        """What is to be stored now that ``batch`` has come. All times of a block are of one clock: if those of
        ``batch`` are of another one than those before, what the spike test holds back comes first, in a block of its
        own. Raises as ``process``."""
        if batch.times_us and batch.device_time != self._device_time and (held_back := self.flush()) is not None:
            yield held_back
        if (block := self.process(batch, clock_synced=clock_synced)) is not None:
            yield block

    def process(self, batch: Batch, *, clock_synced: bool = True) -> Block | None:
        """What of ``batch`` is to be stored, or None; the clock is that of the batch before, or the spike test holds
        nothing back.

        Raises ValueError or TypeError for a batch that breaks the contract (lengths differ, times that are no integers).
        """
        if not batch.times_us:
            return None
        self._device_time = batch.device_time
        taken, columns = self._check(batch)
        if not taken:
            return None
        times = taken if batch.device_time else self._unique_times(taken)
        mark = 0 if clock_synced or batch.device_time else CLOCK_UNSYNCED
        mark |= BAD_TIME if batch.bad_time else 0
        rows = _Rows(taken, times)
        ragged: dict[bytes, _Rows] = {}  # columns with the same samples absent share their times
        stored = []
        for field, raw in columns.items():
            channels = self._by_source.get(field)
            if channels is None:
                self._count("unmapped", len(raw) - raw.count(None), f"field {field!r} belongs to no channel")
                continue
            mine = rows
            if None in raw:
                present = bytes(map(is_not, raw, repeat(None)))
                if not any(present):
                    continue
                mine = ragged.get(present) or ragged.setdefault(present, rows.only(present))
                raw = list(compress(raw, present))
            for channel in channels:
                self.mapped += len(raw)
                column = self._treat_column(channel, mine, raw, mark)
                if column is not None:
                    stored.append(column)
        return Block(self._sensor, stored, batch.device_time) if stored else None

    def _check(self, batch: Batch) -> tuple[list[int], dict[str, list[float | None]]]:
        """Times and columns that keep the contract, without the samples whose time cannot be."""
        times, columns = batch.times_us, batch.values
        for field, raw in columns.items():
            if len(raw) != len(times):
                raise ValueError(f"the driver gave {len(times)} times but {len(raw)} values of {field!r}")
        if set(map(type, times)) != {int}:
            wrong = next(ts for ts in times if type(ts) is not int)
            raise TypeError(f"the driver gave the time {wrong!r}; times are integers, microseconds since 1970 UTC")
        if min(times) >= FIRST_US and max(times) <= LAST_US:
            return times, columns
        possible = [FIRST_US <= ts <= LAST_US for ts in times]
        self._count("bad_time", possible.count(False), f"{times[possible.index(False)]} µs is no date")
        return list(compress(times, possible)), {field: list(compress(raw, possible)) for field, raw in columns.items()}

    def flush(self) -> Block | None:
        """The readings that the spike test still holds back."""
        columns = [
            column
            for channels in self._by_source.values()
            for channel in channels
            if channel.spikes is not None and (column := self._treat_waiting_column(channel, channel.spikes.flush())) is not None
        ]
        return Block(self._sensor, columns, self._device_time) if columns else None

    def _treat_column(self, channel: ChannelTreatment, rows: _Rows, raw: list[Any], mark: int) -> Column | None:
        if channel.spikes is not None:
            arrived = [
                WaitingReading(taken, ts, value, mark, channel.value_of(value))
                for taken, ts, value in zip(rows.taken, rows.times, raw, strict=True)
            ]
            return self._treat_waiting_column(channel, channel.spikes.take(arrived))
        values, quality = channel.treat(rows.taken, raw, rows.steps)
        if mark:
            quality = quality | mark if isinstance(quality, int) else [flags | mark for flags in quality]
        return self._thin_out(channel, rows.times, values, quality)

    def _treat_waiting_column(self, channel: ChannelTreatment, passed: list[WaitingReading]) -> Column | None:
        if not passed:
            return None
        values, qualities = channel.treat_waiting(passed)
        return self._thin_out(channel, [reading.ts for reading in passed], values, qualities)

    def _thin_out(self, channel: ChannelTreatment, times: list[int], values: Values, quality: int | list[int]) -> Column | None:
        """The readings that the deadband lets pass."""
        if channel.deadband is not None:
            kept = channel.deadband.keep(times, values, quality)
            if len(kept) < len(times):
                self._count("suppressed", len(times) - len(kept), "")
                if not kept:
                    return None
                times, values = [times[index] for index in kept], [values[index] for index in kept]
                if not isinstance(quality, int):
                    quality = [quality[index] for index in kept]
        return Column(channel.name, times, values, quality)

    def _unique_times(self, times: list[int]) -> list[int]:
        """Host-stamped times of one sensor never repeat: a taken microsecond gives the next free one."""
        newest = self._newest_us
        free = newest is None or times[0] > newest or times[0] <= newest - STEP_BACK_US
        if free and all(map(lt, times, islice(times, 1, None))):
            self._newest_us = times[-1]
            return times
        fixed = []
        for ts in times:
            if newest is not None and newest - STEP_BACK_US < ts <= newest:
                ts = newest + 1
            fixed.append(ts)
            newest = ts
        self._newest_us = newest
        return fixed


class _Rows:
    """The times of some samples: when they were ``taken`` (or arrived), and the ``times`` they are stored under."""

    def __init__(self, taken: list[int], times: list[int]) -> None:
        self.taken, self.times = taken, times
        self.steps = steps_of(taken)

    def only(self, present: bytes) -> _Rows:
        taken = list(compress(self.taken, present))
        return _Rows(taken, taken if self.times is self.taken else list(compress(self.times, present)))
