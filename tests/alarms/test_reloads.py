"""SIGHUP while alarms are raised, pending, and wait to be told: each as the new file has it, and nobody is told twice."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from tests.alarms.receiver import Receiver
from tests.alarms.test_daemon import configuration, query
from tests.rig import Daemon, until


def signals(**values: float) -> dict[str, Any]:
    return {
        name: {"driver": "simulated", "interval": "50ms", "channels": {"x": {"signal": {"constant": {"value": value}}}}}
        for name, value in values.items()
    }


def over(line: int, **more: Any) -> dict[str, Any]:
    return {"series": "*", "when": f"> {line}", "notify": "hook", **more}


def reload(daemon: Daemon) -> None:
    known = daemon.log.read_text().count("reload: started")
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.log.read_text().count("reload: started") > known, "the reload")


def changes(folder: Path) -> list[tuple[str, str]]:
    found = query(folder, "SELECT name || '/' || subject, kind FROM alarm_change ORDER BY id")
    return [(str(name), str(kind)) for name, kind in found]


def test_raised_alarms_over_reloads(tmp_path: Path, receiver: Receiver) -> None:
    """One that stays is not told again; one that is changed, renamed or new is; one that is removed is gone. A series that
    appears later is met by the glob."""
    first = {"stays": over(20), "moves": over(20), "goes": over(20), "former": over(20), "waits": over(20, **{"for": "1h"})}
    config = configuration(tmp_path, receiver.url, sensors=signals(s=30), alarms=first)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(receiver.alarms) == 4, "four to be told")
        until(lambda: query(tmp_path, "SELECT 1 FROM alarm WHERE name = 'waits' AND state = 'pending'"), "one to wait")
        ((held_at,),) = query(tmp_path, "SELECT held_at FROM alarm WHERE name = 'waits'")
        second = {
            "stays": over(20, severity="critical", text="shut it"),
            "moves": over(25),
            "latter": over(20),
            "waits": over(20, **{"for": "1h"}, severity="critical"),
        }
        configuration(tmp_path, receiver.url, sensors=signals(s=30, late=40), alarms=second)
        reload(daemon)
        wanted = {"moves/s.x", "latter/s.x", "stays/late.x", "moves/late.x", "latter/late.x"}
        until(
            lambda: {f"{alarm['alarm']}/{alarm['sensor']}.x" for alarm in receiver.alarms[4:]} >= wanted, "the others to be told"
        )
        known = len(receiver.alarms)
        reload(daemon)  # the same again
        daemon.commit()
        assert query(tmp_path, "SELECT held_at, severity FROM alarm WHERE name = 'waits' AND subject = 's.x'") == [
            (held_at, "critical")
        ]
        assert query(tmp_path, "SELECT severity, text FROM alarm WHERE name = 'stays' AND subject = 's.x'") == [
            ("critical", "shut it")
        ]
        assert daemon.stop() == 0
    assert len(receiver.alarms) == known == 9
    assert set(receiver.kinds()) == {"raised"}
    assert {("moves/s.x", "redefined"), ("goes/s.x", "removed"), ("former/s.x", "removed")} <= set(changes(tmp_path))
    assert {name for (name,) in query(tmp_path, "SELECT DISTINCT name FROM alarm")} == {"stays", "moves", "latter", "waits"}


def test_a_target_that_is_removed_with_what_waits_for_it(tmp_path: Path, receiver: Receiver) -> None:
    """It is down, so messages wait; then it is removed, and another one told of that. Nothing waits for ever."""
    whole = {
        "sensors": signals(s=30),
        "alarms": {
            "hot": over(20),
            "lost": {"events": "notify_given_up", "notify": "other"},
        },
    }
    receiver.status = 503
    with Receiver() as other:
        hooks = {"hook": {"webhook": receiver.url}, "other": {"webhook": other.url, "group": "0s"}}
        config = configuration(tmp_path, "", **whole, notify=hooks)
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(lambda: receiver.refused, "a try")
            whole["alarms"]["hot"]["notify"] = "other"
            configuration(tmp_path, "", **whole, notify={"other": hooks["other"]})
            reload(daemon)
            until(lambda: [alarm for alarm in other.alarms if alarm["alarm"] == "lost"], "to be told of it")
            daemon.commit()
            assert daemon.stop() == 0
        (lost,) = (alarm for alarm in other.alarms if alarm["alarm"] == "lost")
    assert lost["detail"] == "notify_given_up: hook: 1 notifications were not delivered: there is no such target any more"
    states = dict(query(tmp_path, "SELECT target, state FROM notification"))
    assert states["hook"] == "given up"
    assert json.loads(config.read_text())["alarms"]["hot"]["notify"] == "other"
