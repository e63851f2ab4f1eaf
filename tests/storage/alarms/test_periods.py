"""When alarms were raised, told from the changes that are kept."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.storage.alarms import changes as alarm_changes
from sensorlogd.storage.alarms.changes import ChangeRow, Period
from tests.connections import connect_writer


@pytest.fixture(scope="module")
def log_path(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One log for all; ``stored`` begins with none."""
    return Path(shutil.copy(fresh, tmp_path_factory.mktemp("periods") / "log.db"))


KINDS = ("raised", "acknowledged", "returned", "shelved", "unshelved", "redefined", "removed")


def stored(path: Path, changes: list[tuple[int, str, str]]) -> sqlite3.Connection:
    """Changes (time, alarm, kind), in order."""
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    conn.execute("DELETE FROM alarm_change")
    alarm_changes.add(conn, [ChangeRow(ts, name, "lab.t", kind, "", "", None, "") for ts, name, kind in changes])
    conn.execute("COMMIT")
    return conn


def test_a_period_lasts_from_raised_to_over_whoever_acknowledged_it(log_path: Path) -> None:
    """Acknowledging ends nothing; a period that began before the range begins where it did."""
    conn = stored(log_path, [(10, "a", "raised"), (20, "a", "acknowledged"), (30, "a", "returned"), (40, "b", "raised")])
    assert alarm_changes.periods(conn, 0, 100) == [Period("a", "lab.t", 10, 30), Period("b", "lab.t", 40, None)]
    assert alarm_changes.periods(conn, 25, 35) == [Period("a", "lab.t", 10, 30)]
    assert alarm_changes.periods(conn, 15, 25) == [Period("a", "lab.t", 10, None)]
    assert alarm_changes.periods(conn, 31, 39) == []
    conn.close()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from("ab"), st.sampled_from(KINDS)), max_size=20),
    st.integers(0, 50),
    st.integers(1, 60),
)
def test_any_range_tells_what_the_whole_tells_of_it(
    log_path: Path, changes: list[tuple[int, str, str]], since: int, length: int
) -> None:
    """A range tells of each moment in it what the whole history tells."""
    changes = list({(ts, name): (ts, name, kind) for ts, name, kind in sorted(changes)}.values())
    conn = stored(log_path, changes)
    whole, part = alarm_changes.periods(conn, -1, 1000), alarm_changes.periods(conn, since, since + length)
    conn.close()
    for name in "ab":
        for moment in range(since, since + length):
            assert is_in(whole, name, moment) == is_in(part, name, moment)


def is_in(found: list[Period], name: str, moment: int) -> bool:
    return any(
        period.name == name and period.since_us <= moment and (period.until_us is None or moment < period.until_us)
        for period in found
    )
