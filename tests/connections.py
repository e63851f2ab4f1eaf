"""A connection that writes to a log, for whoever makes one without a daemon."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sensorlogd.storage.file.connecting import CHECKPOINT_PAGES, connect_as_writer, use_wal


def connect_writer(path: Path, checkpoint_pages: int = CHECKPOINT_PAGES, *, waits_for_disk: bool = False) -> sqlite3.Connection:
    """The connection of the daemon's writer, in WAL mode; it makes checkpoints by itself. It waits for no disk, as no power fails
    in tests; ``waits_for_disk``: as the daemon's does, for benchmarks. Raises sqlite3.Error."""
    conn = connect_as_writer(path)
    try:
        use_wal(conn)
        if not waits_for_disk:
            conn.execute("PRAGMA synchronous = OFF")
        conn.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
    except BaseException:
        conn.close()
        raise
    return conn
