"""Values that make no sense in the small tables of a damaged file: they are left out and counted, and everything else comes back."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import zlib
from array import array
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.storage import cuts
from sensorlogd.storage.corrections import mend_order, mend_rows, mend_state, originals
from sensorlogd.storage.corrections.change import MendError
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.query.log_reader import LogReader
from tests.connections import connect_writer
from tests.storage import salvage_rig as rig
from tests.storage import working
from tests.storage.salvage.test_left_out import rollup, salvage
from tests.storage.salvage.test_salvage import T, change, readings_of, small

DAY = T - T % rig.DAY
MARKS: dict[str, Any] = {"moved_until_us": rig.NOW - rig.HOUR, "edge_us": rig.NOW - rig.HOUR}


def healthy(fresh: Path, path: Path) -> Path:
    """A log of a hundred settled readings."""
    return small(fresh, path, {"history": [(T + n, 1, float(n)) for n in range(100)]}, **MARKS)


def a_round_of_retention(path: Path) -> None:
    """With the plan that keeps everything for ever."""
    with contextlib.closing(connect_writer(path)) as conn:
        frontier, retention = rig.frontier_of(conn), Retention(rig.ZONE)
        retention.recover(conn, frontier)
        retention.use_plan(RetentionPlan())
        while retention.step(conn, frontier, rig.NOW):
            pass


@pytest.mark.parametrize("cut", [(DAY - rig.DAY) | 1 << 56, rig.NOW - rig.MINUTE, (1 << 63) - 1])
def test_a_cut_that_retention_cannot_have_made_is_left_out(fresh: Path, tmp_path: Path, cut: int) -> None:
    """One bit of it is another one. The readings that are back survive, those of the live log too, and new ones are taken."""
    path = healthy(fresh, tmp_path / "log.db")
    change(path, f"INSERT INTO retention_cut VALUES (1, 0, {cut})")
    assert "1 row that makes no sense was left out" in salvage(path, fresh)
    change(path, f"INSERT INTO history VALUES (1, {T + 1000}, 1.0, 1)")
    a_round_of_retention(path)
    assert len(readings_of(path)["s.x"]) == 101
    assert rig.contents(path).cuts == set()


def test_a_cut_of_no_resolution_is_left_out(fresh: Path, tmp_path: Path) -> None:
    path = healthy(fresh, tmp_path / "log.db")
    change(path, f"INSERT INTO retention_cut VALUES (1, 61, {DAY})", f"INSERT INTO retention_cut VALUES (1, 0, {DAY - rig.DAY})")
    salvage(path, fresh)
    assert rig.contents(path).cuts == {("s.x", 0, DAY - rig.DAY)}


def test_roll_ups_come_back_without_the_cut_of_their_readings(fresh: Path, tmp_path: Path) -> None:
    """It makes no sense: what has roll-ups and no readings before the first reading had expired."""
    path = healthy(fresh, tmp_path / "log.db")
    change(path, f"INSERT INTO retention_cut VALUES (1, 0, {rig.NOW + rig.DAY})", rollup(DAY - rig.HOUR))
    assert "1 hourly roll-up" in salvage(path, fresh)
    a_round_of_retention(path)
    assert len(readings_of(path)["s.x"]) == 100


def test_a_roll_up_of_the_far_future_makes_no_cut(fresh: Path, tmp_path: Path) -> None:
    """Neither readings nor the cut can be read, and the last roll-up is one of the year 9000."""
    path = small(fresh, tmp_path / "log.db", {}, **MARKS)
    far = 221_845_392_000 * rig.SECOND
    change(path, f"INSERT INTO retention_cut VALUES (1, 0, {rig.NOW + rig.DAY})", rollup(DAY - rig.HOUR), rollup(far))
    salvage(path, fresh)
    assert rig.contents(path).cuts == {("s.x", 0, DAY)}


def test_cuts_that_can_be_read_stay_where_others_cannot(fresh: Path, tmp_path: Path) -> None:
    """The page of another series' cuts is damaged: nothing of this series expires for it."""
    path = small(fresh, tmp_path / "log.db", {"history": [(DAY - 2 * rig.DAY, 1, 1.0), (T, 1, 2.0)]}, **MARKS)
    change(path, f"INSERT INTO retention_cut VALUES (1, 0, {DAY - 2 * rig.DAY})", rollup(DAY - 3 * rig.DAY))
    change(path, *(f"INSERT INTO retention_cut VALUES ({series}, 0, {DAY})" for series in range(2, 2_000)))
    page = rig.pages_of(path, "retention_cut")[-1]
    rig.spoil(path, {page: bytes(rig.PAGE)})
    salvage(path, fresh)
    assert min(cut for name, _, cut in rig.contents(path).cuts if name == "s.x") == DAY - 2 * rig.DAY
    a_round_of_retention(path)
    assert len(readings_of(path)["s.x"]) == 2


def test_retention_deletes_nothing_for_a_cut_beyond_what_is_settled(fresh: Path, tmp_path: Path) -> None:
    path = healthy(fresh, tmp_path / "log.db")
    with contextlib.closing(connect_writer(path)) as conn, rig.transaction(conn):
        cuts.raise_to(conn, [(1, cuts.READINGS, rig.NOW + rig.DAY), (1, 3600, rig.NOW + rig.DAY)])
    change(path, rollup(DAY))
    a_round_of_retention(path)
    assert len(readings_of(path)["s.x"]) == 100
    assert len(rig.contents(path).rollups) == 1


@pytest.mark.parametrize("labels", ['{"room: "x"}', "[1]", '{"room": 1}', "7", "", "[" * 50_000])
def test_labels_that_make_no_sense_are_left_out(fresh: Path, tmp_path: Path, labels: str) -> None:
    """Of a sensor and of a series that are in no configuration: the live log stays readable, and all that is sound is in it."""
    path = healthy(fresh, tmp_path / "log.db")
    change(
        path,
        f"INSERT INTO sensor(id, name, driver, labels, created_us) VALUES (2, 'old', 'simulated', '{labels}', 0)",
        f"INSERT INTO series(id, sensor_id, channel, kind, heartbeat_us, labels, created_us) VALUES (2, 2, 'a', 'gauge', 1, '{labels}', 0)",
        f"INSERT INTO history VALUES (2, {T}, 5.0, 1)",
    )
    salvage(path, fresh)
    with LogReader.open(path) as log:
        assert {series.name: series.labels for series in log.series(retired=True)} == {"s.x": {}, "old.a": {}}
    assert readings_of(path)["old.a"] == {T: 5.0}


WRONG: tuple[Any, ...] = ("x", "", (1 << 63) - 1, -(1 << 63), 1.5, math.inf, b"\xff", None)
# A sound row of each small table; the first column tells the rows apart.
SOUND: dict[str, dict[str, Any]] = {
    "sensor": {"id": 2, "name": "old", "driver": "simulated", "labels": "{}", "created_us": 0, "retired_us": T},
    "series": {
        "id": 2, "sensor_id": 1, "channel": "y", "unit": "V", "kind": "gauge", "heartbeat_us": rig.MINUTE, "labels": "{}",
        "created_us": 0, "retired_us": T, "wrap": None, "dip": 0.1, "zero": 0.0,
    },
    "retention_cut": {"series_id": 1, "tier": 0, "cut_us": DAY - rig.DAY},
    "stale": {"series_id": 1, "tier": 60, "from_us": T, "generation": 1},
    "dirty": {"series_id": 1, "start": T, "generation": 1},
    "calibration": {"series_id": 1, "valid_from": T, "scale": 2.0, "offset": 0.5, "curve": None},
    "mend": {
        "id": 2, "made_us": T, "series_id": 1, "since_us": T, "until_us": T + 2, "quality": None, "scale": 2.0, "offset": 0.0,
        "note": "n", "at_us": T + 2, "readings": 2, "done_us": T, "undone_us": None, "kind": "change", "curve": None,
    },
    "mended": {"mend_id": 2, "first_ts": T, "n": 2, "before": originals.pack([(T, 7.0, 1), (T + 1, 8.0, 1)])},
    "event": {"id": 2, "ts": T, "kind": "tick", "sensor": None, "detail": "event"},
}  # fmt: skip


def put_untyped(path: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """The rows of a table, whose columns take values of every type."""
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        columns = [name for (name,) in conn.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        stored = [dict(zip(columns, row, strict=True)) for row in conn.execute(f"SELECT * FROM {table}")]
        conn.execute(f"DROP TABLE {table}")
        conn.execute(f"CREATE TABLE {table}({', '.join(map(quoted, columns))})")
        for row in (*stored, *rows):
            names = ", ".join(map(quoted, row))
            conn.execute(f"INSERT INTO {table}({names}) VALUES ({','.join('?' * len(row))})", tuple(row.values()))


def quoted(name: str) -> str:
    return f'"{name}"'


def wrong_rows(table: str) -> list[dict[str, Any]]:
    """One row for each column and each value that cannot be there, behind the sound one."""
    sound = SOUND[table]
    rows: list[dict[str, Any]] = []
    key = next(iter(sound))
    for column in sound:
        for value in WRONG:
            row = dict(sound)
            if key in ("id", "mend_id"):
                row[key] = 100 + len(rows)
            if table == "mend":
                row["note"] = f"note {len(rows)}"  # else it is the same mend again
            row[column] = value
            rows.append(row)
    return [sound, *rows]


@pytest.mark.parametrize("table", SOUND)
def test_values_of_wrong_types_in_any_column(fresh: Path, tmp_path: Path, table: str) -> None:
    """Nothing raises, the sound rest is back, and the live log can be read, rolled up, expired and mended."""
    path = healthy(fresh, tmp_path / "log.db")
    if table == "mended":
        kept = [row["mend_id"] for row in wrong_rows(table) if type(row["mend_id"]) is int]
        apart = {"since_us": T + 50, "until_us": T + 52, "at_us": T + 52}
        mends = [SOUND["mend"] | apart | {"id": identity, "note": f"note {identity}"} for identity in kept if identity > 2]
        put_untyped(path, "mend", [SOUND["mend"], *mends])
    put_untyped(path, table, wrong_rows(table))
    salvage(path, fresh)
    change(path, f"INSERT INTO history VALUES (1, {T + 1000}, 1.0, 1)")
    a_round_of_retention(path)
    rig.heal(path, rig.NOW - rig.HOUR)
    with LogReader.open(path) as log:
        series = log.series(retired=True)
        assert {"s.x"} | ({"s.y"} if table == "series" else set()) <= {each.name for each in series}
        log.latest(series, rig.NOW)
        log.events()
        assert sum(reading.series.name == "s.x" for reading in log.readings(series, T, rig.NOW)) == 101
    with contextlib.closing(connect_writer(path)) as conn:
        for each in mend_rows.all_mends(conn):
            each.message()
            mend_state.state_of(conn, each)
            with contextlib.suppress(MendError):
                mend_order.check_undo(conn, each.id)
                with rig.transaction(conn):
                    mend_order.order_undo(conn, each.id, rig.NOW)
            working.run(conn, rig.frontier_of(conn), rig.NOW)
        assert (mend_rows.all_mends(conn) != []) == (table in ("mend", "mended"))
    found = rig.contents(path)
    assert len([name for name, *_ in found.readings if name == "s.x"]) == 101
    assert ("s.x", 0, DAY - rig.DAY) in found.cuts or table != "retention_cut"
    assert ("s.x", T, 2.0, 0.5, None) in found.calibrations or table != "calibration"
    assert (T, "tick", None, "event") in found.events or table != "event"
    if table == "mended":
        assert readings_of(path)["s.x"][T] == 7.0


@pytest.mark.parametrize("value", [str((1 << 63) - 1), "-5", "x", "", b"\xff", str(9 * rig.NOW), None])
@pytest.mark.parametrize("key", ["moved_until_us", "edge_us", "day_zone"])
def test_values_of_wrong_types_in_the_marks(fresh: Path, tmp_path: Path, key: str, value: object) -> None:
    """Each of them is read by itself, and all readings are back."""
    path = healthy(fresh, tmp_path / "log.db")
    change(path, f"INSERT INTO recent VALUES ({rig.NOW - rig.MINUTE}, 1, 1.0, 1)", f"DELETE FROM meta WHERE key = '{key}'")
    put_untyped(path, "meta", [{"key": key, "value": value}])
    salvage(path, fresh)
    a_round_of_retention(path)
    assert len(readings_of(path)["s.x"]) == 101


@pytest.mark.parametrize("zone", ["Europe/Berl\ufffdn", "/etc/passwd", "Europe/Berlhn"])
def test_days_come_back_without_their_zone(fresh: Path, tmp_path: Path, zone: str) -> None:
    """They are taken for days of the live log, and that is told."""
    path = healthy(fresh, tmp_path / "log.db")
    change(path, f"INSERT INTO meta VALUES ('day_zone', '{zone}')", f"INSERT INTO retention_cut VALUES (1, 0, {DAY})")
    change(path, rollup(DAY - rig.DAY, 86_400), rollup(DAY, 86_400))
    said = salvage(path, fresh)
    assert "; the time zone of its days cannot be read: they came back as days in UTC" in said
    assert ("s.x", 86_400, DAY - rig.DAY) in rig.contents(path).rollups


@pytest.mark.parametrize(("first_ts", "n"), [(T, 1), (T, 3), (T, 1 << 62), (T + 1, 2)])
def test_originals_that_do_not_agree_with_their_count_are_left_out(fresh: Path, tmp_path: Path, first_ts: int, n: int) -> None:
    """Else the mend could be ordered to be taken back, and that would fail."""
    path = healthy(fresh, tmp_path / "log.db")
    before = SOUND["mended"]["before"]
    put_untyped(path, "mend", [SOUND["mend"]])
    put_untyped(path, "mended", [{"mend_id": 2, "first_ts": first_ts, "n": n, "before": before}])
    assert "; 1 row that makes no sense was left out" in salvage(path, fresh)
    assert rig.contents(path).mended == set()


def test_originals_of_times_that_no_reading_has_are_left_out(fresh: Path, tmp_path: Path) -> None:
    """They can be unpacked, but no statement takes them."""
    path = healthy(fresh, tmp_path / "log.db")
    steps = array("q", [T, (1 << 63) - 1]).tobytes()
    before = zlib.compress(steps + array("d", [1.0, 2.0]).tobytes() + array("q", [1, 1]).tobytes())
    put_untyped(path, "mend", [SOUND["mend"]])
    put_untyped(path, "mended", [{"mend_id": 2, "first_ts": T, "n": 2, "before": before}])
    assert "; 1 row that makes no sense was left out" in salvage(path, fresh)


@pytest.mark.parametrize("row", ["dirty VALUES (1, {0} * 60000000, 1)", "stale VALUES (1, 60, {0} * 100000000, 1)"])
def test_marks_of_impossible_times_are_left_out_and_counted(fresh: Path, tmp_path: Path, row: str) -> None:
    """No roll-up waits for a minute before the year 1."""
    path = healthy(fresh, tmp_path / "log.db")
    change(path, f"INSERT INTO {row.format(-70_000_000_000)}")
    assert "1 row that makes no sense was left out" in salvage(path, fresh)
    assert len(readings_of(path)["s.x"]) == 100
