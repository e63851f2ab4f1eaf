"""The models of ``alarms:`` (what people want to hear of) and ``notify:`` (how they are notified)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, model_validator

from sensorlogd.config import conditions
from sensorlogd.config.conditions import Condition
from sensorlogd.config.models import DurationUs, FilePath, Name, Section, ShortText

_QUIET = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")
SECRET = ("apprise", "webhook", "token", "headers", "command")  # keys of a target that are shown nowhere
_KIND = re.compile(r"[a-z][a-z0-9_]*\*?|\*")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _quiet(value: Any) -> Any:
    """Turns ``quiet`` (``22:00-06:00``) into minutes of the day: (from, until)."""
    if not isinstance(value, str):
        return value
    found = _QUIET.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"{value!r} is not a span of hours; write e.g. 22:00-07:00")
    hours = [int(part) for part in found.groups()]
    span = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3]
    if span[0] == span[1]:
        raise ValueError(
            f"{value!r} begins and ends at the same time, which may mean never or always; write e.g. 22:00-07:00, or leave notify: out to hear nothing"
        )
    return span


def _check_event_kind(value: str) -> str:
    if not _KIND.fullmatch(value):
        raise ValueError(f"{value!r} is not a kind of event; write one that 'sensorlogd events' shows, e.g. dropped or web_*")
    return value


Globs = Annotated[tuple[ShortText, ...], BeforeValidator(_as_list), Field(min_length=1)]
Targets = Annotated[tuple[Name, ...], BeforeValidator(_as_list)]
Quiet = Annotated[tuple[int, int], BeforeValidator(_quiet)]
Kinds = Annotated[tuple[Annotated[str, AfterValidator(_check_event_kind)], ...], BeforeValidator(_as_list), Field(min_length=1)]


class Escalation(Section):
    """Who is notified, and after how long, when nobody acknowledges an alarm."""

    after: DurationUs = Field(ge=1_000_000, description="nobody has acknowledged it for this long")
    notify: Targets = Field(min_length=1, description="names under notify:")


class AlarmOptions(Section):
    """The definition of an alarm. With ``series`` there is one alarm for each series that the globs match."""

    series: Globs | None = Field(None, description="sensor.channel, globs allowed, e.g. 'freezer.*'")
    when: str | None = Field(None, description="the condition, e.g. '> 30', 'mean(10min) > 25', 'missing', 'flag fail'")
    clear: str | None = Field(None, description="it ends when this holds, e.g. '< 28'; default: when the condition does not")
    events: Kinds | None = Field(None, description="instead of series: kinds of events, e.g. [dropped, corrupt, disk_low]")
    until: Kinds | None = Field(None, description="of events: kinds that end it, e.g. [recovered]")
    hold: DurationUs = Field(3_600_000_000, ge=1_000_000, description="of events: it ends this long after the last one")
    sensor: ShortText | None = Field(None, description="of events: only those of these sensors, a glob")
    for_: DurationUs = Field(0, alias="for", ge=0, description="it must hold for this long before anybody hears of it")
    severity: Literal["info", "warning", "critical"] = Field("warning", description="critical passes quiet hours")
    notify: Targets = Field((), description="names under notify:; none: it is shown only")
    repeat: DurationUs | None = Field(None, ge=10_000_000, description="notify again this often while nobody acknowledges")
    quiet: Quiet | None = Field(None, description="hours of the day that are not for messages, e.g. 22:00-07:00")
    escalate: Escalation | None = Field(None, description="whom to tell when nobody acknowledges")
    text: ShortText | None = Field(None, description="what to do about it; a line of the message")
    _when: Condition | None = PrivateAttr(None)
    _clear: Condition | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _check_keys(self) -> AlarmOptions:
        """Validates that an alarm is of series or of events, and has only keys that go with that."""
        if (self.series is None) == (self.events is None):
            found = "neither series: nor events: is" if self.series is None else "both series: and events: are"
            raise ValueError(f"{found} given; write series: and when:, or events:")
        if self.events is not None:
            for key in ("when", "clear", "for_"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key.strip('_')}: of events; an event has no value, leave it out")
        else:
            for key in ("until", "hold", "sensor"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key}: goes with events:; leave it out, or name the series in series:")
            if self.when is None:
                raise ValueError(f"when: is required with series:; write e.g. {conditions.EXAMPLES}")
        return self

    @model_validator(mode="after")
    def _parse_conditions(self) -> AlarmOptions:
        """Validates ``when`` and ``clear``, and keeps them parsed."""
        if self.when is None:
            return self
        try:
            when = conditions.parse(self.when)
        except ValueError as error:
            raise ValueError(f"when: {error}") from None
        if when.kind == conditions.STUCK and not (when.over_us or self.for_):
            raise ValueError("when: 'stuck' needs a time; write e.g. stuck 2h")
        self._when = when
        if self.clear is not None:
            if not when.op:
                raise ValueError(f"clear: {when.kind} ends by itself; leave clear: out")
            try:
                self._clear = conditions.parse(self.clear, when)
            except ValueError as error:
                raise ValueError(f"clear: {error}") from None
            if not self._clear.op:
                raise ValueError(f"clear: {self.clear!r} is not a comparison; write one, e.g. '< 28'")
            if conditions.never_ends(when, self._clear):
                raise ValueError(
                    f"clear: {self._clear.text()!r} does not end {when.text()!r}; write one of the other side,"
                    f" e.g. {when.opposite().text()!r}, or leave clear: out, which means that"
                )
        return self

    def condition(self) -> Condition | None:
        """The parsed ``when``; None for an alarm of events."""
        return self._when

    def ending(self) -> Condition | None:
        """The parsed ``clear``; None if there is none."""
        return self._clear

    def in_words(self) -> str:
        """The condition in words for people."""
        if self._when is None:
            return f"events {', '.join(self.events or ())}"
        return self._when.text()


class TargetOptions(Section):
    """One way to tell people. Its address is a secret: it is shown nowhere."""

    apprise: SecretStr | None = Field(None, description="an address of Apprise: mailto://..., ntfy://..., tgram://...")
    apprise_file: FilePath | None = Field(None, description="the file that holds it, in its first line")
    webhook: SecretStr | None = Field(None, description="https://...: each message is one POST of JSON")
    webhook_file: FilePath | None = Field(None, description="the file that holds it, in its first line")
    token: SecretStr | None = Field(None, description="of a webhook: sent as Authorization: Bearer TOKEN")
    token_file: FilePath | None = Field(None, description="the file that holds it, in its first line")
    headers: Mapping[ShortText, SecretStr] = Field(default_factory=dict, description="of a webhook: more headers")
    command: tuple[str, ...] | None = Field(None, min_length=1, description="[PROGRAM, ARGUMENTS...]; JSON on its stdin")
    timeout: DurationUs = Field(20_000_000, ge=100_000, le=600_000_000, description="the longest that one try may take")
    group: DurationUs | None = Field(
        None,
        ge=0,
        le=3_600_000_000,
        description="wait this long for others (default 500ms; 5s for events; of silence a third of the heartbeat, 5s to 1min)",
    )
    limit: int = Field(30, ge=1, le=3600, description="messages an hour; what is more is gathered into the next ones")
    resolved: bool = Field(True, description="tell, too, when it is over")
    give_up: DurationUs = Field(7 * 86_400_000_000, ge=60_000_000, description="tries end after this long; that is an event")

    # One validator for the whole section: the error of a single field would quote its value, and that is a secret.
    @model_validator(mode="after")
    def _check_way(self) -> TargetOptions:
        ways = {
            "apprise": self.apprise or self.apprise_file,
            "webhook": self.webhook or self.webhook_file,
            "command": self.command,
        }
        said = [name for name, way in ways.items() if way]
        if len(said) != 1:
            found = " and ".join(f"{name}:" for name in said) or "none"
            raise ValueError(f"{found} {'is' if not said else 'are'} given; write one of apprise:, webhook: and command:")
        for name in ("apprise", "webhook", "token"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                raise ValueError(f"{name}: and {name}_file: say the same; write one of them")
        if said != ["webhook"] and (self.token or self.token_file or self.headers):
            given = next(key for key in ("token", "token_file", "headers") if getattr(self, key))
            raise ValueError(f"{given}: goes with webhook:, and this target has {said[0]}:; leave {given}: out")
        if self.webhook is not None:
            _check_web_address(self.webhook.get_secret_value())
        return self

    @property
    def way(self) -> str:
        """``apprise``, ``webhook`` or ``command``."""
        return "command" if self.command else "webhook" if self.webhook or self.webhook_file else "apprise"


def _check_web_address(text: str) -> None:
    """Raise ValueError that does not quote the address, which is a secret."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or any(letter.isspace() for letter in text):
        raise ValueError("webhook: is not an address; write e.g. https://example.org/hook (what is there is not shown)")


def unknown_targets(options: AlarmOptions, known: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
    """(place below the alarm, target) of each target that the alarm names and ``notify:`` does not define."""
    found: list[tuple[tuple[str, ...], str]] = [(("notify",), name) for name in options.notify if name not in known]
    if options.escalate is not None:
        found += [(("escalate", "notify"), name) for name in options.escalate.notify if name not in known]
    return found
