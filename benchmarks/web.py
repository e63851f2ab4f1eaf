"""The web process: how fast a chart is answered, what it weighs, what a hundred live viewers cost.

    python -m benchmarks.web [--keep FILE] [--days 365] [--viewers 100] [--seconds 20]

First a chart of a year at one reading a second over HTTP (the file of benchmarks/queries.py); then a daemon with ten simulated
sensors at 1 Hz and the viewers on its stream, against the same daemon without them.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import queries
from benchmarks.common import cpu_seconds, pss_mb, scratch
from sensorlogd.daemon.web_process import resident_bytes

CHART = "/api/v1/buckets?series=bench.value&since={since}&until={until}&max_points={points}&shape=columns&time=s&fill=null"

AT_ONCE = 20  # viewers


@contextlib.contextmanager
def serving(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sensorlogd", *command], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                get(port, "/health")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:500]
        return body
    finally:
        connection.close()


def chart(file: Path, days: int) -> None:
    """Answers over HTTP, a connection each, as a page that zooms would ask."""
    port = free_port()
    with serving(["web", "--db", str(file), "--listen", f"127.0.0.1:{port}"], port) as process:
        print(
            f"web process before the first question: {resident_bytes(process.pid) / 1e6:.0f} MB resident, {pss_mb(process.pid):.0f} MB Pss"
        )
        for name, since, span, points in (
            (f"{days} days, 1000 points", 0, days, 1000),
            ("30 days, 1000 points", days - 30, 30, 1000),
            ("1 day, 1500 points", days - 1, 1, 1500),
            ("1 hour, every second", days - 1, 1 / 24, 3700),
        ):
            begin = queries.T0 + int(since * 86_400)
            path = CHART.format(since=begin, until=begin + int(span * 86_400), points=points)
            began = time.perf_counter()
            body = get(port, path)
            first = (time.perf_counter() - began) * 1e3
            took = []
            for _ in range(15):
                began = time.perf_counter()
                get(port, path)
                took.append((time.perf_counter() - began) * 1e3)
            found = json.loads(body)["series"][0]
            print(
                f"{name}: {statistics.median(took):.1f} ms warm (slowest {max(took):.1f}), first {first:.1f} ms;"
                f" {len(found['time'])} points of {found['step']} from {found['source']}, {len(body) / 1e3:.0f} kB"
            )
        print(f"after them: {resident_bytes(process.pid) / 1e6:.0f} MB resident")


def viewers(folder: Path, count: int, seconds: float) -> None:
    """CPU and memory of the web process with one viewer and with ``count`` more, over ``seconds`` each."""
    port = free_port()
    channels = {"value": {"unit": "°C", "signal": {"noise": {"stddev": 1}}}}
    config: dict[str, Any] = {
        "daemon": {"data_dir": str(folder / "data")},
        "web": {"listen": f"127.0.0.1:{port}"},
        "sensors": {f"s{index}": {"driver": "simulated", "interval": "1s", "channels": channels} for index in range(10)},
    }
    path = folder / "sensorlogd.yaml"
    path.write_text(json.dumps(config))
    with serving(["run", "-c", str(path)], port), contextlib.ExitStack() as stack:
        pid = next(int(pid) for pid in _pids() if b"sensorlogd.web" in _command(pid) and str(port).encode() in _command(pid))
        selector = stack.enter_context(selectors.DefaultSelector())
        _watch(stack, selector, port, 1)
        _read(selector, 5)
        base_cpu, base_memory, _ = _measure(selector, pid, seconds)
        _watch(stack, selector, port, count)
        _read(selector, 3)
        cpu, memory, received = _measure(selector, pid, seconds)
        print(f"1 viewer: {base_cpu * 100:.1f} % of a core, {base_memory:.1f} MB resident")
        print(f"{count} more: {cpu * 100:.1f} % of a core, {memory:.1f} MB; {received / seconds / 1e3:.0f} kB/s sent")
        print(f"they add {(cpu - base_cpu) * 100:.1f} % of a core and {memory - base_memory:.1f} MB")


def _pids() -> Iterator[str]:
    return (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _watch(stack: contextlib.ExitStack, selector: selectors.BaseSelector, port: int, count: int) -> None:
    """Open so many streams, a few at a time: the web process answers 503 to more than wait for a query thread at once."""
    for number in range(1, count + 1):
        viewer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        viewer.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        viewer.setblocking(False)
        selector.register(viewer, selectors.EVENT_READ, viewer)
        if number % AT_ONCE == 0:
            _read(selector, 0.5)


def _read(selector: selectors.BaseSelector, seconds: float) -> int:
    received = 0
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            viewer: socket.socket = key.data
            part = viewer.recv(65536)
            assert part, "a viewer was let go"
            received += len(part)
    return received


def _measure(selector: selectors.BaseSelector, pid: int, seconds: float) -> tuple[float, float, int]:
    cpu, began = cpu_seconds([pid]), time.monotonic()
    received = _read(selector, seconds)
    return (cpu_seconds([pid]) - cpu) / (time.monotonic() - began), resident_bytes(pid) / 1e6, received


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path, help="keep the built file here, and use it if it is there")
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with scratch() as folder:
        file = options.keep or folder / "year.db"
        if not file.exists():
            queries.build(file, options.days)
        chart(file, options.days)
        viewers(folder, options.viewers, options.seconds)


if __name__ == "__main__":
    main()
