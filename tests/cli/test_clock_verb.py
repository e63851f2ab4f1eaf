"""The verb ``clock``: with a daemon it asks it, without one it reads what it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sensorlogd.cli.clock_verb import clock
from sensorlogd.daemon.control.answers import Json
from sensorlogd.daemon.control.control_socket import ControlServer
from sensorlogd.daemon.control.handlers.clock import answer_clock
from sensorlogd.daemon.control.requests.daemon import ClockRequest
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest import status
from tests.connections import connect_writer

T0 = 1_900_000_000_000_000
YEAR = 365 * 86_400_000_000


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(clock, ["--db", str(path), *arguments])


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    target = tmp_path / "log.db"
    target.write_bytes(fresh.read_bytes())
    return target


@pytest.fixture
def ahead(path: Path) -> Iterator[JudgedClock]:
    """A clock ten years ahead, and a control socket that answers for it."""
    wall = T0 + 10 * YEAR
    judged = JudgedClock(wall_ns=lambda: wall * 1000, steady_ns=lambda: 10**9, ask=lambda: None, boot="one")
    judged.anchor(T0)

    def answer(said: Json) -> Json:
        return answer_clock(judged, ClockRequest.of(said), wall_us=lambda: wall)

    server = ControlServer(path.parent, {"clock": answer})
    server.start()
    yield judged
    server.stop()


def test_it_shows_what_the_daemon_thinks(path: Path, ahead: JudgedClock) -> None:
    """In words and as JSON; exit 1 because something is wrong."""
    done = run(path)
    assert done.exit_code == 1
    assert "ahead since" in done.output
    assert "sensorlogd clock --believe" in done.output
    assert "nobody here tells" in done.output
    whole = json.loads(run(path, "--format", "json").output)
    assert whole["running"] is True
    assert whole["clock"]["state"] == "ahead"
    assert whole["clock"]["offset_s"] == 10 * YEAR / 1e6
    assert (whole["wall_us"], whole["stamp_us"], whole["safe_us"]) == (T0 + 10 * YEAR, T0 + 10 * YEAR, T0)


def test_the_owner_says_that_it_is_right(path: Path, ahead: JudgedClock) -> None:
    """From then on it is."""
    done = run(path, "--believe")
    assert done.exit_code == 0
    assert "its owner says" in done.output
    assert ahead.safe_us() == T0 + 10 * YEAR
    assert run(path).exit_code == 0


def test_without_a_daemon_it_shows_what_was_written(path: Path) -> None:
    conn = connect_writer(path)
    facts: dict[str, Any] = {
        "state": "behind",
        "since_us": T0,
        "offset_s": -5.0,
        "sentence": "the wall clock is 5s behind",
        "synchronised": False,
    }
    status.save_daemon(conn, {"clock": facts})
    conn.execute("INSERT INTO meta(key, value) VALUES ('believed_us', ?)", (str(T0),))
    close_cleanly(conn)
    done = run(path)
    assert done.exit_code == 1
    assert "not running" in done.output
    assert "believed  2030-03-17T17:46:40Z" in done.output
    assert "the wall clock is 5s behind" in done.output
    assert "it is not synchronised" in done.output
    assert json.loads(run(path, "--format", "json").output)["clock"] == facts


def test_nothing_to_tell_is_told_too(path: Path, tmp_path: Path) -> None:
    """A database of an older release, one that is not there, and nobody who could believe."""
    assert "nothing is known" in run(path).output
    done = run(path, "--believe")
    assert done.exit_code == 1
    assert "no daemon runs" in done.output
    done = run(tmp_path / "absent.db")
    assert done.exit_code == 1
    assert "absent.db" in done.output


def test_an_older_daemon_that_does_not_know_the_request_is_no_traceback(path: Path) -> None:
    server = ControlServer(path.parent, {})
    server.start()
    try:
        done = run(path)
    finally:
        server.stop()
    assert done.exit_code == 1
    assert "unknown request 'clock'" in done.output


def test_believe_is_a_yes_or_a_no(path: Path, ahead: JudgedClock) -> None:
    from sensorlogd.daemon.control import control_socket

    answer = control_socket.ask(path.parent, {"do": "clock", "believe": "yes"})
    assert not answer["ok"]
    assert ahead.safe_us() == T0
