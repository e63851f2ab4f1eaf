"""What does not fit this machine is told by ``check``, and once by the daemon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ports import free_port
from tests.rig import Daemon, until

FINDING = "sensors.scale.port: /dev/ttyUSB99: no such port"


def test_check_and_the_daemon_tell_the_same(tmp_path: Path) -> None:
    """A warning of check, which is valid nevertheless; one line of the log; ``status``. ``--offline`` does not look."""
    config, data = tmp_path / "sensorlogd.yaml", tmp_path / "data"
    config.write_text(
        f"daemon: {{data_dir: {data}}}\nstorage: {{min_free: 0B}}\nweb: {{listen: 127.0.0.1:{free_port()}}}\nsensors:\n"
        "  scale: {driver: serial, port: /dev/ttyUSB99, format: {type: csv, fields: [weight]}}\n"
    )

    def check(*more: str) -> str:
        command = [sys.executable, "-m", "sensorlogd", "check", "--quiet", *more, str(config)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr

    assert f"warning: {FINDING}" in check()
    assert FINDING not in check("--offline")
    assert not data.exists(), "check makes nothing"
    with Daemon(config, data) as daemon:
        daemon.wait_ready()
        found = until(lambda: daemon.ask("status")["daemon"]["findings"], "the look at this machine")
        assert any(finding.startswith(FINDING) for finding in found)
        assert not any(finding.startswith(("daemon.", "web.")) for finding in found), "its own folder and address are no findings"
        assert f"warning: {FINDING}" in check(), "beside the daemon, too"
        assert daemon.stop() == 0
    assert daemon.log.read_text().count(FINDING) == 1
