"""Kinds of events: one place names them, the documentation lists them, whoever emits one names the member."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from packages import event_table
from sensorlogd.event_kinds import EventKind, Severity, kind_of, severity_of
from sensorlogd.storage.file.connecting import connect_as_writer
from sensorlogd.storage.ingest import events
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.schema.check import ensure_schema

PACKAGE = Path(__file__).resolve().parent.parent / "sensorlogd"
# Where the kind stands among the arguments of whatever records an event. Kinds in tuples are mypy's to look at.
KIND_AT = {"emit": 0, "_emit": 0, "Event": 1, "record": 2}


def bare(source: str) -> Iterator[tuple[int, str]]:
    """(line, kind) of each event that is recorded with a bare string."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        at = KIND_AT.get(name)
        given = [keyword.value for keyword in node.keywords if keyword.arg == "kind"]
        if at is not None and len(node.args) > at:
            given.append(node.args[at])
        if at is not None:
            yield from ((kind.lineno, ast.unparse(kind)) for kind in given if isinstance(kind, ast.Constant | ast.JoinedStr))


def test_no_event_is_recorded_with_a_bare_string() -> None:
    """A kind that nobody documented would be one that nobody can look for."""
    found = [f"{path}:{line}: {kind}" for path in PACKAGE.rglob("*.py") for line, kind in bare(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    ("source", "is_bare"),
    [
        ('self.writer.emit("started", None, detail)', True),
        ("self.writer.emit(EventKind.STARTED, None, detail)", False),
        ('events.record(conn, now_us, f"part_{what}", None, detail)', True),
        ('Event(now_us, kind="started", sensor=None, detail="")', True),
        ("threading.Event()", False),
    ],
)
def test_what_is_taken_for_a_bare_string(source: str, is_bare: bool) -> None:
    """The look itself sees what it must see."""
    assert bool(list(bare(source))) is is_bare


def test_every_kind_is_emitted() -> None:
    """One that nobody names any more stays only if logs of former releases hold it: say so then."""
    sources = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "event_kinds.py")
    assert [kind.name for kind in EventKind if f"EventKind.{kind.name}" not in sources] == []


def test_the_documentation_lists_them_all() -> None:
    """If this fails: python packages/event_table.py."""
    page = event_table.PAGE.read_text()
    assert page == event_table.with_table(page)
    assert event_table.table() in page


@pytest.mark.parametrize("kind", EventKind)
def test_a_kind_says_what_it_means(kind: EventKind) -> None:
    """One sentence; the name is a word for searching."""
    assert kind.meaning.endswith(".")
    assert ". " not in kind.meaning
    assert kind.value == kind.name.lower() == str(kind)
    assert kind_of(str(kind)) is kind
    assert severity_of(str(kind)) is kind.severity


def test_names_on_disk_stay() -> None:
    """Whoever searches a log of five years looks for these; add to them, never rename."""
    assert {
        "started", "stopped", "unclean_end", "config_rejected", "config_reloaded", "restart_needed", "part_failed",
        "part_started", "connected", "stale", "lost", "returned", "finished", "failed", "sensors_failed", "bad_time",
        "week_rollover", "silent_registers", "refused_registers", "renamed", "retired", "rollups_stale", "dropped", "conflict",
        "too_old", "poisoned", "unknown_channel", "spilled", "spill_taken_up", "spill_damaged", "spill_unreadable",
        "events_dropped", "imported", "database_created", "database_blocked", "database_unavailable", "disk_low", "recovered",
        "database_removed", "database_replaced", "wal_removed", "lock_removed", "foreign_wal", "corrupt", "wal_held", "wal_released",
        "upkeep_failed", "salvaged", "salvage_failed", "mended", "mend_undone", "unit_change_begun", "unit_changed",
        "unit_change_refused", "work_failed", "clock_step", "clock_judged", "aggregator_failed", "web_down", "web_recovered",
        "backup_made", "backup_failed", "alarm_raised", "alarm_returned", "alarm_acknowledged", "alarm_shelved",
        "alarm_unshelved", "alarm_redefined", "alarm_removed", "alarm_failed", "alarms_failed", "notify_failing",
        "notify_recovered", "notify_given_up", "heartbeat_failing", "heartbeat_recovered",
    } <= {kind.value for kind in EventKind}  # fmt: skip


def test_a_kind_of_a_newer_release_is_stored_and_read(tmp_path: Path) -> None:
    """As it stands; how serious it is nobody can know, so it is a warning."""
    path = tmp_path / "log.db"
    ensure_schema(path)
    with closing(connect_as_writer(path)) as conn:
        events.record(conn, 1, EventKind.LOST, "boiler", "unplugged")
        events.record(conn, 2, kind_of("teleported"), None, "it is elsewhere")
        assert conn.execute("SELECT kind, typeof(kind) FROM event").fetchall() == [("lost", "text"), ("teleported", "text")]
    with LogReader.open(path) as log:
        assert [event.kind for event in log.events(None, 10)] == ["lost", "teleported"]
    assert severity_of("teleported") is Severity.WARNING
