"""``add``, ``remove``, ``rename``: a pretend instrument on a pty, a real daemon, a person at a terminal, and nobody at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.cli import add_dialogue
from sensorlogd.cli.questions import Dialogue
from sensorlogd.drivers.ports import PortInfo
from tests.cli.running import run as run_verb
from tests.e2e.test_simulate import simulated
from tests.rig import Daemon, Port, reading, rows, until
from tests.terminal import CTRL_C, ROOT, Terminal

CONFIG = """\
# Ours. Ask Anna before you change it.
daemon: {data_dir: data}
storage: {commit_interval: 50ms, min_free: 0B}   # quick
web: {enabled: false}
sensors:
  lab: {driver: simulated, interval: 100ms, channels: {x: {signal: constant}}}   # the old one
"""


def run(folder: Path, *arguments: str, prefix: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Without a terminal."""
    if not prefix:
        verb = run_verb(*arguments, cwd=folder, check=None)
        return verb.returncode, verb.stdout, verb.stderr
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "sensorlogd", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sensorlogd.yaml").write_text(CONFIG)
    return tmp_path


@contextlib.contextmanager
def arduino(folder: Path, *arguments: str) -> Iterator[Path]:
    """One that prints quickly."""
    with simulated(folder, "csv", "--interval", "50ms", *arguments, patient=False) as link:
        yield link


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    with Daemon(folder / "sensorlogd.yaml", folder / "data") as daemon:
        daemon.wait_ready()
        yield daemon
        assert daemon.stop() == 0


def stored(database: Path, sensor: str, channel: str) -> bool:
    """Whether there is a reading; the database may be in the making."""
    try:
        return bool(rows(database, sensor, channel))
    except sqlite3.Error:
        return False


def left(folder: Path) -> dict[str, str]:
    """The files that a change could touch."""
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.y*ml*") if "data" not in file.parts}


def test_a_person_adds_what_is_plugged_in(folder: Path) -> None:
    """Bytes recognised, values seen live, names asked for; the daemon has it, and the first reading is shown, stored."""
    with arduino(folder) as port, running(folder) as daemon:
        with Terminal("add", str(port), cwd=folder) as terminal:
            terminal.wait_for("It speaks columns of numbers")
            terminal.wait_for("(Enter goes on)")
            terminal.wait_for("\x1b[2A")  # painted again: it is live
            terminal.press("\n")
            terminal.answer("A name for it [csv_port]:", "not a name")
            terminal.answer("'not a name' is not a name", "lab")
            terminal.answer("there is a sensor 'lab' already", "greenhouse")
            terminal.answer("  value1 = ", "temperature 5")
            terminal.answer("'5' is a number, and a unit is a text", "temperature °C")
            terminal.answer("  value2 = ", "temperature")
            terminal.answer("the name of another value", "humidity")
            terminal.answer("Write this to conf.d/greenhouse.yaml and begin to log?")
            assert terminal.ended() == 0, terminal.screen()
            screen = terminal.screen()
        assert "The daemon has it: started greenhouse; removed none; kept 1" in screen
        assert re.search(r"^First reading: temperature [\d.]+ °C, humidity [\d.]+$", screen, re.MULTILINE)
        assert re.search(r"says now \(Enter goes on\):\n  value1 +[\d.]+\n  value2 +[\d.]+\n\n", screen), "painted over"
        assert {sensor["sensor"] for sensor in daemon.ask("status")["sensors"]} == {"lab", "greenhouse"}
        until(lambda: len(rows(folder / "data/sensorlogd.db", "greenhouse", "humidity")) > 3, "readings")
    assert (folder / "sensorlogd.yaml").read_text() == CONFIG + "\ninclude: conf.d\n", "comments stay"
    assert run(folder, "check", "--offline")[0] == 0


def test_options_are_enough_without_a_terminal(folder: Path) -> None:
    """Nothing is asked; what is missing is said, as an option, before anything is changed."""
    with arduino(folder) as port, running(folder):
        before = left(folder)
        status, _, error = run(folder, "add", str(port))
        assert (status, "--name NAME" in error, "no terminal" in error) == (2, True, True), error
        status, _, error = run(folder, "add", str(port), "--name", "yard", "--for", "300ms")
        assert (status, "--channel value1=NAME --channel value2=NAME" in error) == (2, True), error
        status, _, error = run(folder, "add", str(port), "--name", "yard", "--for", "300ms", "--channel", "value7=x")
        assert (status, "no value 'value7'; there are value1, value2" in error) == (2, True), error
        status, out, error = run(folder, "add", str(port), "--yes", "--for", "300ms", "--dry-run")
        assert (status, "fields: [value1, value2]" in out, "nothing was written" in error) == (0, True, True), error
        assert left(folder) == before
        names = ("--channel", "value1=t", "--without", "value2", "--unit", "t=°C")
        status, out, error = run(folder, "add", str(port), "--name", "yard", "--for", "300ms", *names)
        assert status == 0, error
        assert "First reading: t " in out
        assert "fields: [t, null]" in (folder / "conf.d/yard.yaml").read_text()


def test_without_a_configuration_one_is_made(tmp_path: Path) -> None:
    """And without a daemon it is said how to begin; with --run it begins in the same process."""
    with arduino(tmp_path) as port:
        status, out, error = run(tmp_path, "add", str(port), "--yes", "--for", "300ms")
        assert status == 0, error
        assert "sensorlogd.yaml will be made" in error
        assert "No daemon runs; begin to log: sensorlogd run -c sensorlogd.yaml" in out
        assert sorted(left(tmp_path)) == ["conf.d/csv_port.yaml", "sensorlogd.yaml"]
        assert run(tmp_path, "check", "--offline", "--quiet")[0] == 0
        shutil.rmtree(tmp_path / "conf.d")
        (tmp_path / "sensorlogd.yaml").unlink()
        with Terminal("add", str(port), "--for", "300ms", cwd=tmp_path) as terminal:
            terminal.answer("(Enter goes on)")
            for question in ("A name", "value1 =", "value2 =", "begin to log?"):
                terminal.answer(question)
            terminal.answer("Begin to log now, in this terminal?")
            database = tmp_path / "sensorlogd-data/sensorlogd.db"
            until(lambda: terminal.is_alive() and stored(database, "csv_port", "value1"), "readings")
            terminal.press(CTRL_C)
            assert terminal.ended() == 0, terminal.screen()


@pytest.mark.parametrize("at", ["(Enter goes on)", "A name for it", "value1 =", "begin to log?"])
def test_ctrl_c_leaves_nothing_behind(folder: Path, at: str) -> None:
    """At whatever question."""
    before = left(folder)
    questions = ["(Enter goes on)", "A name for it", "value1 =", "value2 =", "begin to log?"]
    with arduino(folder) as port, Terminal("add", str(port), "--for", "300ms", cwd=folder) as terminal:
        for question in questions[: questions.index(at)]:
            terminal.answer(question)
        terminal.wait_for(at)
        terminal.press(CTRL_C)
        assert terminal.ended() == 130, terminal.screen()
        assert "stopped; nothing was changed" in terminal.screen()
        assert "Traceback" not in terminal.screen()
    assert left(folder) == before
    assert not (folder / "conf.d").exists()


def test_what_the_daemon_refuses_is_taken_back(folder: Path) -> None:
    """The daemon goes on with what it has; files and folder are as they were."""
    with arduino(folder) as port, running(folder) as daemon:
        before = left(folder)
        (folder / "data/control.sock").rename(folder / "data/real.sock")
        from sensorlogd.daemon.control.control_socket import ControlServer

        answer = {"ok": False, "errors": ["sensors.yard: cannot be started: too many open files"]}
        server = ControlServer(folder / "data", {"reload": lambda _: answer, "status": lambda _: {}})
        server.start()
        try:
            status, out, error = run(folder, "add", str(port), "--yes", "--name", "yard", "--for", "300ms")
        finally:
            server.stop()
            (folder / "data/real.sock").rename(folder / "data/control.sock")
        assert (status, out) == (78, "")
        assert "the daemon refuses it: sensors.yard: cannot be started" in error
        assert "nothing was changed" in error
        assert left(folder) == before
        assert not (folder / "conf.d").exists()
        assert {sensor["sensor"] for sensor in daemon.ask("status")["sensors"]} == {"lab"}


def test_names_and_ports_that_are_taken(folder: Path) -> None:
    """Said before anybody listens, with what to do; --force replaces a sensor's own file, and nothing else."""
    with arduino(folder) as port:
        assert run(folder, "add", str(port), "--yes", "--name", "yard", "--for", "300ms")[0] == 0
        before = left(folder)
        for name, word in (("yard", "already"), ("lab", "there is a sensor 'lab' already"), ("a b", "is not a name")):
            status, _, error = run(folder, "add", str(port), "--yes", "--name", name)
            assert (status, word in error) == (2, True), error
        assert run(folder, "add", str(port), "--yes", "--name", "lab", "--force")[0] == 2
        status, _, error = run(folder, "add", str(port), "--yes")
        assert (status, "read already, by the sensor 'yard'" in error) == (1, True), error
        assert left(folder) == before
        status, _, error = run(
            folder, "add", str(port), "--yes", "--name", "yard", "--force", "--for", "300ms", "--without", "value2"
        )
        assert status == 0, error
        assert "null" in (folder / "conf.d/yard.yaml").read_text()
    (folder / "conf.d/other.yaml").write_text("sensors: {}\n")
    assert run(folder, "add", "/dev/none", "--yes", "--name", "other")[0] == 2, "a file of that name"


def test_a_port_that_cannot_be_used(folder: Path) -> None:
    """Busy, silent, not there: one line, what to do, and nothing changed."""
    before = left(folder)
    port = Port(folder / "tty")  # this process holds its other end
    try:
        status, _, error = run(folder, "add", str(port.path), "--yes")
        assert (status, "held by" in error, "stop the other program" in error) == (1, True, True), error
        os.close(port._slave)
        port._slave = -1
        status, _, error = run(folder, "add", str(port.path), "--yes", "--for", "100ms", "--baudrate", "9600")
        assert (status, "not a byte came" in error, "--active" in error) == (3, True, True), error
        with Terminal("add", str(port.path), "--for", "100ms", "--baudrate", "9600", cwd=folder) as terminal:
            terminal.answer("That writes to the device. [y/N]")
            assert terminal.ended() == 3
    finally:
        port.close()
    status, _, error = run(folder, "add", "/dev/none", "--yes")
    assert (status, "no such port" in error) == (1, True), error
    status, _, error = run(folder, "add", "/dev/none", "--yes", "--profile", "plantower-pms50003")
    assert (status, "did you mean 'plantower-pms5003'" in error) == (2, True), error
    assert left(folder) == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs another user")
def test_a_configuration_that_may_not_be_written() -> None:
    """Said at once, with whom to ask; another user than its owner changes nothing."""
    with tempfile.TemporaryDirectory() as name:  # its parents are open to everybody
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "sensorlogd.yaml").write_text(CONFIG)
        _nobody_changes(folder)


def _nobody_changes(folder: Path) -> None:
    before = left(folder)
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    status, _, error = run(folder, "add", "/dev/none", "--yes", prefix=nobody)
    assert (status, "permission denied" in error, "include: conf.d" in error) == (1, True, True), error
    (folder / "sensorlogd.yaml").write_text(CONFIG + "include: conf.d\n")
    (folder / "conf.d").mkdir()
    (folder / "conf.d/yard.yaml").write_text("sensors: {yard: {driver: simulated, channels: {x: {signal: constant}}}}\n")
    for line in (["add", "/dev/none", "--yes"], ["remove", "yard", "--yes"], ["rename", "yard", "house"]):
        status, _, error = run(folder, *line, prefix=nobody)
        assert (status, "permission denied" in error, "Traceback" in error) == (1, True, False), (line, error)
    assert sorted(left(folder)) == sorted([*before, "conf.d/yard.yaml"])


def test_configurations_that_are_not_touched(folder: Path) -> None:
    """Broken ones, those that cannot be changed in a small way, and a folder that would bring in other sensors."""
    path = folder / "sensorlogd.yaml"
    for text, status, word in (
        ("sensors: {a: {driver: nix}}\n", 78, "is broken as it stands"),
        ("{sensors: {}}\n", 1, "add 'conf.d' to its include: yourself"),
    ):
        path.write_text(text)
        code, _, error = run(folder, "add", "/dev/none", "--yes")
        assert (code, word in error, path.read_text()) == (status, True, text), error
    path.write_text(CONFIG)
    (folder / "conf.d").mkdir()
    (folder / "conf.d/old.yaml").write_text("sensors: {}\n")
    code, _, error = run(folder, "add", "/dev/none", "--yes")
    assert (code, "holds old.yaml" in error) == (1, True), error


def test_a_name_given_later_keeps_the_history(folder: Path) -> None:
    """One series before and after, in a file of its own and in the main configuration; comments stay."""
    database = folder / "data/sensorlogd.db"
    with arduino(folder) as port, running(folder) as daemon:
        assert run(folder, "add", str(port), "--yes", "--name", "sensor", "--for", "300ms")[0] == 0
        daemon.commit()
        before = {name: len(rows(database, name)) for name in ("lab", "sensor")}
        status, out, error = run(folder, "rename", "sensor", "yard")
        assert (status, "the daemon has it: started yard; removed sensor" in out) == (0, True), error
        assert not (folder / "conf.d/sensor.yaml").exists()
        assert "    was: sensor\n" in (folder / "conf.d/yard.yaml").read_text()
        assert run(folder, "rename", "lab", "cellar")[0] == 0
        until(lambda: len(rows(database, "yard")) > before["sensor"] and len(rows(database, "cellar")) > before["lab"], "more")
        assert rows(database, "sensor") == rows(database, "lab") == []
        with reading(database) as conn:
            assert conn.execute("SELECT count(*) FROM series").fetchone() == (3,)
        assert run(folder, "rename", "yard", "garden")[0] == 0
        until(lambda: rows(database, "garden"), "the history under its third name")
        for new, word in (("cellar", "already"), ("x.y", "is not a name"), ("lab", "")):
            status, _, error = run(folder, "rename", "garden", new)
            assert status in (2, 78), new
            assert word in error
        status, _, error = run(folder, "rename", "gardn", "x")
        assert (status, "did you mean 'garden'" in error) == (2, True), error
    expected = CONFIG.replace("  lab: {driver", "  cellar: {was: lab, driver") + "\ninclude: conf.d\n"
    assert (folder / "sensorlogd.yaml").read_text() == expected


def test_removed_and_back_again(folder: Path) -> None:
    """Its file is moved aside, its data can be asked for; added again, the series goes on."""
    database = folder / "data/sensorlogd.db"
    with arduino(folder) as port:
        with running(folder) as daemon:
            assert run(folder, "add", str(port), "--yes", "--name", "yard", "--for", "300ms")[0] == 0
            status, _, error = run(folder, "remove", "yard")
            assert (status, "--yes" in error) == (2, True), error
            with Terminal("remove", "yard", cwd=folder) as terminal:
                terminal.wait_for("Stop logging yard? Its data stay.")
                terminal.press(CTRL_C)
                assert terminal.ended() == 130
            assert (folder / "conf.d/yard.yaml").exists()
            status, out, error = run(folder, "remove", "yard", "--yes")
            assert (status, "removed yard" in out, "yard.yaml.removed" in out) == (0, True, True), error
            assert {sensor["sensor"] for sensor in daemon.ask("status")["sensors"]} == {"lab"}
            (command,) = re.findall(r"sensorlogd (query '.*?')", out)
            status, readings, error = run(folder, *command.replace("'", "").split())
            assert (status, readings.count("yard,value1") > 0) == (0, True), error
            status, out, error = run(folder, "add", str(port), "--yes", "--name", "yard", "--for", "300ms")
            assert (status, "an earlier yard" in error) == (0, True), error
            status, _, error = run(folder, "remove", "lab", "--yes")
            assert (status, "sensorlogd.yaml, line 6:" in error, "delete these lines" in error) == (1, True, True), error
            assert run(folder, "remove", "yard", "--yes")[0] == 0
        assert sorted(file.name for file in (folder / "conf.d").iterdir()) == ["yard.yaml.removed", "yard.yaml.removed.2"]
        with reading(database) as conn:
            assert conn.execute("SELECT count(*) FROM series").fetchone() == (3,)
        assert run(folder, "remove", "nobody", "--yes")[0] == 2


def test_another_daemons_configuration_is_not_changed(folder: Path) -> None:
    """What would be written here, the daemon of this data folder would never read."""
    with running(folder):
        (folder / "other.yaml").write_text(CONFIG)
        status, _, error = run(folder, "add", "/dev/none", "--yes", "-c", "other.yaml")
        assert (status, f"say -c {folder}/sensorlogd.yaml" in error) == (2, True), error


def test_how_long_readings_are_kept_does_not_change_by_a_name(folder: Path) -> None:
    """A rename that would leave an entry of retention: behind is refused."""
    text = CONFIG + "retention: {sensors: {lab: {readings: forever}, '*': {readings: 1d}}}\n"
    (folder / "sensorlogd.yaml").write_text(text)
    status, _, error = run(folder, "rename", "lab", "cellar")
    assert (status, "retention: sensors: lab" in error) == (1, True), error
    assert (folder / "sensorlogd.yaml").read_text() == text


def test_a_name_that_is_used_elsewhere_is_told_with_the_way_out(folder: Path) -> None:
    """The lines that name the sensor, and what to write; remove likewise. Nothing is changed."""
    text = CONFIG + "alarms: {hot: {series: lab.*, when: '> 5'}}\n"
    (folder / "sensorlogd.yaml").write_text(text)
    status, _, error = run(folder, "rename", "lab", "cellar")
    assert status == 78
    assert "alarms.hot.series: 'lab.*' meets no series" in error
    assert "nothing was changed; lab is named there, too" in error
    assert "cellar: with 'was: lab' below it, then: sensorlogd reload" in error
    assert (folder / "sensorlogd.yaml").read_text() == text


def test_alarms_that_a_new_name_leaves_or_comes_under_are_told(folder: Path) -> None:
    """Patterns go by names; nobody would miss an alarm that does not look any more. Alarms that look at neither are not named."""
    alarms = {
        "left": {"series": ["l*.*", "oven"], "when": "> 5"},
        "came": {"series": "[co]*.*", "when": "> 5"},
        "both": {"series": "*.*", "when": "> 5"},
        "changes": {"series": ["la*.*", "[co]*.*"], "when": "> 5"},
        "neither": {"series": "oven.*", "when": "> 5"},
        "lost": {"events": ["lost"], "sensor": "lab"},
        "any": {"events": ["lost"]},
    }
    others = "".join(
        f"  {name}: {{driver: simulated, interval: 1s, channels: {{t: {{signal: constant}}}}}}\n" for name in ("lamp", "oven")
    )
    (folder / "sensorlogd.yaml").write_text(f"{CONFIG}{others}alarms: {json.dumps(alarms)}\n")
    status, out, error = run(folder, "rename", "lab", "cellar")
    assert status == 0, error
    told = [line for line in out.splitlines() if line.startswith("alarm ")]
    assert told == [
        "alarm left does not look at it any more: 'l*.*' does not fit cellar; if it shall, write 'cellar.*' below series: of that"
        " alarm, then: sensorlogd reload",
        "alarm came looks at it from now on, by '[co]*.*'",
        "alarm both looks at cellar as it did at lab, and begins anew",
        "alarm changes looked at it by 'la*.*', and looks at cellar by '[co]*.*', beginning anew",
        "alarm lost does not look at it any more: 'lab' does not fit cellar; if it shall, write a pattern that fits cellar below"
        " sensor: of that alarm, then: sensorlogd reload",
    ]


def test_a_sensor_that_is_used_elsewhere_is_not_removed(folder: Path) -> None:
    """And the lines that name it are told."""
    (folder / "conf.d").mkdir(exist_ok=True)
    (folder / "conf.d/roof.yaml").write_text("sensors: {roof: {driver: simulated, channels: {t: {signal: noise}}}}\n")
    (folder / "sensorlogd.yaml").write_text(CONFIG + "include: conf.d\nalarms: {hot: {series: roof.*, when: '> 5'}}\n")
    status, _, error = run(folder, "remove", "roof", "--yes")
    assert (status, "alarms.hot.series" in error, "take it out of these lines, then remove it" in error) == (78, True, True), (
        error
    )
    assert (folder / "conf.d/roof.yaml").exists()


def test_several_ports_and_several_that_fit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One free port is taken; of several one is asked for; without anybody to ask, options are named."""
    first, second = PortInfo("/dev/a", "/dev/by-id/a", "Arduino Uno", ""), PortInfo("/dev/b", "/dev/by-id/b", "", "cat (pid 1)")
    dialogue = Dialogue(yes=True)
    assert add_dialogue.port_of(dialogue, [first, second], {"/dev/a": "lab"}) is second
    assert "used by cat" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        add_dialogue.port_of(dialogue, [first, second], {})
    assert (ended.value.code, "one of /dev/a, /dev/b" in capsys.readouterr().err) == (2, True)
    with pytest.raises(SystemExit) as ended:
        add_dialogue.port_of(dialogue, [first], {"/dev/a": "lab"})
    assert (ended.value.code, "/dev/a (lab)" in capsys.readouterr().err) == (3, True)
    from sensorlogd.drivers.discovery.probing import Candidate, Heard

    heard = Heard(9600, b"")
    ranked = [Candidate(0.9, "one", "e", "profile: x", heard), Candidate(0.85, "two", "f", "profile: y", heard)]
    assert add_dialogue.candidate_of(dialogue, ranked, None).title == "one"
    assert "or two: 85% (f): --take 2" in capsys.readouterr().err
    assert add_dialogue.candidate_of(dialogue, ranked, 2).title == "two"
    monkeypatch.setattr(dialogue, "yes", False)
    with pytest.raises(SystemExit) as ended:
        add_dialogue.candidate_of(dialogue, ranked, None)
    assert (ended.value.code, "--take NUMBER" in capsys.readouterr().err) == (2, True)
    dialogue.possible = True
    answers = iter(["3", "two", "2", "2"])
    monkeypatch.setattr(dialogue, "_answer", lambda _: next(answers))
    assert add_dialogue.candidate_of(dialogue, ranked, None).title == "two"
    assert add_dialogue.port_of(dialogue, [first, second], {}) is second
    assert capsys.readouterr().err.count("a number from 1 to 2, please") == 2
