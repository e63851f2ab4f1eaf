"""What the daemon answers to requests (``requests``): each a small dataclass. ``encoded()`` is the object that travels,
``of()`` reads it again.

A field has the same name in Python and on the wire. What an older release does not say has a default; what a newer one says
besides is passed over. ``of`` raises ValueError, TypeError for what is no such answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

Json = dict[str, Any]


def needed(received: Mapping[str, Any], name: str) -> Any:
    """The field ``name`` of an answer. Raises ValueError if it is missing."""
    try:
        return received[name]
    except KeyError:
        raise ValueError(f"{name!r} is missing") from None


def int_or_none(value: Any) -> int | None:
    return None if value is None else int(value)


def text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Done:
    """Done; the answer says nothing more."""

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Done:
        return cls()


@dataclass(frozen=True, slots=True)
class Freed:
    """Pages given back to the file system. ``more``: the same request goes on."""

    freed_pages: int
    left_pages: int
    more: bool

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Freed:
        return cls(int(needed(received, "freed_pages")), int(received.get("left_pages", 0)), bool(needed(received, "more")))


@dataclass(frozen=True, slots=True)
class MendOrdered:
    """``id`` of the mend, and of the kept ``work`` that does it."""

    id: int
    work: int

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> MendOrdered:
        return cls(int(needed(received, "id")), int(needed(received, "work")))


@dataclass(frozen=True, slots=True)
class WorkOrdered:
    """``work``: its number."""

    work: int

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> WorkOrdered:
        return cls(int(needed(received, "work")))


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """How far a piece of kept work is: ``done`` of ``total`` readings. ``outcome``: a sentence, once the work is over.
    ``hindrance``: why the work does not go on at present; empty while it does."""

    state: str
    done: int
    total: int | None
    outcome: str
    hindrance: str = ""

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> WorkProgress:
        return cls(
            str(needed(received, "state")),
            int(needed(received, "done")),
            int_or_none(received.get("total")),
            str(received.get("outcome", "")),
            str(received.get("hindrance", "")),
        )


@dataclass(frozen=True, slots=True)
class SeriesKnown:
    """``ids``: in the order in which they were asked for. ``epoch``: of the database that they are of; None: an older
    release does not say."""

    ids: tuple[int, ...]
    epoch: int | None = None

    def encoded(self) -> Json:
        return {"ids": list(self.ids), "epoch": self.epoch}

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> SeriesKnown:
        return cls(tuple(int(identity) for identity in needed(received, "ids")), int_or_none(received.get("epoch")))


@dataclass(frozen=True, slots=True)
class Upserted:
    """What happened to the first ``done`` readings (see ``storage.corrections.upsert``). ``mend``: where what was replaced is kept.
    ``busy``: why the rest has to wait for earlier work; empty when all are stored. ``hindrance``: why that earlier work does not
    go on."""

    new: int
    same: int
    differing: int
    replaced: int
    too_old: int
    mend: int | None
    done: int
    busy: str
    hindrance: str = ""

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Upserted:
        counts = {name: int(needed(received, name)) for name in ("new", "same", "differing", "replaced", "too_old")}
        mend, done, busy = int_or_none(received.get("mend")), int(needed(received, "done")), str(received.get("busy", ""))
        return cls(**counts, mend=mend, done=done, busy=busy, hindrance=str(received.get("hindrance", "")))


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """``acknowledged``: those that waited for it, as ``name/subject``."""

    acknowledged: tuple[str, ...]

    def encoded(self) -> Json:
        return {"acknowledged": list(self.acknowledged)}

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Acknowledged:
        return cls(tuple(map(str, needed(received, "acknowledged"))))


@dataclass(frozen=True, slots=True)
class Muted:
    """``muted``: those that are muted now, or not any more, as ``name/subject``. ``later``: those of them whose time ends with
    the next start of the daemon, which tells what is raised then."""

    muted: tuple[str, ...]
    later: tuple[str, ...] = ()

    def encoded(self) -> Json:
        return {"muted": list(self.muted), "later": list(self.later)}

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Muted:
        return cls(tuple(map(str, needed(received, "muted"))), tuple(map(str, received.get("later", ()))))


@dataclass(frozen=True, slots=True)
class Tested:
    """``error``: why the target did not take it; empty if it did."""

    error: str

    def encoded(self) -> Json:
        return asdict(self)

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Tested:
        return cls(str(needed(received, "error")))
