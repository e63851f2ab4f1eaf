"""What alarms cost: 1,000 alarms over 1,000 series at 1 Hz, in per cent of a core.

    python -m benchmarks.alarms                 the judge alone, for each kind of condition
    python -m benchmarks.alarms --daemon 60     two daemons after one another, without alarms and with them, so many seconds each

The second figure is the difference of what both use, readers and all; its noise is some tenths of a per cent.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from benchmarks.common import cpu_seconds, daemon, family, scratch, status
from sensorlogd.alarms.keeping.keeper import Clocks, Keeper
from sensorlogd.alarms.notifying.sender import Sender, SenderSettings
from sensorlogd.alarms.plan import plan
from sensorlogd.batch import Block, Column
from sensorlogd.config.loader import load_text
from sensorlogd.drivers.registry import options_for

SENSORS, CHANNELS, SECONDS = 100, 10, 300
CONDITIONS = ("> 30", "mean(10min) > 30", "max(1h) > 30", "rate > 5/min", "missing", "stuck 1h", "flag fail")


def configuration(alarms: dict[str, Any]) -> dict[str, Any]:
    signal = {"signal": {"random_walk": {"start": 20, "step": 0.01}}}
    sensor = {"driver": "simulated", "interval": "1s", "channels": {f"c{n}": signal for n in range(CHANNELS)}}
    return {"sensors": {f"s{n}": sensor for n in range(SENSORS)}, "alarms": alarms}


def judged(when: str) -> float:
    """Seconds of CPU for a second of 1,000 series, an alarm each."""
    alarms = {"a": {"series": "*", "when": when, "for": "1min"}}
    config = load_text(json.dumps(configuration(alarms)), Path("bench.yaml"), options_for)
    now = [1_800_000_000_000_000]
    sender = Sender(SenderSettings(lambda: now[0], lambda *_: None, lambda: None))
    keeper = Keeper(plan(config), sender, Clocks(lambda: now[0], lambda: now[0]), lambda *_: None, lambda: None)
    keeper._loaded = True
    spent = 0.0
    for second in range(SECONDS):
        now[0] += 1_000_000
        blocks = [
            Block(f"s{s}", [Column(f"c{c}", [now[0] - 1000 * s], [20 + (second * 7 % 11) / 10], 1) for c in range(CHANNELS)])
            for s in range(SENSORS)
        ]
        began = time.process_time()
        for _ in range(2):  # before the commit, and the turn that commits
            keeper.observe(blocks, well=True)
        keeper.note_recorded(blocks, kept=False)
        spent += time.process_time() - began
    return spent / SECONDS


def used(folder: Path, alarms: dict[str, Any], seconds: int) -> tuple[float, list[float]]:
    """CPU in per cent of a core, and how long commits took, in ms."""
    config = configuration(alarms) | {"storage": {"min_free": "0B"}}
    with daemon(folder, config) as process:
        while status(folder)["daemon"]["state"] != "writing":
            time.sleep(0.1)
        time.sleep(10)
        before, began, took = cpu_seconds(family(process.pid)), time.monotonic(), []
        for _ in range(seconds):
            time.sleep(1)
            took.append(float(status(folder)["daemon"]["last_commit_ms"]))
        return 100 * (cpu_seconds(family(process.pid)) - before) / (time.monotonic() - began), sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--daemon", type=int, metavar="SECONDS")
    seconds = parser.parse_args().daemon
    if seconds is None:
        for when in CONDITIONS:
            print(f"{when:20} {100 * judged(when):6.2f} % of a core for 1,000 alarms over 1,000 series at 1 Hz")
        return
    for name, alarms in (
        ("without alarms", {}),
        ("1,000 alarms, > 30", {"a": {"series": "*", "when": "> 30", "for": "1min"}}),
        ("1,000 alarms, mean", {"a": {"series": "*", "when": "mean(10min) > 30", "for": "1min"}}),
    ):
        with scratch() as folder:
            cpu, took = used(folder, alarms, seconds)
            print(
                f"{name:20} {cpu:6.1f} % of a core; commits p50 {took[len(took) // 2]:.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms"
            )
            with sqlite3.connect(folder / "data" / "sensorlogd.db") as conn:
                assert conn.execute("SELECT count(*) FROM alarm").fetchone()[0] == (1000 if alarms else 0)


if __name__ == "__main__":
    main()
