"""What a salvage must not lose: what came back once already, what is older than 1970; and whatever it leaves out is counted."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from sensorlogd.storage import work
from sensorlogd.storage.corrections import originals
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.salvage import messages, names, restoring
from sensorlogd.storage.salvage.progress import Progress
from sensorlogd.storage.salvage.restoring import Restored
from tests.storage import salvage_rig as rig
from tests.storage.salvage.test_salvage import T, change, readings_of, small, spec

IN_1965 = -150_000_000 * rig.SECOND
DAY = T - T % rig.DAY


def salvage(path: Path, fresh: Path, number: int = 1) -> str:
    """Set the log aside, bring back what it holds, and return what was said about it."""
    rig.set_aside(path, fresh, [spec()], now_us=rig.NOW + number * rig.SECOND)
    assert rig.run(path, fresh)
    assert rig.outcome(path).state is work.State.DONE
    return rig.outcome(path).outcome


def test_events_come_back_from_every_salvage(fresh: Path, tmp_path: Path) -> None:
    """A former salvage gave them ids of 0 and less."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    change(path, *(f"INSERT INTO event(ts, kind, detail) VALUES ({T + n}, 'tick', 'event {n}')" for n in range(5)))
    before = rig.contents(path).events
    assert len(before) == 5
    for number in range(1, 4):
        salvage(path, fresh, number)
        change(path, f"INSERT INTO event(ts, kind, detail) VALUES ({T + number}, 'tick', 'between {number}')")
        before.add((T + number, "tick", None, f"between {number}"))
        assert rig.contents(path).events == before


@pytest.mark.parametrize("table", ["history", "recent"])
def test_readings_older_than_1970_come_back(fresh: Path, tmp_path: Path, table: str) -> None:
    """An import takes them, from the year 1 on. They are fresh only where the border cannot be read."""
    first = -62_135_596_800 * rig.SECOND
    path = small(fresh, tmp_path / "log.db", {table: [(first, 1, 1.0), (IN_1965, 1, 2.0), (T, 1, 3.0)]}, moved_until_us=rig.NOW)
    if table == "recent":
        change(path, "UPDATE meta SET value = 'not to be read' WHERE key = 'moved_until_us'")
    salvage(path, fresh)
    assert readings_of(path) == {"s.x": {first: 1.0, IN_1965: 2.0, T: 3.0}}


def rollup(start: int, resolution: int = 3600) -> str:
    """A statement that stores one of one reading."""
    row = RollUp(1, 1.0, 0.0, 1.0, 1.0, start, 1.0, start, 1.0, 0.0, 0, n_good=1)
    values = ("NULL" if value is None else repr(value) for value in row)
    return (
        f"INSERT INTO rollup(series_id, resolution, start, {', '.join(RollUp._fields)})"
        f" VALUES (1, {resolution}, {start}, {', '.join(values)})"
    )


def test_roll_ups_older_than_1970_come_back(fresh: Path, tmp_path: Path) -> None:
    """Their readings have expired."""
    start = IN_1965 - IN_1965 % rig.HOUR
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    change(path, rollup(start), f"INSERT INTO retention_cut VALUES (1, 0, {DAY})")
    assert "1 hourly roll-up from" in salvage(path, fresh)
    assert ("s.x", 3600, start) in rig.contents(path).rollups


def test_what_is_left_out_is_counted(fresh: Path, tmp_path: Path) -> None:
    """Rows that make no sense, of all tables, and what has expired meanwhile."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(DAY - 5, 1, 1.0), (T, 1, 1.0)]})
    change(
        path,
        f"INSERT INTO recent VALUES ({T + 1}, 1, 1.0, 0)",  # no flag
        f"INSERT INTO calibration VALUES (1, {T}, 2.0, 0.0, 'no curve')",
        f'INSERT INTO mend(id, made_us, series_id, since_us, until_us, scale, "offset", note, at_us, readings, done_us)'
        f" VALUES (1, {T}, 1, {T}, {T + 9}, 1.0, 0.0, 'note', {T + 9}, 1, {T})",
        f"INSERT INTO mended VALUES (1, {T}, 1, zeroblob(3))",
        f"INSERT INTO retention_cut VALUES (1, 0, {DAY - rig.HOUR})",
        rollup(DAY - 2 * rig.HOUR + 1),  # begins at no hour
        rollup(DAY - 3 * rig.HOUR),
    )
    rig.set_aside(path, fresh, [spec()])
    change(path, *(f"INSERT OR REPLACE INTO retention_cut VALUES (1, {tier}, {DAY})" for tier in (0, 3600)))
    assert rig.run(path, fresh)
    said = rig.outcome(path).outcome
    assert "; 1 reading older than what is kept was left out" in said
    assert "; 1 roll-up older than what is kept was left out" in said
    assert "; 4 rows that make no sense were left out" in said


def test_what_belongs_to_a_mend_that_is_lost_is_counted(conn: sqlite3.Connection) -> None:
    kept = names.SalvageMemory(conn, 1)
    kept.mends["1"] = 1
    row = (T, 1, originals.pack([(T, 1.0, 1)]))
    assert restoring.mended(conn, kept, 1, [row]) == Restored()
    assert restoring.mended(conn, kept, 7, [row]) == Restored(without_mend=1)
    said = messages.outcome("damaged/x", Progress.from_json({"counts": {"without_mend": 1}}))
    assert "; 1 row of what readings were before a mend that is lost was left out" in said


def test_what_was_lost_to_damage_is_known_however_it_is_worded(fresh: Path, full_of_damage: Path) -> None:
    change(full_of_damage, "UPDATE work SET outcome = 'in other words'")
    with contextlib.closing(sqlite3.connect(full_of_damage)) as conn:
        assert work.any_lost_to_damage(conn)


def test_rows_that_make_no_sense_were_lost_to_damage(fresh: Path, tmp_path: Path) -> None:
    """A reading of no flag did not come back, so a mend that is taken back may not find it."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    change(path, f"INSERT INTO recent VALUES ({T + 1}, 1, 1.0, 0)")
    salvage(path, fresh)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        assert work.any_lost_to_damage(conn)


def test_nothing_was_lost_to_damage_where_all_could_be_read(fresh: Path, tmp_path: Path) -> None:
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    salvage(path, fresh)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        assert not work.any_lost_to_damage(conn)


@pytest.fixture
def full_of_damage(fresh: Path, tmp_path: Path) -> Path:
    """A log into which another was salvaged, one of whose pages could not be read."""
    rows = {"history": [(T + n, 1, 1.0) for n in range(6_000)]}
    path = small(fresh, tmp_path / "log.db", rows, moved_until_us=rig.NOW)
    rig.spoil(path, {rig.pages_of(path, "history")[3]: bytes(rig.PAGE)})
    assert "1 damaged stretch" in salvage(path, fresh)
    return path
