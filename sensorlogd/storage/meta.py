"""The table ``meta``: one text value a key. What must outlive the process: how far it has got, and notes.

All access is here, but for the view ``readings`` (``migrations.views``), which looks up ``moved_until_us`` itself. The keys that say how
far the readings have got are named in ``watermarks``, all others here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

DECIMALS = "decimals_"  # and the id of a series -> with how many places it is shown
SEEN_DECIMALS = "seen_decimals_"  # and the id of a series -> the most places that its values came with, see ``ingest.decimals``
VALID = "valid_"  # and the id of a series -> [lowest, highest] possible value, JSON
BELIEVED_US = "believed_us"  # the time that the daemon believes in, for its next start; see ``daemon.timekeeping.believed_time``
BELIEVED_BOOT = "believed_boot"  # the boot of the machine that this was in, and its steady clock then
GIVEN_UP = "given_up"  # readings lost for good, over all restarts
# For how long alarms have watched, and until when by the wall clock; see ``alarms.judging.watch``.
ALARMS_WATCHED = "alarms_watched"
# Between which times nobody watched; see ``alarms.keeping.unwatched``.
ALARMS_UNWATCHED = "alarms_unwatched"
SPILL = "spill:"  # and the name of a spill -> how many of its readings were stored: it has been taken up
LOST_TAKEN = "lost_taken"  # how many of the lost readings in the lock file ``given_up`` counts already; see ``take_over_lost``
LAST_COMMIT = "last_commit"  # a random key of the newest commit of readings and events that holds more than readings
LAST_ORDER = "last_order"  # a random key of the change that somebody asked for last: it is made; see ``daemon.writing.between_commits.once``
SALVAGE = "salvage_"  # and the id of a row of ``work`` -> which series here are those of the damaged file, JSON

_PUT = (
    "INSERT INTO meta(key, value) VALUES (?,?)"
    " ON CONFLICT(key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value"
)
_WITH_PREFIX = "key >= ? AND key < ?"  # with ``_range``


def get(conn: sqlite3.Connection, key: str) -> str | None:
    """The value, or None. Raises sqlite3.Error."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def get_int(conn: sqlite3.Connection, key: str) -> int:
    """The value as a number; 0 if there is none."""
    return int(get(conn, key) or 0)


def put(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Insert or change; the caller owns the transaction."""
    conn.execute(_PUT, (key, value))


def keys(conn: sqlite3.Connection, prefix: str) -> list[str]:
    """All keys that begin with ``prefix``, in order."""
    return [key for (key,) in conn.execute(f"SELECT key FROM meta WHERE {_WITH_PREFIX} ORDER BY key", _range(prefix))]


def entries(conn: sqlite3.Connection, prefix: str = "") -> list[tuple[str, str]]:
    """(key, value) of all keys that begin with ``prefix``, in order; of all there are if none is given."""
    return conn.execute(f"SELECT key, value FROM meta WHERE {_WITH_PREFIX} ORDER BY key", _range(prefix)).fetchall()


def some(conn: sqlite3.Connection, names: Sequence[str]) -> dict[str, str]:
    """The values of those keys that are there, all of one instant. Raises sqlite3.Error."""
    query = f"SELECT key, value FROM meta WHERE key IN ({','.join('?' * len(names))})"
    return dict(conn.execute(query, names).fetchall())


def whole_numbers(conn: sqlite3.Connection, prefix: str) -> dict[int, int]:
    """Number after the prefix -> value, of all keys that are ``prefix`` and a number. Read as one row: sqlite3 gives the
    interpreter's lock away for each row, and beside busy threads the writer gets it back 5 ms later."""
    query = f"SELECT group_concat(substr(key, ?) || ' ' || value) FROM meta WHERE {_WITH_PREFIX}"
    (found,) = conn.execute(query, (len(prefix) + 1, *_range(prefix))).fetchone()
    pairs = (pair.split(" ") for pair in found.split(",")) if found else ()
    return {int(number): int(value) for number, value in pairs}


def _range(prefix: str) -> tuple[str, str]:
    """The bounds of all keys that begin with ``prefix``: letters, no pattern; its index finds them."""
    return prefix, f"{prefix}\U0010ffff"


def forget_series(conn: sqlite3.Connection, series: int) -> None:
    """Delete all that is kept of a deleted series: SQLite may give its id to a new one. The caller owns the transaction."""
    remove(conn, [f"{prefix}{series}" for prefix in (DECIMALS, SEEN_DECIMALS, VALID)])


def remove(conn: sqlite3.Connection, gone: Iterable[str]) -> None:
    """Delete keys; the caller owns the transaction."""
    conn.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in gone])
