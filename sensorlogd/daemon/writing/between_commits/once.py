"""A change that must not be made twice, although the writer may run a job again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Generic, TypeVar

from sensorlogd.storage import meta
from sensorlogd.storage.open_database import OpenDatabase

T = TypeVar("T")


class Once(Generic[T]):
    """Calls ``change`` for a job, at most once with effect on one database.

    A COMMIT that raised an error may have taken effect all the same, and the writer then runs the job again. So each change
    has a random key, which is stored in its transaction: whoever finds it there knows that the change is made."""

    def __init__(self, change: Callable[[OpenDatabase], T]) -> None:
        self._change = change
        self._key = secrets.token_hex(8)
        self._made: list[T] = []  # what the last call of ``change`` returned

    def __call__(self, db: OpenDatabase) -> T:
        """Inside a transaction, which the caller owns. Returns what ``change`` returned when it took effect. Raises sqlite3.Error,
        and what ``change`` raises."""
        if self._made and meta.get(db.conn, meta.LAST_ORDER) == self._key:
            return self._made[0]
        made = self._change(db)
        meta.put(db.conn, meta.LAST_ORDER, self._key)
        self._made = [made]
        return made
