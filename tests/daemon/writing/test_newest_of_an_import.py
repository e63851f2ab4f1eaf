"""What the daemon knows of the newest values while an import replaces them."""

from __future__ import annotations

import sqlite3
from typing import Any, cast

from sensorlogd.daemon.control.handlers.database import DatabaseHandlers
from sensorlogd.daemon.control.handlers.dispatch import Dispatch
from sensorlogd.daemon.control.requests import database as requests
from sensorlogd.storage.corrections.replacing import Replace
from tests.daemon.writing.rig import Rig, Script, TurnedByHand, sqlite_error
from tests.daemon.writing.test_numbers_of_another_database import NoCoordinator


def test_a_replacement_that_is_rolled_back_leaves_the_newest_value(rig: Rig, script: Script) -> None:
    """It counts once it is committed."""
    rig.put()
    rig.turn_until(rig.is_idle, "the first reading, which is in the table ``latest`` at once")
    (value,) = rig.put()
    rig.turn_until(rig.is_idle, "rest")
    db = rig.writer._log.db
    assert db is not None
    ((series, (at_us, newest, _)),) = db.newest.items()
    assert newest == value
    seen: list[float | None] = []

    def refuse_once(sql: str) -> Exception | None:
        if sql != "COMMIT" or seen:
            return None
        seen.append(db.newest[series][1])
        return sqlite_error(sqlite3.SQLITE_FULL)

    script.before = refuse_once
    operations = Dispatch(DatabaseHandlers(cast(Any, TurnedByHand(rig)), cast(Any, NoCoordinator())).handlers())
    done = operations.do(requests.UpsertRequest(series, [at_us], [99.0], [1], Replace(note="better")))
    assert done.replaced == 1
    assert seen == [value]
    assert db.newest[series][1] == 99.0
