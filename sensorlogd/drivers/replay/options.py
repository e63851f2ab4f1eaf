"""The options of a replay: its own, and those of the driver whose bytes are in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sensorlogd.config.models import ChannelOptions, FilePath, Instant, Name, SensorOptions, ShortText
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.serial.escapes import Escaped
from sensorlogd.drivers.serial.options import LineChannel, SerialOptions, TimeOptions
from sensorlogd.stamping.judging import TimeLimits


def _parse_pace(value: Any) -> Any:
    """How many times faster than in real time; infinite for ``fast``."""
    if value == "real":
        return 1.0
    if value == "fast":
        return math.inf
    try:
        factor = float(value)
    except (TypeError, ValueError):
        factor = math.nan
    if not 0 < factor < math.inf:
        raise ValueError(f"{value!r} is not a pace; write real, fast, or how many times faster than real, e.g. 10")
    return factor


Pace = Annotated[
    float, BeforeValidator(_parse_pace), WithJsonSchema({"type": ["string", "number"], "examples": ["real", "fast", 10]})
]


class ReplayKeys(SensorOptions):
    """What to play, and at which pace."""

    file: FilePath = Field(min_length=1, description="what to play: a recording, raw bytes, CSV or NDJSON readings")
    as_: Literal["serial", "nmea", "readings"] | None = Field(
        None, alias="as", description="how it is decoded; default: serial with format: or profile:, else readings"
    )
    pace: Pace = Field(1.0, description="real, fast, or how many times faster than real")
    loop: bool = Field(False, description="begin again at the end")
    times: Literal["original", "now"] | None = Field(
        None, description="original: when it was recorded; now: when it is played; default: original if the file tells it"
    )
    start: Instant | None = Field(None, description="when the first of it was recorded, if the file does not tell")

    def time_limits(self) -> TimeLimits | None:
        """The limits of believable times: recorded times lie in the past."""
        return None

    @model_validator(mode="after")
    def _consistent_replay(self) -> Self:
        if self.loop and (self.times == "original" or self.start is not None):
            raise ValueError("loop: every round would be the same readings again; leave out start: and write times: now")
        if self.times == "now" and self.start is not None:
            raise ValueError("start: is for times: original, and times: is now; leave start: out")
        return self


class ReplaySerialOptions(ReplayKeys, SerialOptions):
    """Bytes for the ``serial`` driver. Options that concern a real port have no effect."""

    port: str = Field("replay://", description="of a profile; not opened")
    channels: Mapping[Name, LineChannel] = Field(default_factory=dict)


class ReplayNmeaOptions(ReplayKeys, NmeaOptions):
    """Bytes for the ``nmea`` driver."""

    port: str = Field("replay://", description="not opened")


class ReplayOptions(ReplayKeys):
    """Keys of ``driver: replay`` for readings; with ``as: nmea``, ``format:`` or ``profile:`` those of that driver, too."""

    sensor: ShortText | None = Field(None, description="of a file with a column sensor: only this one's readings")
    separator: Escaped = Field(",", min_length=1, max_length=1, description="between the fields of CSV")
    time: TimeOptions | None = Field(
        None, description="where and how the time stands; default: a column time, timestamp, datetime or date, ISO 8601 or epoch"
    )
    channels: Mapping[Name, ChannelOptions] = Field(min_length=1)

    @classmethod
    def variants(cls) -> tuple[type[SensorOptions], ...]:
        """All models that the keys of a sensor with this driver may belong to; see ``variant``."""
        return (ReplayOptions, ReplaySerialOptions, ReplayNmeaOptions)

    @classmethod
    def variant(cls, keys: Mapping[str, Any]) -> type[SensorOptions]:
        """The model for these keys: what ``as:`` says; without it bytes of a serial sensor where ``format:`` is given, else rows."""
        chosen = keys.get("as")
        if chosen == "nmea":
            return ReplayNmeaOptions
        if chosen == "serial" or (chosen is None and "format" in keys):
            return ReplaySerialOptions
        return ReplayOptions

    @model_validator(mode="after")
    def _interval_above_zero(self) -> Self:
        if self.interval is not None and not self.interval:
            raise ValueError("interval: 0s between rows of a file without times would make all of them one; write more, e.g. 1s")
        return self
