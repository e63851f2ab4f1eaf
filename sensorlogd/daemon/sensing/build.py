"""From the configuration to what the daemon's parts want to know about its sensors."""

from __future__ import annotations

from collections.abc import Callable

from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.sensing.sensor_thread import Emit, Reader
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.inbox import Inbox
from sensorlogd.drivers.registry import driver_class
from sensorlogd.storage.catalog import SensorSpec, SeriesSpec
from sensorlogd.storage.maintenance.retention import RetentionPlan


def sensor_specs(config: Config) -> list[SensorSpec]:
    """What the catalog must know before readings arrive."""
    return [
        SensorSpec(
            name=name,
            driver=sensor.driver,
            labels=sensor.labels,
            was=sensor.was,
            series=[
                SeriesSpec(
                    channel=channel,
                    unit=options.unit,
                    kind=options.kind,
                    heartbeat_us=sensor.heartbeat_us(),
                    wrap=options.wrap,
                    dip=options.dip,
                    scale=options.scale,
                    offset=options.offset,
                    labels=options.labels,
                    was=options.was,
                    unit_change=options.unit_change,
                )
                for channel, options in sensor.channel_options().items()
            ],
        )
        for name, sensor in config.sensors.items()
    ] + [SensorSpec(name=name, driver="unavailable", unread=True) for name in config.failed_sensors]


def retention_plan(config: Config) -> RetentionPlan:
    """How long each tier of each sensor is kept."""
    return RetentionPlan(
        default=config.retention.tiers(), sensors=[(glob, tiers.tiers()) for glob, tiers in config.retention.sensors.items()]
    )


def make_reader(name: str, sensor: SensorOptions, config: Config, inbox: Inbox, clock: JudgedClock, emit: Emit) -> Reader:
    """A reader for one sensor, not started. Its driver class is known good: the configuration was validated with it."""
    driver = driver_class(sensor.driver, config.base_dir)
    late: list[Callable[[str, int, str], None]] = []  # the reader counts for its treatment, but is made after it

    def count(counter: str, n: int, example: str) -> None:
        late[0](counter, n, example)

    reader = Reader(
        name,
        lambda context: driver(sensor, context),
        Treatment(name, sensor.channel_options(), sensor.heartbeat_us(), count),
        inbox,
        clock,
        emit,
        heartbeat_us=sensor.heartbeat_us(),
        clock_synced=lambda: not clock.flags_unsynced,
    )
    late.append(reader.count)
    return reader
