"""What a mend does to a reading: another flag, another value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sensorlogd.calibration.curves import Curve
from sensorlogd.quality import FLAG_MASK, Flag, Test, combine


class MendError(Exception):
    """The mend cannot be made or taken back; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a mend does to readings. ``quality``: the flag that readings get; None: they keep theirs. Values become curve(value) *
    scale + offset."""

    quality: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    curve: Curve | None = None

    def apply(self, value: float | None, quality: int) -> tuple[float | None, int]:
        """Raises MendError for a result that is no number."""
        if self.quality is not None:
            quality = (quality & ~FLAG_MASK) | self.quality | int(Test.OPERATOR)
        if value is not None and (self.curve is not None or (self.scale, self.offset) != (1.0, 0.0)):
            changed = (value if self.curve is None else self.curve.value(value)) * self.scale + self.offset
            if not math.isfinite(changed):
                replacement = repr(value) if self.curve is None else f"{value!r} by {self.curve}"
                raise MendError(f"{replacement} * {self.scale!r} + {self.offset!r} is no number that can be stored")
            if self.curve is not None and not self.curve.knows(value):
                quality = combine(quality, int(Flag.SUSPECT) | int(Test.CALIBRATION))
            value = changed
        return value, quality
