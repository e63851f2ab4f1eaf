"""What is asked of the database: roll-ups, space, mends, readings from elsewhere, events.

Requests that name series or mends by their numbers say by ``epoch`` of which database these are (``storage.file.epoch``): another
one refuses them. None, as of an older release: not checked.
"""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sensorlogd.daemon.control.answers import (
    Done,
    Freed,
    Json,
    MendOrdered,
    SeriesKnown,
    Upserted,
    WorkOrdered,
    WorkProgress,
    int_or_none,
    needed,
    text_or_none,
)
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.series.unconfigured import WantedSeries


@dataclass(frozen=True, slots=True)
class RollUpRequest(Request[Done]):
    """Roll-ups are to be made now."""

    name = "roll_up"


@dataclass(frozen=True, slots=True)
class RebuildRequest(Request[Done]):
    """The roll-ups of these series (ids) are computed again. ``since_us`` None: from the first."""

    name = "rebuild"
    series: tuple[int, ...]
    since_us: int | None = None
    epoch: int | None = None

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> RebuildRequest:
        return cls(
            tuple(int(identity) for identity in needed(received, "series")),
            int_or_none(received.get("since_us")),
            int_or_none(received.get("epoch")),
        )


@dataclass(frozen=True, slots=True)
class CompactRequest(Request[Freed]):
    """Give some free pages back to the file system."""

    name = "compact"
    answer = Freed


@dataclass(frozen=True, slots=True)
class MendRequest(Request[MendOrdered]):
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
    def of(cls, received: Mapping[str, Any]) -> MendRequest:
        return cls(
            int(needed(received, "series")),
            int(needed(received, "since_us")),
            int(needed(received, "until_us")),
            int_or_none(received.get("quality")),
            float(received.get("scale", 1.0)),
            float(received.get("offset", 0.0)),
            text_or_none(received.get("curve")),
            str(needed(received, "note")),
            int_or_none(received.get("total")),
            int_or_none(received.get("epoch")),
        )


@dataclass(frozen=True, slots=True)
class UndoRequest(Request[MendOrdered]):
    """Have a mend taken back."""

    name = "undo"
    answer = MendOrdered
    id: int
    epoch: int | None = None

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> UndoRequest:
        return cls(int(needed(received, "id")), int_or_none(received.get("epoch")))


@dataclass(frozen=True, slots=True)
class ResumeRequest(Request[MendOrdered]):
    """Go on with a mend that an older release did not finish."""

    name = "resume"
    answer = MendOrdered
    id: int
    epoch: int | None = None

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> ResumeRequest:
        return cls(int(needed(received, "id")), int_or_none(received.get("epoch")))


@dataclass(frozen=True, slots=True)
class RecomputeRequest(Request[WorkOrdered]):
    """Have a computed sensor computed anew from ``since_us`` on. ``formulas``: channel -> text."""

    name = "recompute"
    answer = WorkOrdered
    sensor: str
    since_us: int
    formulas: Mapping[str, str]

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> RecomputeRequest:
        formulas = {str(channel): str(text) for channel, text in needed(received, "formulas").items()}
        return cls(str(needed(received, "sensor")), int(needed(received, "since_us")), formulas)


@dataclass(frozen=True, slots=True)
class WorkRequest(Request[WorkProgress]):
    """How far is this piece of kept work?"""

    name = "work"
    answer = WorkProgress
    id: int

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> WorkRequest:
        return cls(int(needed(received, "id")))


@dataclass(frozen=True, slots=True)
class SeriesRequest(Request[SeriesKnown]):
    """The ids of series for an import, made where there are none."""

    name = "series"
    answer = SeriesKnown
    specs: tuple[WantedSeries, ...]

    def encoded(self) -> Json:
        return {"specs": [asdict(wanted) for wanted in self.specs]}

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> SeriesRequest:
        return cls(tuple(WantedSeries(**_known_fields(WantedSeries, wanted)) for wanted in needed(received, "specs")))


@dataclass(frozen=True, slots=True)
class UpsertRequest(Request[Upserted]):
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
    def of(cls, received: Mapping[str, Any]) -> UpsertRequest:
        times, values, qualities = array("q"), array("d"), array("q")
        for column, name in ((times, "times"), (values, "values"), (qualities, "qualities")):
            column.frombytes(base64.b64decode(needed(received, name)))
        replace = None if received.get("replace") is None else Replace(**_known_fields(Replace, received["replace"]))
        numbers = [None if value != value else value for value in values]
        epoch = int_or_none(received.get("epoch"))
        return cls(int(needed(received, "series")), list(times), numbers, list(qualities), replace, epoch)


@dataclass(frozen=True, slots=True)
class NoteRequest(Request[Done]):
    """Record an event, of any kind. ``at_us``: when it happened; None: now."""

    name = "note"
    kind: str
    sensor: str | None
    detail: str
    at_us: int | None = None

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> NoteRequest:
        return cls(
            str(needed(received, "kind")),
            text_or_none(received.get("sensor")),
            str(needed(received, "detail")),
            int_or_none(received.get("at_us")),
        )


def _known_fields(kind: type[Any], received: Mapping[str, Any]) -> Json:
    """The fields of the request, without what a newer release says besides."""
    return {field.name: received[field.name] for field in fields(kind) if field.name in received}


def _base64(column: array[Any]) -> str:
    return base64.b64encode(column.tobytes()).decode()
