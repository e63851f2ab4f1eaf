"""What can be asked over the control socket: each request a small dataclass. ``encode(request)`` is the object that travels,
``decode`` reads it again.

Requests that name series or mends by their numbers say by ``epoch`` of which database these are (``storage.file.epoch``): another
one refuses them. None, as of an older release: not checked.

A field has the same name in Python and on the wire. What an older release does not say has a default; what a newer one says
besides is passed over. Names and fields that were released stay.
"""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sensorlogd.daemon.control.alarm_requests import AlarmAck, AlarmMute, AlarmTest
from sensorlogd.daemon.control.answers import (
    Done,
    Freed,
    Json,
    MendOrdered,
    SeriesKnown,
    Upserted,
    WorkOrdered,
    WorkStands,
    int_or_none,
    needed,
    text_or_none,
)  # fmt: skip
from sensorlogd.daemon.control.request import Request
from sensorlogd.storage.corrections.upsert import Replace
from sensorlogd.storage.unconfigured_series import WantedSeries


@dataclass(frozen=True, slots=True)
class Ping(Request[Json]):
    """Are you there? The answer also says pid and version."""

    name = "ping"


@dataclass(frozen=True, slots=True)
class Commit(Request[Json]):
    """Answered once everything that was received so far is committed."""

    name = "commit"


@dataclass(frozen=True, slots=True)
class Status(Request[Json]):
    """The answer is what ``status`` shows."""

    name = "status"


@dataclass(frozen=True, slots=True)
class Reload(Request[Json]):
    """Use the configuration as it is now; the answer says what came of it."""

    name = "reload"


@dataclass(frozen=True, slots=True)
class Clock(Request[Json]):
    """What is thought of the clock. ``believe``: its owner says that it is right."""

    name = "clock"
    believe: bool = False

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Clock:
        believe = said.get("believe", False)
        if not isinstance(believe, bool):
            raise ValueError(f"believe is true or false, not {believe!r}")
        return cls(believe)


@dataclass(frozen=True, slots=True)
class Listen(Request[Json]):
    """What passed over the port of a sensor. ``after``: the place up to which it was heard; None: from now on."""

    name = "listen"
    sensor: str
    after: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Listen:
        return cls(str(said.get("sensor")), int_or_none(said.get("after")))


@dataclass(frozen=True, slots=True)
class RollUp(Request[Done]):
    """Roll-ups are to be made now."""

    name = "roll_up"


@dataclass(frozen=True, slots=True)
class Rebuild(Request[Done]):
    """The roll-ups of these series (ids) are computed again. ``since_us`` None: from the first."""

    name = "rebuild"
    series: tuple[int, ...]
    since_us: int | None = None
    epoch: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Rebuild:
        return cls(
            tuple(int(identity) for identity in needed(said, "series")),
            int_or_none(said.get("since_us")),
            int_or_none(said.get("epoch")),
        )


@dataclass(frozen=True, slots=True)
class Compact(Request[Freed]):
    """Give some free pages back to the file system."""

    name = "compact"
    answer = Freed


@dataclass(frozen=True, slots=True)
class Mend(Request[MendOrdered]):
    """Have readings in [since, until) flagged (``quality``) or changed (``scale``, ``offset``, ``curve`` as text).
    ``total``: about how many there are."""

    name = "mend"
    answer = MendOrdered
    series: int
    since_us: int
    until_us: int
    quality: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    curve: str | None = None
    note: str = ""
    total: int | None = None
    epoch: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Mend:
        return cls(
            int(needed(said, "series")),
            int(needed(said, "since_us")),
            int(needed(said, "until_us")),
            int_or_none(said.get("quality")),
            float(said.get("scale", 1.0)),
            float(said.get("offset", 0.0)),
            text_or_none(said.get("curve")),
            str(needed(said, "note")),
            int_or_none(said.get("total")),
            int_or_none(said.get("epoch")),
        )


@dataclass(frozen=True, slots=True)
class Undo(Request[MendOrdered]):
    """Have a mend taken back."""

    name = "undo"
    answer = MendOrdered
    id: int
    epoch: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Undo:
        return cls(int(needed(said, "id")), int_or_none(said.get("epoch")))


@dataclass(frozen=True, slots=True)
class Resume(Request[MendOrdered]):
    """Go on with a mend that an older release did not finish."""

    name = "resume"
    answer = MendOrdered
    id: int
    epoch: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Resume:
        return cls(int(needed(said, "id")), int_or_none(said.get("epoch")))


@dataclass(frozen=True, slots=True)
class Recompute(Request[WorkOrdered]):
    """Have a computed sensor computed anew from ``since_us`` on. ``formulas``: channel -> text."""

    name = "recompute"
    answer = WorkOrdered
    sensor: str
    since_us: int
    formulas: Mapping[str, str]

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Recompute:
        formulas = {str(channel): str(text) for channel, text in needed(said, "formulas").items()}
        return cls(str(needed(said, "sensor")), int(needed(said, "since_us")), formulas)


@dataclass(frozen=True, slots=True)
class AskWork(Request[WorkStands]):
    """How far is this piece of kept work?"""

    name = "work"
    answer = WorkStands
    id: int

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> AskWork:
        return cls(int(needed(said, "id")))


@dataclass(frozen=True, slots=True)
class KnowSeries(Request[SeriesKnown]):
    """The ids of series for an import, made where there are none."""

    name = "series"
    answer = SeriesKnown
    specs: tuple[WantedSeries, ...]

    def encoded(self) -> Json:
        return {"specs": [asdict(wanted) for wanted in self.specs]}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> KnowSeries:
        return cls(tuple(WantedSeries(**_known_fields(WantedSeries, wanted)) for wanted in needed(said, "specs")))


@dataclass(frozen=True, slots=True)
class Upsert(Request[Upserted]):
    """Store readings of one series that come from elsewhere. A value of None: missing (NaN on the wire).
    ``replace``: another value at the same time replaces what is stored; None: it stays."""

    name = "place"
    answer = Upserted
    series: int
    times: Sequence[int]
    values: Sequence[float | None]
    qualities: Sequence[int]
    replace: Replace | None = None
    epoch: int | None = None

    def encoded(self) -> Json:
        return {
            "series": self.series,
            "times": _base64(array("q", self.times)),
            "values": _base64(array("d", [math.nan if value is None else value for value in self.values])),
            "qualities": _base64(array("q", self.qualities)),
            "replace": None if self.replace is None else {"mend": self.replace.mend, "note": self.replace.note},
            "epoch": self.epoch,
        }

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Upsert:
        times, values, qualities = array("q"), array("d"), array("q")
        for column, name in ((times, "times"), (values, "values"), (qualities, "qualities")):
            column.frombytes(base64.b64decode(needed(said, name)))
        replace = None if said.get("replace") is None else Replace(**_known_fields(Replace, said["replace"]))
        numbers = [None if value != value else value for value in values]
        epoch = int_or_none(said.get("epoch"))
        return cls(int(needed(said, "series")), list(times), numbers, list(qualities), replace, epoch)


@dataclass(frozen=True, slots=True)
class Note(Request[Done]):
    """Record an event, of any kind. ``at_us``: when it happened; None: now."""

    name = "note"
    kind: str
    sensor: str | None
    detail: str
    at_us: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Note:
        return cls(
            str(needed(said, "kind")),
            text_or_none(said.get("sensor")),
            str(needed(said, "detail")),
            int_or_none(said.get("at_us")),
        )


REQUESTS: dict[str, type[Request[Any]]] = {
    request.name: request
    for request in (
        Ping, Commit, Status, Reload, Clock, Listen, RollUp, Rebuild, Compact, Mend, Undo, Resume, Recompute, AskWork, KnowSeries, Upsert, Note,
        AlarmAck, AlarmMute, AlarmTest,
    )
}  # fmt: skip


def encode(request: Request[Any]) -> Json:
    """The request as it travels."""
    return {"do": request.name} | request.encoded()


def decode(said: Mapping[str, Any]) -> Request[Any]:
    """Raises ValueError, TypeError for what is no request."""
    name = said.get("do")
    kind = REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown request {name!r}")
    return kind.of(said)


def _known_fields(kind: type[Any], said: Mapping[str, Any]) -> Json:
    """The fields of the request, without what a newer release says besides."""
    return {field.name: said[field.name] for field in fields(kind) if field.name in said}


def _base64(column: array[Any]) -> str:
    return base64.b64encode(column.tobytes()).decode()
