"""Makes, from the configuration, what the parts of the daemon need to know about sensors."""

from __future__ import annotations

from collections.abc import Mapping

from sensorlogd.config import computed
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.computing.computed_sensor import ComputedSensor
from sensorlogd.daemon.computing.computing import Formulas
from sensorlogd.daemon.sensing.sensor_status import SensorStatus
from sensorlogd.daemon.sensing.sensor_thread import SensorThread
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.drivers.contract import Driver
from sensorlogd.drivers.registry import driver_class
from sensorlogd.event_kinds import Emit
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec


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
                    wrap=options.stored_wrap(),
                    dip=options.dip,
                    scale=options.scale,
                    offset=options.offset,
                    curve=options.curve(),
                    labels=options.labels,
                    was=options.was,
                    unit_change=options.unit_change,
                    decimals=options.decimals,
                    valid=options.valid,
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


def driver_of(sensor: SensorOptions, config: Config) -> type[Driver]:
    """The class that a sensor's options were validated with. Raises as ``driver_class``."""
    return driver_class(sensor.driver, config.base_dir, sensor)


Sensor = SensorThread | ComputedSensor


def make_sensor(name: str, sensor: SensorOptions, config: Config, inbox: Inbox, clock: JudgedClock, emit: Emit) -> Sensor:
    """The sensor thread or computed sensor of this name, not started."""
    if isinstance(sensor, ComputedOptions):
        return ComputedSensor(name, sensor, clock, emit)
    return make_sensor_thread(name, sensor, config, inbox, clock, emit)


def computed_sensors(config: Config, clock: JudgedClock, emit: Emit) -> dict[str, ComputedSensor]:
    """The computed sensors that are enabled, by name, not started."""
    return {
        name: ComputedSensor(name, sensor, clock, emit)
        for name, sensor in config.sensors.items()
        if isinstance(sensor, ComputedOptions) and sensor.enabled
    }


def formulas(config: Config, sensors: Mapping[str, Sensor]) -> Formulas:
    """What is to be computed. ``sensors``: all there are, by name."""
    computed_sensors = {name: sensor for name, sensor in sensors.items() if isinstance(sensor, ComputedSensor)}
    return Formulas(
        [channel for channel in computed.channels(config.sensors) if channel.key[0] in computed_sensors], computed_sensors
    )


def make_sensor_thread(
    name: str, sensor: SensorOptions, config: Config, inbox: Inbox, clock: JudgedClock, emit: Emit
) -> SensorThread:
    """A sensor thread for one sensor, not started. Its driver class is known good: the configuration was validated with it."""
    driver = driver_of(sensor, config)
    status = SensorStatus(name, clock)
    return SensorThread(
        name,
        lambda context: driver(sensor, context),
        Treatment(name, sensor.channel_options(), sensor.heartbeat_us(), status.count),
        inbox,
        clock,
        emit,
        status,
        heartbeat_us=sensor.heartbeat_us(),
        clock_synced=lambda: not clock.flags_unsynced,
        time_limits=sensor.time_limits(),
        driver=driver,
    )
