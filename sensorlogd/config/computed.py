"""``computed:`` in the configuration: sensors whose channels are formulas over other channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from sensorlogd.computed.channel import Channel, Input, Key
from sensorlogd.computed.engine import Cycle, in_order
from sensorlogd.computed.formula import Formula, FormulaError, input_name_problem, parse
from sensorlogd.computed.functions import FUNCTIONS
from sensorlogd.config.models import ChannelOptions, Name, SensorOptions, ShortText
from sensorlogd.config.text.tree import Where
from sensorlogd.config.validation.names import closest
from sensorlogd.notation.microseconds import MINUTE_US

DRIVER = "computed"
UNKNOWN_HEARTBEAT_US = MINUTE_US  # assumed for an input whose sensor cannot be read now
_DEVICE_KEYS = ("source", "polynomial", "table", "spike", "wrap")
_SENSOR_KEYS = ("interval", "template", "profile")
# Functions do not convert their arguments: units that are surely not the ones they expect.
_OTHERS = {
    "°C": {"°F", "K", "°R"},
    "hPa": {"Pa", "kPa", "bar", "psi", "inHg", "mmHg", "atm"},
    "m/s": {"km/h", "mph", "kn", "kt"},
    "m": {"cm", "mm", "ft", "in"},
    "V": {"mV", "kV"},
    "A": {"mA", "kA"},
    "%": {"1"},
}


def _check_input_name(value: str) -> str:
    problem = input_name_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def _check_series_name(value: str) -> str:
    sensor, dot, channel = value.partition(".")
    if not (sensor and dot and channel) or "*" in value:
        raise ValueError(f"{value!r} is not a channel; write sensor.channel, e.g. greenhouse.temperature")
    return value


InputName = Annotated[str, AfterValidator(_check_input_name)]


class ComputedChannel(ChannelOptions):
    """A channel whose readings are computed by a formula; they are treated like those of any other channel."""

    formula: str = Field(description="an expression over the names under inputs:, e.g. dew_point(t, rh)")

    @model_validator(mode="before")
    @classmethod
    def _cut_at_a_comma(cls, data: Any) -> Any:
        """Detects ``{formula: dew_point(t, rh)}``: between braces YAML ends the value at the comma and takes the rest for keys."""
        if (
            isinstance(data, dict)
            and isinstance(data.get("formula"), str)
            and data["formula"].count("(") > data["formula"].count(")")
        ):
            rest = [str(key) for key in data if key not in cls.model_fields]
            whole = ", ".join([data["formula"], *rest])
            raise ValueError(f'formula: between braces a comma ends it; put it in quotes: formula: "{whole}"')
        return data

    @model_validator(mode="after")
    def _check_no_device_keys(self) -> ComputedChannel:
        for key in _DEVICE_KEYS:
            if key in self.model_fields_set:
                raise ValueError(f"{key}: is for what a device says; a computed channel has a formula: leave {key} out")
        return self


class ComputedOptions(SensorOptions):
    """A sensor whose channels are formulas."""

    written_below: ClassVar[str] = DRIVER
    driver: str = Field(DRIVER, description="always computed; leave it out")
    inputs: Mapping[InputName, Annotated[ShortText, AfterValidator(_check_series_name)]] = Field(
        description="name in formulas -> sensor.channel"
    )
    join: Literal["newest", "equal"] = Field(
        "newest",
        description="newest: of each input the newest reading within its heartbeat; equal: readings of the very same time only",
    )
    follow: tuple[InputName, ...] = Field(
        (), description="with join: newest, only readings of these inputs give one (default: of every input)"
    )
    channels: Mapping[Name, ComputedChannel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_keys(self) -> ComputedOptions:
        """Validates the keys of a computed sensor against each other."""
        if self.driver != DRIVER:
            raise ValueError(
                f"driver: {self.driver!r}: below computed: there is no driver; leave it out, or write it below sensors:"
            )
        for key in _SENSOR_KEYS:
            if key in self.model_fields_set:
                raise ValueError(f"{key}: a computed sensor has none; leave it out")
        for name in self.follow:
            if name not in self.inputs:
                raise ValueError(
                    f"follow: {name!r} is not under inputs:{closest(name, self.inputs)}; known: {', '.join(self.inputs)}"
                )
        if self.follow and self.join == "equal":
            raise ValueError("follow: with join: equal all inputs are needed at once; leave follow out")
        return self


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake and the place where it is. ``where``: the keys below ``computed``."""

    where: Where
    problem: str


def complete(
    computed: Mapping[str, ComputedOptions], sensors: Mapping[str, SensorOptions], failed: Mapping[str, str]
) -> tuple[dict[str, ComputedOptions], list[Mistake]]:
    """Fill in what follows from the inputs of computed sensors (heartbeat, units). Returns those sensors and the mistakes found.

    ``sensors``: the other sensors, all valid. ``failed``: sensors that cannot be read now, so their channels are unknown.
    """
    found = _Completing(computed, sensors, failed)
    return found.completed(), found.mistakes


def channels(sensors: Mapping[str, SensorOptions]) -> list[Channel]:
    """The computed channels of all enabled sensors; each comes after the channels that it is computed from."""
    made: dict[Key, Channel] = {}
    for sensor, options in sensors.items():
        if isinstance(options, ComputedOptions) and options.enabled:
            for name, computed in options.channels.items():
                made[sensor, name] = _channel((sensor, name), options, parse(computed.formula, options.inputs), sensors)
    order = in_order({key: [input_.key for input_ in channel.inputs] for key, channel in made.items()})
    return [made[key] for key in order]


def _channel(key: Key, options: ComputedOptions, formula: Formula, sensors: Mapping[str, SensorOptions]) -> Channel:
    """A channel with its inputs in the order of ``formula.names``. One whose sensor is not configured has UNKNOWN_HEARTBEAT_US."""
    inputs = []
    for name in formula.names:
        source = _key(options.inputs[name])
        heard = sensors.get(source[0])
        inputs.append(Input(name, source, UNKNOWN_HEARTBEAT_US if heard is None else heard.heartbeat_us()))
    follows = frozenset(_key(options.inputs[name]) for name in options.follow if name in formula.names)
    return Channel(key, formula, tuple(inputs), options.join, follows, options.heartbeat_us())


def users(sensors: Mapping[str, SensorOptions], sensor: str) -> list[str]:
    """The names of the computed sensors that have a channel of ``sensor`` as a direct input."""
    return [
        name
        for name, options in sensors.items()
        if isinstance(options, ComputedOptions)
        and name != sensor
        and any(_key(input_)[0] == sensor for input_ in options.inputs.values())
    ]


def _key(series: str) -> Key:
    sensor, _, channel = series.partition(".")
    return sensor, channel


class _Completing:
    """Completes computed sensors by what they are computed from, and notes the mistakes."""

    def __init__(
        self, computed: Mapping[str, ComputedOptions], sensors: Mapping[str, SensorOptions], failed: Mapping[str, str]
    ) -> None:
        self.computed = computed
        self.sensors = sensors
        self.failed = failed
        self.mistakes: list[Mistake] = []
        self.formulas: dict[Key, Formula] = {}

    def completed(self) -> dict[str, ComputedOptions]:
        """The sensors with what follows from their inputs filled in; ``mistakes`` is complete then."""
        for name, options in self.computed.items():
            self._check_inputs(name, options)
            for channel, computed in options.channels.items():
                self._parse_formula(name, channel, options, computed)
        order = self._sort_channels()
        done: dict[str, ComputedOptions] = dict(self.computed)
        for key in order:  # in this order, because units and heartbeats follow from the inputs
            done[key[0]] = self._complete_channel(key, done)
        return done

    def _check_inputs(self, name: str, options: ComputedOptions) -> None:
        """Note inputs that name no sensor or no channel; those of sensors that cannot be read now pass."""
        for short, series in options.inputs.items():
            sensor, channel = _key(series)
            where: Where = ("computed", name, "inputs", short)
            if sensor in self.failed:
                continue
            known = self.sensors.get(sensor) or self.computed.get(sensor)
            if known is None:
                hint = closest(sensor, [*self.sensors, *self.computed])
                self.mistakes.append(Mistake(where, f"{series!r}: there is no sensor {sensor!r}{hint}"))
            elif channel not in known.channel_options():
                there = known.channel_options()
                hint = closest(channel, there) or f"; it has {', '.join(there)}"
                self.mistakes.append(Mistake(where, f"{series!r}: {sensor} has no channel {channel!r}{hint}"))

    def _parse_formula(self, name: str, channel: str, options: ComputedOptions, computed: ComputedChannel) -> None:
        """Keep the formula of a channel parsed, or note its mistake."""
        where: Where = ("computed", name, "channels", channel, "formula")
        try:
            formula = parse(computed.formula, options.inputs)
        except FormulaError as error:
            self.mistakes.append(Mistake(where, f"{computed.formula.strip()[:80]!r}: {error}"))
            return
        if options.follow and not set(options.follow) & set(formula.names):
            problem = (
                f"uses none of follow: ({', '.join(options.follow)}), so there would never be a reading; add {formula.names[0]}"
            )
            self.mistakes.append(Mistake(where, problem))
        self.formulas[name, channel] = formula

    def _sort_channels(self) -> list[Key]:
        """The channels, each after those that it is computed from; none, with the mistake noted, if one is computed from
        itself."""
        uses = {
            key: [_key(self.computed[key[0]].inputs[name]) for name in formula.names] for key, formula in self.formulas.items()
        }
        try:
            return in_order(uses)
        except Cycle as cycle:
            sensor, _, channel = cycle.path[0].partition(".")
            problem = f"is computed from itself: {cycle}; one of these formulas must do without the next"
            self.mistakes.append(Mistake(("computed", sensor, "channels", channel, "formula"), problem))
            return []

    def _complete_channel(self, key: Key, done: Mapping[str, ComputedOptions]) -> ComputedOptions:
        """Returns the sensor with the unit of this channel filled in (if the formula makes it plain), and with a heartbeat no
        shorter than that of its inputs."""
        sensor, channel = key
        options, formula = done[sensor], self.formulas[key]
        changes: dict[str, object] = {}
        if "heartbeat" not in self.computed[sensor].model_fields_set:
            theirs = [self._heartbeat_us(_key(options.inputs[name])[0], done) for name in formula.names]
            changes["heartbeat"] = max([*theirs, options.heartbeat or 0])
        if options.interval is None and (pace := self._interval_us(formula, options, done)) is not None:
            changes["interval"] = pace
        computed = options.channels[channel]
        if formula.unit and "unit" not in computed.model_fields_set:
            changes["channels"] = {**options.channels, channel: computed.model_copy(update={"unit": formula.unit})}
        self._check_units(key, options, formula, done)
        return options.model_copy(update=changes)

    def _interval_us(self, formula: Formula, options: ComputedOptions, done: Mapping[str, ComputedOptions]) -> int | None:
        """The time between readings in µs, if a single sensor decides it, else None; for the estimate of what the log will cost."""
        deciding = {_key(options.inputs[name])[0] for name in options.follow or formula.names}
        known = [self.sensors.get(sensor) or done.get(sensor) for sensor in deciding]
        return known[0].interval if len(known) == 1 and known[0] is not None else None

    def _heartbeat_us(self, sensor: str, done: Mapping[str, ComputedOptions]) -> int:
        known = self.sensors.get(sensor) or done.get(sensor)
        return UNKNOWN_HEARTBEAT_US if known is None else known.heartbeat_us()

    def _check_units(self, key: Key, options: ComputedOptions, formula: Formula, done: Mapping[str, ComputedOptions]) -> None:
        """Note inputs whose unit is surely not the one that a function expects."""
        for function, arguments in formula.calls:
            for wanted, name in zip(FUNCTIONS[function].units, arguments, strict=False):
                if not name:
                    continue
                sensor, channel = _key(options.inputs[name])
                known = (self.sensors.get(sensor) or done.get(sensor)) if sensor not in self.failed else None
                entry = None if known is None else known.channel_options().get(channel)
                if entry is not None and entry.unit in _OTHERS.get(wanted, ()):
                    problem = (
                        f"{function} takes {name} in {wanted}, and {options.inputs[name]} is in {entry.unit};"
                        f" convert it, e.g. {function}({_conversion(name, entry.unit)}, ...)"
                    )
                    self.mistakes.append(Mistake(("computed", *key[:1], "channels", key[1], "formula"), problem))


def _conversion(name: str, unit: str) -> str:
    """The formula that converts an input from ``unit`` to what functions expect, as an example."""
    known = {"°F": f"({name} - 32) / 1.8", "K": f"{name} - 273.15", "Pa": f"{name} / 100", "kPa": f"{name} * 10"}
    known |= {
        "km/h": f"{name} / 3.6",
        "mm": f"{name} / 1000",
        "cm": f"{name} / 100",
        "mA": f"{name} / 1000",
        "mV": f"{name} / 1000",
    }
    return known.get(unit, f"{name} * FACTOR")


def unused_inputs(sensors: Mapping[str, SensorOptions]) -> Iterator[tuple[str, str]]:
    """(sensor, input) of every input that no formula uses."""
    for name, options in sensors.items():
        if isinstance(options, ComputedOptions):
            used = {input_ for channel in options.channels.values() for input_ in parse(channel.formula, options.inputs).names}
            yield from ((name, input_) for input_ in options.inputs if input_ not in used)


def unread_inputs(sensors: Mapping[str, SensorOptions], failed: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(sensor, input, the series that it names) of every input whose sensor is disabled or cannot be loaded."""
    for name, options in sensors.items():
        if isinstance(options, ComputedOptions) and options.enabled:
            for short, series in options.inputs.items():
                source = _key(series)[0]
                if source in failed or (source in sensors and not sensors[source].enabled):
                    yield name, short, series
