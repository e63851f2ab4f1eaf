"""What is said of a channel whose unit changes while readings in the former one are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sensorlogd.config.models import ChannelOptions, Config
from sensorlogd.notation.symbols import micro

# (former unit, new unit) -> whether ``unit_change: convert`` can convert what is stored
Converts = Callable[[str, str], bool]


def problem(where: str, channel: str, former: str, options: ChannelOptions, converts: Converts) -> str | None:
    """What will be regretted of a channel that has history in the unit ``former``, and what to do; None: nothing, for it is the
    same unit, or what happens is what was said. ``where``: the place of the channel in the configuration."""
    if options.unit == micro(former):
        return None
    if options.unit_change is None:
        return (
            f"{where}.unit: changes from {former!r} to {options.unit!r} with history; a new series is begun, and the old readings"
            f" become {channel}~1; say which you want with unit_change: convert, relabel or new_series"
        )
    if options.unit_change == "convert" and not converts(former, options.unit):
        return (
            f"{where}.unit_change: no exact conversion from {former!r} to {options.unit!r} is known (of temperatures only); a new"
            f" series is begun, and the old readings become {channel}~1; say relabel if only the name of the unit was wrong,"
            f" new_series if this is meant, or keep the unit {former!r}: query --unit converts what it shows"
        )
    return None


def problems(old: Config, new: Config, converts: Converts) -> Iterator[str]:
    """The problems of all channels whose unit is another one than in the configuration that runs, which has named what is
    stored."""
    for name, sensor in new.sensors.items():
        former_sensor = old.sensors.get(sensor.was or "") or old.sensors.get(name)
        former = {} if former_sensor is None else former_sensor.channel_options()
        for channel, options in sensor.channel_options().items():
            before = former.get(options.was or "") or former.get(channel)
            if before is not None:
                where = f"{sensor.written_below}.{name}.channels.{channel}"
                if (line := problem(where, channel, before.unit, options, converts)) is not None:
                    yield line
