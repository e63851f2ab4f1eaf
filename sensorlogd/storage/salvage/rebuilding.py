"""Make a file that SQLite opens from one that it does not: an empty, cut or headless main file, and the frames of its WAL.

SQLite deletes a WAL that lies beside an empty main file, and refuses a file without its first page. So this is done on
bytes, before anything opens them. The result is a file of its own; what was set aside stays as it is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sensorlogd.storage.file import wal_file
from sensorlogd.storage.file.content import MAGIC
from sensorlogd.storage.maintenance.incidents import Incident

NAME = "rebuilt.db"
TEMPLATE = "template.db"
_PIECE = 1 << 20
_LEAVES, _INNER = (0x0D, 0x0A), (0x05, 0x02)


class RebuildingStopped(Exception):
    """The caller's ``enough`` asked for the end."""


def needs_rebuilding(incident: Incident) -> bool:
    """Would SQLite refuse the main file, or harm the WAL beside it? Raises OSError."""
    size = _page_size_of(incident.main)
    if size is None:
        return True
    in_wal = None if incident.wal is None else wal_file.page_size(incident.wal)
    return in_wal is not None and in_wal != size


def holds_frames(incident: Incident) -> bool:
    """Has its WAL anything that SQLite takes? Raises OSError."""
    return incident.wal is not None and wal_file.has_commits(incident.wal)


def rebuilt(incident: Incident, template: Path, *, own_schema: bool = True, enough: Callable[[], bool] = lambda: False) -> Path:
    """Make ``rebuilt.db`` in the folder of the incident, if it is not there yet; its path.

    It holds the pages of the main file as far as it reaches, and over them the committed frames of the WAL. Where the
    main file has no usable first page, that and what else it lacks comes from ``template``, an empty database of the
    current schema. ``own_schema`` False: its schema cannot be read, the template's stands in its place.
    Raises OSError (ENOSPC: there is no room for it), RebuildingStopped.
    """
    target = incident.folder / (NAME if own_schema else f"schema-{NAME}")
    if target.exists():
        return target
    own_size, usual, wal = _page_size_of(incident.main), _page_size_of(template), incident.wal
    in_wal = None if wal is None else wal_file.page_size(wal)
    if in_wal is not None and own_size not in (None, in_wal):
        if in_wal == usual:
            own_size = None  # the header is damaged: it tells a page size that this log never had
        else:
            wal = in_wal = None
    size = in_wal or own_size or usual or 0
    like_template = usual == size
    _demand_room(incident)
    temporary = incident.folder / f"{target.name}.new"
    with temporary.open("w+b") as file, template.open("rb") as pattern:
        if incident.main is not None:
            _copy_file(incident.main, file, enough)
        if own_size is None and like_template:
            _fill_from_template(file, pattern, size)
        pages = _apply_wal(wal, file, size, enough)
        if not own_schema and like_template:
            for number in _schema_pages(pattern, size):
                _write_page(file, number, size, _read_page(pattern, number, size))
        _set_length_and_header(file, size, pages)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
    return target


def clear(incident: Incident) -> None:
    """Delete what was made here. Raises OSError."""
    for pattern in (f"*{NAME}*", f"{TEMPLATE}*"):
        for file in incident.folder.glob(pattern):
            file.unlink(missing_ok=True)


# ---- pages -------------------------------------------------------------------------------------------------------------


def _page_size_of(main: Path | None) -> int | None:
    """The page size, if the first page is there and looks like one."""
    if main is None:
        return None
    with main.open("rb") as file:
        head = file.read(101)
        length = file.seek(0, os.SEEK_END)
    if len(head) < 101 or head[:16] != MAGIC or head[100] not in (0x05, 0x0D):
        return None
    size = int.from_bytes(head[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size >= 512 and not size & (size - 1) and length >= size else None


def _copy_file(source: Path, target: BinaryIO, enough: Callable[[], bool]) -> None:
    with source.open("rb") as file:
        while piece := file.read(_PIECE):
            if enough():
                raise RebuildingStopped
            target.write(piece)


def _fill_from_template(file: BinaryIO, pattern: BinaryIO, size: int) -> None:
    """Write pages that are missing or nothing but zeroes, and all of the schema, from the template."""
    schema = set(_schema_pages(pattern, size))
    for number in range(1, pattern.seek(0, os.SEEK_END) // size + 1):
        if number in schema or not any(_read_page(file, number, size)):
            _write_page(file, number, size, _read_page(pattern, number, size))


def _apply_wal(wal: Path | None, file: BinaryIO, size: int, enough: Callable[[], bool]) -> int | None:
    """Lay the committed frames over it; the pages that the database has after them, if there are any."""
    pages = None
    for frame in wal_file.frames(wal) if wal is not None else ():
        if enough():
            raise RebuildingStopped
        _write_page(file, frame.page_number, size, frame.page)
        pages = frame.commit_size or pages
    return pages


def _set_length_and_header(file: BinaryIO, size: int, pages: int | None) -> None:
    """Give the file its length, and a header that agrees with it and asks for no WAL."""
    length = file.seek(0, os.SEEK_END)
    head = _read_page(file, 1, size)
    said = int.from_bytes(head[28:32], "big")
    total = pages or max(-(-length // size), said if length and said < 1 << 31 and said * size < 4 * length else 0)
    file.truncate(total * size)
    if total:
        count = total.to_bytes(4, "big")
        _write_page(file, 1, size, head[:18] + b"\1\1" + head[20:28] + count + head[32:92] + head[24:28] + head[96:])


def _schema_pages(file: BinaryIO, size: int) -> list[int]:
    """The pages of the tree whose root is the first page: the schema. No overflow pages: it has none of such length."""
    pages, waiting = [], [1]
    while waiting:
        number = waiting.pop()
        pages.append(number)
        page = _read_page(file, number, size)
        start = 100 if number == 1 else 0
        if page[start] not in _INNER:
            continue
        cells = int.from_bytes(page[start + 3 : start + 5], "big")
        waiting.append(int.from_bytes(page[start + 8 : start + 12], "big"))
        for index in range(cells):
            cell = int.from_bytes(page[start + 12 + 2 * index : start + 14 + 2 * index], "big")
            waiting.append(int.from_bytes(page[cell : cell + 4], "big"))
    return pages


def _read_page(file: BinaryIO, number: int, size: int) -> bytes:
    """A page of the file, with zeroes for what is not there."""
    file.seek((number - 1) * size)
    return file.read(size).ljust(size, b"\0")


def _write_page(file: BinaryIO, number: int, size: int, page: bytes) -> None:
    file.seek((number - 1) * size)
    file.write(page)


def _demand_room(incident: Incident) -> None:
    needed = sum(incident.files.values())
    room = os.statvfs(incident.folder)
    if room.f_bavail * room.f_frsize < needed + needed // 10:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed to rebuild the file", str(incident.folder))
