"""SIGHUP: one sensor added, one changed, one removed, one bad file; the others never pause."""

from __future__ import annotations

import json
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.rig import Daemon, reading, rows, until


def sensor(step: int = 1) -> dict[str, Any]:
    return {
        "driver": "simulated",
        "interval": "10ms",
        "channels": {"n": {"kind": "counter", "signal": {"counter": {"step": step}}}},
    }


def write(path: Path, folder: Path, sensors: dict[str, Any]) -> None:
    """Written aside and renamed, as careful editors do."""
    new = path.with_suffix(".new")
    storage = {"commit_interval": "20ms", "min_free": "0B"}
    new.write_text(json.dumps({"daemon": {"data_dir": str(folder / "data")}, "storage": storage, "sensors": sensors}))
    new.replace(path)


def reloads(database: Path) -> list[tuple[str, str]]:
    with reading(database) as conn:
        return conn.execute(
            "SELECT kind, detail FROM event WHERE kind IN ('config_reloaded', 'config_rejected') ORDER BY id"
        ).fetchall()


def values(database: Path, name: str) -> list[float | None]:
    return [value for _, _, value, _ in rows(database, name, "n")]


def test_reload_restarts_only_what_changed(tmp_path: Path) -> None:
    """kept never pauses, changed starts anew, removed ends, added begins; a bad file changes nothing and says why."""
    config, database = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db"
    write(config, tmp_path, {"kept": sensor(), "changed": sensor(), "removed": sensor()})
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: all(values(database, name) for name in ("kept", "changed", "removed")), "first readings")

        write(config, tmp_path, {"kept": sensor(), "changed": sensor(step=100), "added": sensor()})
        daemon.signal(signal.SIGHUP)
        until(lambda: len(reloads(database)) == 1, "the first reload")
        until(lambda: values(database, "added"), "readings of the new sensor")
        until(lambda: 100 in values(database, "changed"), "readings of the changed sensor")
        gone = values(database, "removed")

        write(config, tmp_path, {"kept": sensor() | {"intervall": "1s"}, "added": {"driver": "simulatet"}})
        daemon.signal(signal.SIGHUP)
        until(lambda: [kind for kind, _ in reloads(database)].count("config_rejected") == 2, "both errors")
        answer = daemon.ask("reload")
        assert not answer["ok"]
        assert len(answer["errors"]) == 2
        status = daemon.ask("status")["daemon"]
        assert any("intervall: unknown key (did you mean 'interval'?)" in line for line in status["config_errors"])
        assert any("unknown driver 'simulatet' (did you mean 'simulated'?)" in line for line in status["config_errors"])
        before = len(values(database, "added"))
        until(lambda: len(values(database, "added")) > before + 10, "logging to go on")

        write(config, tmp_path, {"kept": sensor(), "changed": sensor(step=100), "added": sensor()})
        assert daemon.ask("reload")["ok"]
        assert daemon.ask("status")["daemon"]["config_errors"] == []
        assert daemon.stop() == 0
        messages = daemon.notified() if daemon.process.poll() is None else daemon.messages
    assert any("RELOADING=1" in message and "MONOTONIC_USEC=" in message for message in messages)
    assert values(database, "removed") == gone
    for name in ("kept", "added"):
        found = values(database, name)
        assert found == list(range(len(found))), f"{name} paused or began anew"
    changed = values(database, "changed")
    restarts = [b for a, b in pairwise(changed) if b != a + 1 and b != a + 100]  # type: ignore[operator]  # none is missing
    assert restarts == [0.0], "changed began anew exactly once"


ONE_FILE = """
from sensorlogd.batch import Sample
from sensorlogd.config.models import ChannelOptions, SensorOptions
from sensorlogd.drivers.contract import Driver

class Options(SensorOptions):
    def channel_options(self):
        return {"n": ChannelOptions()}

class Acme(Driver):
    Options = Options
    def open(self): ...
    def read(self, timeout_s):
        self.context.wait(0.02)
        return [Sample(None, {"n": %d})]
    def close(self): ...
"""


def test_a_driver_that_is_one_file_is_reloaded(tmp_path: Path) -> None:
    """Its own sensor starts anew with the new code though no key of it has changed; a mistake in it refuses the reload."""
    config, database, driver = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db", tmp_path / "acme.py"
    driver.write_text(ONE_FILE % 1)
    write(config, tmp_path, {"kept": sensor(), "acme": {"driver": f"{driver}:Acme"}})
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: values(database, "acme") and values(database, "kept"), "first readings")
        driver.write_text(ONE_FILE % 2)
        daemon.signal(signal.SIGHUP)
        until(lambda: 2.0 in values(database, "acme"), "readings of the new code")
        driver.write_text("class Acme(\n")
        answer = daemon.ask("reload")
        assert not answer["ok"]
        assert "acme.py cannot be loaded: SyntaxError" in answer["errors"][0]
        before = len(values(database, "acme"))
        until(lambda: len(values(database, "acme")) > before + 3, "logging to go on")
        driver.write_text(ONE_FILE % 3)
        assert daemon.ask("reload")["ok"]
        until(lambda: 3.0 in values(database, "acme"), "readings of the mended code")
        assert daemon.stop() == 0
    found, kept = values(database, "acme"), values(database, "kept")
    assert found == sorted(found, key=lambda value: value or 0.0)
    assert kept == list(range(len(kept))), "the other one never paused"


def test_a_broken_file_at_start_does_not_silence_the_site(tmp_path: Path) -> None:
    """The accepted configuration was kept: run starts from it, and says so; --strict exits 78."""
    config, database = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db"
    write(config, tmp_path, {"a": sensor()})
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: values(database, "a"), "readings")
        assert daemon.stop() == 0
    before = len(values(database, "a"))
    config.write_text(config.read_text().replace('"simulated"', '"simulatd"'))
    with Daemon(config, tmp_path / "data", "--strict") as daemon:
        assert daemon.process.wait(60) == 78
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(values(database, "a")) > before, "new readings from the last good configuration")
        errors = daemon.ask("status")["daemon"]["config_errors"]
        assert len(errors) == 1
        assert "sensors.a.driver: unknown driver 'simulatd' (did you mean 'simulated'?)" in errors[0]
        assert daemon.stop() == 0
    assert [kind for kind, _ in reloads(database)] == ["config_rejected"]


def test_a_broken_file_without_a_last_good_one_exits_78(tmp_path: Path) -> None:
    """All errors at once, each with its place."""
    config = tmp_path / "sensorlogd.yaml"
    config.write_text(f"daemon: {{data_dir: {tmp_path}/data}}\nsensors:\n  a: {{driver: simulated}}\n  b: 5\nstorag: {{}}\n")
    with Daemon(config, tmp_path / "data") as daemon:
        assert daemon.process.wait(60) == 78
        log = daemon.log.read_text()
    assert f"{config}:3:6: sensors.a.channels: is required here" in log
    assert f"{config}:4:3: sensors.b: must hold keys with values" in log
    assert f"{config}:5:1: storag: unknown key (did you mean 'storage'?)" in log


def test_a_second_interrupt_leaves_at_once(tmp_path: Path) -> None:
    """SIGINT drains and commits; the exit status is 0."""
    config, database = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db"
    write(config, tmp_path, {"a": sensor()})
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: values(database, "a"), "readings")
        daemon.signal(signal.SIGINT)
        assert daemon.process.wait(60) == 0
    assert not (tmp_path / "data" / "sensorlogd.db-wal").exists(), "a clean stop leaves one file"
