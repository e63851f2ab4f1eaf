"""The bytes of an SQLite WAL: which pages it holds that were committed. Nothing here opens a database.

    header   32 bytes, big-endian: magic, format 3007000, page size, checkpoint number, salt 1, salt 2, checksum 1, checksum 2
    frame    24 bytes, big-endian: page number, pages of the database after this commit (0: not the last frame of a
             commit), salt 1, salt 2, checksum 1, checksum 2; then the page

A frame counts if its salts are those of the header and its checksum, which runs on from frame to frame, is right; the
first one that does not ends the file (what follows is left from before a restart of the WAL). What follows the last
commit was never committed. The lowest bit of the magic number says in which byte order checksums were computed.
(SQLite file format, section 4, "The Write-Ahead Log".)

Opening and closing a ``-wal`` is harmless for a process that has the database open: SQLite's locks are on the main file
and on the ``-shm``, which are never opened here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

MAGIC = 0x377F0682
FORMAT = 3_007_000
HEADER = struct.Struct(">8I")
FRAME = struct.Struct(">6I")
_MASK = 0xFFFFFFFF


class WalFrame(NamedTuple):
    """One page as a write-ahead log holds it. ``commit_size``: pages of the database after the commit that this frame ends; 0: it
    does not end one."""

    page_number: int
    commit_size: int
    page: bytes


@dataclass(frozen=True, slots=True)
class WalHeader:
    """What the first 32 bytes say, ``salts`` as they lie there. ``order``: of checksums, "<" or ">"."""

    page_size: int
    order: str
    salts: bytes
    checksum: tuple[int, int]


def frames(path: Path) -> Iterator[WalFrame]:
    """The frames up to the last commit, in the order written; none if there is no WAL, or nothing valid in it. Raises OSError.

    One page at a time is in memory. The file must not be written meanwhile.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        header = _read_header(file)
        if header is None:
            return
        committed = 0
        for number, frame in enumerate(_valid_frames(file, header), 1):
            if frame.commit_size:
                committed = number
        file.seek(HEADER.size)
        for _ in range(committed):
            page_number, commit_size, *_ = FRAME.unpack(file.read(FRAME.size))
            yield WalFrame(page_number, commit_size, file.read(header.page_size))


def first_page_one(path: Path) -> bytes | None:
    """The oldest committed first page of the database; None if the WAL does not hold one. Reads no further than to there. Raises
    OSError."""
    candidate = None
    for frame in _valid_frames_in(path):
        if frame.page_number == 1 and candidate is None:
            candidate = frame.page
        if frame.commit_size and candidate is not None:
            return candidate
    return None


def has_commits(path: Path) -> bool:
    """Does it hold anything that SQLite takes? Raises OSError."""
    return any(frame.commit_size for frame in _valid_frames_in(path))


def page_size(path: Path) -> int | None:
    """The page size that the WAL was written with; None if it is missing, empty, or its header is not valid. Raises OSError."""
    try:
        with path.open("rb") as file:
            header = _read_header(file)
    except FileNotFoundError:
        return None
    return None if header is None else header.page_size


def checksum(data: bytes, order: str, start: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """The running checksum after ``data``, whose length is a multiple of 8. ``order``: "<" or ">"."""
    one, two = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two


def _valid_frames_in(path: Path) -> Iterator[WalFrame]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        header = _read_header(file)
        if header is not None:
            yield from _valid_frames(file, header)


def _read_header(file: BinaryIO) -> WalHeader | None:
    """The header at the beginning of ``file``, if it is one."""
    raw = file.read(HEADER.size)
    if len(raw) < HEADER.size:
        return None
    magic, version, size, _, _, _, *stored = HEADER.unpack(raw)
    order = ">" if magic & 1 else "<"
    if magic & ~1 != MAGIC or version != FORMAT or not 512 <= size <= 65536 or size & (size - 1):
        return None
    if checksum(raw[:24], order) != tuple(stored):
        return None
    return WalHeader(size, order, raw[16:24], (stored[0], stored[1]))


def _valid_frames(file: BinaryIO, header: WalHeader) -> Iterator[WalFrame]:
    """The frames from here on whose salts and checksums are right, committed or not."""
    running = header.checksum
    while True:
        raw = file.read(FRAME.size)
        page = file.read(header.page_size)
        if len(raw) < FRAME.size or len(page) < header.page_size:
            return
        page_number, commit_size, _, _, *stored = FRAME.unpack(raw)
        if page_number == 0 or raw[8:16] != header.salts:
            return
        running = checksum(page, header.order, checksum(raw[:8], header.order, running))
        if running != tuple(stored):
            return
        yield WalFrame(page_number, commit_size, page)
