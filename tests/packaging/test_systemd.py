"""The unit file: what systemd itself says of it."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

SYSTEMD = Path(__file__).parents[2] / "systemd"
MAX_EXPOSURE = 1.5


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with an ExecStart that exists here; nothing else differs."""
    program = Path(sys.executable).with_name("sensorlogd")
    assert program.exists()
    text = (SYSTEMD / "sensorlogd.service").read_text().replace("/opt/sensorlogd/bin/sensorlogd", str(program))
    assert str(program) in text
    path = tmp_path / "sensorlogd.service"
    path.write_text(text)
    return path


def test_verify_has_nothing_to_say(unit: Path) -> None:
    """Unknown keys are only warnings to systemd-analyze: its output must be empty, not just its status 0."""
    analyze = needs.tool("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_notice_a_wrong_key(unit: Path) -> None:
    """The test above can fail."""
    analyze = needs.tool("systemd-analyze", "systemd")
    unit.write_text(unit.read_text().replace("WatchdogSec", "WatchdogSecs"))
    done = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert "WatchdogSecs" in done.stderr


def test_exposure_is_low(unit: Path) -> None:
    """systemd's own measure of how much a service could do to the machine, 0 to 10."""
    analyze = needs.tool("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={int(MAX_EXPOSURE * 10)}", "--no-pager", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MAX_EXPOSURE
    assert done.returncode == 0


def _sections(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys are case-sensitive
    parser.read_string(path.read_text())
    return parser


def test_what_unattended_sites_rely_on() -> None:
    """Each of these has cost somebody a gap when it was missing."""
    service = _sections(SYSTEMD / "sensorlogd.service")
    assert service["Unit"]["StartLimitIntervalSec"] == "0"
    for key, value in {
        "Type": "notify",
        "KillMode": "mixed",
        "Restart": "on-failure",
        "RestartSec": "5",
        "RestartPreventExitStatus": "78",
        "DevicePolicy": "closed",
        "User": "sensorlogd",
        "StateDirectory": "sensorlogd",
    }.items():
        assert service["Service"][key] == value
    assert "ExecStartPre" not in service["Service"]
    text = (SYSTEMD / "sensorlogd.service").read_text()
    for major in (188, 166, 4, 204):
        assert f"DeviceAllow=char-{major} rw" in text
    assert "PrivateDevices=yes" not in text


def test_sysusers_and_tmpfiles_are_understood(tmp_path: Path) -> None:
    """systemd creates the user, its membership and the folders from our files, in a root of its own."""
    needs.root()
    sysusers, tmpfiles = needs.tool("systemd-sysusers", "systemd"), needs.tool("systemd-tmpfiles", "systemd")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\ndialout:x:20:\n")
    subprocess.run([sysusers, f"--root={tmp_path}", str(SYSTEMD / "sensorlogd.sysusers.conf")], check=True)
    assert re.search(r"^sensorlogd:.*:/var/lib/sensorlogd:", (tmp_path / "etc/passwd").read_text(), re.MULTILINE)
    assert re.search(r"^dialout:x:20:sensorlogd$", (tmp_path / "etc/group").read_text(), re.MULTILINE)
    subprocess.run([tmpfiles, f"--root={tmp_path}", "--create", str(SYSTEMD / "sensorlogd.tmpfiles.conf")], check=True)
    assert (tmp_path / "var/lib/sensorlogd").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "etc/sensorlogd").stat().st_mode & 0o777 == 0o750
