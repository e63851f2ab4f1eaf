"""A COMMIT that raises an error and takes effect all the same: nothing of it is stored twice, and nothing behind it is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sensorlogd.daemon.writing.disk import spill
from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage import meta
from tests.daemon.writing.rig import Rig, Script, sqlite_error, values


def given_up(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return meta.get_int(conn, meta.GIVEN_UP)


def dropped(rig: Rig) -> int:
    return rig.writer.stats().per_sensor["a"]["dropped"]


@pytest.fixture
def full(make: Callable[..., Rig], script: Script) -> Rig:
    """Readings and an event wait, and the inbox had to drop some."""
    rig = make(inbox_limit=100)
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_FULL))
    rig.put(1)
    rig.turn(3)
    for _ in range(30):
        rig.put(10)
    rig.turn(2)
    rig.writer.emit(OtherKind("noted"), "a", "once")
    script.heal()
    return rig


def stored_once(rig: Rig, path: Path) -> None:
    assert rig.kinds().count("noted") == 1
    assert rig.kinds().count("dropped") == 1
    assert given_up(path) == rig.writer.stats().given_up


@pytest.mark.parametrize("unreadable", [0, 1, 3], ids=["found at once", "found at the next try", "found once it is opened anew"])
def test_events_and_losses_are_stored_once(full: Rig, script: Script, path: Path, unreadable: int) -> None:
    """``unreadable``: so many statements after the COMMIT fail, too."""
    faults = -1

    def decide(sql: str) -> Exception | None:
        nonlocal faults
        if sql == "COMMIT" and faults < 0:
            faults = unreadable
            return sqlite_error(sqlite3.SQLITE_IOERR)
        if faults <= 0:
            return None
        faults -= 1
        return sqlite_error(sqlite3.SQLITE_IOERR)

    script.after = decide
    full.turn_until(lambda: faults >= 0, "the COMMIT")
    full.writer.emit(OtherKind("noted later"), "a", "once")
    put = full.put(2)
    full.turn_until(full.is_idle, "rest")
    assert faults == 0
    stored_once(full, path)
    assert full.kinds().count("noted later") == 1
    assert given_up(path) == dropped(full)
    found = values(path)
    assert found[-2:] == put
    assert len(found) == len(set(found)) == full.put_so_far - dropped(full)


def test_a_commit_that_did_not_take_effect_is_made_again(full: Rig, script: Script, path: Path) -> None:
    errors = [sqlite_error(sqlite3.SQLITE_IOERR)]
    script.before = lambda sql: errors.pop() if sql == "COMMIT" and errors else None
    full.turn_until(full.is_idle, "rest")
    assert not errors
    stored_once(full, path)
    assert given_up(path) == dropped(full)


@pytest.mark.parametrize("takes_effect", [True, False])
def test_what_is_spilled_during_a_commit_that_hangs_is_stored_once(
    full: Rig, make: Callable[..., Rig], script: Script, path: Path, takes_effect: bool
) -> None:
    """The process ends while COMMIT has not returned: the spill names the commit, and the next start looks for it."""

    class Killed(BaseException):
        """The end of the process."""

    def hang(sql: str) -> None:
        if sql == "COMMIT":
            full.writer.emit(OtherKind("noted later"), "a", "once")
            full.writer.abandon()
            raise Killed

    if takes_effect:
        script.after = hang
    else:
        script.before = hang
    with pytest.raises(Killed):
        full.turn(30)
    lost = dropped(full)
    full.kill()
    assert spill.found(path)
    for _ in range(2):
        again = make()
        again.turn(10)
        stored_once(again, path)
        assert again.kinds().count("noted later") == 1
        assert given_up(path) == lost
        again.kill()
    found = values(path)
    assert len(found) == len(set(found)) == full.put_so_far - lost
