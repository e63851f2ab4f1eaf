"""How long the write-ahead log is, and when it begins anew: asked of the file, because SQLite tells only at a checkpoint.

Only the ``-wal`` is looked at, through a descriptor that stays open as long as the database does. SQLite's locks are on the
database and its ``-shm``: closing another descriptor of those would drop them, of the WAL it would not.

The file format is https://www.sqlite.org/fileformat2.html, section 4: a header of 32 bytes, then frames of 24 bytes and a
page; a frame counts if its salts are those of the header.
"""

from __future__ import annotations

import os
from pathlib import Path

HEADER = 32
FRAME_HEADER = 24


class WalWatch:
    """Of one opening of ``database``. Raises nothing: a WAL that cannot be read has no frames."""

    def __init__(self, database: Path) -> None:
        self.path = Path(os.path.realpath(database) + "-wal")  # SQLite follows a link, and puts it beside what that points to
        self._descriptor = -1
        self._salts = b""
        self._page_size = 0
        self._frames = 0

    def frames(self) -> int:
        """Frames since the WAL began anew. Costs a few reads of 8 bytes."""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            header = os.pread(self._descriptor, HEADER, 0)
            if len(header) < HEADER:
                self._salts, self._frames = b"", 0
                return 0
            if header[16:24] != self._salts:
                self._salts, self._frames = header[16:24], 0
                self._page_size = int.from_bytes(header[8:12], "big")
            self._frames = self._last_from(self._frames)
        except OSError:
            return 0
        return self._frames

    @property
    def generation(self) -> bytes:
        """Another one each time the WAL begins anew; as of the last ``frames``. Empty: there is none."""
        return self._salts

    def was_cut(self) -> bool:
        """Whether frames that were there are not there any more, though the log has not begun anew."""
        if not self._frames or self._descriptor < 0:
            return False
        try:
            size = os.fstat(self._descriptor).st_size
            if size >= HEADER + self._frames * (FRAME_HEADER + self._page_size):
                return False
            header = os.pread(self._descriptor, HEADER, 0)
        except OSError:
            return False
        return len(header) < HEADER or header[16:24] in (self._salts, bytes(8))

    def file_bytes(self) -> int:
        """The size of the file: what it has been at most, until it is cut back."""
        try:
            return os.fstat(self._descriptor).st_size if self._descriptor >= 0 else os.stat(self.path).st_size
        except OSError:
            return 0

    def _last_from(self, known: int) -> int:
        """The last frame of this generation; ``known`` is one (or 0)."""
        step = 1
        while self._is_ours(known + step):
            known += step
            step *= 2
        while step > 1:  # known is ours, known + step is not
            step //= 2
            if self._is_ours(known + step):
                known += step
        return known

    def _is_ours(self, frame: int) -> bool:
        at = HEADER + (frame - 1) * (FRAME_HEADER + self._page_size) + 8
        return os.pread(self._descriptor, 8, at) == self._salts

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def holders(database: Path) -> list[tuple[int, str]]:
    """(pid, command) of other processes that have the database's WAL index mapped or open, as far as /proc may be read."""
    wanted = {f"{database.resolve()}{suffix}" for suffix in ("-shm", "-wal")}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if any(os.readlink(one) in wanted for one in (entry / "fd").iterdir()):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                found.append((int(entry.name), command[:100]))
        except OSError:
            continue
    return found
