"""Connections to a file that is there: none of them ever creates one, whatever its name is made of.

Nothing is read yet: what the file holds, and whether SQLite takes it at all, shows with the first statement. Transactions begin
and end where the caller says so.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path


def connect_to_read(
    path: Path, *, timeout_s: float = 5.0, unchanging: bool = False, any_thread: bool = False
) -> sqlite3.Connection:
    """A connection that cannot write. ``timeout_s``: how long a lock is waited for. ``unchanging``: nobody writes the file, so
    neither locks nor what lies beside it are looked at. ``any_thread``: another thread may close it. Raises sqlite3.Error."""
    return sqlite3.connect(
        _uri(path, "immutable=1" if unchanging else "mode=ro"),
        uri=True,
        isolation_level=None,
        timeout=timeout_s,
        check_same_thread=not any_thread,
    )


def connect_to_write(path: Path, *, timeout_s: float, cached_statements: int = 128) -> sqlite3.Connection:
    """A connection that may write; ``timeout_s`` as above. Raises sqlite3.Error."""
    return sqlite3.connect(
        _uri(path, "mode=rw"), uri=True, isolation_level=None, timeout=timeout_s, cached_statements=cached_statements
    )


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"
