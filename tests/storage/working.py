"""Runs kept work as the writer does, one slice a transaction, with whatever a test does between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from sensorlogd.storage import work
from sensorlogd.storage.corrections.conversion_work import ConvertWorker
from sensorlogd.storage.corrections.mend_work import MendWorker, UndoWorker
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, Work
from sensorlogd.storage.worker import AnyWorker, NotYet


def workers(rows: int = 1_000) -> dict[str, AnyWorker]:
    """New ones, as after a start. ``rows``: in a slice; less than one round of time measures."""
    slice_s = 0.02 if rows >= 1_000 else 0.0
    every: Iterable[AnyWorker] = (MendWorker(slice_s, rows), UndoWorker(slice_s), ConvertWorker(slice_s, rows))
    return {worker.kind: worker for worker in every}


def one_slice(
    conn: sqlite3.Connection,
    frontier: Frontier,
    by_kind: dict[str, AnyWorker],
    now_us: int,
    *,
    crash: bool = False,
    pick: int = 0,
) -> tuple[Work, Slice] | None:
    """A slice of one of those that can run; None: nothing waits. ``crash``: the transaction is lost."""
    runnable = work.runnable(work.waiting(conn))
    if not runnable:
        return None
    piece = runnable[pick % len(runnable)]
    worker = by_kind[piece.kind]
    store = worker.prepare(piece)
    assert not isinstance(store, NotYet)
    conn.execute("BEGIN IMMEDIATE")
    done = store(conn, frontier, piece, now_us)
    work.store_slice(conn, piece, done, now_us)
    conn.execute("ROLLBACK" if crash else "COMMIT")
    return piece, done


def run(
    conn: sqlite3.Connection,
    frontier: Frontier,
    now_us: int,
    *,
    rows: int = 1_000,
    between: Callable[[], object] = lambda: None,
) -> int:
    """Until nothing waits; readings dealt with."""
    by_kind, dealt = workers(rows), 0
    while (found := one_slice(conn, frontier, by_kind, now_us)) is not None:
        dealt += found[1].done
        between()
    return dealt
