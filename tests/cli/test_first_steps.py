"""docs/first-steps.md and the README show a real run of ``add`` on a terminal of 80 columns; this is the run."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.test_simulate import simulated
from tests.rig import Daemon
from tests.terminal import ROOT, Terminal

CONFIG = "# Mine\nstorage: {commit_interval: 50ms, min_free: 0B}\nweb: {enabled: false}\nsensors:\n  well: {driver: simulated, interval: 1s, channels: {level: {signal: constant}}}\n"


def first_steps(folder: Path) -> str:
    """What is to be seen, with the folder called /tmp."""
    (folder / "sensorlogd.yaml").write_text(CONFIG)
    with (
        simulated(folder, "csv", "--interval", "200ms", patient=False) as link,
        Daemon(folder / "sensorlogd.yaml", folder / "sensorlogd-data") as daemon,
    ):
        daemon.wait_ready()
        (folder / "arduino").symlink_to(link)
        with Terminal("add", str(folder / "arduino"), cwd=folder) as terminal:
            terminal.answer("(Enter goes on)")
            terminal.answer("A name for it", "greenhouse")
            terminal.answer("value1 = ", "temperature °C")
            terminal.answer("value2 = ", "humidity %")
            terminal.answer("begin to log?")
            assert terminal.ended() == 0, terminal.screen()
            shown = terminal.screen()
        assert daemon.stop() == 0
    return f"$ sensorlogd add /tmp/arduino\n{shown.replace(str(folder), '/tmp').rstrip()}\n"


def masked(text: str) -> str:
    """Numbers and dates differ from run to run."""
    return re.sub(r" +", " ", re.sub(r"\d+(?:[.-]\d+)*", "0", text))


def test_the_run_that_is_shown(tmp_path: Path) -> None:
    """Line by line, but for the numbers; and no line is wider than the terminal."""
    run = first_steps(tmp_path)
    for name in ("docs/first-steps.md", "README.md"):
        (shown,) = re.findall(
            r"^```\n(\$ sensorlogd add /tmp/arduino\n.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL
        )
        assert masked(shown) == masked(run), name
        assert all(len(line) <= 80 for line in shown.splitlines())
