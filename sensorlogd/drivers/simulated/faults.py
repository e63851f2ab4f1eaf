"""What goes wrong in a simulated channel, on request: spikes, a stuck value, drift, gaps and missing values.

Seeded, and decided sample by sample in order, so that two runs agree however the samples are cut into batches. A gap is no
reading at all (the cable), ``nan`` one without a value (the probe).
"""

from __future__ import annotations

import math
import random

from pydantic import Field, model_validator

from sensorlogd.config.models import DurationUs, Finite, Section
from sensorlogd.notation.microseconds import HOUR_US


class Episode(Section):
    """Begins with probability ``p`` at a sample, or each time ``every`` has passed, and lasts for ``length``."""

    p: float = Field(0.0, ge=0, le=1, description="probability that it begins at a sample")
    every: DurationUs | None = Field(None, gt=0, description="instead: it begins regularly, for the first time after this long")
    length: DurationUs = Field(0, ge=0, description="how long it lasts; 0s is one sample")

    @model_validator(mode="after")
    def _p_or_every(self) -> Episode:
        if bool(self.p) == (self.every is not None):
            found = "both are" if self.p else "none is"
            raise ValueError(f"needs either p: (a probability above 0) or every: (a duration); {found} given")
        return self


class Spike(Episode):
    """The value is off by ``size``."""

    size: Finite = Field(100.0, description="is added; its sign is random")


class Drift(Section):
    """The value is off by ``rate`` more every hour, from ``after`` on."""

    rate: Finite = Field(description="per hour")
    after: DurationUs = Field(0, ge=0)


class FaultOptions(Section):
    """What goes wrong in a channel; each is optional."""

    spike: Spike | None = None
    stuck: Episode | None = Field(None, description="the last value again and again")
    drift: Drift | None = None
    gap: Episode | None = Field(None, description="no reading")
    nan: Episode | None = Field(None, description="a reading without a value")


class Faults:
    """The faults of one channel, sample by sample."""

    def __init__(self, options: FaultOptions, seed: str, interval_us: int) -> None:
        self.options = options
        self.interval_us = interval_us or 1_000
        self._index = 0
        self._last: float | None = None
        self._episodes = {
            name: _Running(episode, random.Random(f"{seed}/{name}"), self.interval_us)
            for name in ("spike", "stuck", "gap", "nan")
            if (episode := getattr(options, name)) is not None
        }

    def applied(self, values: list[float | None]) -> list[float | None]:
        """The values with what goes wrong; None where there is a gap."""
        return [self._next_value(value) for value in values]

    def _next_value(self, value: float | None) -> float | None:
        """What the next sample's value becomes: None in a gap, NaN for a reading without a value."""
        at_us = self._index * self.interval_us
        self._index += 1
        on = {name: episode.step(at_us) for name, episode in self._episodes.items()}
        drift = self.options.drift
        if value is not None and drift is not None and at_us >= drift.after:
            value += drift.rate * (at_us - drift.after) / HOUR_US
        if on.get("spike") and value is not None and self.options.spike is not None:
            value += self.options.spike.size * self._episodes["spike"].sign
        if on.get("stuck") and self._last is not None:
            value = self._last
        else:
            self._last = value
        if on.get("gap"):
            return None
        return math.nan if on.get("nan") else value


class _Running:
    """An episode in time."""

    def __init__(self, episode: Episode, rng: random.Random, interval_us: int) -> None:
        self.episode = episode
        self.rng = rng
        self.sign = 1.0
        self._until_us = -1
        self._next_us = episode.every or 0
        self._interval_us = interval_us

    def step(self, at_us: int) -> bool:
        """Whether it is on at this sample."""
        begins = self.rng.random() < self.episode.p if self.episode.every is None else at_us >= self._next_us
        if begins and at_us >= self._until_us:
            self._until_us = at_us + max(self.episode.length, self._interval_us)
            self.sign = self.rng.choice((-1.0, 1.0))
            if self.episode.every is not None:
                self._next_us += max(self.episode.every, self._interval_us)
        return at_us < self._until_us
