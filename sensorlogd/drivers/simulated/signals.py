"""The signals a simulated channel can give. Deterministic: the n-th value depends on seed, options and n alone.

Time in a signal is sample number times interval (1 ms where the interval is 0s), so two runs agree value by value.
Each signal is a source of columns: ``values(n)`` gives the next n values, computed by list work rather than per value.
"""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from typing import Annotated, Any

from pydantic import Field, model_validator

from sensorlogd.config.models import DurationUs, Finite, Section
from sensorlogd.notation.microseconds import DAY_US, MINUTE_US

Positive = Annotated[DurationUs, Field(gt=0)]


class Constant(Section):
    """Always ``value``."""

    value: Finite = 0.0


class Sine(Section):
    """offset + amplitude * sin(2 pi (t / period + phase)), plus Gaussian noise of standard deviation ``noise``."""

    offset: Finite = 0.0
    amplitude: Finite = 1.0
    period: Positive = MINUTE_US
    phase: Finite = Field(0.0, description="in periods: 0.25 begins at the maximum")
    noise: Finite = Field(0.0, ge=0)


class Square(Section):
    """``high`` during the first ``duty`` of each period, ``low`` for the rest."""

    low: Finite = 0.0
    high: Finite = 1.0
    period: Positive = MINUTE_US
    duty: Finite = Field(0.5, gt=0, lt=1)


class Ramp(Section):
    """Rises from ``low`` towards ``high`` over each period, then starts again."""

    low: Finite = 0.0
    high: Finite = 1.0
    period: Positive = MINUTE_US


class RandomWalk(Section):
    """Each value is the one before plus a Gaussian step, held within [low, high]."""

    start: Finite = 0.0
    step: Finite = Field(1.0, gt=0, description="standard deviation of a step")
    low: Finite = -1e9
    high: Finite = 1e9

    @model_validator(mode="after")
    def _ordered(self) -> RandomWalk:
        if not self.low <= self.start <= self.high:
            raise ValueError(f"start {self.start:g} is not between low {self.low:g} and high {self.high:g}")
        return self


class Noise(Section):
    """Gaussian noise around ``mean``."""

    mean: Finite = 0.0
    stddev: Finite = Field(1.0, ge=0)


class Diurnal(Section):
    """A day's temperature: lowest at 03:00, highest at 15:00 UTC of the simulated time, plus noise."""

    offset: Finite = 15.0
    amplitude: Finite = 8.0
    noise: Finite = Field(0.2, ge=0)


class Counter(Section):
    """Rises by ``step`` from ``start``; begins again after ``wrap`` if that is given."""

    start: Finite = 0.0
    step: Finite = 1.0
    wrap: Finite | None = Field(None, gt=0)


class SignalChoice(Section):
    """Exactly one signal."""

    constant: Constant | None = None
    sine: Sine | None = None
    square: Square | None = None
    ramp: Ramp | None = None
    random_walk: RandomWalk | None = None
    noise: Noise | None = None
    diurnal: Diurnal | None = None
    counter: Counter | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        """``signal: {sine: }`` means all defaults of a sine."""
        if isinstance(data, dict):
            return {key: {} if value is None else value for key, value in data.items()}
        if isinstance(data, str):
            return {data: {}}
        return data

    @model_validator(mode="after")
    def _exactly_one(self) -> SignalChoice:
        given = sorted(self.model_fields_set)
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"name exactly one signal ({known}), found {', '.join(given) or 'none'}")
        return self

    def source(self, seed: str, interval_us: int, start_us: int) -> Source:
        """The source of this signal's values. ``start_us``: simulated time of sample 0 (for diurnal)."""
        (name,) = self.model_fields_set
        options = getattr(self, name)
        return _SOURCES[name](options, random.Random(f"{seed}/{name}"), interval_us or 1_000, start_us)


class Source(ABC):
    """Gives the values of one channel in order."""

    def __init__(self, options: Any, rng: random.Random, interval_us: int, start_us: int) -> None:
        self.options = options
        self.rng = rng
        self.interval_us = interval_us
        self.start_us = start_us
        self.at = 0

    def values(self, n: int) -> list[float | None]:
        """The next ``n`` values."""
        found = self._values_from(self.at, n)
        self.at += n
        return found

    @abstractmethod
    def _values_from(self, first: int, n: int) -> list[float | None]:
        """Values number ``first`` to ``first + n - 1``."""

    def _noisy(self, values: list[float | None], stddev: float) -> list[float | None]:
        if not stddev:
            return values
        gauss = self.rng.gauss
        return [value + gauss(0.0, stddev) for value in values]  # type: ignore[operator]  # none of them is None


class _Constant(Source):
    """``value``, always."""

    def _values_from(self, first: int, n: int) -> list[float | None]:
        return [self.options.value] * n


class _Periodic(Source):
    """Whatever repeats exactly after a whole number of samples is computed once and sliced."""

    MAX_TABLE = 100_000

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        period = self._period_us()
        self.table: list[float | None] = []
        if period % self.interval_us == 0 and period // self.interval_us <= self.MAX_TABLE:
            self.table = [self._value(k * self.interval_us) for k in range(period // self.interval_us)]

    def _period_us(self) -> int:
        return int(self.options.period)

    def _value(self, t_us: int) -> float:
        """The value at ``t_us`` microseconds within the period."""
        raise LookupError

    def _values_from(self, first: int, n: int) -> list[float | None]:
        table = self.table
        if not table:
            interval, period, value = self.interval_us, self._period_us(), self._value
            return [value(k * interval % period) for k in range(first, first + n)]
        length = len(table)
        begin = first % length
        found = table[begin : begin + n]
        while len(found) < n:
            found += table[: n - len(found)]
        return found


class _Sine(_Periodic):
    """offset + amplitude * sin(2 pi (t / period + phase)), ``phase`` in periods; noise is added."""

    def _value(self, t_us: int) -> float:
        o = self.options
        return float(o.offset + o.amplitude * math.sin(2 * math.pi * (t_us / o.period + o.phase)))

    def _values_from(self, first: int, n: int) -> list[float | None]:
        return self._noisy(super()._values_from(first, n), self.options.noise)


class _Square(_Periodic):
    """``high`` for the first ``duty`` of each period (0 to 1), then ``low``."""

    def _value(self, t_us: int) -> float:
        o = self.options
        return float(o.high if t_us < o.duty * o.period else o.low)


class _Ramp(_Periodic):
    """From ``low`` in a straight line up to ``high`` over a period, and back at once."""

    def _value(self, t_us: int) -> float:
        o = self.options
        return float(o.low + (o.high - o.low) * t_us / o.period)


class _Diurnal(_Periodic):
    """offset - amplitude * cos(2 pi (day - 1/8)), ``day`` as a fraction since midnight UTC: coldest at 3:00, warmest at 15:00; noise is
    added."""

    def _period_us(self) -> int:
        return DAY_US

    def _value(self, t_us: int) -> float:
        o = self.options
        day = (self.start_us + t_us) % DAY_US / DAY_US
        return float(o.offset - o.amplitude * math.cos(2 * math.pi * (day - 0.125)))

    def _values_from(self, first: int, n: int) -> list[float | None]:
        return self._noisy(super()._values_from(first, n), self.options.noise)


class _RandomWalk(Source):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.value = self.options.start

    def _values_from(self, first: int, n: int) -> list[float | None]:
        o, value, gauss = self.options, self.value, self.rng.gauss
        found: list[float | None] = []
        for _ in range(n):
            found.append(value)
            value = min(max(value + gauss(0.0, o.step), o.low), o.high)
        self.value = value
        return found


class _Noise(Source):
    def _values_from(self, first: int, n: int) -> list[float | None]:
        gauss, mean, stddev = self.rng.gauss, self.options.mean, self.options.stddev
        return [gauss(mean, stddev) for _ in range(n)]


class _Counter(Source):
    def _values_from(self, first: int, n: int) -> list[float | None]:
        o = self.options
        if o.wrap is None:
            return [o.start + k * o.step for k in range(first, first + n)]
        return [math.fmod(o.start + k * o.step, o.wrap) for k in range(first, first + n)]


_SOURCES: dict[str, type[Source]] = {
    "constant": _Constant,
    "sine": _Sine,
    "square": _Square,
    "ramp": _Ramp,
    "random_walk": _RandomWalk,
    "noise": _Noise,
    "diurnal": _Diurnal,
    "counter": _Counter,
}
