"""``status`` of a daemon that lives, is blocked, keeps silent or may not be asked: a real lock, a real control socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.cli import daemon_condition, status_screen
from sensorlogd.cli.status_verb import rows_of
from sensorlogd.daemon.control import control_socket
from sensorlogd.daemon.control.offline import Offline
from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.storage.ingest import status
from sensorlogd.storage.query.log_reader import LogReader
from tests.cli.test_transfer import verb

S = 1_000_000
PID = os.getpid()
BLOCKED = {"state": "blocked", "state_reason": "the disk is full"}


def note(path: Path, **facts: Any) -> None:
    """What the daemon (this process) wrote into the database last."""
    now = time.time_ns() // 1000
    whole = {"pid": PID, "heartbeat_us": now, "started_us": now, "clean_shutdown": False, "state": "writing", "state_reason": ""}
    with contextlib.closing(sqlite3.connect(path)) as conn:
        status.save_daemon(conn, whole | facts)
        conn.commit()


@contextlib.contextmanager
def daemon(path: Path, answer: dict[str, Any] | None) -> Iterator[None]:
    """Holds the database and answers ``status``; None: it listens, and never answers."""
    with DatabaseLock(path, control_socket.socket_path(path.parent)):
        if answer is not None:
            server = control_socket.ControlServer(path.parent, {"status": lambda request: answer})
            server.start()
            try:
                yield
            finally:
                server.stop()
        else:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
                silent.bind(str(control_socket.socket_path(path.parent)))
                silent.listen(8)
                yield


def status_as_json(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = verb("status", "--db", str(path), "--format", "json")
    return code, json.loads(capsys.readouterr().out)


def test_a_living_daemon_says_itself_how_it_is(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its answer stands before its last note: while it is blocked it cannot write one."""
    note(log)
    answer = {"daemon": {"pid": PID, "blocked_since_us": time.time_ns() // 1000 - 7 * S, **BLOCKED}, "sensors": []}
    with daemon(log, answer):
        code, whole = status_as_json(log, capsys)
    assert code == 1
    found = whole["daemon"]
    assert (found["state_now"], found["state"], found["state_reason"], found["answered"]) == ("blocked", *BLOCKED.values(), True)
    assert found["explanation"] == f"pid {PID} cannot write, for 7s now: the disk is full"
    assert whole["sensors"][0]["state"] == "reading"  # a blocked daemon reads its sensors on


def test_sensors_are_as_the_daemon_says_they_are(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note(log)
    sensor = {"sensor": "lab", "state": "backing_off", "last_error": "unplugged", "counters": {"readings": 7, "reconnects": 2}}
    with daemon(log, {"daemon": {"pid": PID, "state": "writing"}, "sensors": [sensor, {"sensor": "unheard of"}]}):
        code, whole = status_as_json(log, capsys)
    assert code == 4
    [row] = whole["sensors"]
    assert (row["state"], row["error"], row["readings"], row["reconnects"]) == ("backing_off", "unplugged", 7, 2)


def test_a_daemon_that_is_gone_is_not_running_however_fresh_its_note(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its lock file and its socket are left behind by a kill, and mean nothing."""
    note(log)
    with daemon(log, {"daemon": {}, "sensors": []}):
        pass
    Path(f"{log}.lock").write_text(f"{PID}\n{control_socket.socket_path(log.parent)}\n")
    code, whole = status_as_json(log, capsys)
    assert (code, whole["daemon"]["state_now"], whole["sensors"][0]["state"]) == (1, "crashed", "not running")


def test_a_daemon_that_does_not_answer_is_told_by_its_note(log: Path) -> None:
    """Within the time it is given; with an old note it hangs."""
    now = time.time_ns() // 1000
    note(log)
    with daemon(log, None), LogReader.open(log) as opened:
        began = time.monotonic()
        found = daemon_condition.condition(opened, now, 0.1)
        assert time.monotonic() - began < 2
        assert (found.state, found.answered) == ("running", False)
        assert "does not answer just now, by its note of" in found.explanation
        note(log, heartbeat_us=now - 60 * S)
        found = daemon_condition.condition(opened, now, 0.1)
        assert (found.state, found.explanation) == (
            "hung", f"pid {PID} does not answer and has not written its status for 1min; see its log"
        )  # fmt: skip


def test_a_daemon_that_may_not_be_asked_is_told_by_its_note(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's socket: no permission is no silence."""
    now = time.time_ns() // 1000
    note(log, heartbeat_us=now - 5 * S, **BLOCKED)

    def forbidden(*_: object) -> dict[str, Any]:
        raise PermissionError(13, "Permission denied")

    with daemon(log, {}), LogReader.open(log) as opened:
        monkeypatch.setattr(control_socket, "ask", forbidden)
        found = daemon_condition.condition(opened, now, 0.1)
    assert (found.state, found.answered) == ("blocked", False)
    assert found.explanation.endswith(": the disk is full, by its note of 5s ago")


def test_a_daemon_whose_socket_is_not_there_is_told_by_its_note(log: Path) -> None:
    """In another container its path leads nowhere: that is no silence either, and no sign that it hangs."""
    note(log)
    with DatabaseLock(log, Path("/nowhere/control.sock")), LogReader.open(log) as opened:
        found = daemon_condition.condition(opened, time.time_ns() // 1000, 0.1)
    assert (found.state, found.answered) == ("running", False)
    assert "by its note of" in found.explanation
    assert "does not answer" not in found.explanation


@pytest.mark.parametrize("answer", [{"daemon": "x"}, {}, {"daemon": {}, "sensors": 3}])
def test_an_answer_that_is_none_is_silence(log: Path, answer: dict[str, Any]) -> None:
    note(log)
    with daemon(log, answer), LogReader.open(log) as opened:
        assert daemon_condition.condition(opened, time.time_ns() // 1000, 1.0).answered is False


def test_a_database_that_cannot_be_read_leaves_the_daemon_to_be_asked(
    log: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Damaged under a living daemon: how that is, is told all the same; exit 1."""
    log.write_bytes(b"\xa5" * 4096)
    with daemon(log, {"daemon": {"pid": PID, "started_us": time.time_ns() // 1000, "given_up": 5, **BLOCKED}, "sensors": []}):
        code, whole = status_as_json(log, capsys)
        assert (code, whole["daemon"]["state_now"]) == (1, "blocked")
        assert "is a damaged database" in whole["error"]
        assert verb("status", "--db", str(log)) == 1
        shown = capsys.readouterr()
    assert "daemon    blocked" in shown.out
    assert "given up  5 readings" in shown.out
    assert "is a damaged database" in shown.err


FACTS = {
    "given_up": 1234,
    "incidents": 2,
    "work": [{"kind": "salvage", "done": 300, "total": 1000, "outcome": None}, {"kind": "mend", "done": 5, "total": None}],
    "wal_bytes": 12_300_000,
    "wal_held_by": ["grafana (pid 9)"],
    "parts": {"web": "the port is taken"},
    "rollup_error": "killed",
    "clock": {"state": "doubted", "sentence": "10 years ahead: not believed until it is synchronised"},
}
TOLD = [
    "given up  1,234 readings could not be stored and are lost",
    "incidents 2 times a damaged or replaced file was set aside: see 'db incidents'",
    "work      salvage: 300 of 1,000",
    "work      mend: 5",
    "wal       12.3 MB, kept from shrinking by grafana (pid 9)",
    "web       could not start: the port is taken",
    "roll-ups  killed",
]


def test_what_came_while_the_daemon_was_asked_is_not_in_the_future(log: Path) -> None:
    """The question takes its time, and the daemon goes on storing meanwhile."""
    note(log)
    with LogReader.open(log) as opened:
        newest = opened.conn.execute("SELECT max(ts) FROM readings").fetchone()[0]
        found = daemon_condition.Condition("running", "", True, {}, opened.sensors())
        rows = rows_of(opened, found, newest - 1)
    assert rows
    assert all("future" not in str(row["last"]) for row in rows)


def test_what_is_out_of_the_ordinary_has_a_line(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the table and on the live screen; what is not told of takes no room."""
    note(log)
    assert daemon_condition.remarks(json.loads("{}")) == []
    with daemon(log, {"daemon": {"pid": PID, "state": "writing", **FACTS}, "sensors": []}):
        verb("status", "--db", str(log))
        shown = capsys.readouterr().out.splitlines()
        with LogReader.open(log) as opened:
            screen = [text for text, _ in status_screen.lines(opened, status_screen.Rates(), rows_of)]
    assert [line for line in TOLD if line not in shown] == []
    assert [line for line in TOLD if line not in screen] == []
    assert "clock     10 years ahead: not believed until it is synchronised" in shown


def test_a_verb_is_sent_to_the_daemon_that_the_lock_names(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever link leads to the database; where the holder is no daemon, or a silent one, it is told at once."""
    asked: list[dict[str, Any]] = []
    link = tmp_path / "elsewhere"
    link.mkdir()
    (link / "other.db").symlink_to(log)

    def compact(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"freed_pages": 3, "more": False}

    with DatabaseLock(log, control_socket.socket_path(tmp_path)):
        server = control_socket.ControlServer(tmp_path, {"ping": lambda request: {}, "compact": compact})
        server.start()
        try:
            assert verb("db", "compact", "--db", str(link / "other.db")) == 0
        finally:
            server.stop()
        assert "3 pages given back" in capsys.readouterr().err
        assert len(asked) == 1
        assert verb("db", "compact", "--db", str(log)) == 1
        assert f"the daemon (pid {PID}) has the database and does not answer" in capsys.readouterr().err
    with DatabaseLock(log, None):
        assert verb("db", "compact", "--db", str(log)) == 1
        assert f"pid {PID} works on the database just now; try again" in capsys.readouterr().err


def test_a_daemon_with_another_database_is_not_asked(
    tmp_path: Path,
    log: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A backup in the data directory is not the daemon's database, though its socket is beside it."""
    other = tmp_path / "backup.db"
    other.write_bytes(log.read_bytes())
    server = control_socket.ControlServer(tmp_path, {"ping": lambda request: {}})
    with DatabaseLock(log, control_socket.socket_path(tmp_path)):
        server.start()
        try:
            assert verb("db", "compact", "--db", str(other)) == 0
        finally:
            server.stop()
    assert "through the daemon" not in capsys.readouterr().err


def test_the_offline_writer_is_not_waited_for_for_ever() -> None:
    """What blocks it is told; a writer that is only opening, or not there yet, is not blocked."""
    from sensorlogd.cli.blocked_writer import blocked_because

    class State:
        def __init__(self, value: str) -> None:
            self.value = value

    class Offline:
        def __init__(self, state: str, reason: str) -> None:
            self.state, self.state_reason = State(state), reason

        @property
        def writer(self) -> Offline:
            return self

        def stats(self) -> Offline:
            return self

    assert blocked_because(object()) is None
    assert blocked_because(Offline("opening", "")) is None
    assert blocked_because(Offline("writing", "")) is None
    assert blocked_because(Offline("opening", "damaged")) == "damaged"
    assert blocked_because(Offline("blocked", "")) == "no reason was given"


def test_a_backup_of_a_running_daemon_has_not_crashed(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says that it is a backup, and when it was made; a writer that goes on with it reports no unclean end."""
    note(log)
    copy = tmp_path / "elsewhere" / "b.db"
    copy.parent.mkdir()
    with daemon(log, {}):
        assert verb("backup", str(copy), "--db", str(log)) == 0
    capsys.readouterr()
    code, whole = status_as_json(copy, capsys)
    assert (code, whole["daemon"]["state_now"]) == (1, "stopped")
    assert whole["daemon"]["explanation"].startswith("this is a backup made at 20")
    verb("status", "--db", str(copy))
    assert capsys.readouterr().out.startswith("Nothing is logged: this is a backup made at 20")
    with Offline(copy):
        pass
    with LogReader.open(copy) as opened:
        assert [event.kind for event in opened.events() if event.kind == "unclean_end"] == []
        assert "backup_us" not in opened.daemon()
    with Offline(log):
        pass
    with LogReader.open(log) as opened:
        assert [event.kind for event in opened.events() if event.kind == "unclean_end"] == ["unclean_end"]


def test_who_may_not_use_the_socket_is_told_so(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By every verb that asks the daemon: neither that it does not answer, nor that none runs."""

    def forbidden(*_: object) -> dict[str, Any]:
        raise PermissionError(13, "Permission denied")

    with daemon(log, {}):
        monkeypatch.setattr(control_socket, "ask_patiently", forbidden)
        for arguments in (["note", "lab", "hello"], ["db", "compact"], ["clock"], ["clock", "--believe"]):
            assert verb(*arguments, "--db", str(log)) == 1
            said = capsys.readouterr().err
            assert f"{log.parent}: the daemon may not be asked by this user; run this as its user (" in said, arguments
            assert said.count("\n") == 1


def test_a_daemon_that_could_not_make_its_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is to start another one."""
    log = tmp_path / "log.db"
    with daemon(log, {"daemon": {"pid": PID, **BLOCKED}, "sensors": []}):
        assert verb("status", "--db", str(log)) == 1
    said = capsys.readouterr()
    assert f"there is no database yet, though a daemon runs: pid {PID} cannot write" in said.err
    assert "the disk is full" in said.err
    assert "has the daemon run" not in said.err
    with DatabaseLock(log, tmp_path / "control.sock"):
        assert verb("status", "--db", str(log)) == 1
    assert f"though a daemon runs: pid {PID}" in capsys.readouterr().err
    assert verb("status", "--db", str(log)) == 1
    assert "has the daemon run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data_dir", "why"),
    [("FILE", "is a file, not a folder; name another folder, or move that file away"), ("/proc/foo", "/proc holds no files")],
)
def test_a_data_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str], data_dir: str, why: str) -> None:
    """``run`` says what to do, in the words of ``check``."""
    file, config = tmp_path / "file", tmp_path / "sensorlogd.yaml"
    file.touch()
    config.write_text(json.dumps({"daemon": {"data_dir": data_dir.replace("FILE", str(file))}, "sensors": {}}))
    assert verb("run", "-c", str(config)) == 1
    said = capsys.readouterr().err
    assert ("daemon.data_dir" in said, why in said) == (True, True), said


def test_what_was_imported_beside_what_never_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``latest`` lists both, in the words of its documentation; ``status`` says that no daemon has read the configured one."""
    config, file = tmp_path / "sensorlogd.yaml", tmp_path / "f.csv"
    sensor = {"driver": "simulated", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}
    config.write_text(json.dumps({"daemon": {"data_dir": str(tmp_path / "data")}, "sensors": {"live": sensor}}))
    file.write_text("t,x\n2026-01-01,1\n")
    assert verb("import", str(file), "-c", str(config), "--time", "t", "--sensor", "old") == 0
    capsys.readouterr()
    assert verb("latest", "-c", str(config), "--format", "json") == 4
    assert {row["sensor"]: row["state"] for row in json.loads(capsys.readouterr().out)} == {"live": "never", "old": "history"}
    assert verb("latest", "old", "-c", str(config), "--format", "json") == 4
    capsys.readouterr()
    assert verb("status", "-c", str(config)) == 1
    said = capsys.readouterr().out
    assert " ".join(said.split()).startswith(
        "Nothing is logged yet: 1 sensor is configured, and no daemon has run. 1 sensor was imported. Start one: "
    )
    assert [line.split()[:2] for line in said.splitlines() if line.startswith(("live", "old"))] == [
        ["live", "never"],
        ["old", "imported"],
    ]
