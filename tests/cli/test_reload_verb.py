"""The verb ``reload``: whoever asks for a reload is told what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sensorlogd.cli.config_verbs import check
from sensorlogd.cli.reload_verb import reload
from sensorlogd.cli.status_verb import status as status_of
from sensorlogd.config import light
from sensorlogd.daemon.control.control_socket import ControlServer
from sensorlogd.storage.query.log_reader import LogReader
from tests.rig import Daemon, until


def write(path: Path, data: Path, sensors: str = "") -> None:
    path.write_text(f"storage: {{min_free: 0B}}\ndaemon: {{data_dir: {data}}}\nsensors:\n{sensors or SENSOR.format(name='a')}")


SENSOR = "  {name}:\n    driver: simulated\n    interval: 100ms\n    channels: {{x: {{signal: constant}}}}\n"


def verb(config: Path) -> tuple[int, str, str]:
    """A process of its own, as systemd starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "sensorlogd", "reload", "-c", str(config)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_outcome_is_told(tmp_path: Path) -> None:
    """0 and what changed; 78, every mistake and nothing changed; 1 once no daemon runs."""
    config, data = tmp_path / "sensorlogd.yaml", tmp_path / "elsewhere"
    write(config, data)
    with Daemon(config, data) as daemon:
        daemon.wait_ready()
        write(config, data, SENSOR.format(name="a") + SENSOR.format(name="b"))
        assert verb(config) == (0, "reloaded: started b; removed none; kept 1\n", "")

        write(config, data, "  a: {driver: simulatet}\n  c: {driver: simulated, channel: {}}\n")
        status, out, error = verb(config)
        assert (status, out) == (78, "")
        assert f"{config}:4:15: sensors.a.driver: unknown driver 'simulatet' (did you mean 'simulated'?)" in error
        assert f"{config}:5:26: sensors.c.channel: unknown key (did you mean 'channels'?)" in error
        assert "nothing was changed" in error
        assert {sensor["sensor"] for sensor in daemon.ask("status")["sensors"]} == {"a", "b"}

        config.write_text(f"daemon: {{data_dir: {data}}}\nsensors:\n  a:\n\tdriver: simulated\n")
        status, out, error = verb(config)
        assert status == 78, "the daemon is found though the file is no YAML"
        assert f"{config}:4:1: a tab stands before" in error
        assert "the daemon goes on with the configuration it has" in error

        write(config, data, SENSOR.format(name="a"))
        config.write_text(config.read_text().replace("min_free: 0B", "min_free: 1kB"))
        status, out, error = verb(config)
        assert (status, out) == (0, "reloaded: started none; removed b; kept 1\n")
        other = tmp_path / "other.yaml"
        other.write_text(config.read_text())
        refused = verb(other)
        assert (refused[0], refused[1]) == (78, "")
        assert f"the daemon runs {config}, not {other}; reload that one (-c {config})" in refused[2]
        shown = CliRunner().invoke(status_of, ["-c", str(other)])
        assert f"thedaemonruns{config},not{other}" in "".join(shown.output.split()), "a long line is folded"
        shown = CliRunner().invoke(status_of, ["-c", str(config)])
        assert "thedaemonruns" not in "".join(shown.output.split())
        assert "changes under 'storage:' take effect at the next restart" in error
        assert daemon.stop() == 0
    status, out, error = verb(config)
    assert (status, out) == (1, "")
    assert f"no daemon runs with the data folder {data}; start it: sensorlogd run -c {config}" in error


def test_a_unit_that_cannot_be_converted_is_told(tmp_path: Path) -> None:
    """By check, before it is done, and by reload, which begins another series."""
    config, data = tmp_path / "sensorlogd.yaml", tmp_path / "data"
    sensor = SENSOR.format(name="a").replace("{signal: constant}", "{signal: constant, UNIT}")
    write(config, data, sensor.replace("UNIT", "unit: Wh"))
    with Daemon(config, data) as daemon:
        daemon.wait_ready()
        until(lambda: daemon.ask("commit")["committed"] > 0, "a reading is committed")
        write(config, data, sensor.replace("UNIT", "unit: kWh, unit_change: convert"))
        line = "warning: sensors.a.channels.x.unit_change: no exact conversion from 'Wh' to 'kWh' is known"
        checked = CliRunner().invoke(check, [str(config), "--offline"])
        assert (checked.exit_code, line in checked.stderr) == (0, True)
        status, out, error = verb(config)
        assert (status, out) == (0, "reloaded: started a; removed none; kept 0\n")
        assert error.startswith(line)
        assert "the old readings become x~1; say relabel if" in error
        daemon.ask("commit")
        with LogReader.open(data / "sensorlogd.db") as log:
            assert {(each.channel, each.unit) for each in log.series(retired=True)} == {("x", "kWh"), ("x~1", "Wh")}
        assert verb(config) == (0, "reloaded: started none; removed none; kept 1\n", "")


def test_without_a_daemon_a_broken_file_is_shown(tmp_path: Path) -> None:
    """78: its data folder may be the mistake."""
    config = tmp_path / "sensorlogd.yaml"
    config.write_text("daemon: {data_dir: [x]}\n")
    done = CliRunner().invoke(reload, ["-c", str(config)])
    assert done.exit_code == 78
    assert f"{config}:1:20: daemon.data_dir: must be a text" in done.output
    assert "no daemon runs" in done.output
    assert CliRunner().invoke(reload, ["-c", str(tmp_path / "none.yaml")]).exit_code == 78


def test_a_daemon_that_only_says_ok(tmp_path: Path) -> None:
    """An older one tells no outcome; one that fails says why; what is left of a dead one is none."""
    config = tmp_path / "sensorlogd.yaml"
    write(config, tmp_path)
    answers = [{"ok": True, "errors": []}, {"ok": False, "errors": []}]
    server = ControlServer(tmp_path, {"reload": lambda _: answers.pop(0)})
    server.start()
    try:
        done = CliRunner().invoke(reload, ["-c", str(config)])
        assert (done.exit_code, done.output) == (0, "reloaded: the new configuration is in use\n")
        assert CliRunner().invoke(reload, ["-c", str(config)]).exit_code == 1
        done = CliRunner().invoke(reload, ["-c", str(config)])
        assert done.exit_code == 1
        assert "IndexError" in done.output
    finally:
        server.stop()
    (tmp_path / "control.sock").touch()
    assert CliRunner().invoke(reload, ["-c", str(config)]).exit_code == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_user_who_may_not_ask_is_told_who_may(tmp_path: Path) -> None:
    """Exit 1, and no word of a missing daemon."""
    config, data = tmp_path / "sensorlogd.yaml", tmp_path / "data"
    data.mkdir(mode=0o755)
    write(config, data)
    server = ControlServer(data, {"reload": lambda _: {"ok": True}})
    server.start()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            from sensorlogd.cli import reload_verb

            reload_verb._ask_or_fail(data, config)
            os._exit(0)
        except SystemExit as error:
            os._exit(int(error.code or 0) + 10)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    server.stop()
    assert os.waitstatus_to_exitcode(status) == 11


@pytest.mark.parametrize("broken", ["sensors:\n\tx: 1\n", "sensors:\n  a: [\n", "sensors:\n  a: 'x\n", "web: {{\n"])
@pytest.mark.parametrize("before", [True, False])
def test_the_data_folder_of_a_file_that_is_broken_elsewhere(tmp_path: Path, broken: str, before: bool) -> None:
    """A mistake in a sensor moves no data folder."""
    config = tmp_path / "sensorlogd.yaml"
    good = json.dumps({"data_dir": "/somewhere"})
    parts = [broken, f"daemon: {good}\n"]
    config.write_text("".join(parts if before else reversed(parts)))
    assert light.data_dir(config) == Path("/somewhere")
