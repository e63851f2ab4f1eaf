"""Checks an alarm together with the rest of the configuration: the series it matches, the targets it names."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from typing import Any

from sensorlogd.config.alarms import AlarmOptions, unknown_targets
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.validation.names import closest
from sensorlogd.notation.symbols import micro

Subject = tuple[str, str]  # sensor, channel


def met(options: AlarmOptions, sensors: Mapping[str, SensorOptions]) -> list[Subject]:
    """The configured series that an alarm is for, in the order of the file; a bare sensor means all its channels."""
    globs = [micro(glob if "." in glob else f"{glob}.*") for glob in options.series or ()]
    return [
        (name, channel)
        for name, sensor in sensors.items()
        if sensor.enabled
        for channel in sensor.channel_options()
        if any(fnmatch.fnmatchcase(f"{name}.{channel}", glob) for glob in globs)
    ]


def mistakes(
    alarms: Mapping[str, AlarmOptions], targets: Mapping[str, Any], sensors: Mapping[str, SensorOptions], *, all_known: bool
) -> Iterator[tuple[tuple[str, ...], str]]:
    """(place, problem) of each mistake. ``all_known``: every sensor is valid and has its driver, so all series are known."""
    names = [f"{name}.{channel}" for name, sensor in sensors.items() for channel in sensor.channel_options()]
    for name, options in alarms.items():
        for below, target in unknown_targets(options, list(targets)):
            cure = closest(target, targets) or (f"; known: {', '.join(targets)}" if targets else "; there is no notify: section")
            yield ("alarms", name, *below), f"unknown target {target!r}{cure}"
        if options.series is not None and all_known:
            alone = [glob for glob in options.series if not met(options.model_copy(update={"series": (glob,)}), sensors)]
            for glob in alone:
                off = " (of sensors that are not enabled)" if any(fnmatch.fnmatchcase(series, glob) for series in names) else ""
                cure = closest(glob, names) or "; name sensor.channel, globs allowed"
                yield ("alarms", name, "series"), f"{glob!r} meets no series{off}{cure}"
