"""What an import with --replace, or computing anew, changed: kept like a mend, so that it is listed and can be taken back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sensorlogd.storage.corrections import mend as mending
from sensorlogd.storage.corrections import originals
from sensorlogd.storage.corrections.mend import Change
from sensorlogd.storage.reading_tables.readings import Reading


def keep(
    conn: sqlite3.Connection, series: int, identity: int | None, rows: Sequence[Reading], kind: str, note: str, now_us: int
) -> int:
    """Keep the originals of ``rows`` (in order of time) before they are replaced. Returns the id of the mend that keeps them.
    ``kind``: of that mend. ``identity``: the mend that this import has made so far. It is continued while it is the newest change and these
    readings come later in time; otherwise a new mend is begun, so that a mend with a higher id is always the later change, and
    each mend keeps a reading once.
    """
    first, end = rows[0][0], rows[-1][0] + 1
    if identity is None or not _can_be_continued(conn, series, identity, kind, first):
        identity = mending.insert(conn, kind, series, first, end, end, Change(), note, now_us)
    originals.remember(conn, identity, rows)
    conn.execute(
        "UPDATE mend SET until_us = ?1, at_us = ?1, readings = readings + ?2, done_us = ?3 WHERE id = ?4",
        (end, len(rows), now_us, identity),
    )
    return identity


def _can_be_continued(conn: sqlite3.Connection, series: int, identity: int, kind: str, first_us: int) -> bool:
    row = conn.execute(
        "SELECT 1 FROM mend WHERE id = ?1 AND series_id = ?2 AND kind = ?3 AND undone_us IS NULL AND until_us <= ?4"
        " AND NOT EXISTS (SELECT 1 FROM mend AS later WHERE later.series_id = ?2 AND later.id > ?1)"
        " AND EXISTS (SELECT 1 FROM mended WHERE mend_id = ?1)",
        (identity, series, kind, first_us),
    ).fetchone()
    return row is not None
