"""One pass through the edge protocol (see ``coordinator``): the steps that run on the writer.

What takes a ``db`` runs on the writer thread, in a transaction of the writer's; it may be repeated. All else is for the main
thread.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sensorlogd.daemon.rollups.messages import Rows, RunDone
from sensorlogd.event_kinds import Kind
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.rollups import outdated, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, take_edge, use_day_zone
from sensorlogd.storage.watermarks import Frontier

if TYPE_CHECKING:
    from sensorlogd.daemon.writing.totals import WriterStats

T = TypeVar("T")

GRACE_US = 5_000_000  # readings this late still count as on time; later ones mark their minute dirty


class JobDatabase(Protocol):
    """What the writer hands to a job."""

    @property
    def conn(self) -> sqlite3.Connection: ...
    @property
    def frontier(self) -> Frontier: ...
    @property
    def token(self) -> int: ...  # another one each time the database is opened


class JobQueue(Protocol):
    """The part of the writer that is used. ``open_token``: the token of the opening that jobs meet now; None while no database is
    open."""

    @property
    def open_token(self) -> int | None: ...
    def submit(self, name: str, run: Callable[[Any], T], *, transaction: bool = True, token: int | None = None) -> Future[T]: ...
    def stats(self) -> WriterStats: ...
    def emit(self, kind: Kind, sensor: str | None, detail: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Edge:
    """What taking the edge found: closed is [old_us, new_us); ``more_to_close``: more could be closed at once."""

    token: int
    frontier: Frontier
    old_us: int
    new_us: int
    more_to_close: bool


@dataclass(slots=True)
class RollUpRun:
    """One pass through the edge protocol. ``over``: nothing of it is stored any more, whatever still waits for the writer.
    ``token``: of the opening of the database that took the edge; None until one has. ``done``: what the process said when it had
    computed everything."""

    now_us: Callable[[], int]  # called when the writer runs the step: before the database is open, the time is not known reliably
    zone: str
    block_us: int  # the most that is closed at once
    over: bool = False
    token: int | None = None
    new_edge_us: int = 0
    more_to_close: bool = False
    storing: bool = False  # rows are with the writer: the process waits for them
    done: RunDone | None = None

    # ---- on the writer thread --------------------------------------------------------------------------------------

    def take_edge(self, db: JobDatabase) -> Edge | None:
        """Step 1: take the new edge, and mark days of another zone. None: the run is over."""
        if self.over:
            return None
        now = self.now_us()
        edge = now - GRACE_US
        edge -= edge % MINUTE_US
        use_day_zone(db.conn, self.zone, now)
        old, new = take_edge(db.conn, edge, self.block_us)
        # Raised before the commit, lowered only after it: marks that nobody needs do no harm, missing ones would.
        db.frontier.raise_edge(new)
        return Edge(db.token, db.frontier, old, new, new < edge)

    def store(self, message: Rows, db: JobDatabase) -> float:
        """Step 3: store one slice of what was computed, unless the run is over. Returns when it began (monotonic seconds)."""
        began = time.monotonic()
        if not self.over:
            stored_rollups.store_rows(db.conn, message.rows)
            stored_rollups.delete_rows(db.conn, message.deletes)
            outdated.clear_minutes(db.conn, message.marks)
            outdated.advance_each(db.conn, message.advances)
        return began

    def finish(self, db: JobDatabase) -> None:
        """Step 4: advance the stored edge, unless the run is over."""
        if not self.over:
            set_edge(db.conn, self.new_edge_us)

    # ---- on the main thread ----------------------------------------------------------------------------------------

    def begin(self, edge: Edge) -> None:
        """Use ``edge`` from now on; its transaction has been committed."""
        # The writer's frontier, set on the main thread: between two runs nobody else sets its edge (an opening makes another
        # frontier), the writer reads one whole integer, and whichever it meets is right: the higher one marks minutes in vain.
        edge.frontier.set_edge(edge.new_us)
        self.token, self.new_edge_us, self.more_to_close = edge.token, edge.new_us, edge.more_to_close

    def rows_sent(self) -> None:
        """Rows are on their way to the writer."""
        self.storing = True

    def note_rows_stored(self) -> None:
        """The writer has stored them."""
        self.storing = False

    def note_computed(self, done: RunDone) -> None:
        """Everything is computed, and its rows are stored."""
        self.done = done

    def end(self) -> None:
        """Nothing of it is stored any more. Idempotent."""
        self.over = True
