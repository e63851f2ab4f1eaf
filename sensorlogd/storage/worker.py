"""What does kept work: a worker for each kind. ``storage.work`` is the table of what is to be done."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from enum import Enum
from typing import Generic, Protocol, TypeVar

from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, Work

Fetched = TypeVar("Fetched")


class NotYet(Enum):
    """The answer of ``fetch`` when there is nothing to store at this moment: no transaction, and a pause."""

    NOT_YET = "not yet"


NOT_YET = NotYet.NOT_YET


class StoreSlice(Protocol):
    """The second half of a slice: what was fetched, to be stored in a transaction that the caller owns."""

    def __call__(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, now_us: int) -> Slice: ...


class AnyWorker(ABC):
    """A worker, whatever it fetches, as it is known to the one who gives it its turns. ``grows``: it makes the file larger, so it waits
    while the disk is short of room."""

    kind: str
    grows: bool

    @abstractmethod
    def prepare(self, work: Work) -> StoreSlice | NotYet:
        """The first half of a slice, outside any transaction. NOT_YET: there is nothing to store at this moment."""

    def close(self) -> None:
        """Let go of whatever is held open. Idempotent."""
        return  # most hold nothing open


class Worker(AnyWorker, Generic[Fetched]):
    """Does one kind of work. ``Fetched`` is what the first half of a slice hands to the second; None: all that is needed is in the
    log.

    ``fetch`` runs outside any transaction and may take its time with other files than the log (not more than 50 ms or so); what
    it returns is handed to ``store`` (but for NOT_YET), which runs in a transaction that the caller owns and takes at most 50 ms.
    Both must be able to go on from ``work.progress`` alone; memory may only make it faster. Raises sqlite3.Error for trouble with
    the log; the slice is then repeated."""

    @abstractmethod
    def fetch(self, work: Work) -> Fetched | NotYet: ...

    @abstractmethod
    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: Fetched, now_us: int) -> Slice: ...

    def prepare(self, work: Work) -> StoreSlice | NotYet:
        fetched = self.fetch(work)
        if isinstance(fetched, NotYet):
            return fetched

        def store(conn: sqlite3.Connection, frontier: Frontier, work: Work, now_us: int) -> Slice:
            return self.store(conn, frontier, work, fetched, now_us)

        return store
