"""The treatment of one channel: scale and offset, and the quality tests.

Each question is first put to the whole column, by built-ins that loop in C ("is the largest value below the limit?"); only a
column with something to flag is walked sample by sample (``ChannelTreatment._treat_each``, which is the definition). Any way of
cutting the same samples into batches gives the same readings.

The quality tests are QARTOD's (IOOS manuals for real-time quality control):

gross range     ``valid``, inclusive: outside is ``fail:gross_range``.
rate of change  ``max_rate``, against the newest reading of the channel that did not fail and that was taken at an earlier
                instant: ``suspect:rate_of_change``. Lines that arrive together were not taken together, and how far apart
                they were taken nobody knows; so each of them is compared with what came before all of them. Both sides of a
                spike are suspect: the jump and the return.
flat line       ``stuck_after``: once the value has not changed for this long it is ``suspect:flat_line``, until it changes.
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
from itertools import compress, islice, repeat
from operator import gt, mul, ne, sub
from typing import Any, cast

from sensorlogd.batch import EXACT, Rounded
from sensorlogd.calibration.scaling import divisor
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.deadband import Deadband
from sensorlogd.daemon.sensing.spikes import Spikes, WaitingReading
from sensorlogd.quality import FLAG_MASK, GOOD, MISSING, NOT_EVALUATED, Flag, Test, combine

GROSS_RANGE = int(Flag.FAIL) | int(Test.GROSS_RANGE)
RATE_OF_CHANGE = int(Flag.SUSPECT) | int(Test.RATE_OF_CHANGE)
FLAT_LINE = int(Flag.SUSPECT) | int(Test.FLAT_LINE)
SPIKE = int(Flag.SUSPECT) | int(Test.SPIKE)
ROUNDED = int(Flag.SUSPECT) | int(Test.ROUNDED)
CALIBRATION = int(Flag.SUSPECT) | int(Test.CALIBRATION)

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
        self.deadband = None if options.deadband is None else Deadband(options.deadband, heartbeat_us)
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

    def treat_waiting(self, passed: list[WaitingReading]) -> tuple[Values, list[int]]:
        """As ``treat``, of readings that the spike test has passed on. A spike is no neighbour of the others."""
        others = [reading for reading in passed if not reading.spike]
        values: Values = []
        quality: int | list[int] = []
        if others:
            times = [reading.taken for reading in others]
            values, quality = self.treat(times, [reading.raw for reading in others], steps_of(times))
        qualities = [quality] * len(others) if isinstance(quality, int) else quality
        of_others = iter(zip(values, qualities, strict=True))
        treated: Values = []
        flags: list[int] = []
        for reading in passed:
            if reading.spike:
                value: float | None = reading.value
                flag = combine(self.passed, SPIKE)
                if not self.low <= reading.value <= self.high:
                    flag = combine(flag, GROSS_RANGE)
                flag = combine(flag, self._own_flags(reading.raw))
            else:
                value, flag = next(of_others)
            treated.append(value)
            flags.append(flag | reading.mark)
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
        """The one quality of all values, or None if some must be tested one by one. State moves on only if it is not None."""
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
