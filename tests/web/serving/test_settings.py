"""Where the pages are served, and that nobody opens them to a network without having said so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sensorlogd.config.listen import is_loopback, split_listen
from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.config.models import Config
from sensorlogd.config.validation.warnings import warnings
from sensorlogd.drivers.registry import options_for
from sensorlogd.web import token
from sensorlogd.web.settings import Settings
from tests.ports import free_port
from tests.rig import DEADLINE_S

SENSOR = "\nsensors: {a: {driver: simulated, channels: {t: {signal: {constant: {value: 1}}}}}}\n"


def load(web: str, folder: Path) -> Config:
    return load_text(f"web: {web}{SENSOR}", folder / "test.yaml", options_for)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8321", ("127.0.0.1", 8321)),
        ("[::1]:80", ("::1", 80)),
        (":0", ("0.0.0.0", 0)),
        ("logger.example.org:1", ("logger.example.org", 1)),
    ],
)
def test_addresses_are_read(text: str, address: tuple[str, int]) -> None:
    """With a port, IPv6 in brackets; nothing before the colon is every address."""
    assert split_listen(text) == address


@pytest.mark.parametrize("text", ["8321", "127.0.0.1", "::1:80", "a b:80", "host:70000", "host:x", "http://host:80", "[::1:80"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With what is allowed."""
    with pytest.raises(ValueError, match=r"write e\.g\. 127\.0\.0\.1:8321"):
        split_listen(text)


@pytest.mark.parametrize(
    ("web", "problem"),
    [
        (
            "{listen: 0.0.0.0:8321}",
            "web.listen: '0.0.0.0:8321' can be reached from other machines; say who may look: auth: token",
        ),
        ("{listen: 192.168.1.5:80}", "web.listen: '192.168.1.5:80' can be reached"),
        ("{listen: '[::]:80'}", "web.listen: '[::]:80' can be reached"),
        ("{listen: 8321}", "web.listen: '8321' is not an address and a port"),
        ("{auth: password}", "web.auth:"),
        ("{base_path: sensors}", "web.base_path: 'sensors' is not a path"),
        ("{allowed_hosts: ['http://a']}", "web.allowed_hosts[0]: 'http://a' is not the name of a host"),
        ("{lisen: x}", "web.lisen: unknown key (did you mean 'listen'?)"),
    ],
)
def test_a_mistake_is_told_with_its_place(web: str, problem: str, tmp_path: Path) -> None:
    """File, line and column, before anything is opened."""
    with pytest.raises(ConfigErrors) as raised:
        load(web, tmp_path)
    (error,) = raised.value.errors
    assert problem in str(error)
    assert str(error).startswith(f"{tmp_path}/test.yaml:1:")


def test_who_says_so_may_open_it(tmp_path: Path) -> None:
    """With a token; without one ``check`` says what that means."""
    settings = Settings.of(load("{listen: 0.0.0.0:80, auth: token, base_path: /x/, allowed_hosts: [A.example]}", tmp_path))
    assert (settings.host, settings.port, settings.auth) == ("0.0.0.0", 80, "token")
    assert (settings.base_path, settings.allowed_hosts) == ("/x", ("a.example",))
    assert settings.token_file == tmp_path / "sensorlogd-data" / "web-token"
    assert Settings.from_json(settings.to_json()) == settings
    open_to_all = load("{listen: 0.0.0.0:80, auth: none}", tmp_path)
    (warning,) = warnings(open_to_all, lambda port: (port, False))
    assert "everybody who reaches 0.0.0.0:80" in warning
    assert not list(warnings(load("{}", tmp_path), lambda port: (port, False)))
    assert is_loopback("127.9.9.9")
    assert not is_loopback("example.org")


def verb(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sensorlogd", "web", *arguments], capture_output=True, text=True, check=False)


def test_the_verb_serves_a_database_alone(made: Path) -> None:
    """On any address, until it is told to stop; its mistakes are one line."""
    port = free_port()
    command = [sys.executable, "-m", "sensorlogd", "web", "--db", str(made), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == f"serving {made} at http://127.0.0.1:{port}/\n"
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/latest", trust_env=False, timeout=DEADLINE_S).status_code == 200
        taken = verb("--db", str(made), "--listen", f"127.0.0.1:{port}")
        assert (taken.returncode, taken.stderr) == (1, f"sensorlogd: cannot listen on 127.0.0.1:{port}: Address already in use\n")
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_S)
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_the_verb_asks_who_may_look(made: Path) -> None:
    """Exit 2, and which option says it."""
    done = verb("--db", str(made), "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "--auth token or --auth none" in done.stderr
    done = verb("--db", str(made), "--listen", "nowhere")
    assert (done.returncode, "is not an address and a port" in done.stderr) == (2, True)


def test_the_address_to_open_is_printed(tmp_path: Path) -> None:
    """With the token that is there, or a new one where it is wanted; made with the rights it should have."""
    folder = tmp_path / "data"
    folder.mkdir()
    path = tmp_path / "sensorlogd.yaml"
    path.write_text(f"daemon: {{data_dir: {folder}}}\nweb: {{listen: '[::1]:8321', auth: token, base_path: /x}}{SENSOR}")
    done = verb("token", "-c", str(path))
    first = token.read(folder / token.NAME)
    assert done.stdout == f"http://[::1]:8321/x/login?token={first}\n"
    assert os.stat(folder / token.NAME).st_mode & 0o777 == 0o640
    assert verb("token", "-c", str(path)).stdout == done.stdout
    assert verb("token", "-c", str(path), "--new").stdout != done.stdout
    assert token.read(folder / token.NAME) != first
