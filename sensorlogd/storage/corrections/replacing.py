"""What an import with --replace, or computing anew, changes: kept like a mend, so that it is listed and can be taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.storage.corrections import mend_rows, originals
from sensorlogd.storage.corrections.change import Change
from sensorlogd.storage.corrections.mend_rows import NewMend
from sensorlogd.storage.reading_tables.readings import Reading


@dataclass(frozen=True, slots=True)
class Replace:
    """An import that replaces what is stored. ``mend``: what this import has kept so far (``UpsertCounts.mend``). ``note``: what
    is imported, for people. ``kind``: of the mend that keeps what was replaced."""

    mend: int | None = None
    note: str = ""
    kind: str = mend_rows.REPLACE


def keep_originals(conn: sqlite3.Connection, series: int, replace: Replace, rows: Sequence[Reading], now_us: int) -> int:
    """Keep what these readings are, in order of time; call it before they are replaced, in the same transaction. Returns the id of
    the mend that keeps them.

    ``replace.mend`` is continued while it is the newest change and these readings come later in time; otherwise a new mend is begun,
    so that a mend with a higher id is always the later change, and each mend keeps a reading once.
    """
    first, end = rows[0][0], rows[-1][0] + 1
    identity = replace.mend
    if identity is None or not _can_be_continued(conn, series, replace.kind, identity, first):
        new = NewMend(
            kind=replace.kind, made_us=now_us, series=series, since_us=first, until_us=end, at_us=end, change=Change(), note=replace.note
        )  # fmt: skip
        identity = mend_rows.insert(conn, new)
    originals.remember(conn, identity, rows)
    mend_rows.extend(conn, identity, end, len(rows), now_us)
    return identity


def _can_be_continued(conn: sqlite3.Connection, series: int, kind: str, identity: int, first_us: int) -> bool:
    newest = mend_rows.newest(conn, series)
    return (
        newest is not None
        and (newest.id, newest.kind, newest.undone_us) == (identity, kind, None)
        and newest.until_us <= first_us
        and originals.any_kept(conn, identity)
    )
