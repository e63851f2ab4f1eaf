"""Checks prices together with the rest of the configuration: the counters they are for, their units, the series that say a price."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from sensorlogd.config.models import ChannelOptions, Config, SensorOptions
from sensorlogd.config.prices import PriceOptions
from sensorlogd.config.text.tree import Where, dotted
from sensorlogd.config.validation.names import closest

# (stored unit, wanted unit): raises ValueError, which says why, if the one cannot be converted into the other.
Convert = Callable[[str, str], object]


def mistakes(
    prices: Mapping[str, PriceOptions], sensors: Mapping[str, SensorOptions], *, all_known: bool
) -> Iterator[tuple[Where, str]]:
    """(place, problem) of each name that is of series without any counter. ``all_known``: every sensor is valid and has its
    driver."""
    channels = _channels(sensors)
    counters = [series for series, options in channels.items() if options.kind == "counter"]
    for name, price in prices.items():
        for index, glob in enumerate(price.series):
            met = fnmatch.filter(channels, glob)
            if not met or not (all_known or glob in channels) or any(series in counters for series in met):
                continue
            what = f"is a {channels[glob].kind}" if glob in channels else "meets no counter"
            known = f"; counters: {', '.join(counters[:5])}" if counters else ""
            cure = f"name a counter, or write kind: counter at the channel, if it is one{known}"
            yield ("prices", name, "series", index), f"{glob!r} {what}, and prices are for what counters count; {cure}"


def warnings(config: Config, stored: Sequence[str], convert: Convert | None) -> Iterator[str]:
    """The warnings, one line each. ``stored``: the names of the series in the log; the history of those that are not configured
    any more has its price, too. ``convert``: None: units are not looked at."""
    known = [*_channels(config.sensors), *stored]
    for name, price in config.prices.items():
        where = ("prices", name)
        for glob in price.series:
            if not fnmatch.filter(known, glob) and not _may_have_failed(config, glob):
                yield f"{dotted((*where, 'series'))}: {_unmet(glob, known)}"
        for index, rate in enumerate(price.rates):
            by = rate.by
            if by and not fnmatch.filter(known, by if "." in by else f"{by}.*") and not _may_have_failed(config, by):
                yield f"{dotted((*where, 'rates', index, 'by'))}: {_unmet(by, known)}; until there is one, no price is known"
        for index, (before, rate) in enumerate(pairwise(price.rates), 1):
            if rate.since < before.since:
                yield (
                    f"{dotted((*where, 'rates', index, 'from'))}: {rate.since} is before {before.since} of the rate above it;"
                    " each holds from its own day on, so look whether the day is right, and put them in order"
                )
        if convert is not None:
            yield from _about_units(config, name, price, convert)
    yield from _priced_twice(config)


def _about_units(config: Config, name: str, price: PriceOptions, convert: Convert) -> Iterator[str]:
    """Warnings about counters whose unit cannot be converted into that of the price, one for each unit."""
    seen = set()
    for series, options in _counters(config, price).items():
        if options.unit in seen:
            continue
        seen.add(options.unit)
        try:
            convert(options.unit, price.unit)
        except ValueError as error:
            counted = options.unit or "no unit"
            yield f"prices.{name}.unit: no cost of {series} ({counted}) per {price.unit} is shown: {error}"


def _priced_twice(config: Config) -> Iterator[str]:
    """Warnings about prices for counters that an entry above them has prices for."""
    first: dict[str, str] = {}
    for name, price in config.prices.items():
        for series in _counters(config, price):
            other = first.setdefault(series, name)
            if other != name:
                yield f"prices.{name}.series: {series} has its price from prices.{other}, which is above; name it in one of them"


def _unmet(glob: str, known: Sequence[str]) -> str:
    if "." not in glob and fnmatch.filter(known, f"{glob}.*"):
        return f"{glob!r} is a sensor, and prices are for series; write sensor.channel, or {glob}.*"
    return f"{glob!r} meets no series that is logged now{closest(glob, known) or '; name sensor.channel'}"


def _may_have_failed(config: Config, glob: str) -> bool:
    """Whether the name may be of a sensor whose driver cannot be loaded, so that its channels are not known."""
    return any(fnmatch.fnmatchcase(sensor, glob.partition(".")[0]) for sensor in config.failed_sensors)


def _counters(config: Config, price: PriceOptions) -> dict[str, ChannelOptions]:
    """The configured counters that the price is for."""
    return {
        series: options
        for series, options in _channels(config.sensors).items()
        if options.kind == "counter" and any(fnmatch.fnmatchcase(series, glob) for glob in price.series)
    }


def _channels(sensors: Mapping[str, SensorOptions]) -> dict[str, ChannelOptions]:
    """The configured channels, by the names of their series."""
    return {
        f"{name}.{channel}": options for name, sensor in sensors.items() for channel, options in sensor.channel_options().items()
    }
