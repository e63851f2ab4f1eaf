"""Alarms inside the writer: in the same transaction as what raised them, never at its cost, and the same after any end."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.config.models import Config
from sensorlogd.daemon.writing.recovery.failures import REOPEN_EVERY
from sensorlogd.daemon.writing.totals import WriterState
from tests.alarms.keeper_rig import HOT, Logger, changes, rows, state
from tests.alarms.rig import config_of, plan_of
from tests.daemon.writing.rig import Script, Time, events, sqlite_error, values
from tests.daemon.writing.test_every_statement import FAULTS


def test_a_change_its_event_and_its_notification_are_in_the_transaction_of_the_reading(
    make: Callable[..., Logger], path: Path, script: Script
) -> None:
    """Either all of it is stored or nothing is, and nobody is told before."""
    logger = make()
    logger.run(20)
    script.fail_on("COMMIT", lambda: sqlite_error(sqlite3.SQLITE_BUSY))
    logger.feed(31)
    logger.rig.turn(1, 2.0)
    before = (changes(path), values(path), rows(path, "SELECT * FROM notification"))
    assert before == ([], [20.0], [])
    script.heal()
    logger.settle()
    assert changes(path) == ["raised"]
    assert values(path) == [20.0, 31.0]
    assert ("alarm_raised", "a (warning): a.x is 31 °C (> 30)") in events(path)
    ((target, sent, body),) = rows(path, "SELECT target, state, body FROM notification")
    assert (target, sent) == ("me", "waiting")
    assert json.loads(body)["line"] == "a: a.x is 31 °C (> 30)"
    assert logger.sender.kinds() == ["raised"]


@pytest.mark.parametrize("name", [*FAULTS])
@pytest.mark.parametrize("number", range(0, 60, 4))
def test_whatever_statement_fails_the_changes_are_those_of_the_readings(
    make: Callable[..., Logger], path: Path, script: Script, name: str, number: int
) -> None:
    """Each change once, each reading once; a database that had to be set aside gets the states anew."""
    fault, times = FAULTS[name]
    logger = make(HOT | {"b": {"series": "b.x", "when": "missing 5s", "notify": "me"}})
    logger.run(20)
    script.fail_at(number, fault, times)
    logger.run(31, 20, 31, 20)
    script.heal()
    logger.settle(0.25)
    logger.run(31)
    logger.settle()
    assert state(path) == "unacknowledged"
    if "corrupt" in logger.rig.kinds():
        return
    of_a = [kind for (kind,) in rows(path, "SELECT kind FROM alarm_change WHERE name = 'a' ORDER BY ts, id")]
    assert of_a == ["raised", "returned", "raised", "returned", "raised"]
    assert len(rows(path, "SELECT 1 FROM alarm_change WHERE name = 'b'")) == 1
    assert set(logger.sender.given) == {identity for (identity,) in rows(path, "SELECT identity FROM notification")}
    if name not in ("constraint", "ours"):
        assert values(path) == [20.0, 20.0, 20.0, 31.0, 31.0, 31.0]


def test_a_commit_that_happened_although_it_failed_doubles_no_change(
    make: Callable[..., Logger], path: Path, script: Script
) -> None:
    """As it doubles no reading."""
    logger = make()
    logger.run(20)
    script.after = lambda sql: sqlite_error(sqlite3.SQLITE_IOERR) if sql == "COMMIT" else None
    logger.run(31)
    script.heal()
    logger.run(20)
    logger.settle()
    assert changes(path) == ["raised", "returned"]
    assert values(path) == [20.0, 20.0, 31.0]
    assert len(rows(path, "SELECT * FROM notification")) == 2


def test_readings_that_cannot_be_stored_are_events_that_alarms_hear_of(make: Callable[..., Logger], path: Path) -> None:
    """Those that the commit tells itself, too."""
    logger = make({"lost": {"events": "unknown_channel", "notify": "me"}})
    assert logger.rig.inbox.put(Block("a", [Column("nobody", [logger.rig.clock.now_us()], [1.0], 1)]), 0.0)
    logger.rig.turn(12, 0.25)
    assert [row.subject for row in logger.sender.given.values()] == ["a"]


def test_a_fault_of_the_judge_costs_alarms_and_no_commit(
    make: Callable[..., Logger], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is an event."""
    logger = make()
    monkeypatch.setattr("sensorlogd.alarms.judging.judge.Judge.judge_readings", lambda *_: 1 / 0)
    logger.run(31, 32)
    logger.settle()
    assert values(path) == [31.0, 32.0]
    assert "alarms_failed" in logger.rig.kinds()
    assert logger.rig.writer.stats().state is WriterState.WRITING


def test_an_alarm_of_events_that_has_no_room_is_an_event(make: Callable[..., Logger], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensorlogd.alarms.judging.events.MAX_EVENT_ALARMS", 0)
    logger = make({"a": {"events": ["dropped", "alarms_failed"]}})
    for sensor in "ab":
        logger.keeper.note((logger.rig.clock.now_us(), "dropped", sensor, ""))
        logger.run(20)
    logger.settle()
    assert logger.rig.kinds().count("alarms_failed") == 1


def test_what_the_database_refuses_of_alarms_costs_no_reading(make: Callable[..., Logger], path: Path, script: Script) -> None:
    """Its savepoint is undone, the commit goes on; in the end it is let go of, and what comes later is stored."""
    logger = make()
    logger.run(20)
    script.fail_on("INSERT INTO alarm_change", lambda: sqlite_error(sqlite3.SQLITE_CONSTRAINT))
    logger.run(31, 31, 31, 20, 20)
    assert logger.sender.kinds() == ["raised", "resolved"], "people are told, whatever is stored"
    script.heal()
    logger.run(31)
    logger.settle()
    lost = [detail for kind, detail in events(path) if kind == "alarms_failed" and detail.startswith("1 change of alarms")]
    assert lost[0].startswith("1 change of alarms and 1 notification are not recorded")
    assert len(values(path)) == 7
    assert state(path) == "unacknowledged"
    assert changes(path)[-1] == "raised"
    assert "alarms_failed" in logger.rig.kinds()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR])
def test_while_nothing_can_be_committed_alarms_are_judged_and_told_at_once(
    make: Callable[..., Logger], path: Path, script: Script, code: int
) -> None:
    """About that, and about values that wait in the inbox; recorded later, each once."""
    logger = make(HOT | {"db": {"events": ["database_*"], "until": "recovered", "notify": "me"}})
    logger.run(20)
    script.fail_on("BEGIN", lambda: sqlite_error(code))
    logger.run(*[20] * 8)
    logger.run(31)
    assert [row.name for row in logger.sender.given.values()] == ["db", "a"]
    assert logger.rig.inbox.depth, "readings wait there, and were judged"
    assert changes(path) == []
    logger.run(20)
    assert logger.sender.kinds() == ["raised", "raised", "resolved"]
    script.heal()
    logger.settle()
    logger.rig.turn(8, 0.25)
    assert sorted(changes(path)) == ["raised", "raised", "returned", "returned"]
    assert state(path, "db") == "returned unacknowledged"
    assert len(rows(path, "SELECT * FROM notification")) == 4 == len(logger.sender.given)


def test_a_database_that_cannot_be_opened_at_the_start_silences_nobody(make: Callable[..., Logger], script: Script) -> None:
    """After some seconds alarms are judged without what it remembers."""
    logger = make()
    script.before = lambda sql: sqlite_error(sqlite3.SQLITE_CANTOPEN)
    for _ in range(10):
        logger.run(31)
    assert logger.sender.kinds() == ["raised"]
    script.heal()
    logger.settle(0.25)
    assert logger.sender.kinds() == ["raised"]


def test_what_the_database_remembers_is_read_as_soon_as_it_can_be(
    make: Callable[..., Logger], path: Path, script: Script
) -> None:
    """Not at once: the start goes on, and nothing is forgotten or told again."""
    logger = make()
    logger.run(31)
    logger.settle()
    logger.rig.kill()
    again = make()
    script.fail_on("SELECT name, subject, definition", lambda: sqlite_error(sqlite3.SQLITE_IOERR_READ))
    again.run(31, 31)
    script.heal()
    again.run(31, 31)
    again.settle()
    assert changes(path) == ["raised"]
    assert state(path) == "unacknowledged"
    assert len(values(path)) == 5
    assert again.rig.writer.ready.is_set()


def test_a_commit_before_the_alarms_can_be_read_again_forgets_no_change(
    make: Callable[..., Logger], path: Path, script: Script
) -> None:
    """The commits with the change fail until the file is opened anew, and the next one holds none: the change waits for a later one."""
    logger = make()
    logger.run(20)
    commits = iter(range(REOPEN_EVERY))

    def fail(sql: str) -> Exception | None:
        is_failing = sql.startswith("SELECT name, subject, definition") or (sql == "COMMIT" and next(commits, None) is not None)
        return sqlite_error(sqlite3.SQLITE_IOERR) if is_failing else None

    script.before = fail
    logger.feed(31)
    logger.rig.turn_until(lambda: len(values(path)) == 2, "the reading to be committed", seconds=0.25)
    assert changes(path) == []
    script.heal()
    logger.run(31)
    logger.settle()
    assert changes(path) == ["raised"]
    assert state(path) == "unacknowledged"
    assert rows(path, "SELECT count(*) FROM notification") == [(1,)]


MEAN: dict[str, Any] = {"a": {"series": "a.x", "when": "mean(10m) > 30", "notify": "me"}}


def test_a_window_that_cannot_be_read_costs_no_state(
    make: Callable[..., Logger], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins anew, which is one event: alarms are raised, stored and told all the same."""
    logger = make(MEAN)
    logger.run(20, 20)
    logger.settle()
    logger.rig.kill()

    def damaged(*_: object) -> None:
        raise sqlite_error(sqlite3.SQLITE_CORRUPT)

    monkeypatch.setattr("sensorlogd.storage.reading_tables.together.each_from", damaged)
    again = make(MEAN)
    again.run(*[90] * 30)
    again.settle()
    assert changes(path) == ["raised"]
    assert state(path) == "unacknowledged"
    assert again.sender.kinds() == ["raised"]
    assert again.rig.kinds().count("alarms_failed") == 1


def test_while_the_states_cannot_be_read_people_are_told(make: Callable[..., Logger], path: Path, script: Script) -> None:
    """Commits go on without the alarms, which are stored later; the trouble is reported once, not at each observation."""
    logger = make()
    logger.run(20)
    logger.settle()
    logger.rig.kill()
    script.fail_on("SELECT name, subject, definition", lambda: sqlite_error(sqlite3.SQLITE_CORRUPT))
    again = make()
    again.run(*[31] * 20)
    assert again.sender.kinds() == ["raised"]
    assert changes(path) == []
    assert again.rig.kinds().count("alarms_failed") == 1
    script.heal()
    again.run(31)
    again.settle()
    assert changes(path) == ["raised"]
    assert again.sender.kinds() == ["raised"]


@pytest.mark.parametrize("statement", ["SELECT identity, target", "SELECT name, subject, definition"])
def test_what_is_read_again_is_noted_once(make: Callable[..., Logger], path: Path, script: Script, statement: str) -> None:
    """Whichever statement of it fails for some seconds."""
    logger = make()
    logger.run(31)
    logger.settle()
    logger.rig.kill()
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE alarm SET state = 'latched'")
    script.fail_on(statement, lambda: sqlite_error(sqlite3.SQLITE_INTERRUPT))
    again = make({"a": {**HOT["a"], "when": "> 40"}})
    again.run(20, 20, 20)
    script.heal()
    again.run(20)
    again.settle()
    assert changes(path) == ["raised", "redefined"]
    assert sum("its stored state" in str(row) for row in rows(path, "SELECT * FROM event")) == 1


# ---- after an end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("down_s", [1.0, 3600.0])
@pytest.mark.parametrize("is_killed", [True, False])
def test_a_restart_goes_on_exactly(make: Callable[..., Logger], path: Path, fake: Time, is_killed: bool, down_s: float) -> None:
    """A raised one is not told again, a pending one goes on counting, and the time while nobody watched does not count."""
    alarms = HOT | {
        "slow": {"series": "a.x", "when": "> 30", "for": "10s", "notify": "me"},
        "silent": {"series": "b.x", "when": "missing 10s", "notify": "me"},
    }
    logger = make(alarms)
    logger.feed(1, "b")
    logger.run(31, 31, 31, 31, 31)
    logger.settle()
    if is_killed:
        logger.rig.kill()
    else:
        logger.rig.stop()
    fake.now += down_s
    again = make(alarms)
    again.run(31, 31, 31)
    again.settle()
    assert [row.name for row in again.sender.given.values() if row.identity not in logger.sender.given] == []
    assert dict(rows(path, "SELECT name, state FROM alarm")) == {
        "a": "unacknowledged",
        "slow": "pending",
        "silent": "normal",
    }
    again.run(31, 31, 31, 31)
    again.settle()
    fresh = [row.name for row in again.sender.given.values() if row.identity not in logger.sender.given]
    assert sorted(fresh) == ["silent", "slow"]
    assert changes(path) == ["raised"] * 3


@pytest.mark.parametrize("set_by", [0, 3_600, -3_600, 3_650 * 86_400, -3_650 * 86_400])
@pytest.mark.parametrize("is_killed", [True, False])
def test_repeats_and_escalations_go_on_over_an_end(
    make: Callable[..., Logger], fake: Time, is_killed: bool, set_by: float
) -> None:
    """By the time watched, whatever the clock is set to while the daemon is down for an hour: neither at once nor ever again."""
    nags = {"repeat": "1min", "escalate": {"after": "100s", "notify": "boss"}}
    alarms = {"a": HOT["a"] | nags, "slow": {"series": "a.x", "when": "> 30", "for": "50s", "notify": "me"}}
    logger = make(alarms)
    logger.run(*[31] * 30)
    logger.settle()
    assert logger.sender.kinds() == ["raised"]
    if is_killed:
        logger.rig.kill()
    else:
        logger.rig.stop()
    fake.now += 3_600
    fake.set_by = set_by
    again = make(alarms)
    when: dict[tuple[str, str], int] = {}
    for second in range(120):
        again.run(31)
        for row in again.sender.given.values():
            if row.identity not in logger.sender.given:
                when.setdefault((row.name, row.kind), second)
    lost_s = 12  # of a run that was killed: since its last mark
    expected = {("slow", "raised"): 20, ("a", "repeated"): 30, ("a", "escalated"): 70}
    assert set(when) == set(expected)
    assert all(expected[key] - 2 <= second <= expected[key] + lost_s for key, second in when.items()), when


@pytest.mark.parametrize("set_by", [3_600, -3_600, 3_650 * 86_400, -3_650 * 86_400])
def test_a_clock_that_is_set_while_it_runs_changes_nothing(make: Callable[..., Logger], fake: Time, set_by: float) -> None:
    """Pending, active, silent: through the writer, as through the judge."""
    alarms = {
        "a": HOT["a"] | {"repeat": "1min"},
        "slow": {"series": "a.x", "when": "> 30", "for": "50s", "notify": "me"},
        "silent": {"series": "a.x", "when": "missing 10s", "notify": "me"},
    }
    logger = make(alarms)
    logger.feed(1, "b")
    logger.run(*[31] * 30)
    fake.set_by = set_by
    logger.run(*[31] * 15)
    assert logger.sender.kinds() == ["raised"]
    logger.run(*[31] * 25)
    assert sorted(row.name + " " + row.kind for row in logger.sender.given.values()) == ["a raised", "a repeated", "slow raised"]
    logger.run(1)
    assert sorted(logger.sender.kinds())[-2:] == ["resolved", "resolved"]


@pytest.mark.parametrize(
    ("alarm", "patience"),
    [({"series": "a.x", "when": "missing 1s"}, 5.0), ({"series": "a.x", "when": "> 30"}, 0.0), ({"events": "lost"}, 5.0)],
)
def test_how_long_others_are_waited_for(make: Callable[..., Logger], alarm: dict[str, Any], patience: float) -> None:
    """Silence and events come together. (A heartbeat of 10 s is too short to matter.)"""
    logger = make({"a": alarm | {"notify": "me"}})
    logger.run(31)
    logger.keeper.note((1, "lost", "a", "gone"))
    for _ in range(3):
        logger.rig.turn(4, 0.5)
    assert [row.body["patient"] for row in logger.sender.given.values() if row.kind == "raised"] == [patience]


def test_an_end_that_takes_long_is_no_silence(make: Callable[..., Logger], path: Path, fake: Time) -> None:
    """Sensors that are ended say nothing, and what is pending does not go on; what they said last is judged all the same."""
    alarms = {
        "silent": {"series": "a.x", "when": "missing 10s", "notify": "me"},
        "slow": {"series": "a.x", "when": "> 30", "for": "10s", "notify": "me"},
        "hot": {"series": "a.x", "when": "> 40", "notify": "me"},
    }
    logger = make(alarms)
    logger.run(31, 31, 31)
    logger.keeper.hold()
    logger.feed(41)
    for _ in range(60):
        logger.rig.turn(1, 0.5)
    logger.settle()
    assert [row.name for row in logger.sender.given.values()] == ["hot"]
    logger.rig.stop()
    again = make(alarms)
    again.run(*[31] * 5)
    assert dict(rows(path, "SELECT name, state FROM alarm")) == {
        "silent": "normal",
        "slow": "pending",
        "hot": "returned unacknowledged",
    }
    again.run(*[31] * 5)
    assert dict(rows(path, "SELECT name, state FROM alarm"))["slow"] == "unacknowledged"


def test_windows_are_read_again_from_the_log(make: Callable[..., Logger], path: Path) -> None:
    """One reading after a restart does not make a mean."""
    alarms = {"a": {"series": "a.x", "when": "mean(1min) > 30", "notify": "me"}}
    logger = make(alarms)
    logger.run(*[20] * 20)
    logger.settle()
    logger.rig.kill()
    again = make(alarms)
    again.run(100)
    assert again.sender.kinds() == []
    again.run(100, 100, 100, 100)
    assert again.sender.kinds() == ["raised"]


def test_what_was_not_sent_is_sent_by_the_next_run(make: Callable[..., Logger], path: Path) -> None:
    """With the same identity; what was taken is not."""
    logger = make()
    logger.run(31, 20)
    logger.settle()
    first, second = logger.sender.given
    logger.keeper.sender.outcomes.append(outcome(first))
    logger.rig.turn(8, 0.25)
    logger.rig.kill()
    again = make()
    again.run(20)
    assert list(again.sender.given) == [second]


def outcome(identity: str) -> Any:
    from sensorlogd.storage.alarms.notifications import SENT, NotificationOutcome

    return NotificationOutcome(identity, SENT, 1, 5, "m", "")


def test_a_changed_definition_starts_anew_and_says_so(make: Callable[..., Logger], path: Path) -> None:
    """At a start and at a reload; one that is not configured any more goes."""
    logger = make(HOT | {"other": {"series": "a.x", "when": "> 30"}})
    logger.run(31)
    logger.settle()
    logger.rig.kill()
    again = make({"a": {"series": "a.x", "when": "> 29", "notify": "me"}})
    again.run(20)
    again.settle()
    assert changes(path) == ["raised", "raised", "redefined", "removed"]
    assert rows(path, "SELECT name, state FROM alarm") == [("a", "normal")]
    again.keeper.use(plan_of({"c": {"series": "a.x", "when": "> 10"}}, sensors=("a", "b")))
    again.run(20)
    again.settle()
    assert rows(path, "SELECT name, state FROM alarm") == [("c", "unacknowledged")]


def test_without_alarms_nothing_is_written(make: Callable[..., Logger], path: Path, script: Script) -> None:
    """No savepoint, no mark."""
    logger = make({})
    logger.run(1, 2, 3)
    logger.settle()
    assert not [sql for sql in script.statements if "alarm" in sql.lower() and not sql.startswith("SELECT")]


def test_a_pending_state_does_not_hurry_the_commit(make: Callable[..., Logger], path: Path) -> None:
    """An SD card is not worn out by a value at its line; what people are told of is stored at once."""
    told_at_once = {"series": "a.x", "when": "> 90", "notify": "me"}
    logger = make({"a": {"series": "a.x", "when": "> 30", "for": "1min", "notify": "me"}, "b": told_at_once})
    logger.rig.writer._pending.interval_s = 30.0
    logger.run(20)
    commits = logger.rig.writer.stats().commits
    logger.run(31, 20, 31, 20, 31)
    assert logger.rig.writer.stats().commits == commits
    logger.run(95)
    assert logger.rig.writer.stats().commits > commits
    assert changes(path) == ["raised"]


def test_nothing_of_a_secret_is_stored_or_told(tmp_path: Path) -> None:
    """Neither in what the daemon tells of itself, nor in the snapshot, nor in what a model shows."""
    config: Config = config_of({}, notify={"hook": {"webhook": "https://h.example/s3cret", "headers": {"X": "s3cret"}}})
    assert "s3cret" not in repr(config.notify)
    assert config.notify["hook"].webhook is not None
