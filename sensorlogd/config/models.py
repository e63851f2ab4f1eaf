"""The configuration's schema. Every key a YAML file may hold is a field here.

The loader hands all scalars over as text, so what a word means is settled here and nowhere else: ``NO`` in a field of
text is the word, ``on`` in a boolean is true, ``1e3`` in a number is 1000, ``22:22`` never becomes 1342.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from sensorlogd.config import light
from sensorlogd.config.listen import DEFAULT_LISTEN, auth_needed
from sensorlogd.config.validation.names import closest
from sensorlogd.durations import format_duration, parse_duration, parse_size

NAME = re.compile(r"\w[\w-]{0,63}")
DURATION_PATTERN = r"^\s*(\d+(\.\d*)?\s*(us|ms|s|min|mo|m|h|d|w|y)\s*)+$"


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


def _rate(value: Any) -> Any:
    """``5/min`` in units per second."""
    if not isinstance(value, str):
        return value
    number, slash, unit = value.partition("/")
    try:
        amount = float(number)
        per_us = parse_duration(unit if unit.strip()[:1].isdigit() else f"1{unit.strip()}")
    except ValueError:
        amount, per_us = math.nan, 0
    if not slash or not amount > 0 or math.isinf(amount) or per_us <= 0:
        raise ValueError(f"{value!r} is not a rate; write a positive number, a slash and a unit of time, e.g. 5/min or 0.1/s")
    return amount / (per_us / 1e6)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("0 would make every reading the same")
    return value


def _range(value: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = value
    if low is None and high is None:
        raise ValueError("[null, null] allows everything; leave it out")
    if low is not None and high is not None and not low < high:
        raise ValueError(f"the lowest value {low:g} is not below the highest {high:g}")
    return value


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name; use letters, digits, '_' and '-', at most 64, none of '.', '*' or blanks")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        hint = closest(value, available_timezones())
        raise ValueError(f"{value!r} is not an IANA time zone{hint or '; e.g. Europe/Berlin or UTC'}") from None
    return value


def _instant(value: Any) -> Any:
    """Microseconds of an ISO 8601 time; without a zone it is UTC."""
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a time; write ISO 8601, e.g. 2026-01-31T12:00:00Z") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6)


def _path(value: str, info: ValidationInfo) -> str:
    """Relative ones are the configuration's folder's, which the loader tells."""
    folder = (info.context or {}).get("folder")
    return value if folder is None else str(light.resolve(value, folder))


def _text_length(value: str) -> str:
    if len(value) > 200 or any(ord(character) < 32 for character in value):
        raise ValueError("must be at most 200 characters without control characters")
    return value


DurationUs = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["1s", "15min"]}),
]
SizeBytes = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "examples": ["500MB", "64MiB"]}),
    Field(ge=0, le=2**62),
]
RatePerSecond = Annotated[float, BeforeValidator(_rate), WithJsonSchema({"type": "string", "examples": ["5/min", "0.1/s"]})]
Finite = Annotated[float, AfterValidator(_finite)]
Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[str, AfterValidator(_zone)]
Instant = Annotated[int, BeforeValidator(_instant), WithJsonSchema({"type": "string", "examples": ["2026-01-31T12:00:00Z"]})]
FilePath = Annotated[str, AfterValidator(_path)]
ShortText = Annotated[str, AfterValidator(_text_length)]
Labels = dict[Name, ShortText]


class Section(BaseModel):
    """A mapping of the file: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)


class ChannelOptions(Section):
    """One channel of one sensor: what it measures and how its readings are treated before they are stored."""

    unit: ShortText = Field("", description="unit after scale and offset, e.g. °C, hPa, V")
    kind: Literal["gauge", "counter", "angle", "state"] = Field("gauge", description="how readings aggregate")
    dip: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="of a counter: a fall by no more than this part of its value is a wobble, not a reset"
    )
    wrap: Annotated[Finite, Field(gt=0)] | None = Field(
        None, description="of a counter: it goes on at 0 after this many, e.g. 65536 for one of 16 bits"
    )
    source: ShortText | None = Field(None, description="the field's name in the device's data, if it is not the channel's")
    scale: Annotated[Finite, AfterValidator(_not_zero)] = Field(1.0, description="stored value = device value * scale + offset")
    offset: Finite = Field(0.0, description="see scale")
    valid: Annotated[tuple[Finite | None, Finite | None], AfterValidator(_range)] | None = Field(
        None, description="[lowest, highest] possible value; outside: fail:gross_range"
    )
    max_rate: RatePerSecond | None = Field(None, description="fastest possible change; above: suspect:rate_of_change")
    stuck_after: DurationUs | None = Field(None, gt=0, description="the same value for so long is suspect:flat_line")
    deadband: Finite | None = Field(
        None, ge=0, description="store a reading only if it differs by more than this, or once a heartbeat"
    )
    was: Name | None = Field(None, description="the channel's former name, whose history goes on")
    unit_change: Literal["convert", "relabel", "new_series"] | None = Field(
        None, description="what to do with history stored in another unit"
    )
    labels: Labels = Field(default_factory=dict)

    @model_validator(mode="after")
    def _only_counters(self) -> ChannelOptions:
        for key in ("wrap", "dip"):
            if self.kind != "counter" and key in self.model_fields_set:
                raise ValueError(
                    f"{key}: only counters have one; this channel is a {self.kind} (write kind: counter, or leave {key} out)"
                )
        return self


class SensorOptions(Section):
    """What every sensor may say; drivers add their own keys in a subclass."""

    driver: str = Field(description="simulated, serial, or /path/file.py:Class")
    template: Name | None = Field(None, description="name of an entry under templates: whose keys are taken over")
    profile: str | None = Field(None, description="a device that is described already; 'sensorlogd profiles' lists them")
    enabled: bool = Field(True, description="false: known, but not read")
    labels: Labels = Field(default_factory=dict)
    was: Name | None = Field(None, description="the sensor's former name, whose history goes on")
    interval: DurationUs | None = Field(None, ge=0, description="time between samples")
    heartbeat: DurationUs | None = Field(
        None,
        ge=1_000,
        description="longest normal silence: stale, reopen, gap, maximum gap and deadband repeats follow from it "
        "(default: three intervals, at least 5s; 60s without an interval)",
    )
    channels: Mapping[Name, ChannelOptions] = Field(default_factory=dict)

    @classmethod
    def variants(cls) -> tuple[type[SensorOptions], ...]:
        """A driver whose keys depend on each other has a model for each case."""
        return (cls,)

    @classmethod
    def variant(cls, keys: Mapping[str, Any]) -> type[SensorOptions]:
        """The one of ``variants`` for a sensor with these keys."""
        return cls

    def heartbeat_us(self) -> int:
        """The effective heartbeat in microseconds."""
        if self.heartbeat is not None:
            return self.heartbeat
        if self.interval:
            return max(3 * self.interval, 5_000_000)
        return 60_000_000

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Every channel this sensor stores; a driver may know more than the file spells out."""
        return dict(self.channels)


class DaemonOptions(Section):
    data_dir: str | None = Field(None, description="database, lock and last-good configuration live here")
    timezone: Zone = Field("UTC", description="IANA zone of days and of times shown, e.g. Europe/Berlin")
    labels: Labels = Field(default_factory=dict, description="labels that every sensor gets")
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class StorageOptions(Section):
    url: str | None = Field(None, description="sqlite:///PATH; default: sensorlogd.db in data_dir")
    commit_interval: DurationUs = Field(
        1_000_000, ge=10_000, le=600_000_000, description="at most this much is lost on power cut"
    )
    min_free: SizeBytes = Field(500_000_000, description="stop writing when the disk has less left")
    when_full: Literal["stop", "drop_oldest"] = Field("stop", description="what to do then")
    inbox_limit: int = Field(
        200_000, ge=1_000, le=10_000_000, description="readings held in memory while the database cannot write"
    )
    rollup_interval: DurationUs = Field(
        900_000_000, ge=100_000, description="how often roll-ups are computed; answers are current anyway"
    )

    @model_validator(mode="after")
    def _only_sqlite(self) -> StorageOptions:
        if self.url is not None and (not self.url.startswith(light.SQLITE) or len(self.url) <= len(light.SQLITE)):
            raise ValueError(f"url: {self.url!r} is not supported; write sqlite:///PATH (sqlite:////absolute/path)")
        return self


Kept = Annotated[int | None, BeforeValidator(lambda value: None if value in ("forever", None) else _duration(value))]
_KEPT = Field(None, ge=3_600_000_000, description="a duration of at least 1h, or forever")


class RetentionTiers(Section):
    """How long each tier is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    readings: Kept = _KEPT
    minutes: Kept = Field(None, alias="1min", ge=3_600_000_000)
    quarters: Kept = Field(None, alias="15min", ge=3_600_000_000)
    hours: Kept = Field(None, alias="1h", ge=3_600_000_000)
    days: Kept = Field(None, alias="1d", ge=3_600_000_000)

    def tiers(self) -> dict[int, int | None]:
        """Explicitly configured tiers: 0 (readings) or the resolution in seconds -> microseconds, None = for ever."""
        names = {"readings": 0, "minutes": 60, "quarters": 900, "hours": 3600, "days": 86400}
        return {tier: getattr(self, name) for name, tier in names.items() if name in self.model_fields_set}


class RetentionOptions(RetentionTiers):
    sensors: dict[str, RetentionTiers] = Field(default_factory=dict, description="overrides by glob of the sensor's name")


def _listen(value: str, info: ValidationInfo) -> str:
    """The keys before it are known already: ``auth`` is one of them."""
    problem = auth_needed(value)
    if problem is not None and "auth" in info.data and info.data["auth"] is None:
        raise ValueError(problem)
    return value


def _host_pattern(value: str) -> str:
    if not _HOST_PATTERN.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of a host; write e.g. logger.example.org or '*.example.org', without a port")
    return value.lower()


def _base_path(value: str) -> str:
    if value.strip("/") and not _BASE_PATH.fullmatch(value.rstrip("/")):
        raise ValueError(f"{value!r} is not a path; write e.g. /sensors")
    return value.rstrip("/")


_HOST_PATTERN = re.compile(r"\*|(\*\.)?[\w-]+(\.[\w-]+)*\.?|[0-9A-Fa-f:.]+", re.ASCII)
_BASE_PATH = re.compile(r"(/[\w.~-]+)+", re.ASCII)


class WebOptions(Section):
    enabled: bool = Field(True, description="false: the daemon serves no pages")
    auth: Literal["token", "none"] | None = Field(
        None, description="who may look: token, or none for everybody; must be said for an address that others can reach"
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(DEFAULT_LISTEN, description="address:port of the pages and the API")
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_pattern)], ...] = Field(
        (), description="further names that the machine is reached by, e.g. behind a proxy"
    )
    base_path: Annotated[str, AfterValidator(_base_path)] = Field("", description="the path under which a proxy shows the pages")
    query_timeout: DurationUs = Field(
        10_000_000, ge=100_000, le=600_000_000, description="the longest that one question may take"
    )
    memory_limit: SizeBytes = Field(256_000_000, ge=64_000_000, description="the web process is restarted when it needs more")
    prometheus_lookback: Literal["5min", "heartbeat"] = Field(
        "5min", description="how long a reading counts in PromQL: five minutes, or the heartbeat of its series"
    )


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration that was found valid.

    ``failed_sensors``: sensors whose driver cannot be loaded, with the reason; only they are out of service.
    ``base_dir``: what relative paths are relative to. ``text``: one self-contained file, see ``snapshot``.
    """

    path: Path
    base_dir: Path
    daemon: DaemonOptions = field(default_factory=DaemonOptions)
    storage: StorageOptions = field(default_factory=StorageOptions)
    retention: RetentionOptions = field(default_factory=RetentionOptions)
    web: WebOptions = field(default_factory=WebOptions)
    sensors: Mapping[str, SensorOptions] = field(default_factory=dict)
    failed_sensors: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    text: str = ""

    def data_dir(self) -> Path:
        """Where the database, the lock and last-good.yaml live."""
        if self.daemon.data_dir:
            return light.resolve(self.daemon.data_dir, self.base_dir)
        return light.default_data_dir(self.path)

    def database_path(self) -> Path:
        """The SQLite file."""
        if self.storage.url:
            return light.resolve(self.storage.url.removeprefix(light.SQLITE), self.base_dir)
        return self.data_dir() / light.DATABASE_NAME

    def snapshot(self) -> str:
        """One YAML text that loads to an equal configuration anywhere: includes inlined, ``${ENV}`` left unexpanded."""
        return self.text

    def describe_heartbeat(self, sensor: str) -> str:
        """For people: ``3s``."""
        return format_duration(self.sensors[sensor].heartbeat_us())
