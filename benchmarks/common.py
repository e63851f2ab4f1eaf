"""What the benchmarks share: a daemon in a scratch folder, and what the kernel says it used."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sensorlogd.daemon.control import control_socket

TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk under test: $SENSORLOGD_BENCH_DIR, else the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sensorlogd-bench-", dir=os.environ.get("SENSORLOGD_BENCH_DIR")) as name:
        yield Path(name)


@contextlib.contextmanager
def daemon(folder: Path, config: dict[str, Any], *, web: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """``sensorlogd run`` on a configuration (JSON is YAML), stopped at the end."""
    path = folder / "sensorlogd.yaml"
    config.setdefault("daemon", {}).setdefault("data_dir", str(folder / "data"))
    path.write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sensorlogd", "run", "-c", str(path), *([] if web else ["--no-web"])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(120)
            if process.returncode:
                print((folder / "log").read_text()[-2000:], file=sys.stderr)


def status(folder: Path) -> dict[str, Any]:
    """The live status of the daemon, waiting for it to listen."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return control_socket.ask(folder / "data", {"do": "status"})
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError("no Pss in smaps_rollup")


def bytes_written(pids: list[int]) -> int:
    """Bytes these processes caused to be sent to the storage layer (/proc/PID/io write_bytes)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                total += int(line.split()[1])
    return total


def count_rows(path: Path, table: str) -> int:
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        (count,) = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)
    finally:
        conn.close()


def stored_readings(path: Path) -> int:
    """Readings as a reader sees them: those being moved are in both tables and count once."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        row = conn.execute("SELECT value FROM meta WHERE key = 'moved_until_us'").fetchone()
        moved = int(row[0]) if row else 0
        (history,) = conn.execute("SELECT count(*) FROM history WHERE ts < ?", (moved,)).fetchone()
        (recent,) = conn.execute("SELECT count(*) FROM recent WHERE ts >= ?", (moved,)).fetchone()
        return int(history + recent)
    finally:
        conn.close()


def machine() -> str:
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
