"""The options of a sensor with the ``nmea`` driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from sensorlogd.config.models import ChannelOptions, Name, SensorOptions
from sensorlogd.config.validation.names import closest
from sensorlogd.drivers.nmea.known import DEFAULT, KNOWN, known_field
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.stamping.judging import TimeLimits


class NmeaDecoding(SensorOptions):
    """Which fields to take from sentences and frames, whether they come from a port or from a file."""

    checksum: bool = Field(True, description="false: sentences without a checksum are taken, too")
    talkers: tuple[str, ...] = Field((), description="only sentences of these, e.g. [GP, II]; P is proprietary ones")
    sentences: tuple[str, ...] = Field((), description="only these, e.g. [RMC, GGA, NAV-PVT]")
    time: Literal["arrival", "device"] = Field("arrival", description="device: the receiver's UTC")
    channels: Mapping[Name, ChannelOptions] = Field(
        default_factory=dict,
        description=f"any of {', '.join(KNOWN)}, rpm_engine_N, rpm_shaft_N, xdr_NAME; default: {', '.join(DEFAULT)}",
    )

    @model_validator(mode="after")
    def _known_sources(self) -> NmeaDecoding:
        for name, channel in self.channels.items():
            source = channel.source or name
            if known_field(source) is None and not source.startswith("xdr_"):
                raise ValueError(
                    f"channels.{name}: no sentence gives {source!r}{closest(source, KNOWN)}; known: {', '.join(KNOWN)}, "
                    "rpm_engine_N, rpm_shaft_N, xdr_NAME"
                )
        return self

    def time_limits(self) -> TimeLimits | None:
        """The limits of believable times. Times of receivers whose week number has rolled over are corrected."""
        return TimeLimits(gnss=True)

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Units and kinds are those of the driver, unless the file says otherwise."""
        chosen = dict(self.channels) or {name: ChannelOptions() for name in DEFAULT}
        for name, channel in chosen.items():
            known = known_field(channel.source or name)
            if known is None:
                continue
            update: dict[str, object] = {}
            if "unit" not in channel.model_fields_set:
                update["unit"] = known.unit
            if "kind" not in channel.model_fields_set:
                update["kind"] = known.kind
            chosen[name] = channel.model_copy(update=update)
        return chosen


class NmeaOptions(PortOptions, NmeaDecoding):
    """Keys of ``driver: nmea``."""

    baudrate: int = Field(4800, ge=50, le=4_000_000, description="4800 in the standard; GNSS modules often 9600, AIS 38400")
