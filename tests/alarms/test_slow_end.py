"""An end that takes longer than a heartbeat raises nothing."""

from __future__ import annotations

from pathlib import Path

from tests.alarms.receiver import Receiver
from tests.alarms.test_daemon import configuration, query
from tests.rig import Daemon

DRIVER = """
import time
from sensorlogd.drivers.simulated import SimulatedDriver

class Slow(SimulatedDriver):
    def close(self):
        time.sleep(2.5)
        super().close()
"""


def test_a_sensor_that_ends_slowly_makes_no_other_silent(tmp_path: Path, receiver: Receiver) -> None:
    """A driver takes seconds to close; the others have said nothing meanwhile."""
    (tmp_path / "slow.py").write_text(DRIVER)
    sensor = {"interval": "50ms", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}
    sensors = {"a": {"driver": "simulated", **sensor}, "b": {"driver": f"{tmp_path}/slow.py:Slow", **sensor}}
    alarms = {"silent": {"series": "*", "when": "missing 1s", "notify": "hook"}}
    config = configuration(tmp_path, receiver.url, sensors=sensors, alarms=alarms)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0
        assert "stopped in 0" not in daemon.log.read_text()
    assert query(tmp_path, "SELECT kind FROM alarm_change") == []
