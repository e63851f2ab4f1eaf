"""What 100 sensors at 1 Hz cost: CPU, memory (PSS), bytes written to the device per reading.

    python -m benchmarks.footprint [--minutes 5] [--rollups] [--sensors 100] [--commit-interval 1s]

Measured on the running daemon and its aggregator together, after a warm-up of 20 s. With --rollups, roll-ups are computed
every minute and readings moved as soon as they may be, so that their cost falls into the window (a real day does the
same work in larger and therefore cheaper blocks).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks import common


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rollups", action="store_true", help="roll-ups every minute instead of every 15")
    parser.add_argument("--sensors", type=int, default=100)
    parser.add_argument("--commit-interval", default="1s")
    options = parser.parse_args()
    sensors = {
        f"s{n:03}": {
            "driver": "simulated",
            "interval": "1s",
            "seed": n,
            "channels": {"x": {"signal": {"sine": {"amplitude": 5, "period": "1h", "noise": 0.1}}, "valid": [-50, 50]}},
        }
        for n in range(options.sensors)
    }
    storage = {"commit_interval": options.commit_interval}
    if options.rollups:
        storage["rollup_interval"] = "1min"
    config = {"sensors": sensors, "storage": storage}
    with common.scratch() as folder, common.daemon(folder, config) as process:
        print(common.machine())
        common.status(folder)
        time.sleep(20)
        pids = common.family(process.pid)
        before = (time.monotonic(), common.cpu_seconds(pids), common.bytes_written(pids), _committed(folder))
        time.sleep(options.minutes * 60)
        after = (time.monotonic(), common.cpu_seconds(pids), common.bytes_written(pids), _committed(folder))
        seconds, cpu, written, readings = (b - a for a, b in zip(before, after, strict=True))
        pss = {pid: common.pss_mb(pid) for pid in pids}
    print(f"readings             {readings:,.0f} in {seconds:.0f} s")
    print(f"CPU                  {100 * cpu / seconds:.2f} % of one core")
    print(f"memory (PSS)         {sum(pss.values()):.1f} MB  ({', '.join(f'{mb:.1f}' for mb in pss.values())})")
    print(f"written              {written / readings:.0f} bytes per reading")


def _committed(folder: Path) -> int:
    return int(common.status(folder)["daemon"]["committed"])


if __name__ == "__main__":
    main()
