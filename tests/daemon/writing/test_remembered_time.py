"""The time believed last outlives the database: one that is begun anew does not fall for a clock that is wrong at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.daemon.timekeeping.belief import ClockState
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.storage import meta
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention
from sensorlogd.storage.maintenance.upkeep import Upkeep

T0 = 1_790_000_000_000_000
MINUTE = 60_000_000
DAY = 86_400_000_000


def clock(wall_us: int, steady_us: int, boot: str = "one") -> JudgedClock:
    return JudgedClock(wall_ns=lambda: wall_us * 1000, steady_ns=lambda: steady_us * 1000, ask=lambda: None, boot=boot)


def run(path: Path, now: JudgedClock) -> None:
    """A start, the first seconds, and a kill: nothing is wiped, nothing closed cleanly."""
    with DatabaseLock(path, None) as lock:
        opening = Opening(path, None, lambda: Upkeep(Mover(), Retention("UTC")), now, remembered=lock)
        db, _ = opening.open(first=True)
        now.poll()
        opening.note_time()
        with db.transaction() as conn:
            for key, value in now.stored().items():
                meta.put(conn, key, value)
        db.let_go()


def gone(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@pytest.mark.parametrize("boot", ["one", "two"])
@pytest.mark.parametrize("ahead_days", [355, 5000])
def test_a_log_that_is_begun_anew_does_not_fall_for_a_clock_ahead(tmp_path: Path, boot: str, ahead_days: int) -> None:
    """In the same boot of the machine and in the next one."""
    path = tmp_path / "log.db"
    run(path, clock(T0, MINUTE))
    gone(path)
    ahead = clock(T0 + ahead_days * DAY, 2 * MINUTE, boot)
    run(path, ahead)
    assert ahead.state is ClockState.AHEAD
    assert T0 <= ahead.safe_us() < T0 + DAY
    gone(path)
    right = clock(T0 + 10 * MINUTE, 6 * MINUTE, boot)
    run(path, right)
    assert right.state is ClockState.BELIEVED
    assert right.safe_us() == T0 + 10 * MINUTE


def test_what_the_database_knows_is_better(tmp_path: Path) -> None:
    """The lock file is older, or of another database that lay here."""
    path = tmp_path / "log.db"
    run(path, clock(T0, MINUTE))
    with DatabaseLock(path, None) as lock:
        lock.note_time({"believed_us": str(T0 + 900 * DAY), "believed_boot": f"one {MINUTE}"})
    now = clock(T0 + MINUTE, 2 * MINUTE)
    run(path, now)
    assert now.state is ClockState.BELIEVED


@pytest.mark.parametrize("tail", [b"", b"time", b"time x y", b"time -5 one 3", b"\xff" * 200, b"time " + b"9" * 500])
def test_a_lock_file_that_says_nothing_sensible_costs_nothing(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "log.db"
    run(path, clock(T0, MINUTE))
    gone(path)
    lock = path.with_name(path.name + ".lock")
    whole = lock.read_bytes()
    lock.write_bytes(whole[: whole.index(b"time ")] + tail)
    now = clock(T0 + MINUTE, 2 * MINUTE)
    run(path, now)
    assert now.state is ClockState.BELIEVED
