"""What hostile questions do to logging: how long commits take while nobody asks, and while eight clients ask without end.

    python -m benchmarks.hostile [--seconds 60]

A hundred series at 10 Hz, a commit every 100 ms; the questions are those of tests/web/test_hostile.py. Alternates twice, so that
a change of the machine shows as a difference of the rounds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from benchmarks.common import scratch, status
from benchmarks.web import free_port, serving
from tests.web.test_hostile import QUESTIONS

CLIENTS = 8
LOOK_S = 0.02


def commits(folder: Path, seconds: float) -> tuple[list[float], dict[str, Any]]:
    """How long the commits of so many seconds took, in ms (each that was seen), and what the daemon says at the end."""
    took, last = [], -1
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        facts = status(folder)["daemon"]
        if facts["commits"] != last:
            last = facts["commits"]
            took.append(float(facts["last_commit_ms"]))
        time.sleep(LOOK_S)
    return took, facts


def ask(address: str, first: int, over: threading.Event, answered: list[int]) -> None:
    """One client, an answer after the other."""
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        for path, query in itertools.islice(itertools.cycle(QUESTIONS), first, None):
            if over.is_set():
                return
            try:
                answered.append(client.get(f"{path}?{urlencode(query)}").status_code)
            except httpx.HTTPError:
                answered.append(0)


def report(what: str, took: list[float]) -> None:
    cuts = statistics.quantiles(took, n=100)
    print(f"{what:<12} {len(took):>6} commits   median {cuts[49]:6.1f} ms   p99 {cuts[98]:6.1f} ms   longest {max(took):6.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with scratch() as folder:
        port = free_port()
        channels = {f"c{index}": {"unit": "°C", "signal": {"noise": {"stddev": 1}}} for index in range(10)}
        config = {
            "daemon": {"data_dir": str(folder / "data")},
            "storage": {"commit_interval": "100ms"},
            "web": {"listen": f"127.0.0.1:{port}"},
            "sensors": {f"s{index}": {"driver": "simulated", "interval": "100ms", "channels": channels} for index in range(10)},
        }
        path = folder / "sensorlogd.yaml"
        path.write_text(json.dumps(config))
        with serving(["run", "-c", str(path)], port):
            commits(folder, 5)
            for _ in range(2):
                took, before = commits(folder, options.seconds)
                report("nobody asks", took)
                over, answered = threading.Event(), list[int]()
                clients = [
                    threading.Thread(target=ask, args=(f"http://127.0.0.1:{port}", 2 * index, over, answered))
                    for index in range(CLIENTS)
                ]
                for client in clients:
                    client.start()
                began = time.monotonic()
                took, after = commits(folder, options.seconds)
                seconds = time.monotonic() - began
                over.set()
                for client in clients:
                    client.join()
                report("asked", took)
                rate = (after["committed"] - before["committed"]) / seconds
                counts = {code: answered.count(code) for code in sorted(set(answered))}
                print(f"             {rate:,.0f} readings a second stored meanwhile; answers by status: {counts}")


if __name__ == "__main__":
    main()
