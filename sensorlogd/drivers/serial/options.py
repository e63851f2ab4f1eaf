"""The options of a serial sensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from sensorlogd.config.models import ChannelOptions, DurationUs, Finite, Instant, Name, Section, SensorOptions, ShortText, Zone
from sensorlogd.drivers import sentinels
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.escapes import Escaped, Regex
from sensorlogd.drivers.serial.framing.frame_options import BlockFormat, FrameFormat, HexBytes, ObisFormat
from sensorlogd.drivers.serial.regex.expressions import expression
from sensorlogd.notation.durations import format_duration
from sensorlogd.notation.symbols import micro
from sensorlogd.stamping import patterns
from sensorlogd.stamping.judging import TimeLimits


def _with_groups(value: str) -> str:
    if not expression(value).groups:
        raise ValueError("has no named group; write (?P<channel>...) for each value to log")
    return value


def _known_encoding(value: str) -> str:
    import codecs

    try:
        codecs.lookup(value)
        "x".encode(value)
    except (LookupError, ValueError, TypeError):
        raise ValueError(f"{value!r} is not a known encoding; e.g. ascii, utf-8, latin-1") from None
    return value


def _with_one_micro(data: Any) -> Any:
    """The data with one and the same micro sign in all its texts."""
    if isinstance(data, str):
        return micro(data)
    if isinstance(data, Mapping):
        return {_with_one_micro(key): _with_one_micro(value) for key, value in data.items()}
    return [_with_one_micro(value) for value in data] if isinstance(data, (list, tuple)) else data


Pattern = Annotated[str, AfterValidator(_with_groups)]


class TimeOptions(Section):
    """The device's own time stamp."""

    field: str = Field(
        description="field (or regex group, JSON path) that holds it; several joined by '+' are put together with a blank"
    )
    format: str = Field("iso", description="iso, epoch, epoch_ms, epoch_us, or a strptime pattern, e.g. '%d %b %Y %H:%M:%S'")
    zone: Zone = Field("UTC", description="zone of a time that carries none")
    year: Literal["from_host"] | None = Field(
        None,
        description="from_host: what the pattern leaves open, the year or the whole date, is that nearest to the host's clock",
    )
    fold: Literal["by_order", "first", "second"] = Field(
        "by_order", description="which of two equal local times in autumn; by_order: the second one once time falls back"
    )
    repeat: Literal["keep", "spread", "drop"] = Field(
        "keep",
        description="readings that share a stamp: keep each (a microsecond apart; the same values are the same reading), "
        "spread them over the second as they arrive, or drop all but the first",
    )
    earliest: Instant | None = Field(
        None, description="a time before is not believed; default: ten years before this release of the software"
    )
    ahead: DurationUs = Field(
        86_400_000_000, ge=0, description="a time further ahead of the host's clock is not believed: stamped on arrival, flagged"
    )
    gnss: bool = Field(False, description="the device is a GPS receiver: a date 1024 weeks behind is put right")

    @model_validator(mode="after")
    def _whole_date(self) -> TimeOptions:
        if self.format not in ("iso", *patterns.EPOCHS):
            if "%" not in self.format:
                raise ValueError(f"format: {self.format!r} is neither one of iso, {', '.join(patterns.EPOCHS)} nor a pattern")
            patterns.check(self.format)
        lack = patterns.lacks(self.format)
        if lack and self.year is None:
            raise ValueError(f"format: {self.format!r} leaves the {lack} open; write year: from_host to have it completed")
        if self.year is not None and not lack:
            raise ValueError(f"year: {self.format!r} says the year already; leave year out")
        return self

    def limits(self) -> TimeLimits:
        """The limits of believable times."""
        default = TimeLimits()
        return TimeLimits(default.earliest_us if self.earliest is None else self.earliest, self.ahead, self.gnss)


class ChecksumOptions(Section):
    """A checksum at the end of each line. A line whose checksum is wrong is counted, never stored."""

    type: str = Field(description=f"one of {', '.join(sorted(CHECKSUMS))}")
    start: Escaped = Field("", description="what precedes the covered bytes, e.g. $ (not covered itself)")
    before: Escaped = Field("*", description="what separates the covered bytes from the checksum, e.g. *")
    required: bool = Field(True, description="false: lines without a checksum are taken too")

    @model_validator(mode="after")
    def _known_checksum(self) -> ChecksumOptions:
        if self.type not in CHECKSUMS:
            raise ValueError(f"type: unknown checksum {self.type!r}; known: {', '.join(sorted(CHECKSUMS))}")
        return self


class NumberOptions(Section):
    """How the text of one field is read: value = number * scale + offset."""

    hex: bool = Field(False, description="hexadecimal digits")
    sign_bit: int | None = Field(None, ge=1, le=31, description="this bit set: the number below it is negative (RFLink: 15)")
    bits: int | None = Field(None, ge=4, le=64, description="two's complement of this many bits")
    degrees_minutes: bool = Field(False, description="dddmm.mmm, as GPS receivers write an angle")
    negative_if: tuple[str, str] | None = Field(None, description="[field, text]: negative where that field is that text")
    unit: ShortText | Mapping[ShortText, Finite] | None = Field(
        None, description="stands after the number, or the line is bad: °C; or several with their factors: {mV: 0.001, V: 1}"
    )
    scale: Finite = 1.0
    offset: Finite = 0.0

    @model_validator(mode="after")
    def _real_units(self) -> NumberOptions:
        if self.unit is not None and (not self.units() or not all(self.units())):
            raise ValueError("unit: is empty; leave it out, or write what stands after the number, e.g. °C")
        return self

    def units(self) -> dict[str, float]:
        """Each unit with its factor, the longest unit first."""
        given = {self.unit: 1.0} if isinstance(self.unit, str) else dict(self.unit or {})
        return {unit.strip(): given[unit] for unit in sorted(given, key=len, reverse=True)}


class LineChannel(ChannelOptions):
    """A channel of a format whose fields are text."""

    map: Mapping[str, Finite] = Field(
        default_factory=dict, description="states that the device writes as words, e.g. {OPEN: 1, CLOSED: 0}"
    )


class LineFormat(Section):
    """How a line becomes values."""

    type: Literal["csv", "keyvalue", "json", "regex"] = "csv"
    fields: tuple[str | None, ...] = Field((), description="csv: the fields in order; null or _ skips one")
    separator: Escaped = Field(",", description="csv: any text; 'whitespace' = runs of blanks. keyvalue: between pairs")
    equals: Escaped = Field("=", min_length=1, description="keyvalue: between key and value")
    pattern: Pattern | None = Field(None, description="regex: with a named group per value; must match somewhere in the line")
    prefix: Escaped = Field("", description="a line must begin with this, which is taken off")
    comment: Escaped = Field("", description="lines that begin with this are skipped and counted as comments")
    missing: tuple[sentinels.Text, ...] = Field(
        (), description="more texts that mean 'no value' (any case), and numbers however they are spelled, e.g. [-999, ERR]"
    )
    missing_only: tuple[sentinels.Text, ...] | None = Field(
        None, description="the same, and nothing else: not even nan, an infinity or an empty field"
    )
    decimal_comma: bool = Field(False, description="1,5 is one and a half, 1.234 is one thousand two hundred and thirty-four")
    words: Mapping[str, Finite] = Field(default_factory=dict, description="texts that stand for numbers, e.g. {S: 1, U: 0}")
    numbers: Mapping[str, NumberOptions] = Field(default_factory=dict, description="fields that are not plain decimal numbers")
    only: Regex | None = Field(None, description="regular expression: lines it is not found in are others' and are only counted")
    skip: Regex | None = Field(None, description="regular expression: lines it is found in are others' and are only counted")
    identity: Regex | None = Field(
        None, description="regular expression: what it finds (its group, if it has one) tells the devices of a gateway apart"
    )
    device: str | None = Field(
        None, description="with identity: the one whose lines are taken; without it, only as long as a single one is heard"
    )
    bad_fields: Literal["reject", "skip"] = Field(
        "reject", description="skip: a field that is not a number costs only itself, not the line"
    )
    extra_fields: bool = Field(False, description="csv: further fields than named are ignored instead of making the line bad")

    @model_validator(mode="before")
    @classmethod
    def _one_micro(cls, data: Any) -> Any:
        """Lines are read with one micro sign, so the texts they are compared with have the same."""
        return _with_one_micro(data)

    @model_validator(mode="after")
    def _consistent(self) -> LineFormat:
        if self.device is not None and self.identity is None:
            raise ValueError("device: needs identity:, a regular expression for what tells devices apart")
        if self.type == "regex" and self.pattern is None:
            raise ValueError("type: regex needs pattern:, a regular expression with a group (?P<channel>...) for each value")
        if self.type == "csv":
            names = [name for name in self.fields if name not in (None, "_", "")]
            if not names:
                raise ValueError("type: csv needs fields:, the names of the values in order, e.g. [temperature, humidity]")
            twice = sorted({str(name) for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"fields: {', '.join(map(repr, twice))} is there twice; null skips a field")
            if not self.separator:
                raise ValueError("separator: must not be empty; 'whitespace' is runs of blanks")
            if self.decimal_comma and self.separator == ",":
                raise ValueError("decimal_comma: needs another separator than ','; write e.g. separator: ';'")
        return self


class PollOptions(Section):
    """What is sent to a device that answers only when it is sent a command."""

    command: Escaped = Field("", description="what to send, as text, e.g. 'MEAS?\\r\\n'")
    hex: HexBytes = Field("", description="what to send, as bytes: FF 01 86 00 00 00 00 00 79")
    turnaround: DurationUs = Field(1_000_000, ge=1_000, le=60_000_000, description="how long the answer may take")

    @model_validator(mode="after")
    def _command_or_hex(self) -> Self:
        if bool(self.command) == bool(self.hex):
            raise ValueError(f"poll: needs either command: (text) or hex: (bytes); {'both are' if self.hex else 'none is'} given")
        return self

    def payload(self) -> bytes:
        """The bytes of the command."""
        return bytes.fromhex(self.hex) if self.hex else self.command.encode("latin-1", "replace")


def _format_model(value: Any) -> str:
    """The name of the format's model, which errors use for the branch, too."""
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return {"frame": "FrameFormat", "block": "BlockFormat", "obis": "ObisFormat"}.get(str(kind), "LineFormat")


Format = Annotated[
    Annotated[LineFormat, Tag("LineFormat")]
    | Annotated[FrameFormat, Tag("FrameFormat")]
    | Annotated[BlockFormat, Tag("BlockFormat")]
    | Annotated[ObisFormat, Tag("ObisFormat")],
    Discriminator(_format_model),
]


class Rs485Options(Section):
    """The kernel's RS-485 mode: RTS switches the direction of the transceiver."""

    rts_on_send: bool = Field(True, description="level of RTS while sending; the other one while listening")
    delay_before_send: DurationUs = Field(0, ge=0, le=1_000_000, description="between RTS and the first character")
    delay_after_send: DurationUs = Field(0, ge=0, le=1_000_000, description="between the last character and RTS")
    receive_own: bool = Field(False, description="listen while sending, too")


def _rs485(value: Any) -> Any:
    """``true`` stands for the usual settings."""
    if isinstance(value, str):
        value = {"true": True, "yes": True, "on": True, "false": None, "no": None, "off": None}.get(value.lower(), value)
    return {} if value is True else None if value is False else value


class PortOptions(SensorOptions):
    """Keys of every driver that reads a port."""

    port: str = Field(min_length=1, description="/dev/serial/by-id/..., or an address: socket://host:port, rfc2217://host:port")
    baudrate: int = Field(9600, ge=50, le=4_000_000)
    bytesize: int = Field(8, ge=5, le=8)
    parity: Literal["none", "even", "odd", "mark", "space"] = "none"
    stopbits: float = Field(1, description="1, 1.5 or 2")
    flow: Literal["none", "xonxoff", "rtscts", "dsrdtr"] = "none"
    dtr: bool | None = Field(None, description="level of DTR after opening; Linux itself raises it for a moment at every opening")
    rts: bool | None = Field(None, description="level of RTS after opening")
    hangup: bool = Field(
        True, description="false: closing leaves DTR raised, so that later openings do not reset an Arduino (the first one does)"
    )
    rs485: Annotated[Rs485Options | None, BeforeValidator(_rs485)] = Field(
        None, description="true, or a mapping: RTS switches the transceiver's direction (kernel RS-485 mode)"
    )
    ignore_echo: bool = Field(False, description="half duplex: our own command comes back first and is skipped")
    exclusive: bool = Field(True, description="nobody else may open the port meanwhile")
    shared: bool = Field(False, description="several sensors use this port, which is opened once; each of them must say so")
    gap: DurationUs | None = Field(
        None,
        ge=1_000,
        le=60_000_000,
        description="longest pause inside a line or frame; by default 20 characters' time or 50ms, and 1s over a network or a pty",
    )
    settle: DurationUs = Field(0, ge=0, le=60_000_000, description="wait this long after opening and discard what comes")

    @model_validator(mode="after")
    def _real_port(self) -> Self:
        if self.stopbits not in (1, 1.5, 2):
            raise ValueError(f"stopbits: {self.stopbits:g} is not 1, 1.5 or 2")
        return self

    def line(self) -> dict[str, object]:
        """How the port is opened and set: what all sensors on a shared port must agree on."""
        keys = ("baudrate", "bytesize", "parity", "stopbits", "flow", "dtr", "rts", "hangup", "exclusive")
        rs485 = self.rs485.model_dump() if self.rs485 is not None else False
        return {key: getattr(self, key) for key in keys} | {"rs485": rs485, "settle": format_duration(self.settle)}


class LineOptions(SensorOptions):
    """Keys of every driver that reads lines, from a port or from a program."""

    encoding: Annotated[str, AfterValidator(_known_encoding)] = Field("utf-8", description="of a line's text")
    terminator: Escaped = Field(
        "\n",
        min_length=1,
        max_length=8,
        description="ends a line: \\n (a CR beside it is dropped), \\r, ...; 'any' = CR or LF; 'silence' = a pause",
    )
    max_line: int = Field(4096, ge=8, le=1_000_000, description="longer lines are discarded and counted")
    format: Format
    checksum: ChecksumOptions | None = None
    time: TimeOptions | None = Field(None, description="take the device's time stamp instead of the time of arrival")
    channels: Mapping[Name, LineChannel] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent_format(self) -> Self:
        if self.format.type in ("keyvalue", "json", "block", "obis") and not self.channels:
            raise ValueError(f"format: {self.format.type} names no fields; list the channels to log under channels:")
        if not isinstance(self.format, LineFormat) and (self.checksum or self.time):
            given = "checksum" if self.checksum else "time"
            raise ValueError(
                f"format: {self.format.type}: checksum: and time: of this level are for lines only; {given}: is given, leave it out"
            )
        known = self.field_names()
        if known is not None:
            for name, channel in self.channels.items():
                source = channel.source or name
                if source not in known:
                    raise ValueError(
                        f"channels.{name}: the format gives no field {source!r}; it gives {', '.join(sorted(known))}"
                    )
            self._check_other_names(known)
        for name, channel in self.channels.items():
            if channel.map and self.format.type in ("frame", "obis"):
                raise ValueError(f"channels.{name}.map: is for words; format: {self.format.type} has map: at its fields")
        self.maps()
        return self

    def _check_other_names(self, known: list[str]) -> None:
        """Options for a field that the format does not have would be ignored in silence. Raises ValueError."""
        named = [("time.field", name) for name in self.time.field.split("+")] if self.time is not None else []
        if isinstance(self.format, LineFormat):
            named += [("format.numbers", name) for name in self.format.numbers]
            signs = ((name, number.negative_if) for name, number in self.format.numbers.items())
            named += [(f"format.numbers.{name}.negative_if", sign[0]) for name, sign in signs if sign is not None]
        for where, name in named:
            if name not in known:
                raise ValueError(f"{where}: the format gives no field {name!r}; it gives {', '.join(sorted(known))}")

    def maps(self) -> dict[str, Mapping[str, float]]:
        """Field -> text -> number. Raises ValueError if two channels read one field differently."""
        found: dict[str, Mapping[str, float]] = {}
        for name, channel in self.channels.items():
            if channel.map and found.setdefault(channel.source or name, channel.map) != channel.map:
                raise ValueError(f"channels.{name}.map: another channel maps field {channel.source or name!r} differently")
        return found

    def time_limits(self) -> TimeLimits | None:
        """The limits of believable times, from ``time:``."""
        return TimeLimits() if self.time is None else self.time.limits()

    def field_names(self) -> list[str] | None:
        """The fields of the format, in order; None if only the device knows them."""
        if isinstance(self.format, FrameFormat):
            return self.format.field_names()
        if not isinstance(self.format, LineFormat):
            return None
        names: list[str | None]
        if self.format.type == "csv":
            names = [name for name in self.format.fields if name not in (None, "_", "")]
        elif self.format.type == "regex" and self.format.pattern is not None:
            names = list(expression(self.format.pattern).groups)
        else:
            return None
        return [str(name) for name in names]

    def ends_by_silence(self) -> bool:
        """Whether silence ends a line or frame."""
        return (
            self.terminator == "silence"
            if isinstance(self.format, LineFormat)
            else getattr(self.format, "length", None) == "silence"
        )

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Fields without a channel are logged under their own name, so ``fields:`` alone is enough to begin with."""
        options: dict[str, ChannelOptions] = dict(self.channels)
        used = {channel.source or name for name, channel in options.items()}
        time_fields = set(self.time.field.split("+")) if self.time else set()
        for name in self.field_names() or ():
            if not self.channels and name not in used and name not in time_fields:
                options[name] = ChannelOptions()
        return options


class SerialOptions(PortOptions, LineOptions):
    """Keys of ``driver: serial``."""

    poll: PollOptions | None = Field(None, description="send a command every interval")
    channels: Mapping[Name, LineChannel] = Field(default_factory=dict)  # not that of PortOptions

    @model_validator(mode="after")
    def _consistent_poll(self) -> Self:
        if self.poll is not None and not self.interval:
            raise ValueError("poll: needs interval:, the time between commands")
        return self
