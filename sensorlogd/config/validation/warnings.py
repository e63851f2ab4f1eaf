"""Warns of what is allowed but will be regretted: ports that renumber, history that retires, pages that everybody can read."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from sensorlogd.calibration.curves import Curve
from sensorlogd.config.alarms import AlarmOptions
from sensorlogd.config.computed import unread_inputs, unused_inputs
from sensorlogd.config.conditions import ends_nothing_earlier
from sensorlogd.config.listen import auth_needed
from sensorlogd.config.models import Config
from sensorlogd.config.validation import price_checks, units
from sensorlogd.config.validation.names import nearest
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural

_RENUMBERS = re.compile(r"/dev/tty(USB|ACM)\d+")

# device -> (its stable name, whether several adapters share the by-id name)
StableName = Callable[[str], tuple[str, bool]]


class Stored(Protocol):
    """A series in the database, and how many readings it has."""

    @property
    def sensor(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def readings(self) -> int: ...


def warnings(
    config: Config,
    stable_name: StableName,
    stored: Iterable[Stored] = (),
    converts: units.Converts = lambda *_: False,
    *,
    prices_in: price_checks.Convert | None = None,
) -> Iterator[str]:
    """The warnings, one line each: the place in the configuration, what will happen, what to do. ``stored``: the series in the
    log. ``converts``: which units ``unit_change: convert`` can convert. ``prices_in``: converts what is counted into the unit of its
    price; None: those units are not looked at."""
    stored = list(stored)
    for name, reason in config.failed_sensors.items():
        yield f"sensors.{name}: will not be read: {reason}"
    if not config.sensors and not config.failed_sensors:
        yield "sensors: none are configured; nothing will be logged"
    for name, sensor in config.sensors.items():
        port = getattr(sensor, "port", None)
        if isinstance(port, str) and port.startswith("/dev/"):
            stable, shared = stable_name(port)
            if _RENUMBERS.fullmatch(port):
                hint = f"use {stable}" if stable != port else "plug it in and let 'sensorlogd ports' show its stable name"
                yield f"sensors.{name}.port: {port} may be another device after a restart; {hint}"
            elif "/by-id/" in port and shared:
                yield f"sensors.{name}.port: another adapter has the same by-id name; use {stable}"
    if config.web.enabled and config.web.auth == "none" and auth_needed(config.web.listen) is not None:
        yield f"web.auth: everybody who reaches {config.web.listen} can read all values; auth: token asks for a token"
    if config.backup is not None and config.backup.to is not None and not os.path.isdir(config.backup.to):
        yield f"backup.to: {config.backup.to} is not there, so no backups are made; make the folder, or mount its disk"
    yield from _about_counters(config)
    yield from _about_computed(config)
    yield from _about_alarms(config)
    yield from price_checks.warnings(config, [f"{series.sensor}.{series.channel}" for series in stored], prices_in)
    yield from _about_history(config, stored, converts)


def _about_counters(config: Config) -> Iterator[str]:
    """Warnings about counters that are stored upside down: they fall where the device's number rises."""
    for name, sensor in config.sensors.items():
        for channel, options in sensor.channel_options().items():
            curve = options.curve()
            curve_falls = curve is not None and _falls(curve)
            if options.kind != "counter" or (options.scale < 0) == curve_falls:
                continue
            key = "scale" if not curve_falls else "table" if options.table else "polynomial"
            cure = f"scale: {-options.scale:g}" if key == "scale" else f"a {key} that rises"
            yield (
                f"{sensor.written_below}.{name}.channels.{channel}.{key}: makes falls of the rises of a counter, so what it counted"
                f" (increase, rate, cost) is wrong; write {cure}, unless the device counts down"
            )


def _falls(curve: Curve) -> bool:
    """Whether a table ends lower than it begins, or a polynomial falls wherever the device's number is positive."""
    if curve.points:
        return curve.points[-1][1] < curve.points[0][1]
    return all(term <= 0 for term in curve.terms[1:])


def _about_computed(config: Config) -> Iterator[str]:
    for sensor, name in unused_inputs(config.sensors):
        yield f"computed.{sensor}.inputs.{name}: no formula uses it; leave it out"
    for sensor, name, source in unread_inputs(config.sensors, config.failed_sensors):
        yield f"computed.{sensor}.inputs.{name}: {source} is not read now, so what is computed from it will be missing"


def _about_alarms(config: Config) -> Iterator[str]:
    """Warnings about targets that nothing is sent to, and alarms that nobody is notified of."""
    import importlib.util

    from sensorlogd import extras

    for name, target in config.notify.items():
        if target.way == "apprise" and importlib.util.find_spec("apprise") is None:
            yield f"notify.{name}: Apprise is not installed, so nothing is sent: {extras.advice('notify')}"
        used = any(
            name in (*alarm.notify, *(alarm.escalate.notify if alarm.escalate else ())) for alarm in config.alarms.values()
        )
        if not used:
            yield f"notify.{name}: no alarm names it"
    for name, options in config.alarms.items():
        if not options.notify and options.escalate is None:
            yield f"alarms.{name}: nobody is notified, it is shown only; name whom under notify:"
        yield from _about_an_ending(name, options)
        yield from _about_kinds(name, options)


def _about_an_ending(name: str, options: AlarmOptions) -> Iterator[str]:
    """A warning if ``clear`` does nothing: while the condition holds, nothing ends it."""
    when, clear = options.condition(), options.ending()
    if when is not None and clear is not None and ends_nothing_earlier(when, clear):
        limit = when.opposite().text()
        yield (
            f"alarms.{name}.clear: {clear.text()!r} holds where {when.text()!r} still does, which wins: it ends at {limit!r}, as"
            " without clear:; write a number beyond that, so that it does not come and go, or leave clear: out"
        )


def _about_kinds(name: str, options: AlarmOptions) -> Iterator[str]:
    """Warnings about kinds of events that this release does not record. Drivers of other authors may."""
    kinds = [kind.value for kind in EventKind]
    for key in ("events", "until"):
        for wanted in getattr(options, key) or ():
            if not fnmatch.filter(kinds, wanted):
                like = nearest(wanted.strip("*"), kinds, 3)
                cure = f"did you mean {' or '.join(like)}?" if like else "docs/data-model.md lists those that there are"
                yield (
                    f"alarms.{name}.{key}: {wanted!r}: sensorlogd records no such events, so only a driver of your own"
                    f" could; {cure}"
                )


def _about_history(config: Config, stored: Iterable[Stored], converts: units.Converts) -> Iterator[str]:
    """Warnings about series in the database whose names are not configured any more, or whose unit changes."""
    configured = {(name, channel) for name, sensor in config.sensors.items() for channel in sensor.channel_options()}
    former = {sensor.was for sensor in config.sensors.values() if sensor.was}
    renamed = {
        (sensor.was or name, options.was)
        for name, sensor in config.sensors.items()
        for options in sensor.channel_options().values()
        if options.was
    }
    known = list(stored)
    for series in known:
        key = (series.sensor, series.channel)
        if (
            key not in configured
            and series.sensor not in former
            and key not in renamed
            and series.sensor not in config.failed_sensors
        ):
            yield (
                f"{series.sensor}.{series.channel}: is in the database and not configured any more"
                f": {series.readings} {plural(series.readings, 'reading')}"
                f" retire (they stay readable); if it was renamed, write was:"
                f" {series.sensor if series.sensor not in config.sensors else series.channel}"
            )
        elif series.readings and (goes_on := _goes_on(config, key, {(each.sensor, each.channel) for each in known})):
            name, channel = goes_on
            sensor = config.sensors[name]
            where = f"{sensor.written_below}.{name}.channels.{channel}"
            line = units.problem(where, channel, series.unit, sensor.channel_options()[channel], converts)
            if line is not None:
                yield line


def _goes_on(config: Config, key: tuple[str, str], known: set[tuple[str, str]]) -> tuple[str, str] | None:
    """The (sensor, channel) under which the stored one ``key`` goes on: the one that names it with ``was`` and is not there yet, else
    the same. None: it retires."""
    sensors, channels = {of for of, _ in known}, {channel for of, channel in known if of == key[0]}
    name = next((new for new, sensor in config.sensors.items() if sensor.was == key[0] and new not in sensors), key[0])
    options = config.sensors[name].channel_options() if name in config.sensors else {}
    channel = next((new for new, each in options.items() if each.was == key[1] and new not in channels), key[1])
    return (name, channel) if channel in options else None
