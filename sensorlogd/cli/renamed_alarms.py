"""What a new name of a sensor means for the alarms: their patterns go by names, so a sensor can leave one, or come under it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from sensorlogd.config.alarms import AlarmOptions
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.models.whole import Config
from sensorlogd.config.validation.alarm_checks import met


def changes(config: Config, old: str, new: str) -> Iterator[str]:
    """A sentence for each alarm that looks at the sensor under one of the names. ``config``: as it was before. None for a sensor
    that has a mistake or no driver, because its channels are not known."""
    sensor = config.sensors.get(old)
    if sensor is None:
        return
    for name, options in config.alarms.items():
        before, after = _fitting(options, old, sensor), _fitting(options, new, sensor)
        if not before and not after:
            continue
        if before == after:
            yield f"alarm {name} looks at {new} as it did at {old}, and begins anew"
        elif not after:
            place, add = ("sensor:", f"a pattern that fits {new}") if options.series is None else ("series:", f"'{new}.*'")
            yield (
                f"alarm {name} does not look at it any more: {_listed(before)} does not fit {new}; if it shall, write {add} below"
                f" {place} of that alarm, then: sensorlogd reload"
            )
        elif not before:
            yield f"alarm {name} looks at it from now on, by {_listed(after)}"
        else:
            yield f"alarm {name} looked at it by {_listed(before)}, and looks at {new} by {_listed(after)}, beginning anew"


def _fitting(options: AlarmOptions, name: str, sensor: SensorOptions) -> dict[str, list[str]]:
    """Pattern -> the channels that it fits if the sensor has that name; of an alarm of events, none are listed."""
    if options.series is None:
        pattern = options.sensor
        return {pattern: []} if pattern is not None and fnmatch.fnmatchcase(name, pattern) else {}
    fitting = {
        pattern: [channel for _, channel in met(options.model_copy(update={"series": (pattern,)}), {name: sensor})]
        for pattern in options.series
    }
    return {pattern: channels for pattern, channels in fitting.items() if channels}


def _listed(fitting: dict[str, list[str]]) -> str:
    return " and ".join(repr(pattern) for pattern in fitting)
