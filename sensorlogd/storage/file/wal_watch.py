"""How long the write-ahead log is, and when it begins anew. Read from the file, because SQLite reports it at a checkpoint only.

The ``-wal`` is looked at, and the head of its index, through descriptors that stay open as long as the database does: SQLite's
locks are on the database and its ``-shm``, and closing another descriptor of those would drop them.

The file format is https://www.sqlite.org/fileformat2.html, section 4: a header of 32 bytes, then frames of 24 bytes and a
page; a frame counts if its salts are those of the header. That of the index is https://www.sqlite.org/walformat.html, section
2.1: two equal copies of a header, in the machine's order of bytes, with the last frame that counts and the salts of the WAL.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

HEADER = 32
FRAME_HEADER = 24
INDEX_HEADER = 48
INDEX_VERSION = 3007000
ATTEMPTS = 3  # for a WAL that begins anew while it is looked at


class WalWatch:
    """Watches the write-ahead log of one opening of ``database``. Only ``was_cut`` raises OSError: for the others a WAL that cannot
    be read has no frames and no bytes."""

    def __init__(self, database: Path) -> None:
        self.path = Path(os.path.realpath(database) + "-wal")  # SQLite follows a link, and puts it beside what that points to
        self._descriptor = -1
        self._index = -1
        self._salts = b""
        self._page_size = 0
        self._frames = 0
        self._whole = (b"", 0)  # the salts and the last frame of the WAL when it was last found whole

    def frames(self) -> int:
        """Frames since the WAL began anew: as its index counts them, or as the file shows. Costs one read while the WAL goes on:
        every read gives the interpreter's lock away, which a writer beside busy threads gets back late."""
        try:
            counted = self._counted_by_index()
            if counted is not None and self._salts and counted[0] == self._salts:
                self._frames = counted[1]
                return self._frames
            if not self._read_header():
                return 0
            self._frames = self._last_from(self._frames)
        except OSError:
            return 0
        return self._frames

    def _read_header(self) -> bool:
        """Whether there is a WAL, whose salts and size of a page are known then. Raises OSError."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        header = os.pread(self._descriptor, HEADER, 0)
        if len(header) < HEADER or not any(header[8:12]):  # empty, or a hole where it was
            self._salts, self._frames = b"", 0
            return False
        if header[16:24] != self._salts:
            self._salts, self._frames = header[16:24], 0
            self._page_size = int.from_bytes(header[8:12], "big")
        return True

    @property
    def generation(self) -> bytes:
        """Another one each time the WAL begins anew; as of the last ``frames``. Empty: there is none."""
        return self._salts

    def know_index(self) -> None:
        """Open its index, which is there as soon as a connection has read. Without it ``was_cut`` returns False."""
        if self._index >= 0:
            return
        with contextlib.suppress(OSError):
            self._index = os.open(f"{str(self.path).removesuffix('-wal')}-shm", os.O_RDONLY | os.O_CLOEXEC)

    def was_cut(self) -> bool:
        """Whether the WAL lacks frames that its index counts. One that anybody copied into the file and emptied, as ``PRAGMA
        wal_checkpoint(TRUNCATE)`` does, has none in its index. Raises OSError if the WAL cannot be read: nothing is known of it then;
        FileNotFoundError if it was removed before it was read for the first time."""
        counted = self._counted_by_index()
        for _ in range(ATTEMPTS):
            if counted is None or self._is_whole(*counted):
                return False
            before, counted = counted, self._counted_by_index()
            if counted == before:
                return True
        return False

    def _counted_by_index(self) -> tuple[bytes, int] | None:
        """(salts, last frame) as the index has them; None: it is being written."""
        try:
            head = os.pread(self._index, 2 * INDEX_HEADER, 0) if self._index >= 0 else b""
        except OSError:
            return None
        first = head[:INDEX_HEADER]
        if len(head) < 2 * INDEX_HEADER or first != head[INDEX_HEADER:]:
            return None
        version, last, salts = struct.unpack("=I12xI12x8s8x", first)
        return (salts, last) if version == INDEX_VERSION else None

    def _is_whole(self, salts: bytes, last: int) -> bool:
        """Whether both the present last frame and the one that was last at the previous check are there: the WAL may have been cut
        and continued between the two. Raises OSError."""
        known = self._whole[1] if self._whole[0] == salts else 0
        if last:
            if not (self._begins_with(salts, known) and self._has_whole_frame(last)):
                return False
            if 0 < known < last and not self._is_of_this_generation(known):
                return False
        self._whole = (salts, last)
        return True

    def _begins_with(self, salts: bytes, known: int) -> bool:
        """Whether the header has these salts. It is not read again while a frame that was there is looked at: whoever cuts the
        WAL cuts the frame before the header. Raises OSError."""
        if known and self._salts == salts:
            return True
        return self._read_header() and self._salts == salts

    def file_bytes(self) -> int:
        """The size of the file in bytes: the largest that the WAL has been, until SQLite truncates it."""
        try:
            return os.fstat(self._descriptor).st_size if self._descriptor >= 0 else os.stat(self.path).st_size
        except OSError:
            return 0

    def _last_from(self, known: int) -> int:
        """The last frame of this generation; ``known`` is one (or 0)."""
        step = 1
        while self._is_of_this_generation(known + step):
            known += step
            step *= 2
        while step > 1:  # frame ``known`` belongs to this generation, frame ``known + step`` does not
            step //= 2
            if self._is_of_this_generation(known + step):
                known += step
        return known

    def _is_of_this_generation(self, frame: int) -> bool:
        return os.pread(self._descriptor, 8, self._offset_of(frame) + 8) == self._salts

    def _has_whole_frame(self, frame: int) -> bool:
        size = FRAME_HEADER + self._page_size
        found = os.pread(self._descriptor, size, self._offset_of(frame))
        return len(found) == size and found[8:16] == self._salts

    def _offset_of(self, frame: int) -> int:
        return HEADER + (frame - 1) * (FRAME_HEADER + self._page_size)

    def close(self) -> None:
        """Idempotent."""
        for descriptor in (self._descriptor, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._index = -1


def holders(database: Path) -> list[tuple[int, str]]:
    """(pid, command) of other processes that have the database's write-ahead log or its index open, as far as /proc may be
    read."""
    wanted = {f"{database.resolve()}{suffix}" for suffix in ("-shm", "-wal")}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if any(os.readlink(link) in wanted for link in (entry / "fd").iterdir()):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                found.append((int(entry.name), command[:100]))
        except OSError:
            continue
    return found
