"""What the bytes of a file say before SQLite sees them: text, and whether it was ever a database."""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path

MAGIC = b"SQLite format 3\0"
_HEAD = 4096  # bytes that show whether a file holds text
_CHUNK = 1 << 20
_MIN_PAGE_BYTES = 512  # bytes; every size that a page of SQLite can have is a multiple
_SIDES = ("-wal", "-shm", "-journal")
_TEXT_ONLY = re.compile(r"[^\x00-\x08\x0e-\x1f\x7f]*")


def holds_text(path: Path) -> bool:
    """Whether the file begins with text in UTF-8, as a configuration or a program does and no page of a database, damaged or
    not. False for an empty file, and for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            head = codecs.getincrementaldecoder("utf-8")().decode(file.read(_HEAD))
    except (OSError, UnicodeDecodeError):
        return False
    return bool(head) and _TEXT_ONLY.fullmatch(head) is not None


def never_a_database(path: Path) -> str | None:
    """What the file is, in words, if nothing in it or beside it shows that it was once a database of SQLite; else None, also for a
    file that is missing or empty. Raises OSError.

    A database whose first page was destroyed has lost its header and nothing else: it is still made of whole pages, and most of
    them are not text. So a file is none for certain if it does not begin with the header, no file of SQLite's lies beside it, and it
    either is text from end to end or is not made of whole pages. Not to be called while this process has the file open in SQLite:
    closing it here would drop the locks.
    """
    real = Path(os.path.realpath(path))
    try:
        status = real.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode) or not status.st_size or any(os.path.lexists(f"{real}{side}") for side in _SIDES):
        return None
    with real.open("rb") as file:
        head = file.read(len(MAGIC))
    if head.startswith(MAGIC):
        return None
    if _is_text_throughout(real):
        return "a text file"
    return f"no file of SQLite: it begins with the bytes {head[:8].hex(' ')}" if status.st_size % _MIN_PAGE_BYTES else None


def _is_text_throughout(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                if _TEXT_ONLY.fullmatch(decoder.decode(chunk)) is None:
                    return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
