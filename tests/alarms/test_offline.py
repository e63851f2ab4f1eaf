"""``alarms ack`` and ``alarms mute`` while no daemon runs: the log says it, and the next run goes by it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.keeping import alarm_rows
from sensorlogd.daemon.control.handlers.alarms import acknowledge
from sensorlogd.daemon.control.requests.alarms import AlarmAckRequest
from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.storage.alarms.states import AlarmRow
from tests.alarms.receiver import Receiver
from tests.alarms.test_daemon import configuration, query, verb
from tests.rig import Daemon, until

pytestmark = pytest.mark.usefixtures("forked_verbs")

HIGH = {
    "s": {"driver": "simulated", "interval": "50ms", "channels": {"x": {"unit": "°C", "signal": {"constant": {"value": 30}}}}}
}
ALARMS = {
    "hot": {"series": "s.x", "when": "> 20", "notify": "hook", "text": "open a window"},
    "cold": {"series": "s.x", "when": "< 0", "notify": "hook"},
}


def raised(folder: Path, receiver: Receiver) -> Path:
    """A log whose alarm ``hot`` is raised and told; its daemon has ended."""
    config = configuration(folder, receiver.url, sensors=HIGH, alarms=ALARMS)
    with Daemon(config, folder / "data") as daemon:
        daemon.wait_ready()
        until(lambda: receiver.kinds() == ["raised"], "to be told")
        until(lambda: query(folder, "SELECT 1 FROM notification WHERE state = 'sent'"), "that to be stored")
        assert daemon.stop() == 0
    return config


def run_until(config: Path, folder: Path, condition: Any, what: str) -> None:
    with Daemon(config, folder / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        until(condition, what)
        assert daemon.stop() == 0


def states(config: Path) -> dict[str, str]:
    listed = json.loads(verb(config, "alarms", "list", "--all", "--format", "json").stdout)
    return {alarm["alarm"]: alarm["state"] for alarm in listed}


def test_acknowledged_while_no_daemon_runs(tmp_path: Path, receiver: Receiver) -> None:
    """The state, its change and the event are there at once; the next run tells nobody again."""
    config = raised(tmp_path, receiver)
    done = verb(config, "alarms", "ack", "hot", "--note", "window is open")
    assert (done.returncode, done.stderr) == (0, "acknowledged: hot/s.x\n")
    assert states(config) == {"hot": "acknowledged", "cold": "normal"}
    assert query(tmp_path, "SELECT before, after, value, detail FROM alarm_change WHERE kind = 'acknowledged'") == [
        ("unacknowledged", "acknowledged", 30.0, "window is open")
    ]
    assert query(tmp_path, "SELECT sensor FROM event WHERE kind = 'alarm_acknowledged'") == [("s",)]
    again = verb(config, "alarms", "ack", "--all")
    assert (again.returncode, again.stderr) == (3, "none of them waits to be acknowledged\n")
    count = "SELECT count(*) FROM recent"
    ((before,),) = query(tmp_path, count)
    run_until(config, tmp_path, lambda: query(tmp_path, count)[0][0] > before + 2, "readings to be judged")
    assert states(config)["hot"] == "acknowledged"
    assert receiver.kinds() == ["raised"]


def test_muted_while_no_daemon_runs(tmp_path: Path, receiver: Receiver) -> None:
    """Its time is that of the next run. Ended, the next run tells what is raised, once."""
    config = raised(tmp_path, receiver)
    done = verb(config, "alarms", "mute", "*", "--for", "2h", "--note", "cleaning")
    assert (done.returncode, done.stderr) == (0, "muted for 2h: cold/s.x, hot/s.x\n")
    assert states(config) == {"hot": "shelved", "cold": "shelved"}
    marked = "SELECT shelved_until_us FROM alarm WHERE name = 'hot'"
    ((until_us,),) = query(tmp_path, marked)
    run_until(config, tmp_path, lambda: query(tmp_path, marked)[0][0] > until_us, "it to be taken over")
    assert states(config) == {"hot": "shelved", "cold": "shelved"}
    ended = verb(config, "alarms", "mute", "*", "--end")
    assert ended.returncode == 0
    assert ended.stderr == "no longer muted: cold/s.x\nno longer muted, and announced, when the daemon runs: hot/s.x\n"
    assert states(config) == {"hot": "shelved", "cold": "normal"}
    assert receiver.kinds() == ["raised"]
    run_until(config, tmp_path, lambda: receiver.kinds() == ["raised", "raised"], "what is raised to be told")
    assert states(config) == {"hot": "unacknowledged", "cold": "normal"}


def test_an_alarm_that_is_none_is_answered_with_those_there_are() -> None:
    """All of them, or where they would be written."""
    with pytest.raises(ValueError, match=r"^no alarm 'x'; none is configured under alarms:$"):
        acknowledge(Judge(), AlarmAckRequest(("x",)), 0)


def test_what_cannot_be_done_without_a_daemon_says_why(tmp_path: Path, receiver: Receiver) -> None:
    """A name that is none, a log that another process holds, none at all."""
    config = configuration(tmp_path, receiver.url, sensors=HIGH, alarms=ALARMS)
    none = verb(config, "alarms", "ack", "--all")
    assert none.returncode == 1
    assert "no such database" in none.stderr
    raised(tmp_path, receiver)
    unknown = verb(config, "alarms", "mute", "hut", "--for", "1h")
    assert (unknown.returncode, unknown.stderr) == (2, "sensorlogd: no alarm 'hut' (did you mean 'hot'?); known: cold, hot\n")
    lock = DatabaseLock(tmp_path / "data" / "sensorlogd.db", None)
    lock.acquire()
    try:
        held = verb(config, "alarms", "ack", "hot")
    finally:
        lock.release()
    assert held.returncode == 1
    assert "works on the database just now; try again when it is done" in held.stderr
    assert states(config)["hot"] == "unacknowledged"


@pytest.mark.parametrize("subject", ["s.x", "s", ""])
def test_a_stored_alarm_is_stored_the_same_again(subject: str) -> None:
    """Whatever was not touched stays as it was."""
    row = AlarmRow(
        name="a", subject=subject, definition="{}", condition="> 20", severity="critical", unit="K" if "." in subject else "",
        state="unacknowledged", since_us=5, held_at=7, raised_at=8, raised_us=9, told_at=10, last_at=11, escalated=1, value=3.5,
        detail="d", raises=2, note="n", shelved_until_at=40, shelved_until_us=140, text="t",
    )  # fmt: skip
    assert alarm_rows.row(alarm_rows.alarm_of(row), 0, 100) == row


def test_an_alarm_of_an_older_log_is_muted_too(tmp_path: Path, receiver: Receiver) -> None:
    """Without the mark of the time watched (a run that was killed before it): it is muted all the same."""
    config = raised(tmp_path, receiver)
    with closing(sqlite3.connect(tmp_path / "data" / "sensorlogd.db")) as conn, conn:
        conn.execute("DELETE FROM meta WHERE key = 'alarms_watched'")
    assert verb(config, "alarms", "mute", "hot", "--for", "2h").returncode == 0
    assert states(config)["hot"] == "shelved"
