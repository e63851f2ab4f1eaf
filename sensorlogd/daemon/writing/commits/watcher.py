"""The interface of an observer of everything that the writer stores; alarms are one. Every method but ``note`` is called on the
writer thread; none may wait, and none but ``record`` may raise.

The writer shows each block before it is committed, and again while it cannot be; what the watcher wants to keep goes into the
transaction of a commit, inside a savepoint of its own (``record``), and is certain once ``note_recorded`` is called.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Protocol

from sensorlogd.batch import Block
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.storage.open_database import OpenDatabase


class Watcher(Protocol):
    """An observer of everything that the writer stores. ``urgent``: it has something that should not wait for the next commit."""

    @property
    def urgent(self) -> bool: ...

    def note(self, event: Event) -> None:
        """Something happened; from any thread."""

    def note_opened(self, db: OpenDatabase) -> None:
        """Another file is open, or the same one anew. Outside a transaction."""

    def observe(self, blocks: Iterable[Block], *, well: bool) -> None:
        """All that is not committed, in order; most of it was seen before. ``well``: the next commit will probably succeed."""

    def record(self, conn: sqlite3.Connection) -> bool:
        """Inside the transaction of a commit. Returns whether something was put into it. Raises sqlite3.Error if the database
        itself is in trouble."""

    def note_recorded(self, blocks: Iterable[Block], *, kept: bool) -> None:
        """These blocks are dealt with: committed, or left out because they cannot be stored. ``kept``: what ``record`` has put
        into the transaction was committed, too."""


class NullWatcher:
    """The observer that does nothing."""

    urgent = False

    def note(self, event: Event) -> None: ...

    def note_opened(self, db: OpenDatabase) -> None: ...

    def observe(self, blocks: Iterable[Block], *, well: bool) -> None: ...

    def record(self, conn: sqlite3.Connection) -> bool:
        return False

    def note_recorded(self, blocks: Iterable[Block], *, kept: bool) -> None: ...
