"""Why readers are threads, the writer is one, and the aggregator is a process: what the GIL costs each.

    python -m benchmarks.gil

1. Readers: CPU a waiting reader costs as a thread and as a process, and the memory of each.
2. Writer: rows/s of executemany and of one multi-row statement, alone and beside four busy Python threads.
3. Aggregation: a commit's duration while roll-ups are computed in a thread of the same process and in another process.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import statistics
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import common
from sensorlogd.storage.rollups import rollup

ROWS = 200_000
_INSERT = {  # as the writer stores readings: many rows a statement
    size: "INSERT INTO recent(series_id, ts, value, quality) VALUES " + ",".join(["(?,?,?,?)"] * size) for size in (64, 4096)
}
TABLE = (
    "CREATE TABLE recent(ts INTEGER NOT NULL, series_id INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,"
    " PRIMARY KEY(ts, series_id)) STRICT, WITHOUT ROWID"
)


def _database(path: Path) -> sqlite3.Connection:
    path.unlink(missing_ok=True)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    conn.execute(TABLE)
    return conn


def _spin(stop: threading.Event) -> None:
    x = 1
    while not stop.is_set():
        for _ in range(10_000):
            x = (x * 1_103_515_245 + 12_345) & 0x7FFFFFFF


def _beside_busy_threads(count: int, work: Callable[[], float]) -> float:
    stop = threading.Event()
    threads = [threading.Thread(target=_spin, args=(stop,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        return work()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def executemany(path: Path, rows: int) -> float:
    conn = _database(path)
    data = [(n, n % 200, 0.5, 1) for n in range(rows)]
    began = time.perf_counter()
    for at in range(0, rows, 5000):
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", data[at : at + 5000])
        conn.execute("COMMIT")
    rate = rows / (time.perf_counter() - began)
    conn.close()
    return rate


def multirow(path: Path, rows: int) -> float:
    conn = _database(path)
    data = [value for n in range(rows) for value in (n % 200, n, 0.5, 1)]
    began = time.perf_counter()
    for at in range(0, 4 * rows, 4 * 4096):
        chunk = data[at : at + 4 * 4096]
        if len(chunk) == 4 * 4096:
            conn.execute("BEGIN IMMEDIATE")
            conn.execute(_INSERT[4096], chunk)
            conn.execute("COMMIT")
    rate = rows / (time.perf_counter() - began)
    conn.close()
    return rate


def _wait_for(end: Connection) -> None:
    end.recv()


def reader_cost() -> None:
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(55)]
    before = common.pss_mb(os.getpid())
    threads = [threading.Thread(target=_wait_for, args=(ours,)) for ours, _ in pipes[:50]]
    for thread in threads:
        thread.start()
    per_thread = (common.pss_mb(os.getpid()) - before) / 50
    processes = [context.Process(target=_wait_for, args=(ours,)) for ours, _ in pipes[50:]]
    for process in processes:
        process.start()
    time.sleep(2)
    per_process = statistics.mean(common.pss_mb(int(process.pid or 0)) for process in processes)
    for _, theirs in pipes:
        theirs.send("end")
    for thread in threads:
        thread.join()
    for process in processes:
        process.join()
    print(f"1. a waiting reader: as a thread {per_thread:.2f} MB, as a process {per_process:.1f} MB (PSS)")


def _aggregate(seconds: float) -> None:
    times = list(range(1_750_000_000_000_000, 1_750_000_060_000_000, 10_000))
    values: list[float | None] = [float(n % 17) for n in range(len(times))]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rollup.of(times, values, [1] * len(times), rollup.Rules())


def _commits(path: Path, seconds: float) -> list[float]:
    conn = _database(path)
    took, ts = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(_INSERT[64], [value for n in range(ts, ts + 64) for value in (1, n, 0.5, 1)])
        conn.execute("COMMIT")
        took.append(time.perf_counter() - began)
        ts += 64
        time.sleep(0.005)
    conn.close()
    return took


def main() -> None:
    sys.setswitchinterval(0.001)  # as the daemon has it
    print(common.machine())
    reader_cost()
    with common.scratch() as folder:
        path = folder / "x.db"
        for name, work in (("executemany", executemany), ("one statement of 4096 rows", multirow)):
            alone = work(path, ROWS)
            busy = _beside_busy_threads(4, partial(work, path, ROWS // 5))
            print(
                f"2. {name:<28} alone {alone:>9,.0f} rows/s, beside four busy threads {busy:>8,.0f} ({alone / busy:.0f}x slower)"
            )
        quiet = _commits(path, 3)
        thread = threading.Thread(target=_aggregate, args=(4.0,))
        thread.start()
        beside_thread = _commits(path, 3)
        thread.join()
        process = multiprocessing.get_context("spawn").Process(target=_aggregate, args=(5.0,))
        process.start()
        time.sleep(1)
        beside_process = _commits(path, 3)
        process.join()
    for name, took in (("nothing", quiet), ("a thread", beside_thread), ("a process", beside_process)):
        p99 = sorted(took)[int(len(took) * 0.99)]
        print(
            f"3. commit of 64 rows beside {name:<10} that aggregates: median {statistics.median(took) * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms"
        )


if __name__ == "__main__":
    main()
