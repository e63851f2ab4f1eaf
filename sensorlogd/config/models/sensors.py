"""The model of a sensor, without the keys that belong to its driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from sensorlogd.config.models.channels import ChannelOptions
from sensorlogd.config.models.section import Section
from sensorlogd.config.models.values import DurationUs, Labels, Name
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.stamping.judging import TimeLimits


class SensorOptions(Section):
    """The keys that every sensor has; drivers add their own in a subclass. ``written_below``: the top-level key of such sensors."""

    written_below: ClassVar[str] = "sensors"
    driver: str = Field(description="simulated, serial, or /path/file.py:Class")
    template: Name | None = Field(None, description="name of an entry under templates: whose keys are taken over")
    profile: str | None = Field(None, description="a device that is described already; 'sensorlogd profiles' lists them")
    enabled: bool = Field(True, description="false: known, but not read")
    labels: Labels = Field(default_factory=dict)
    was: Name | None = Field(None, description="the sensor's former name, whose history goes on")
    interval: DurationUs | None = Field(None, ge=0, description="time between samples")
    heartbeat: DurationUs | None = Field(
        None,
        ge=1_000,
        description="longest normal silence: stale, reopen, gap, maximum gap and deadband repeats follow from it "
        "(default: three intervals, at least 5s; 60s without an interval)",
    )
    channels: Mapping[Name, ChannelOptions] = Field(default_factory=dict)

    @classmethod
    def variants(cls) -> tuple[type[SensorOptions], ...]:
        """The models to choose from; a driver whose keys depend on each other has one for each case."""
        return (cls,)

    @classmethod
    def variant(cls, keys: Mapping[str, Any]) -> type[SensorOptions]:
        """The model among ``variants`` that fits a sensor with these keys."""
        return cls

    def heartbeat_us(self) -> int:
        """The effective heartbeat in microseconds."""
        if self.heartbeat is not None:
            return self.heartbeat
        if self.interval:
            return max(3 * self.interval, 5_000_000)
        return MINUTE_US

    def time_limits(self) -> TimeLimits | None:
        """Which of the device's own times are believed; None: all of them."""
        return TimeLimits()

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Every channel this sensor stores; a driver may know more than the file spells out."""
        return dict(self.channels)
