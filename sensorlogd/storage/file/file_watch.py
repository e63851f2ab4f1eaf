"""Whether the open file is still the one that was opened: removed, replaced, copied over, cut, robbed of its WAL.

SQLite does not check this. It goes on from memory, commits into a WAL that nobody else sees, and copies that WAL into whatever has
come under it. So the file's identity, length and epoch are checked before every commit and before every checkpoint.

One descriptor of the file is held from its opening to its end. Closing any descriptor of a file drops all of SQLite's locks on
it, so this one is closed after the connections, never before.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from sensorlogd.storage.file.content import MAGIC
from sensorlogd.storage.file.identity import file_identity
from sensorlogd.storage.file.wal_watch import WalWatch

EPOCH = slice(60, 64)
AT_REST_S = 1.0  # a file that another program writes is judged only after it has not changed for this long


class FileGone(Exception):
    """Another file stands at the path now, or none (``removed``)."""

    def __init__(self, path: Path, *, removed: bool) -> None:
        super().__init__(f"{path} was {'removed' if removed else 'replaced by another file'} while running")
        self.removed = removed


class FileMoves(Exception):
    """Another program is writing into the file at this moment; whether it will be another database is not known yet."""


class FileOverwritten(Exception):
    """Another database was copied into the file: the WAL beside it is not its own any more."""

    only_side_files = True


class FileCut(Exception):
    """The file, or its WAL, is shorter than what is known to be in it."""


class WalGone(Exception):
    """Its WAL or WAL index was removed or exchanged: nobody else sees what is committed, and after a kill nobody has it.

    ``is_saved``: all that was committed is in the file itself now, so that it can be opened anew."""

    def __init__(self, path: Path, *, is_saved: bool) -> None:
        super().__init__(f"the write-ahead log of {path} or its index was removed or replaced while running")
        self.is_saved = is_saved


class FileWatch:
    """Notices what others do to the file of one opening of ``path``, whose epoch is known (0: none). Raises OSError."""

    def __init__(self, path: Path, epoch: int, wal: WalWatch) -> None:
        self.path = path
        self.wal = wal
        self._epoch = epoch.to_bytes(4, "big")
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(self._descriptor)
        self._identity, self._bytes = file_identity(found), found.st_size
        self._sides: dict[Path, tuple[int, int]] = {}
        for suffix in ("-wal", "-shm"):
            side = Path(os.path.realpath(path) + suffix)
            with contextlib.suppress(FileNotFoundError):
                self._sides[side] = file_identity(side)
        self._moved: tuple[tuple[int, int], float] | None = None  # (mtime, size) of a file that changes, and since when
        self._copied_at = time.monotonic()
        wal.know_index()

    def note_copied(self) -> None:
        """The WAL was copied into the file: what it is long now is what it should be."""
        self._copied_at = time.monotonic()
        with contextlib.suppress(OSError):
            self._bytes = os.stat(self.path).st_size

    def sides(self) -> list[Path]:
        """Its own WAL and WAL index, as far as they still lie under their names: whoever put another set there brought others."""
        found = []
        for side, identity in self._sides.items():
            with contextlib.suppress(OSError):
                if file_identity(side) == identity:
                    found.append(side)
        return found

    def check(self, conn: sqlite3.Connection) -> None:
        """Raises FileGone, FileMoves, FileOverwritten, FileCut, WalGone, OSError, sqlite3.Error."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            raise FileGone(self.path, removed=True) from None
        if file_identity(found) != self._identity:
            raise FileGone(self.path, removed=False)
        self._check_content(found, conn)
        if self._was_wal_cut():
            since = time.monotonic() - self._copied_at
            raise FileCut(
                f"the write-ahead log of {self.path} was cut while running: what was committed in the {since:.0f} s before is"
                " lost, as far as it was not in the file yet"
            )
        if len(self.sides()) < len(self._sides):
            # The removed WAL is still open here: what is in it is copied into the file while that can be done.
            _, frames, copied = conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            raise WalGone(self.path, is_saved=copied == frames)

    def _was_wal_cut(self) -> bool:
        """False for one that was removed before it was read here: ``check`` looks for that next. Raises OSError."""
        try:
            return self.wal.was_cut()
        except FileNotFoundError:
            return False

    def _check_content(self, status: os.stat_result, conn: sqlite3.Connection) -> None:
        """Compare epoch and size of the file with those that are known. Raises FileMoves, FileOverwritten, FileCut, OSError,
        sqlite3.Error."""
        head = os.pread(self._descriptor, 100, 0)
        other = head.startswith(MAGIC) and head[EPOCH] != self._epoch and any(head[EPOCH]) and any(self._epoch)
        if not other and status.st_size >= self._bytes:
            self._bytes, self._moved = status.st_size, None
            return
        if not other and self._has_all_pages(status.st_size, conn):
            self._bytes, self._moved = status.st_size, None
            return
        self._wait_for_rest(status)
        if other:
            raise FileOverwritten(
                f"another database was copied into {self.path} while running; the write-ahead log is not its own"
            )
        raise FileCut(f"{self.path} was cut from {self._bytes:,} to {status.st_size:,} bytes while running")

    def _has_all_pages(self, size: int, conn: sqlite3.Connection) -> bool:
        """Whether the file is as long as its pages need: somebody else may have copied the WAL into one that had become
        shorter."""
        (pages,) = conn.execute("PRAGMA page_count").fetchone()
        (page,) = conn.execute("PRAGMA page_size").fetchone()
        return bool(size >= pages * page)

    def _wait_for_rest(self, status: os.stat_result) -> None:
        """Raises FileMoves until the file is at rest: a copy that is under way cuts it first and fills it then."""
        now, state = time.monotonic(), (status.st_mtime_ns, status.st_size)
        if self._moved is None or self._moved[0] != state:
            self._moved = (state, now)
        if now - self._moved[1] < AT_REST_S:
            raise FileMoves(f"{self.path} is being written by another program")

    def close(self) -> None:
        """Close the descriptor; to be called after the connections are closed. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
