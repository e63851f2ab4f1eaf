"""``probe``, ``listen``, ``profiles`` and ``ports`` on real ptys and with a real daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from sensorlogd.cli.profiles_verb import profiles
from sensorlogd.config.loader import load_text
from sensorlogd.config.profiles import available
from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.instruments import INSTRUMENTS
from sensorlogd.drivers.registry import options_for
from tests.e2e.test_simulate import configuration, simulated
from tests.rig import Daemon, Port, rows, until

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sensorlogd", *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def repeating(port: Port, data: bytes) -> Iterator[None]:
    """``data`` again and again, as fast as it is read."""
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.02):
            try:
                port.send(data, 0.5)
            except AssertionError:
                continue  # nobody reads at the moment

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_from_a_port_to_a_configuration_that_logs(tmp_path: Path) -> None:
    """What ``probe`` prints is pasted, passes ``check``, and logs; on a pty no speed is claimed."""
    with simulated(tmp_path, "pms", "--interval", "50ms", patient=False) as link:
        done = run("probe", str(link), "--for", "3s")
        assert done.returncode == 0, done.stderr
        assert "plantower-pms5003: 9" in done.stdout
        assert "baud rate is not known" in done.stdout
        assert "baudrate:" not in done.stdout
        file = tmp_path / "pasted.yaml"
        file.write_text(f"daemon: {{data_dir: {tmp_path}/data}}\nstorage: {{commit_interval: 50ms, min_free: 0B}}\n{done.stdout}")
        assert run("check", "-c", str(file)).returncode == 0
        with Daemon(file, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(lambda: len(rows(tmp_path / "data/sensorlogd.db", "device", "pm25")) > 3, "readings")
            assert daemon.stop() == 0


@pytest.mark.parametrize("protocol", ["csv", "vedirect"])
def test_our_own_instruments_are_found_at_their_own_pace(tmp_path: Path, protocol: str) -> None:
    """One line a second, at whatever phase; and the YAML reads a value."""
    with simulated(tmp_path, protocol, "--interval", "1s", patient=False) as link:
        done = run("probe", str(link))
    assert done.returncode == 0, done.stderr
    assert {"csv": "columns of numbers", "vedirect": "victron-vedirect"}[protocol] in done.stdout


STREAMS = {"plantower-pms5003": "pms", "victron-vedirect": "vedirect", "dsmr-p1": "p1", "winsen-mhz19b": "mhz19b"}


@pytest.mark.parametrize("name", sorted(available()))
def test_what_profiles_shows_loads_and_reads_its_device(name: str) -> None:
    """The YAML of every shipped profile; where we can pretend to be the device, each channel that it lists gets a value."""
    shown = CliRunner().invoke(profiles, [name])
    assert shown.exit_code == 0
    loaded = load_text(shown.output[shown.output.index("sensors:") :], Path("/nowhere/x.yaml"), options_for).sensors["device"]
    assert loaded.channel_options()
    instrument = INSTRUMENTS.get(STREAMS.get(name, ""))
    if instrument is None or instrument.build is None:
        return
    values = instrument.rounded(dict.fromkeys(instrument.channels, 3.0))
    stream = b"".join(instrument.build(values, 1_700_000_000_000_000 + n * 1_000_000) for n in range(3))
    decoder = decoder_of(loaded, lambda *_: None)
    assert decoder is not None
    batch = decoder.feed(stream, 0)
    assert batch is not None
    channels = loaded.channel_options()
    for channel in instrument.channels:
        assert any(value is not None for value in batch.values[channels[channel].source or channel]), channel


def test_probe_says_what_it_did_not_find(tmp_path: Path) -> None:
    """Silence, noise, no port, a file: an exit status and a line that says what to do."""
    port = Port(tmp_path / "tty")
    os.close(port._slave)  # a port that is held by somebody is not probed
    port._slave = -1
    try:
        silent = run("probe", str(port.path), "--for", "100ms", "--baudrate", "9600")
        assert silent.returncode == 3
        assert "not a byte came" in silent.stderr
        assert "--active" in silent.stderr
        with repeating(port, bytes(range(128, 255)) * 3):
            noise = run("probe", str(port.path), "--for", "300ms", "--baudrate", "9600")
        assert noise.returncode == 3
        assert "nothing that is known" in noise.stderr
        odd = run("probe", str(port.path), "--for", "100ms", "--baudrate", "12345")
        assert (odd.returncode, "not a standard speed" in odd.stderr) == (1, True)
    finally:
        port.close()
    assert run("probe", str(tmp_path / "none")).returncode == 1
    assert "not a serial port" in run("probe", "/dev/null").stderr
    assert run("probe", "/dev/null", "--for", "soon").returncode == 2


@pytest.mark.parametrize("verb", ["probe", "add"])
@pytest.mark.parametrize(("duration", "message"), [("99ms", "not between 100ms and 1h"), ("2h", "not between"), ("x", "'x'")])
def test_a_time_to_listen_that_is_none_is_refused(tmp_path: Path, verb: str, duration: str, message: str) -> None:
    """Before a port is opened: here there is none."""
    done = run(verb, str(tmp_path / "tty"), "--for", duration, cwd=tmp_path)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_probe_writes_nothing_unless_told_to(tmp_path: Path) -> None:
    """A device that only answers hears no question from a passive probe, and is found by an active one."""
    with simulated(tmp_path, "mhz19b", "--interval", "50ms", patient=False) as link:
        passive = run("probe", str(link), "--for", "200ms", "--baudrate", "9600")
        assert passive.returncode == 3
        active = run("probe", str(link), "--for", "100ms", "--baudrate", "9600", "--active")
        assert active.returncode == 0
        assert "profile: winsen-mhz19b" in active.stdout
    assert "sent 1 intact" in (tmp_path / "mhz19b.err").read_text()


def test_an_active_probe_finds_a_modbus_unit(tmp_path: Path) -> None:
    """By the answer of unit 1 to a question for one register."""
    with simulated(tmp_path, "modbus-rtu", "--interval", "50ms", patient=False) as link:
        done = run("probe", str(link), "--for", "100ms", "--baudrate", "9600", "--active")
    assert done.returncode == 0
    assert "Modbus RTU unit 1" in done.stdout
    assert "driver: modbus" in done.stdout


def test_listen_shows_bytes_and_what_they_mean(tmp_path: Path) -> None:
    """Hex, text and the decoded channels in their stored units; NDJSON for programs."""
    with simulated(tmp_path, "vedirect", "--interval", "50ms", "--set", "voltage=12.8", patient=False) as link:
        text = run("listen", str(link), "--profile", "victron-vedirect", "--for", "3s")
        assert text.returncode == 0, text.stderr
        assert "=>  voltage=12.8 " in text.stdout
        assert "Checksum" in text.stdout.replace("\n", "") or "43 68 65 63" in text.stdout
        lines = run("listen", str(link), "--profile", "victron-vedirect", "--for", "3s", "--format", "ndjson").stdout.splitlines()
        found = [json.loads(line) for line in lines]
        assert any(sample.get("voltage") == 12.8 for row in found for sample in row["decoded"])
        assert all(bytes.fromhex(row["hex"]).decode("latin-1") == row["text"] for row in found)


def test_a_recording_is_replayed_byte_for_byte(tmp_path: Path) -> None:
    """``listen --record`` and ``driver: replay`` are each other's inverse: the same values come out."""
    recording = tmp_path / "pms.jsonl"
    with simulated(tmp_path, "pms", "--interval", "50ms", "--count", "20") as link:
        done = run("listen", str(link), "--profile", "plantower-pms5003", "--record", str(recording), "--for", "6s")
        assert "recorded in" in done.stderr, done.stderr
    sent = [json.loads(line)["value"] for line in (tmp_path / "pms.truth").read_text().splitlines() if '"pm25"' in line]
    assert len(sent) == 20
    sensors: dict[str, object] = {
        "again": {"driver": "replay", "file": str(recording), "profile": "plantower-pms5003", "pace": "fast"}
    }
    with Daemon(configuration(tmp_path, sensors), tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(
            lambda: [value for _, _, value, _ in rows(tmp_path / "data/sensorlogd.db", "again", "pm25")] == sent,
            "the recorded values",
        )
        assert daemon.stop() == 0


def test_listening_through_the_daemon_costs_it_nothing(tmp_path: Path) -> None:
    """A sensor by name: its bytes are shown while the daemon goes on logging all of them; a listener that stops reading and
    is killed is not even noticed."""
    port = Port(tmp_path / "tty")
    sensors: dict[str, object] = {
        "s": {"driver": "serial", "port": str(port.path), "heartbeat": "1h", "format": {"type": "csv", "fields": ["n"]}}
    }
    file = configuration(tmp_path, sensors)
    database = tmp_path / "data/sensorlogd.db"
    try:
        with Daemon(file, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(port.opened, "the port to be opened")
            listener = subprocess.Popen(
                [sys.executable, "-m", "sensorlogd", "listen", "s", "-c", str(file), "--format", "ndjson"],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert listener.stdout is not None
            assert listener.stderr is not None
            assert "through the daemon" in listener.stderr.readline()
            tried = run("try", "s", "-c", str(file), "--for", "1s")
            assert (tried.returncode, "'sensorlogd listen s' shows" in tried.stderr) == (3, True)
            n = 0

            def heard() -> bool:
                nonlocal n
                port.send(b"%d\n" % n)
                n += 1
                return daemon.process.poll() is None and n > 200

            until(heard, "lines to be sent")
            row = json.loads(listener.stdout.readline())
            assert row["dir"] == "rx"
            assert {"n": float(row["text"].split()[-1])} in row["decoded"]
            listener.send_signal(signal.SIGSTOP)
            for _ in range(2000):
                port.send(b"%d\n" % n)
                n += 1
            until(lambda: len(rows(database, "s", "n")) >= n, "every line to be stored")
            listener.kill()
            listener.communicate()
            assert [value for _, _, value, _ in rows(database, "s", "n")] == [float(i) for i in range(n)]
            assert daemon.stop() == 0
    finally:
        port.close()


def test_profiles_are_listed_with_the_users_own(tmp_path: Path) -> None:
    """A folder beside the configuration adds to the shipped ones; a name that is none gets the nearest."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles/acme.yaml").write_text(
        "title: Acme\nsensor: {driver: serial, baudrate: 1200, channels: {a: {unit: V}}}\n"
    )
    (tmp_path / "sensorlogd.yaml").write_text("sensors: {}\n")
    found = json.loads(run("profiles", "--format", "json", cwd=tmp_path).stdout)
    mine = [row for row in found if row["from"] != "shipped"]
    assert [(row["profile"], row["device"], row["baudrate"], row["channels"]) for row in mine] == [("acme", "Acme", 1200, 1)]
    assert len(found) > 20
    assert "profile: acme" in run("profiles", "acme", cwd=tmp_path).stdout
    wrong = run("profiles", "plantower-pms50003")
    assert (wrong.returncode, "did you mean 'plantower-pms5003'" in wrong.stderr) == (2, True)
    (tmp_path / "profiles/broken.yaml").write_text("title: [\n")
    broken = run("profiles", cwd=tmp_path)
    assert broken.returncode == 1
    assert "broken.yaml:" in broken.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["listen", "nobody", "-c", "config/starter.yaml"], 2, "no sensor 'nobody' is configured"),
        (["listen", "greenhouse", "-c", "config/starter.yaml"], 2, "reads no port"),
        (["listen", "/dev/none", "--for", "1s"], 1, "no such port"),
        (["listen", "/dev/none", "--profile", "pms5003"], 2, "unknown profile 'pms5003'"),
        (["listen", "/dev/none", "--record", "/proc/x/y"], 1, "--record /proc/x/y"),
    ],
)
def test_mistakes_in_listening_are_a_line(arguments: list[str], status: int, message: str) -> None:
    """With an exit status that says which kind."""
    done = run(*arguments)
    assert (done.returncode, message in done.stderr, done.stderr.count("\n")) == (status, True, 1), done.stderr
