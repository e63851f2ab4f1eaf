"""Per-sample treatment between driver and inbox: scale, quality tests, deadband.

Batches are treated by column. Each question is first put to the whole column, by built-ins that loop in C ("is the largest value
below the limit?"); only a column with something to flag is walked sample by sample (``ChannelTreatment._treat_each``, which is
the definition). Any way of cutting the same samples into batches gives the same readings.

The quality tests are QARTOD's (IOOS manuals for real-time quality control):

gross range     ``valid``, inclusive: outside is ``fail:gross_range``.
rate of change  ``max_rate``, against the newest reading of the channel that did not fail and that was taken at an earlier
                instant: ``suspect:rate_of_change``. Lines that arrive together were not taken together, and how far apart
                they were taken nobody knows; so each of them is compared with what came before all of them. Both sides of a
                spike are suspect: the jump and the return.
flat line       ``stuck_after``: once the value has not changed for so long it is ``suspect:flat_line``, until it changes.
spike           ``spike``: a single reading off from both its neighbours, which agree: ``suspect:spike``. See ``spikes``; it is no
                neighbour of the others, so that the return from it is no fast change.
missing         NaN, and what no database column of numbers can hold (an infinity, a text): stored as NULL, ``missing``.
rounded         a whole number that no double holds exactly: ``suspect:rounded``.
calibration     beyond the ends of the channel's ``table``: ``suspect:calibration``.

A reading with no test configured is ``not_evaluated``, because that is what it is; ``good`` always means that somebody
said what good is. With any test configured, a reading that none of them objects to is ``good``. A failed test flags, it
never changes or removes the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import compress, islice, repeat
from operator import gt, is_not, lt, mul, ne, sub
from typing import Any, cast

from sensorlogd.batch import EXACT, Batch, Block, Column, Rounded
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.spikes import Held, Spikes
from sensorlogd.quality import FLAG_MASK, GOOD, MISSING, NOT_EVALUATED, Flag, Test, combine
from sensorlogd.scaling import divisor

GROSS_RANGE = int(Flag.FAIL) | int(Test.GROSS_RANGE)
RATE_OF_CHANGE = int(Flag.SUSPECT) | int(Test.RATE_OF_CHANGE)
FLAT_LINE = int(Flag.SUSPECT) | int(Test.FLAT_LINE)
SPIKE = int(Flag.SUSPECT) | int(Test.SPIKE)
ROUNDED = int(Flag.SUSPECT) | int(Test.ROUNDED)
CALIBRATION = int(Flag.SUSPECT) | int(Test.CALIBRATION)
BAD_TIME = int(Test.BAD_TIME)  # a mark beside the flag, as the following
CLOCK_UNSYNCED = int(Test.CLOCK_UNSYNCED)  # a mark beside the flag: the time is in doubt, not the value

# A wall clock that goes back by more than this was set; readings then follow it. Less is jitter, or many lines in one
# read, and gets the next free microsecond.
STEP_BACK_US = 1_000_000

# The years 1 to 9999: what can be shown as a date. A time outside comes from a fault, and is counted, not stored.
FIRST_US = -62_135_596_800_000_000
LAST_US = 253_402_300_799_999_999

Values = list[float | None]
_REAL = {float}
_NUMBERS = {float, int, bool}


class ChannelTreatment:
    """The settings of one channel and what it remembers between batches."""

    def __init__(self, name: str, options: ChannelOptions, heartbeat_us: int) -> None:
        self.name = name
        self.scale, self.offset = options.scale, options.offset
        self.divisor = divisor(self.scale)
        self.curve = options.curve()
        self.scaled = self.scale != 1.0 or self.offset != 0.0
        low, high = options.valid or (None, None)
        self.low = -math.inf if low is None else low
        self.high = math.inf if high is None else high
        self.per_us = None if options.max_rate is None else options.max_rate / 1e6
        self.stuck_us = options.stuck_after
        tests = (options.valid, options.max_rate, options.stuck_after, options.spike)
        tested = any(test is not None for test in tests)
        self.spikes = None if options.spike is None else Spikes(options.spike, heartbeat_us)
        self.passed = GOOD if tested else NOT_EVALUATED
        self.deadband = None if options.deadband is None else _Deadband(options.deadband, heartbeat_us)
        self.last: tuple[int, float] | None = None  # the newest reading that did not fail
        self.before: tuple[int, float] | None = None  # the same, at an earlier instant than ``last``
        self.run: tuple[int, float] | None = None  # the value now, and since when it has been the same

    def treat(self, times: list[int], raw: list[Any], steps: tuple[int, int]) -> tuple[Values, int | list[int]]:
        """Values after scale and offset, and their quality. ``times``: when the samples were taken or arrived.

        ``steps``: the shortest and the longest step between times; (0, 0) if all are one instant.
        """
        kinds = set(map(type, raw))
        floats: list[float] | None = raw if kinds == _REAL else None
        try:
            if floats is None and kinds <= _NUMBERS and max(raw) <= EXACT and min(raw) >= -EXACT:
                floats = list(map(float, raw))
            if floats is not None and math.isfinite(sum(floats)) and (self.curve is None or self._curve_knows(floats)):
                if self.curve is not None:
                    floats = list(map(self.curve.value, floats))
                if self.scaled:
                    scale, offset = self.scale, self.offset
                    if self.divisor is not None:
                        by = self.divisor
                        floats = [value / by + offset for value in floats]
                    else:
                        floats = [value * scale + offset for value in floats]
                quality = self._common_quality(times, floats, *steps)
                if quality is not None:
                    return cast(Values, floats), quality
        except OverflowError:
            pass  # an integer beyond all floats: one of the samples is a fault, the slow way finds out which
        return self._treat_each(times, raw)

    def _curve_knows(self, device_values: list[float]) -> bool:
        """Whether all of them are within the curve."""
        return self.curve is not None and self.curve.knows(min(device_values)) and self.curve.knows(max(device_values))

    def value_of(self, device_value: Any) -> float:
        """What is stored for it; not finite where it is no value."""
        number = _as_float(device_value)
        if self.curve is not None and math.isfinite(number):
            number = self.curve.value(number)
        return (number / self.divisor if self.divisor is not None else number * self.scale) + self.offset

    def treat_held(self, passed: list[Held]) -> tuple[Values, list[int]]:
        """As ``treat``, of readings that the spike test has passed on. A spike is no neighbour of the others."""
        others = [held for held in passed if not held.spike]
        values: Values = []
        quality: int | list[int] = []
        if others:
            times = [held.taken for held in others]
            values, quality = self.treat(times, [held.raw for held in others], steps_of(times))
        qualities = [quality] * len(others) if isinstance(quality, int) else quality
        of_others = iter(zip(values, qualities, strict=True))
        treated: Values = []
        flags: list[int] = []
        for held in passed:
            if held.spike:
                value: float | None = held.value
                flag = combine(self.passed, SPIKE)
                if not self.low <= held.value <= self.high:
                    flag = combine(flag, GROSS_RANGE)
                flag = combine(flag, self._own_flags(held.raw))
            else:
                value, flag = next(of_others)
            treated.append(value)
            flags.append(flag | held.mark)
        return treated, flags

    def _own_flags(self, device_value: Any) -> int:
        """The flags that a value gets by itself, before it is compared with others."""
        quality = self.passed
        if type(device_value) is Rounded or (type(device_value) is int and int(float(device_value)) != device_value):
            quality = combine(quality, ROUNDED)
        if self.curve is not None and not self.curve.knows(float(device_value)):
            quality = combine(quality, CALIBRATION)
        return quality

    def _common_quality(self, times: list[int], values: list[float], shortest_us: int, longest_us: int) -> int | None:
        """The one quality of all values, or None if some need a closer look. State moves on only if it is not None."""
        low, high = min(values), max(values)
        if not (self.low <= low and high <= self.high and math.isfinite(low) and math.isfinite(high)):
            return None
        if shortest_us < 0:
            return None  # times go back: only a device clock does that
        before = self.last if self.last is None or self.last[0] != times[0] else self.before
        if self.per_us is not None and not self._changes_slowly(before, times, values, low, high, shortest_us, longest_us):
            return None
        quality = self.passed
        if self.stuck_us is not None:
            since = times[0]
            if self.run is not None and self.run[1] == values[0] and self.run[0] <= since:
                since = self.run[0]
            if low == high:
                if times[0] - since >= self.stuck_us:
                    quality = combine(quality, FLAT_LINE)
                elif times[-1] - since >= self.stuck_us:
                    return None  # becomes stuck within this batch
                self.run = (since, low)
            else:
                if times[-1] - since >= self.stuck_us and self._holds_still(since, times, values):
                    return None
                self.run = (times[_start_of_last_run(values)], values[-1])
        if self.per_us is not None:
            if longest_us:
                index = _start_of_last_run(times) - 1
                before = (times[index], values[index])
            self.before, self.last = before, (times[-1], values[-1])
        return quality

    def _changes_slowly(
        self,
        before: tuple[int, float] | None,
        times: list[int],
        values: list[float],
        low: float,
        high: float,
        shortest_us: int,
        longest_us: int,
    ) -> bool:
        """Whether surely no value changed too fast; times do not go back."""
        assert self.per_us is not None
        if before is not None and times[0] > before[0]:
            reach = abs(values[0] - before[1]) if longest_us else max(abs(low - before[1]), abs(high - before[1]))
            if reach > self.per_us * (times[0] - before[0]):
                return False
        if not longest_us or high - low <= self.per_us * shortest_us:
            return True
        if not shortest_us:
            return False  # bursts within the batch
        jumps = list(map(abs, map(sub, islice(values, 1, None), values)))
        if max(jumps) <= self.per_us * shortest_us:
            return True
        elapsed = map(sub, islice(times, 1, None), times)
        return not any(map(gt, jumps, map(mul, repeat(self.per_us), elapsed)))

    def _holds_still(self, since: int, times: list[int], values: list[float]) -> bool:
        """Whether some value may have stayed the same for ``stuck_after``; not all values are equal."""
        assert self.stuck_us is not None
        changes = compress(islice(times, 1, None), map(ne, islice(values, 1, None), values))
        edges = [since, *changes, times[-1]]
        return bool(max(map(sub, islice(edges, 1, None), edges)) >= self.stuck_us)

    def _treat_each(self, times: list[int], raw: list[Any]) -> tuple[Values, list[int]]:
        """The definition: every sample by itself, in order."""
        values: Values = []
        qualities: list[int] = []
        divisor, scale, offset, curved = self.divisor, self.scale, self.offset, self.curve is not None
        for ts, device_value in zip(times, raw, strict=True):
            # Nearly always; ``value_of`` and ``_own_flags`` say the same at more cost.
            sure = type(device_value) is float and not curved
            if sure:
                number = (device_value / divisor if divisor is not None else device_value * scale) + offset
            else:
                number = self.value_of(device_value)
            if not math.isfinite(number):
                values.append(None)
                qualities.append(MISSING)
                continue
            values.append(number)
            quality = self._judge_value(ts, number)
            qualities.append(quality if sure else combine(quality, self._own_flags(device_value)))
        return values, qualities

    def _judge_value(self, ts: int, value: float) -> int:
        """The flags of a value, compared with the readings before it; from now on it is one of those."""
        quality = self.passed
        if not self.low <= value <= self.high:
            quality = combine(quality, GROSS_RANGE)
        if self.last is not None and self.last[0] != ts:
            self.before = self.last
        if self.per_us is not None and self.before is not None:
            elapsed = ts - self.before[0]
            if elapsed > 0 and abs(value - self.before[1]) > self.per_us * elapsed:
                quality = combine(quality, RATE_OF_CHANGE)
        if self.stuck_us is not None:
            if self.run is None or self.run[1] != value or ts < self.run[0]:
                self.run = (ts, value)
            elif ts - self.run[0] >= self.stuck_us:
                quality = combine(quality, FLAT_LINE)
        if quality & FLAG_MASK != Flag.FAIL:
            self.last = (ts, value)
        return quality


class _Deadband:
    """Which readings are worth storing: changed by more than ``width``, flagged otherwise, or due as a sign of life.

    A constant value must not look like a dead sensor: two stored readings are never further apart than the heartbeat as
    long as samples come in time. So a reading is stored when waiting for the next one but one (by the pace of the last
    two) could be too late.
    """

    def __init__(self, width: float, heartbeat_us: int) -> None:
        self.width = width
        self.heartbeat_us = heartbeat_us
        self.stored: tuple[int, float | None, int] | None = None
        self.seen_us: int | None = None

    def keep(self, times: list[int], values: Values, quality: int | list[int]) -> list[int]:
        """Indices of the readings to store."""
        qualities = repeat(quality, len(times)) if isinstance(quality, int) else quality
        kept = []
        for index, (ts, value, flags) in enumerate(zip(times, values, qualities, strict=True)):
            pace_us = 0 if self.seen_us is None else max(ts - self.seen_us, 0)
            self.seen_us = ts
            if self.stored is None or self._is_worth_storing(self.stored, ts, value, flags, pace_us):
                self.stored = (ts, value, flags)
                kept.append(index)
        return kept

    def _is_worth_storing(
        self, stored: tuple[int, float | None, int], ts: int, value: float | None, flags: int, pace_us: int
    ) -> bool:
        stored_ts, stored_value, stored_flags = stored
        if flags != stored_flags or ts < stored_ts or ts + 2 * pace_us - stored_ts > self.heartbeat_us:
            return True
        if value is None or stored_value is None:
            return value is not stored_value
        return abs(value - stored_value) > self.width


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
        self.sensor = sensor
        self.count = count
        self._by_source: dict[str, list[ChannelTreatment]] = {}
        for name, options in channels.items():
            self._by_source.setdefault(options.source or name, []).append(ChannelTreatment(name, options, heartbeat_us))
        self._newest_us: int | None = None
        self._device_time = False  # of the batch before
        self.mapped = 0  # readings of configured channels so far, suppressed ones included

    def process(self, batch: Batch, *, clock_synced: bool = True) -> Block | None:
        """What of ``batch`` is to be stored, or None.

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
                self.count("unmapped", len(raw) - raw.count(None), f"field {field!r} belongs to no channel")
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
        return Block(self.sensor, stored, batch.device_time) if stored else None

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
        self.count("bad_time", possible.count(False), f"{times[possible.index(False)]} µs is no date")
        return list(compress(times, possible)), {field: list(compress(raw, possible)) for field, raw in columns.items()}

    def flush(self) -> Block | None:
        """The readings that the spike test still holds back."""
        columns = [
            column
            for channels in self._by_source.values()
            for channel in channels
            if channel.spikes is not None and (column := self._treat_held_column(channel, channel.spikes.flush())) is not None
        ]
        return Block(self.sensor, columns, self._device_time) if columns else None

    def _treat_column(self, channel: ChannelTreatment, rows: _Rows, raw: list[Any], mark: int) -> Column | None:
        if channel.spikes is not None:
            arrived = [
                Held(taken, ts, value, mark, channel.value_of(value))
                for taken, ts, value in zip(rows.taken, rows.times, raw, strict=True)
            ]
            return self._treat_held_column(channel, channel.spikes.take(arrived))
        values, quality = channel.treat(rows.taken, raw, rows.steps)
        if mark:
            quality = quality | mark if isinstance(quality, int) else [flags | mark for flags in quality]
        return self._thin_out(channel, rows.times, values, quality)

    def _treat_held_column(self, channel: ChannelTreatment, passed: list[Held]) -> Column | None:
        if not passed:
            return None
        values, qualities = channel.treat_held(passed)
        return self._thin_out(channel, [held.ts for held in passed], values, qualities)

    def _thin_out(self, channel: ChannelTreatment, times: list[int], values: Values, quality: int | list[int]) -> Column | None:
        """The readings that the deadband lets pass."""
        if channel.deadband is not None:
            kept = channel.deadband.keep(times, values, quality)
            if len(kept) < len(times):
                self.count("suppressed", len(times) - len(kept), "")
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


def steps_of(times: list[int]) -> tuple[int, int]:
    """The shortest and the longest step from one to the next."""
    if len(times) < 2:
        return 0, 0
    differences = list(map(sub, islice(times, 1, None), times))
    return min(differences), max(differences)


def _start_of_last_run(items: list[Any]) -> int:
    """Index of the first of the equal items at the end."""
    index = len(items) - 1
    while index and items[index - 1] == items[-1]:
        index -= 1
    return index


def _as_float(value: Any) -> float:
    """A driver's value as a float; NaN if it is none (text, say), or too large to be one."""
    if isinstance(value, (str, bytes, bytearray)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
