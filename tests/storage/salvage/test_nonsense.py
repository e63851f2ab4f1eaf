"""Values that make no sense in the small tables of a damaged file: they are left out and counted, and everything else comes back."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.storage import cuts
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.query.log import Log
from tests.connections import connect_writer
from tests.storage import salvage_rig as rig
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
    with Log.open(path) as log:
        assert {series.name: series.labels for series in log.series(retired=True)} == {"s.x": {}, "old.a": {}}
    assert readings_of(path)["old.a"] == {T: 5.0}
