"""What is said of the daemon: from who holds its database, what it wrote, and what it answered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.storage.file import holder as holding
from sensorlogd.storage.file.holder import Holder
from sensorlogd.storage.query.health import daemon_state

S = 1_000_000
NOW = 1_774_742_400 * S
CONTROL = Path("/run/control.sock")
DAEMON = Holder(7, CONTROL)
FACTS: dict[str, Any] = {
    "pid": 7, "heartbeat_us": NOW - 2 * S, "started_us": NOW - 60 * S, "clean_shutdown": False, "state": "writing", "state_reason": "",
    "commit_interval_us": S, "last_commit_us": NOW - 8 * S,
}  # fmt: skip
OLD = {"heartbeat_us": NOW - 60 * S}
BLOCKED = {"state": "blocked", "state_reason": "the disk is full"}


@pytest.mark.parametrize(
    ("facts", "held", "answered", "state", "explanation"),
    [
        (FACTS, DAEMON, True, "running", "pid 7, for 1min"),
        (FACTS, DAEMON, None, "running", "pid 7, for 1min, by its note of 2s ago"),
        (FACTS, DAEMON, False, "running", "pid 7, for 1min; it does not answer just now, by its note of 2s ago"),
        (FACTS | OLD, DAEMON, True, "running", "pid 7, for 1min"),  # it answered: how old its note is does not matter
        (FACTS | OLD, DAEMON, False, "hung", "pid 7 does not answer and has not written its status for 1min; see its log"),
        (FACTS | OLD, DAEMON, None, "hung", "pid 7 cannot write, or hangs: it has not written its status for 1min; see its log"),
        (FACTS | OLD | {"commit_interval_us": 20 * S}, DAEMON, False, "running",
         "pid 7, for 1min; it does not answer just now, by its note of 1min ago"),
        (FACTS | BLOCKED, DAEMON, True, "blocked", "pid 7 cannot write (last commit 8s ago): the disk is full"),
        (FACTS | BLOCKED | {"blocked_since_us": NOW - 7 * S}, DAEMON, True, "blocked",
         "pid 7 cannot write, for 7s now: the disk is full"),
        (FACTS | BLOCKED | OLD, DAEMON, None, "blocked",
         "pid 7 cannot write (last commit 8s ago): the disk is full, by its note of 1min ago"),
        (FACTS | BLOCKED | OLD, DAEMON, False, "hung", "pid 7 does not answer and has not written its status for 1min; see its log"),
        (FACTS | {"pid": 6, "clean_shutdown": True}, DAEMON, False, "running", "pid 7, has not written its status yet"),
        ({}, DAEMON, None, "running", "pid 7, has not written its status yet"),
        (FACTS, Holder(0, None), None, "running", "pid 7, for 1min, by its note of 2s ago"),  # a full disk: its number could not be left
        (FACTS | {"clean_shutdown": True}, Holder(9, None), None, "stopped", "stopped cleanly 2s ago; pid 9 works on the database now"),
    ],
)  # fmt: skip
def test_a_database_that_is_held(
    facts: dict[str, Any], held: Holder, answered: bool | None, state: str, explanation: str, tmp_path: Path
) -> None:
    """Running, blocked or hung: by its answer, else by its note, which then says how old it is."""
    assert daemon_state(facts, NOW, tmp_path / "log.db", held=held, answered=answered) == (state, explanation)


@pytest.mark.parametrize(
    ("facts", "state", "explanation"),
    [
        ({}, "never started", "no daemon has run on this database"),
        ({"given_up": 3, "rollup_runs": 1}, "never started", "no daemon has run on this database"),  # verbs leave notes, too
        (FACTS, "crashed", "pid 7 ended without a clean stop; last sign of life 2s ago"),
        (FACTS | BLOCKED, "crashed", "pid 7 ended without a clean stop; last sign of life 2s ago"),
        (FACTS | {"clean_shutdown": True}, "stopped", "stopped cleanly 2s ago"),
        (FACTS | {"clean_shutdown": True, "given_up": 1234}, "stopped", "stopped cleanly 2s ago; 1,234 readings were given up"),
        (FACTS | {"clean_shutdown": True} | BLOCKED, "stopped", "stopped cleanly 2s ago; it could not write: the disk is full"),
        (FACTS | {"state": "stopped", "given_up": 3}, "stopped",
         "stopped 2s ago, not everything that was received is stored; 3 readings were given up"),
        (FACTS | {"heartbeat_us": NOW + 60 * S}, "crashed", "pid 7 ended without a clean stop; last sign of life 0ms ago"),
    ],
)  # fmt: skip
def test_a_database_that_nobody_holds(facts: dict[str, Any], state: str, explanation: str, tmp_path: Path) -> None:
    """However fresh the last note is, nothing runs; how it ended is told, and what was lost. A file left behind is nobody."""
    for content in (None, "7\n/run/control.sock\n"):
        if content is not None:
            (tmp_path / "log.db.lock").write_text(content)
        assert daemon_state(facts, NOW, tmp_path / "log.db") == (state, explanation)


def test_the_lock_is_looked_at_where_nobody_has_done_so(tmp_path: Path) -> None:
    with DatabaseLock(tmp_path / "log.db", CONTROL):
        assert daemon_state(FACTS | {"pid": os.getpid()}, NOW, tmp_path / "log.db")[0] == "running"
    assert daemon_state(FACTS | {"pid": os.getpid()}, NOW, tmp_path / "log.db")[0] == "crashed"


@pytest.mark.parametrize(
    ("facts", "state"),
    [(FACTS, "running"), (FACTS | BLOCKED, "blocked"), (FACTS | OLD, "crashed"), (FACTS | {"clean_shutdown": True}, "stopped")],
)
def test_a_lock_that_may_not_be_looked_at_leaves_the_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], state: str
) -> None:
    """Judged by its age then, and it is said that it could not be seen."""

    def forbidden(database: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sensorlogd.storage.query.health.holder", forbidden)
    found, explanation = daemon_state(facts, NOW, tmp_path / "log.db")
    assert found == state
    assert ("cannot be seen" in explanation) == (state != "stopped")


def test_the_lock_file_stands_beside_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "log.db")
    assert holding.lock_path(tmp_path / "link.db") == tmp_path / "log.db.lock"


def test_a_daemon_that_ended_while_its_database_took_nothing_has_not_crashed(tmp_path: Path) -> None:
    """Its last note is old and says nothing of an end; what it wrote beside the database afterwards does."""
    path = tmp_path / "log[1].db"
    spill = tmp_path / "log[1].db.spill-20260329T000000Z-7"
    spill.touch()
    os.utime(spill, ns=(NOW * 1000, NOW * 1000))
    state, explanation = daemon_state(FACTS, NOW + S, path)
    assert (state, spill.name in explanation) == ("stopped", True)
    os.utime(spill, ns=((NOW - 9 * S) * 1000,) * 2)  # of an earlier run, and unreadable since: this one was killed
    assert daemon_state(FACTS, NOW + S, path)[0] == "crashed"
