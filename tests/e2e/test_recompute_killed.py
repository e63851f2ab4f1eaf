"""Computing anew over kills: what comes of it is what comes of it without them."""

from __future__ import annotations

import csv
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sensorlogd.notation.times import format_time
from tests.e2e.test_computed import write
from tests.rig import Daemon, reading, rows, until

N, BEGIN_US = 30_000, 1_790_000_000_000_000
FORMULAS = {"power": "power(u, i, 1)", "work": "integral(p)"}


def verb(config: Path, *words: str) -> None:
    command = [sys.executable, "-m", "sensorlogd", *words, "-c", str(config)]
    subprocess.run(command, capture_output=True, timeout=120, check=True, cwd=Path(__file__).parents[2])


def history(path: Path) -> None:
    """A reading a second, hours of them."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time", "sensor", "channel", "value"])
        for n in range(N):
            at = format_time(BEGIN_US + n * 1_000_000, "UTC")
            out.writerow([at, "mains", "voltage", 230 + n % 7])
            out.writerow([at, "mains", "current", 2])


def progress(database: Path) -> tuple[int, int]:
    """(readings done, pieces of work that wait)."""
    with reading(database) as conn:
        found = conn.execute(
            "SELECT coalesce(sum(done), 0), sum(state = 'waiting') FROM work WHERE kind = 'recompute'"
        ).fetchone()
    return int(found[0]), int(found[1] or 0)


def test_a_kill_in_the_middle_of_computing_anew(tmp_path: Path) -> None:
    """Twice in the middle of the work: it goes on by itself, computes nothing twice and leaves nothing out."""
    config, database = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db"
    write(config, tmp_path)
    history(tmp_path / "history.csv")
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        verb(config, "import", str(tmp_path / "history.csv"))
        daemon.ask("recompute", sensor="energy", since_us=BEGIN_US, formulas=FORMULAS)
        until(lambda: progress(database)[0] > 0, "the work to begin")
        daemon.kill()
    done, waiting = progress(database)
    assert waiting, "it was over before the kill"
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: progress(database)[0] > done, "it to go on")
        daemon.kill()
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: not progress(database)[1], "it to be done")
        assert daemon.stop() == 0
    end_us = BEGIN_US + N * 1_000_000
    power = {ts: value for ts, _, value, _ in rows(database, "energy", "power") if ts < end_us}
    assert power == {BEGIN_US + n * 1_000_000: (230 + n % 7) * 2 for n in range(N)}
    work = [(ts, value) for ts, _, value, _ in rows(database, "energy", "work") if ts < end_us]
    assert [ts for ts, _ in work] == list(power)
    for (before, was), (ts, now) in pairwise(work):
        assert now == pytest.approx((was or 0) + ((power[ts] or 0) + (power[before] or 0)) / 2)
