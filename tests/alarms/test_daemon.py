"""Alarms of a real daemon, told to a real web hook: through locks, full disks, kills and slow targets."""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.alarms.receiver import Receiver
from tests.cli.running import run
from tests.faults.test_blocked import locked
from tests.rig import Daemon, Port, reading, until
from tests.torture.shim import Machine, library

pytestmark = pytest.mark.usefixtures("forked_verbs")

SQUARE = {"square": {"period": "1s", "low": 0, "high": 30}}


def configuration(folder: Path, url: str, **more: Any) -> Path:
    """A value that is 0 and 30 in turn, and an alarm when it is above 20."""
    path = folder / "sensorlogd.yaml"
    whole: dict[str, Any] = {
        "daemon": {"data_dir": str(folder / "data")},
        "storage": {"commit_interval": "50ms", "min_free": "0B"},
        "sensors": {"s": {"driver": "simulated", "interval": "50ms", "channels": {"x": {"unit": "°C", "signal": SQUARE}}}},
        "notify": {"hook": {"webhook": url, "group": "0s", "limit": 3600}},
        "alarms": {"hot": {"series": "s.x", "when": "> 20", "notify": "hook"}},
    }
    path.write_text(json.dumps(whole | more))
    return path


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with reading(folder / "data" / "sensorlogd.db") as conn:
        return conn.execute(sql).fetchall()


def verb(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(*words, "-c", str(config), check=None)


def test_from_a_reading_to_the_message_and_back(tmp_path: Path, receiver: Receiver) -> None:
    """Raised, told, acknowledged through the daemon, muted; all of it is seen by the verbs, and no address is."""
    config = configuration(tmp_path, receiver.url)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(receiver.alarms) >= 2, "a message of each kind")
        assert receiver.kinds()[:2] == ["raised", "resolved"]
        first = receiver.alarms[0]
        assert (first["sensor"], first["channel"], first["value"], first["unit"]) == ("s", "x", 30.0, "°C")
        until(lambda: "hot" in verb(config, "alarms", "list").stdout, "it to be listed")
        assert verb(config, "alarms", "mute", "hot", "--for", "1h", "--note", "cleaning").returncode == 0
        until(lambda: "shelved" in verb(config, "alarms", "list").stdout, "it to be muted")
        received = len(receiver.alarms)
        status = verb(config, "status")
        assert "1 shelved: hot of s.x (warning)" in status.stdout
        assert verb(config, "alarms", "test", "hook").returncode == 0
        assert receiver.kinds()[-1] == "test"
        assert len(receiver.alarms) <= received + 2
        assert verb(config, "alarms", "mute", "hot", "--end").returncode == 0
        until(lambda: "acknowledged: hot/s.x" in verb(config, "alarms", "ack", "hot", "--note", "seen").stderr, "to acknowledge")
        unknown = verb(config, "alarms", "ack", "hut")
        assert unknown.returncode == 2
        assert "no alarm 'hut' (did you mean 'hot'?)" in unknown.stderr
        whole = [verb(config, *words).stdout for words in (["status", "--format", "json"], ["check"], ["alarms", "show", "hot"])]
        assert "tells hook" in whole[1]
        assert whole[2].startswith("alarm        hot\n")  # and its newest changes, of which there are many meanwhile
        assert daemon.stop() == 0
        everything = "".join(whole) + daemon.log.read_text()
    assert "secret-path" not in everything
    assert "secret-path" not in str(query(tmp_path, "SELECT * FROM notification") + query(tmp_path, "SELECT * FROM event"))
    history = verb(config, "alarms", "history", "--format", "json").stdout
    [(noted,)] = query(tmp_path, "SELECT detail FROM alarm_change WHERE kind = 'shelved'")
    assert "cleaning" in noted
    assert {"raised", "returned", "shelved", "unshelved", "acknowledged"} <= {change["kind"] for change in json.loads(history)}
    tried = json.loads(verb(config, "alarms", "try", "--since", "-1h", "--format", "json").stdout)
    assert tried[0]["raised"] == len(query(tmp_path, "SELECT 1 FROM alarm_change WHERE kind = 'raised'"))


def test_a_change_is_sent_within_a_second_of_its_commit(tmp_path: Path, receiver: Receiver) -> None:
    """With the usual settings: a commit a second, and half a second for others to come."""
    steady = {
        "s": {
            "driver": "simulated",
            "interval": "1s",
            "channels": {"x": {"signal": {"square": {"period": "8s", "low": 0, "high": 30}}}},
        }
    }
    config = configuration(
        tmp_path, receiver.url, storage={"min_free": "0B"}, sensors=steady, notify={"hook": {"webhook": receiver.url}}
    )
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        for _ in range(2):
            until(partial(receiver.has_more_than, len(receiver.alarms)), "the next message")
        assert daemon.stop() == 0
    sent = query(tmp_path, "SELECT made_us, ended_us FROM notification WHERE state = 'sent'")
    delays_s = [(ended_us - made_us) / 1e6 for made_us, ended_us in sent]
    assert min(delays_s) < 2.0, delays_s  # the quickest: a busy machine may hold up any


def test_a_lock_is_told_at_once_and_recorded_later(tmp_path: Path, receiver: Receiver) -> None:
    """A real lock: while nothing can be committed, that and what values do is told; afterwards all of it is stored, once."""
    alarms: dict[str, Any] = {"hot": {"series": "s.x", "when": "> 20", "notify": "hook"}}
    alarms["db"] = {"events": ["database_blocked"], "until": "recovered", "notify": "hook", "severity": "critical"}
    config = configuration(tmp_path, receiver.url, alarms=alarms)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        with locked(tmp_path / "data" / "sensorlogd.db"):
            until(lambda: [alarm for alarm in receiver.alarms if alarm["alarm"] == "db"], "to be told of the lock")
            hot = len(receiver.alarms)
            until(lambda: len(receiver.alarms) > hot + 2, "to be told of values, too")
            stored = query(tmp_path, "SELECT count(*) FROM notification")[0][0]
            assert stored < len(receiver.counts())
            assert daemon.ask("status")["daemon"]["state"] == "blocked"
            assert daemon.ask("alarm_ack", alarms=["db"])["acknowledged"] == ["db/"]
        until(lambda: daemon.ask("status")["daemon"]["state"] == "writing", "state writing")
        until(
            lambda: [alarm for alarm in receiver.alarms if alarm["alarm"] == "db" and alarm["kind"] == "resolved"],
            "the end of it",
        )
        daemon.commit()
        assert daemon.stop() == 0
    assert_all_told_once(tmp_path, receiver)
    assert [kind for (kind,) in query(tmp_path, "SELECT kind FROM alarm_change WHERE name = 'db' ORDER BY ts")] == [
        "raised",
        "acknowledged",
        "returned",
    ]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    try:
        library()
    except FileNotFoundError as error:
        needs._missing(str(error))
    with Machine(tmp_path / "machine.plan", prefix=tmp_path / "data", seed=1) as made:
        yield made


def test_a_full_disk_is_told_at_once_and_recorded_later(tmp_path: Path, receiver: Receiver, machine: Machine) -> None:
    """Every write says ENOSPC: a monitor that falls silent with the disk is the failure that people remember."""
    alarms: dict[str, Any] = {"full": {"events": ["disk_low", "database_blocked"], "until": "recovered", "notify": "hook"}}
    alarms["hot"] = {"series": "s.x", "when": "> 20", "notify": "hook"}
    config = configuration(tmp_path, receiver.url, alarms=alarms)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        machine.set(faults=[("pwrite", "ENOSPC", 1000)])
        until(lambda: [alarm for alarm in receiver.alarms if alarm["alarm"] == "full"], "to be told of the disk")
        known = len(receiver.alarms)
        until(lambda: len(receiver.alarms) > known + 2, "to be told of values, too")
        machine.heal()
        until(lambda: daemon.ask("status")["daemon"]["state"] == "writing", "state writing")
        daemon.commit()
        assert daemon.stop() == 0
    assert_all_told_once(tmp_path, receiver)


def assert_all_told_once(folder: Path, receiver: Receiver, kills: int = 0) -> None:
    """What is stored as sent was received; nothing was received that is not stored; changes alternate."""
    stored = dict(query(folder, "SELECT identity, state FROM notification"))
    counts = receiver.counts()
    assert {identity for identity, state in stored.items() if state == "sent"} <= set(counts)
    if not kills:
        assert set(counts) <= set(stored)
    doubled = {identity: n for identity, n in counts.items() if n > 1}
    assert sum(doubled.values()) - len(doubled) <= kills, doubled
    kinds = [kind for (kind,) in query(folder, "SELECT kind FROM alarm_change WHERE name = 'hot' ORDER BY id")]
    assert all(a != b for a, b in itertools.pairwise(kinds)), kinds


def killed(folder: Path, receiver: Receiver, kills: int, seed: int) -> None:
    """SIGKILL at random moments; then a run that is left alone until nothing waits."""
    dice = random.Random(seed)
    config = configuration(folder, receiver.url)
    for number in range(kills):
        with Daemon(config, folder / "data") as daemon:
            daemon.wait_ready()
            if number % 2:  # in the midst of a change
                known = len(receiver.alarms)
                until(partial(receiver.has_more_than, known), "a message")
                time.sleep(dice.uniform(0.0, 0.02))
            else:
                time.sleep(dice.uniform(0.0, 1.2))
            daemon.kill()
    with Daemon(config, folder / "data") as daemon:
        daemon.wait_ready()
        until(lambda: not query(folder, "SELECT 1 FROM notification WHERE state = 'waiting' LIMIT 1"), "all to be sent")
        daemon.stop()
    assert_all_told_once(folder, receiver, kills)
    received = set(receiver.counts())
    lost = [
        identity
        for identity, state in query(folder, "SELECT identity, state FROM notification")
        if state != "waiting" and identity not in received
    ]
    assert lost == []


def test_kills_lose_no_notification(tmp_path: Path, receiver: Receiver) -> None:
    """And send none twice more than once a kill."""
    killed(tmp_path, receiver, 6, 1)


@pytest.mark.soak
def test_two_hundred_kills_lose_no_notification(tmp_path: Path, receiver: Receiver) -> None:
    """SENSORLOGD_TESTS_KILLS: another number."""
    killed(
        tmp_path,
        receiver,
        int(os.environ.get("SENSORLOGD_TESTS_KILLS", "200")),
        int(os.environ.get("SENSORLOGD_TESTS_SEED", "1")),
    )


def test_a_slow_target_delays_neither_logging_nor_the_end(tmp_path: Path, receiver: Receiver) -> None:
    """It takes thirty seconds for a message; the daemon ends at once, and the next run sends it."""
    config = configuration(tmp_path, receiver.url)
    receiver.gate.clear()
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: query(tmp_path, "SELECT count(*) FROM notification")[0][0] > 2, "some to wait")
        began = time.monotonic()
        daemon.commit()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 10
    receiver.gate.set()
    waiting = {identity for (identity,) in query(tmp_path, "SELECT identity FROM notification WHERE state = 'waiting'")}
    assert waiting
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: waiting <= set(receiver.counts()), "them to be sent")
        assert daemon.stop() == 0


def test_forty_sensors_behind_one_dead_hub_are_one_message(tmp_path: Path, receiver: Receiver) -> None:
    """Forty ports go at once; and they come back in one message, too."""
    ports = {f"p{n}": Port(tmp_path / f"tty{n}") for n in range(40)}
    sensors = {
        name: {
            "driver": "serial",
            "port": str(port.path),
            "heartbeat": "3s",
            "format": {"type": "csv", "fields": ["x"]},
            "channels": {"x": {}},
        }
        for name, port in ports.items()
    }
    alarms = {"silent": {"series": "*", "when": "missing", "notify": "hook"}}
    config = configuration(
        tmp_path,
        receiver.url,
        sensors=sensors,
        alarms=alarms,
        notify={"hook": {"webhook": receiver.url}},
        storage={"min_free": "0B"},
    )
    try:
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()

            def send() -> bool:
                for port in ports.values():
                    if port.master >= 0:
                        os.write(port.master, b"1.5\n")
                time.sleep(0.2)
                return bool(query(tmp_path, "SELECT count(DISTINCT series_id) FROM recent")[0][0] == 40)

            until(send, "all to be logged")
            before = len(receiver.messages)
            assert send()
            for port in ports.values():
                port.unplug()
            until(lambda: len(receiver.messages) > before, "a message")
            message = receiver.messages[before]
            assert len(message["alarms"]) == 40
            assert "p7.x has sent nothing for 3s" in message["text"]
            assert daemon.stop() == 0
        assert len([sent for sent in receiver.messages[before:] if sent["alarms"][0]["kind"] == "raised"]) == 1
    finally:
        for port in ports.values():
            port.close()


def test_a_reload_changes_alarms_and_leaves_the_others(tmp_path: Path, receiver: Receiver) -> None:
    """A line that is moved begins anew; an unknown target is refused with its place, and everything goes on."""
    config = configuration(tmp_path, receiver.url)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: receiver.alarms, "a message")
        good = config.read_text()
        config.write_text(good.replace('"notify": "hook"', '"notify": "hok"'))
        refused = daemon.ask("reload")
        assert not refused["ok"]
        assert "alarms.hot.notify: unknown target 'hok' (did you mean 'hook'?)" in str(refused["errors"])
        config.write_text(good.replace("> 20", "> 25"))
        assert daemon.ask("reload")["ok"]
        until(lambda: query(tmp_path, "SELECT 1 FROM alarm_change WHERE kind = 'redefined'"), "it to begin anew")
        assert query(tmp_path, "SELECT condition FROM alarm") == [("> 25",)]
        assert daemon.stop() == 0


def test_a_log_of_an_older_release_shows_no_alarms(tmp_path: Path, receiver: Receiver) -> None:
    """The table is not there: the verb says so and does not fail."""
    config = configuration(tmp_path, receiver.url)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        assert daemon.stop() == 0
    conn = sqlite3.connect(tmp_path / "data" / "sensorlogd.db")
    conn.execute("DROP TABLE alarm")
    conn.close()
    assert "no alarms are configured" in verb(config, "alarms", "list").stderr
