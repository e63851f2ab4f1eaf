"""kill -9 at random moments: nothing that was committed is lost, nothing is doubled, roll-ups equal raw."""

from __future__ import annotations

import json
import math
import random
import signal
import sqlite3
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.rig import Daemon, reading, until

KILLS = 20
FACTOR = 400  # of the wall clock: an hour, and with it the mover's block, passes in nine seconds
SENSORS = 3
MINUTE_US = 60_000_000


def configuration(folder: Path) -> Path:
    """Counters, so that a hole or a repetition is visible in the values themselves, and sines beside them."""
    sensors = {
        f"s{n}": {
            "driver": "simulated",
            "interval": "2ms",
            "batch": 5,
            "heartbeat": "30s",
            "seed": n,
            "channels": {
                "count": {"kind": "counter", "signal": {"counter": {"step": 1}}, "valid": [-1, 1e12]},
                "wave": {"signal": {"sine": {"offset": 3, "amplitude": 5, "period": "1min", "noise": 0.1}}, "valid": [-3, 7]},
            },
        }
        for n in range(SENSORS)
    }
    path = folder / "sensorlogd.yaml"
    path.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(folder / "data")},
                "storage": {"commit_interval": "20ms", "rollup_interval": "200ms", "min_free": "0B"},
                "sensors": sensors,
            }
        )
    )
    return path


def seen(conn: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """Per series: (number of readings, newest time) that a reader sees: these are committed."""
    conn.execute("BEGIN")
    moved = conn.execute("SELECT value FROM meta WHERE key = 'moved_until_us'").fetchone()
    until_us = int(moved[0]) if moved and moved[0] else 0
    found = conn.execute(
        "SELECT series_id, count(*), max(ts) FROM ("
        " SELECT series_id, ts FROM history WHERE ts < ?1 UNION ALL SELECT series_id, ts FROM recent WHERE ts >= ?1"
        ") GROUP BY series_id",
        (until_us,),
    ).fetchall()
    conn.execute("COMMIT")
    return {series: (count, newest) for series, count, newest in found}


def rollups_equal_raw(path: Path) -> int:
    """Compare every clean stored minute and hour with a plain recomputation; the number compared."""
    compared = 0
    with reading(path) as conn:
        meta = dict(conn.execute("SELECT key, value FROM meta").fetchall())
        edge, moved = int(meta["edge_us"]), int(meta.get("moved_until_us") or 0)
        dirty = {(s, start) for s, start in conn.execute("SELECT series_id, start FROM dirty")}
        stored = conn.execute(
            "SELECT series_id, resolution, start, n, mean, min, max, first_ts, last_ts, n_good, n_fail FROM rollup"
            " WHERE resolution IN (60, 900, 3600) ORDER BY series_id, resolution, start"
        ).fetchall()
        raw: dict[int, list[tuple[int, float, int]]] = {}
        for series, ts, value, quality in conn.execute(
            "SELECT series_id, ts, value, quality FROM history WHERE ts < ?1"
            " UNION ALL SELECT series_id, ts, value, quality FROM recent WHERE ts >= ?1 ORDER BY 1, 2",
            (moved,),
        ):
            raw.setdefault(series, []).append((ts, value, quality & 15))
    buckets: dict[tuple[int, int, int], list[tuple[int, float, int]]] = {}
    for series, readings in raw.items():
        for resolution in (60, 900, 3600):
            width = resolution * 1_000_000
            for entry in readings:
                start = entry[0] - entry[0] % width
                if start + width <= edge:
                    buckets.setdefault((series, resolution, start), []).append(entry)
    found = {row[:3]: row[3:] for row in stored if row[2] + row[1] * 1_000_000 <= edge}
    unclean = {(s, r, start - start % (r * 1_000_000)) for s, start in dirty for r in (60, 900, 3600)}
    assert found.keys() - unclean == buckets.keys() - unclean
    for key, entries in buckets.items():
        if key in unclean:
            continue
        n, mean, low, high, first_ts, last_ts, good, fail = found[key]
        used = [(ts, value) for ts, value, flag in entries if flag not in (4, 9)]
        values = [value for _, value in used]
        assert n == len(used), key
        assert good == sum(flag == 1 for *_, flag in entries)
        assert fail == sum(flag == 4 for *_, flag in entries)
        if used:
            assert (low, high, first_ts, last_ts) == (min(values), max(values), used[0][0], used[-1][0]), key
            assert math.isclose(mean, math.fsum(values) / n, rel_tol=1e-9, abs_tol=1e-12), key
        compared += 1
    return compared


@pytest.mark.parametrize("seed", [1])
def test_twenty_kills_lose_nothing_committed(tmp_path: Path, seed: int) -> None:
    """Every reading that a reader saw is there after the kill; integrity_check says ok; roll-ups equal raw."""
    rng = random.Random(seed)
    config = configuration(tmp_path)
    database = tmp_path / "data" / "sensorlogd.db"
    epoch_us = time.time_ns() // 1000
    before: dict[int, tuple[int, int]] = {}
    for kill in range(KILLS):
        with Daemon(config, tmp_path / "data", fast=(FACTOR, epoch_us)) as daemon:
            daemon.wait_ready()
            rounds = rng.randrange(1, 25)
            with reading(database) as conn:
                for _ in range(rounds):
                    total = sum(count for count, _ in before.values())
                    before = until(lambda: _more(conn, total), "new committed readings")  # noqa: B023  # called at once
            daemon.kill()
        with reading(database) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            after = seen(conn)
        for series, (count, newest) in before.items():
            assert after[series][0] >= count, f"kill {kill}: series {series} lost committed readings"
            assert after[series][1] >= newest
        before = after
    with Daemon(config, tmp_path / "data", fast=(FACTOR, epoch_us)) as daemon:
        daemon.wait_ready()
        until(lambda: rollups_settled(database), "roll-ups after the last restart")
        assert daemon.stop() == 0
    assert rollups_equal_raw(database) > 3 * 2 * 60
    with reading(database) as conn:
        assert conn.execute("SELECT count(*) FROM history").fetchone()[0] > 0, "the mover had work, too"
        kinds = dict(conn.execute("SELECT kind, count(*) FROM event GROUP BY kind"))
        assert (kinds["started"], kinds["stopped"]) == (KILLS + 1, 1)
        assert kinds["unclean_end"] == KILLS, "every kill is told of by the next start"
    _counters_are_whole(database)


def _more(conn: sqlite3.Connection, total: int) -> dict[int, tuple[int, int]] | None:
    now = seen(conn)
    return now if sum(count for count, _ in now.values()) > total else None


def rollups_settled(path: Path) -> bool:
    """No dirty marks are left and the edge is past every minute that the kills interrupted."""
    with reading(path) as conn:
        (marks,) = conn.execute("SELECT count(*) FROM dirty").fetchone()
        (runs,) = conn.execute("SELECT coalesce((SELECT value FROM daemon_status WHERE key = 'rollup_runs'), '0')").fetchone()
    return marks == 0 and int(runs) >= 2


def _counters_are_whole(path: Path) -> None:
    """Within each life the counters rise by one: no reading between two committed ones is missing or doubled."""
    with reading(path) as conn:
        moved = int(dict(conn.execute("SELECT key, value FROM meta")).get("moved_until_us") or 0)
        for (series,) in conn.execute("SELECT id FROM series WHERE channel = 'count'").fetchall():
            values = [
                value
                for (value,) in conn.execute(
                    "SELECT value FROM (SELECT ts, value FROM history WHERE series_id = ?1 AND ts < ?2"
                    " UNION ALL SELECT ts, value FROM recent WHERE series_id = ?1 AND ts >= ?2) ORDER BY ts",
                    (series, moved),
                )
            ]
            restarts = 0
            for a, b in pairwise(values):
                if b != a + 1:
                    assert b == 0, f"series {series}: {b} follows {a}"
                    restarts += 1
            assert restarts <= KILLS


def test_a_crash_below_python_says_where(tmp_path: Path) -> None:
    """What each thread did stands in the log of the daemon; SIGBUS comes of a file that others cut while it is mapped."""
    config = configuration(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.process.send_signal(signal.SIGBUS)
        assert daemon.process.wait(60) == -signal.SIGBUS
        said = daemon.log.read_text()
    assert "Fatal Python error: Bus error" in said
    assert "supervisor.py" in said
