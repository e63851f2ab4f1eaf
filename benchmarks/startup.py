"""How soon: first reading committed after start, --help, latest.

python -m benchmarks.startup
"""

from __future__ import annotations

import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import common

SENSORS = {"a": {"driver": "simulated", "interval": "100ms", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}}


def first_commit(folder: Path) -> float:
    folder.mkdir()
    began = time.perf_counter()
    with common.daemon(folder, {"sensors": SENSORS}):
        database = folder / "data" / "sensorlogd.db"
        while True:
            try:
                if common.count_rows(database, "recent"):
                    return time.perf_counter() - began
            except sqlite3.OperationalError:
                pass
            time.sleep(0.005)


def command(*arguments: str, times: int = 15) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sensorlogd", *arguments], check=False, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    with common.scratch() as folder:
        print(common.machine())
        fresh = [first_commit(folder / f"n{n}") for n in range(5)]
        print(f"first reading committed  {statistics.median(fresh):.2f} s after start, fresh database (worst {max(fresh):.2f})")
        print(f"--help                   {command('--help') * 1e3:.0f} ms")
        print(f"latest                   {command('latest', '-c', str(folder / 'n0' / 'sensorlogd.yaml')) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
