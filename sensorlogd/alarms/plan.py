"""The alarms and targets of a configuration, in the form that judge and sender take: each alarm with the series that it
matches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sensorlogd.config.alarms import AlarmOptions, TargetOptions
from sensorlogd.config.conditions import Condition
from sensorlogd.config.models import Config
from sensorlogd.config.validation.alarm_checks import Subject, met
from sensorlogd.counters import Counter


@dataclass(frozen=True, slots=True)
class AlarmedSeries:
    """A series as alarms know it."""

    subject: Subject
    heartbeat_us: int
    counter: Counter | None
    unit: str


@dataclass(frozen=True, slots=True)
class Definition:
    """One entry of ``alarms:``. ``identity``: the text of all that decides how readings are judged; if it changes, the alarm
    begins anew."""

    name: str
    options: AlarmOptions
    series: tuple[AlarmedSeries, ...]
    words: str
    identity: str
    when: Condition | None
    ending: Condition | None

    @property
    def of_events(self) -> bool:
        """Whether it looks at events, and not at readings."""
        return self.when is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is judged, and who is notified. ``zone``: of quiet hours. ``logger_name``: how messages name this machine."""

    definitions: tuple[Definition, ...] = ()
    targets: Mapping[str, TargetOptions] = field(default_factory=dict)
    zone: str = "UTC"
    logger_name: str = ""

    def __bool__(self) -> bool:
        return bool(self.definitions)


def plan(config: Config, logger_name: str = "") -> Plan:
    """The plan of a valid configuration."""
    found = tuple(_definition(name, options, config) for name, options in config.alarms.items())
    return Plan(found, config.notify, config.daemon.timezone, logger_name)


def _definition(name: str, options: AlarmOptions, config: Config) -> Definition:
    series = tuple(_series(config, subject) for subject in met(options, config.sensors)) if options.series else ()
    return Definition(name, options, series, options.in_words(), _identity(options), options.condition(), options.ending())


def _series(config: Config, subject: Subject) -> AlarmedSeries:
    sensor, channel = subject
    options = config.sensors[sensor]
    known = options.channel_options()[channel]
    return AlarmedSeries(subject, options.heartbeat_us(), known.counter(), known.unit)


def _identity(options: AlarmOptions) -> str:
    """Spelled the same for the same conditions, however they are written."""
    when, ending = options.condition(), options.ending()
    if when is None:
        return json.dumps(
            {"events": options.events, "until": options.until, "hold": options.hold, "sensor": options.sensor}, sort_keys=True
        )
    return json.dumps(
        {"when": _parts_of(when), "clear": None if ending is None else _parts_of(ending), "for": options.for_}, sort_keys=True
    )


def _parts_of(condition: Condition) -> list[object]:
    return [condition.kind, condition.op, condition.limit, condition.over_us, condition.flag]
