"""Per-sample treatment between driver and inbox: scale, quality tests, deadband.

The tests are QARTOD's (IOOS Quality Control of Real-Time Data manuals): gross range (``valid``, inclusive; fail), rate of
change (``max_rate`` against the last reading that was not itself a failure; suspect) and flat line (``stuck_after``;
suspect). A reading with no test configured is ``not_evaluated``, which is the truth; with any test configured and
passed it is ``good``. NaN and infinities are stored as NULL with the flag ``missing``.

Batches are treated by column. Each test first asks a question that built-ins answer for the whole column in C ("is the
largest value below the limit?"); only a column with something to flag is walked sample by sample, with the same result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import lt, sub

from sensorlogd.batch import Batch, Block, Column
from sensorlogd.config.models import ChannelOptions
from sensorlogd.quality import GOOD, MISSING, NOT_EVALUATED, Flag, Test, combine

GROSS_RANGE = int(Flag.FAIL) | int(Test.GROSS_RANGE)
RATE_OF_CHANGE = int(Flag.SUSPECT) | int(Test.RATE_OF_CHANGE)
FLAT_LINE = int(Flag.SUSPECT) | int(Test.FLAT_LINE)
CLOCK_UNSYNCED = int(Test.CLOCK_UNSYNCED)  # a mark beside the flag: the time is in doubt, not the value

# A wall clock that goes back by more than this was set; readings then follow it. Less is jitter or many lines in one
# read, and gets the next free microsecond.
STEP_BACK_US = 1_000_000


class _Channel:
    """The state of one channel between batches."""

    def __init__(self, name: str, options: ChannelOptions, heartbeat_us: int) -> None:
        self.name = name
        self.scale, self.offset = options.scale, options.offset
        low, high = options.valid or (None, None)
        self.low = -math.inf if low is None else low
        self.high = math.inf if high is None else high
        self.per_us = None if options.max_rate is None else options.max_rate / 1e6
        self.stuck_us = options.stuck_after
        self.deadband = options.deadband
        self.heartbeat_us = heartbeat_us
        tested = options.valid is not None or options.max_rate is not None or options.stuck_after is not None
        self.passed = GOOD if tested else NOT_EVALUATED
        self.last: tuple[int, float] | None = None  # newest reading that was not a failure
        self.run: tuple[int, float] | None = None  # since when the value has been the same
        self.stored: tuple[int, float | None, int] | None = None  # for the deadband

    def treat(
        self, times: list[int], raw: list[float | None], shortest_us: int, clock_synced: bool
    ) -> tuple[list[float | None], int | list[int]]:
        """Values after scale and offset, and their quality. ``shortest_us``: least step between times, 0 if unknown."""
        quality: int | list[int] | None = None
        values = raw
        try:
            finite = math.isfinite(sum(raw))  # type: ignore[arg-type]  # absent values were taken out before
        except (TypeError, OverflowError):
            finite = False
        if finite:
            if self.scale != 1.0 or self.offset != 0.0:
                scale, offset = self.scale, self.offset
                values = [value * scale + offset for value in raw]  # type: ignore[operator]
            quality = self._fast(times, values, shortest_us)
        if quality is None:
            values, quality = self._slow(times, raw)
        if not clock_synced:
            if isinstance(quality, int):
                quality |= CLOCK_UNSYNCED
            else:
                quality = [q | CLOCK_UNSYNCED for q in quality]
        return values, quality

    def _fast(self, times: list[int], values: list[float | None], shortest_us: int) -> int | None:
        """The one quality of all values, or None if some need a closer look. State moves on only if it is not None."""
        low: float = min(values)  # type: ignore[type-var,assignment]  # all are finite floats here
        high: float = max(values)  # type: ignore[type-var,assignment]
        if not (self.low <= low and high <= self.high and math.isfinite(low) and math.isfinite(high)):
            return None
        first: float = values[0]  # type: ignore[assignment]
        final: float = values[-1]  # type: ignore[assignment]
        if self.per_us is not None:
            if self.last is not None:
                elapsed = times[0] - self.last[0]
                if elapsed <= 0 or abs(first - self.last[1]) > self.per_us * elapsed:
                    return None
            if len(values) > 1 and (shortest_us <= 0 or high - low > self.per_us * shortest_us):
                if shortest_us <= 0:
                    return None
                steepest = max(map(abs, map(sub, values[1:], values)))
                if steepest > self.per_us * shortest_us:
                    return None
        if self.stuck_us is not None:
            if len(values) > 1 and shortest_us <= 0:
                return None
            since = times[0]
            if self.run is not None and self.run[1] == first:
                since = self.run[0]
                if times[0] < since:
                    return None
            if times[-1] - since >= self.stuck_us:
                return None  # may be stuck, may have changed in between: look closer
            if low == high:
                self.run = (since, final)
            else:
                index = len(values) - 1
                while values[index - 1] == final:
                    index -= 1
                self.run = (times[index], final)
        self.last = (times[-1], final)
        return self.passed

    def _slow(self, times: list[int], raw: list[float | None]) -> tuple[list[float | None], list[int]]:
        """The definition: every sample by itself, in order."""
        values: list[float | None] = []
        qualities: list[int] = []
        for ts, device_value in zip(times, raw, strict=True):
            value = None
            if isinstance(device_value, (int, float)) and math.isfinite(device_value):
                value = device_value * self.scale + self.offset
            if value is None or not math.isfinite(value):
                values.append(None)
                qualities.append(MISSING)
                continue
            quality = self.passed
            if not self.low <= value <= self.high:
                quality = combine(quality, GROSS_RANGE)
            if self.per_us is not None and self.last is not None:
                elapsed = ts - self.last[0]
                if elapsed > 0 and abs(value - self.last[1]) > self.per_us * elapsed:
                    quality = combine(quality, RATE_OF_CHANGE)
            if self.stuck_us is not None:
                if self.run is None or self.run[1] != value or ts < self.run[0]:
                    self.run = (ts, value)
                elif ts - self.run[0] >= self.stuck_us:
                    quality = combine(quality, FLAT_LINE)
            if quality & 0xF != Flag.FAIL:
                self.last = (ts, value)
            values.append(value)
            qualities.append(quality)
        return values, qualities

    def worth_storing(self, times: list[int], values: list[float | None], quality: int | list[int]) -> list[int]:
        """Indices of the readings that the deadband lets through: changed enough, flag changed, or a heartbeat since."""
        assert self.deadband is not None
        qualities = [quality] * len(times) if isinstance(quality, int) else quality
        kept = []
        for index, (ts, value, q) in enumerate(zip(times, values, qualities, strict=True)):
            before = self.stored
            if (
                before is not None
                and q == before[2]
                and 0 <= ts - before[0] < self.heartbeat_us
                and (value is None) == (before[1] is None)
                and (value is None or before[1] is None or abs(value - before[1]) <= self.deadband)
            ):
                continue
            self.stored = (ts, value, q)
            kept.append(index)
        return kept


class Treatment:
    """All channels of one sensor. Used by the sensor's reader thread only.

    ``count``: called as count(counter, n, example) for what is not stored: ``unmapped`` fields, ``suppressed`` readings.
    """

    def __init__(
        self,
        sensor: str,
        channels: Mapping[str, ChannelOptions],
        heartbeat_us: int,
        count: Callable[[str, int, str], None],
    ) -> None:
        self.sensor = sensor
        self.count = count
        self._by_source = {options.source or name: _Channel(name, options, heartbeat_us) for name, options in channels.items()}
        self._newest_us: int | None = None

    def process(self, batch: Batch, *, clock_synced: bool = True) -> Block | None:
        """What of ``batch`` is to be stored, or None. Any way of cutting samples into batches gives the same readings."""
        times = batch.times_us
        if not times:
            return None
        if not batch.device_time:
            times = self._unique(times)
        shortest = min(map(sub, times[1:], times), default=1)
        columns = []
        for field, raw in batch.values.items():
            channel = self._by_source.get(field)
            if channel is None:
                self.count("unmapped", len(raw) - raw.count(None), f"field {field!r} belongs to no channel")
                continue
            column = self._column(channel, times, raw, shortest, clock_synced)
            if column is not None:
                columns.append(column)
        return Block(self.sensor, columns, batch.device_time) if columns else None

    def _column(
        self, channel: _Channel, times: list[int], raw: list[float | None], shortest: int, clock_synced: bool
    ) -> Column | None:
        if None in raw:
            kept = [index for index, value in enumerate(raw) if value is not None]
            if not kept:
                return None
            times, raw = [times[index] for index in kept], [raw[index] for index in kept]
            shortest = min(map(sub, times[1:], times), default=1)
        values, quality = channel.treat(times, raw, shortest, clock_synced)
        if channel.deadband is not None:
            kept = channel.worth_storing(times, values, quality)
            if len(kept) < len(times):
                self.count("suppressed", len(times) - len(kept), "")
                if not kept:
                    return None
                times, values = [times[index] for index in kept], [values[index] for index in kept]
                if not isinstance(quality, int):
                    quality = [quality[index] for index in kept]
        return Column(channel.name, times, values, quality)

    def _unique(self, times: list[int]) -> list[int]:
        """Host-stamped times of one sensor never repeat: a taken microsecond gives the next free one."""
        newest = self._newest_us
        if (newest is None or times[0] > newest) and all(map(lt, times, times[1:])):
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
