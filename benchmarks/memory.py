"""What the daemon and its pages need of memory, process by process (PSS: what is shared is divided among those that share it).

    python -m benchmarks.memory [--seconds 8] [--no-web]

One simulated sensor, a reading a second. Nobody asks for a page, but for one question to ``/health``, so that a worker process
waits, as it does in a log that is looked at.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from benchmarks import common

KINDS = {
    "sensorlogd.web.workers.worker": "web worker",
    "sensorlogd.web": "web",
    "sensorlogd.daemon.rollups.spawn_main": "aggregator",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="after the start")
    parser.add_argument("--no-web", action="store_true")
    options = parser.parse_args()
    sensor = {"driver": "simulated", "interval": "1s", "channels": {"x": {"signal": {"sine": {"period": "1h"}}}}}
    config: dict[str, Any] = {"sensors": {"one": sensor}, "web": {"listen": "127.0.0.1:0"}}
    with common.scratch() as folder, common.daemon(folder, config, web=not options.no_web) as process:
        print(common.machine())
        common.status(folder)
        time.sleep(options.seconds)
        figures = [(kind(pid, process.pid), common.pss_mb(pid)) for pid in common.family(process.pid)]
    for name, mb in figures:
        print(f"{name:17}{mb:7.1f} MB")
    print(f"{'together':17}{sum(mb for _, mb in figures):7.1f} MB")


def kind(pid: int, main_pid: int) -> str:
    """What a process of the daemon is, by its command line."""
    if pid == main_pid:
        return "daemon"
    words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return next((name for part, name in KINDS.items() if part in words), "other")


if __name__ == "__main__":
    main()
