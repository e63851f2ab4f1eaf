"""The connections to one opened file, and its descriptors: opened together, checked together, let go of in one order.

The order of the end: the writer's connection, the second one, the descriptors. Closing the last connection copies the WAL into
the file and deletes it by name; closing a descriptor drops SQLite's locks on the file (see ``file_watch``).
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from sensorlogd.storage.file import epoch
from sensorlogd.storage.file.connecting import (
    CHECKPOINT_PAGES,
    close_cleanly,
    connect_as_writer,
    connect_to_read,
    use_wal,
)
from sensorlogd.storage.file.file_watch import FileWatch
from sensorlogd.storage.file.transaction import rollback, transaction
from sensorlogd.storage.file.wal_watch import WalWatch

CHECKPOINT_FRAMES = CHECKPOINT_PAGES


class OpenedFile:
    """One opened file; for one thread. ``conn``: the only one that writes. ``reading_conn``: a second connection, read-only: as long
    as it is open, the writer's can be closed without touching what lies at the path now. ``epoch``: new with each opening.
    ``wal_is_held``: the last checkpoint could not copy everything, because another program still reads older pages."""

    def __init__(self, path: Path) -> None:
        """Open a file that has the schema. Raises sqlite3.Error, OSError; nothing is left open then."""
        self.path = path
        self.wal_is_held = False
        self.conn = connect_as_writer(path)
        self.wal = WalWatch(path)
        self._closed = False
        reading_conn: sqlite3.Connection | None = None
        try:
            self.epoch = epoch.renew(self.conn)
            use_wal(self.conn)
            self._generation = self._put_page_one()  # of the WAL that is known to hold page 1
            self.reading_conn = reading_conn = connect_to_read(path, timeout_s=1.0)
            reading_conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            self._file = FileWatch(path, self.epoch, self.wal)
        except BaseException:
            _close_all(self.conn, reading_conn, self.wal, None)
            raise

    # ---- the file --------------------------------------------------------------------------------------------------

    def sides(self) -> list[Path]:
        """Its own WAL and WAL index, as far as they still lie under their names."""
        return self._file.sides()

    def check_file(self) -> None:
        """Raises what ``FileWatch.check`` raises if the file is not the one that was opened any more."""
        self._file.check(self.conn)

    # ---- transactions and the WAL ----------------------------------------------------------------------------------

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """All or nothing. Raises sqlite3.Error, and whatever is raised inside."""
        return transaction(self.conn)

    def rollback(self) -> None:
        """Roll back the transaction, if SQLite has not done so by itself. Raises nothing."""
        rollback(self.conn)

    def checkpoint_if_due(self) -> None:
        """Copy the WAL into the file once it is long, and begin it anew with page 1 (see ``epoch``). Raises sqlite3.Error."""
        frames = self.wal.frames()
        if frames and self.wal.generation != self._generation:
            # The WAL began anew without page 1: another program checkpointed it, or writing page 1 failed.
            self._generation = self._put_page_one()
        if frames >= CHECKPOINT_FRAMES:
            self.check_file()  # raises if another file lies at the path: the WAL must not be copied into it
            self.checkpoint()

    def checkpoint(self) -> None:
        """PASSIVE: waits for nobody; what a reader still needs stays for the next time. Raises sqlite3.Error."""
        _, frames, copied = self.conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self.wal_is_held = copied < frames
        if not self.wal_is_held:
            self._generation = self._put_page_one()  # the first frame of the WAL as it begins anew
            self._file.note_copied()

    def _put_page_one(self) -> bytes:
        """Into the WAL, which is begun by that if there is none. Returns the generation of the WAL. Raises sqlite3.Error."""
        epoch.repeat(self.conn, self.epoch)
        self.wal.frames()
        return self.wal.generation

    # ---- the end ---------------------------------------------------------------------------------------------------

    def close_cleanly(self) -> None:
        """One file without a WAL if nobody reads, then closed. Raises sqlite3.Error."""
        self._closed = True
        with contextlib.suppress(sqlite3.Error):
            self.reading_conn.close()
        try:
            close_cleanly(self.conn)
        finally:
            _close_descriptors(self.wal, self._file)

    def let_go(self) -> None:
        """Close without touching what lies at the path: the files may be moved, exchanged, damaged. Raises nothing;
        idempotent."""
        if self._closed:
            return
        self._closed = True
        self.rollback()
        _close_all(self.conn, self.reading_conn, self.wal, self._file)


def _close_all(conn: sqlite3.Connection, reading_conn: sqlite3.Connection | None, wal: WalWatch, file: FileWatch | None) -> None:
    """In the order of the module, as far as they are open."""
    for each in (conn, reading_conn):
        if each is not None:
            with contextlib.suppress(sqlite3.Error):
                each.close()
    _close_descriptors(wal, file)


def _close_descriptors(wal: WalWatch, file: FileWatch | None) -> None:
    wal.close()
    if file is not None:
        file.close()
