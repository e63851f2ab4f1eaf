"""A converted unit: every reading is at each moment in one series, in the unit of that one; in the end in the new one."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.notation.microseconds import HOUR_US
from sensorlogd.storage import meta, work
from sensorlogd.storage.corrections import mend_order
from sensorlogd.storage.corrections.change import Change, MendError
from sensorlogd.storage.corrections.conversion import SAME, exact_conversion, waiting
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.corrections.upsert import Busy, UpsertError, upsert
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec, sync
from tests.storage import working
from tests.storage.rollups.test_compute import HEARTBEAT, T0, Machine, _edge, _readings

NOW = 1_750_000_000_000_000
UNTIL = T0 + 4 * 24 * HOUR_US
UNITS = ("°C", "K", "°F")


class Log(Machine):
    """``model``: every reading with the value that it had and the unit in which that was."""

    def __init__(self, folder: Path, fresh: Path) -> None:
        super().__init__(folder, fresh, "Europe/Berlin")
        self.unit = ""
        self.model: dict[Any, Any] = {}
        self.by_kind = working.workers(3)
        self.configure("°C")

    def restart(self) -> None:
        """With blocks so small that there is often one that is only half moved."""
        super().restart()
        self.mover.block_rows = 6

    def configure(self, unit: str) -> None:
        self.unit = unit
        channels = [
            SeriesSpec("gauge", unit=unit, heartbeat_us=HEARTBEAT, unit_change="convert"),
            SeriesSpec("counter", kind="counter", heartbeat_us=HEARTBEAT),
        ]
        self.conn.execute("BEGIN IMMEDIATE")
        self.ids = sync(self.conn, [SensorSpec("s", "simulated", series=channels)], UNTIL).ids
        self.conn.execute("COMMIT")

    def store(self, readings: list[tuple[int, float, int]]) -> None:
        new = {ts: (value, code) for ts, value, code in readings if ts not in self.model}
        super().store([(ts, *reading) for ts, reading in new.items()])
        for ts, (value, code) in new.items():
            self.model[ts] = (None if code == 9 else value, code, self.unit)

    def slices(self, most: int, *, crash: bool) -> None:
        for number in range(most):
            is_lost = crash and number == most - 1
            if working.one_slice(self.conn, self.frontier, self.by_kind, UNTIL, crash=is_lost) is None:
                break
        if crash:
            self.restart()
            self.by_kind = working.workers(3)

    def verify(self) -> None:
        """Once, somewhere, in the unit of where it is."""
        found: dict[int, tuple[float | None, int, str]] = {}
        query = "SELECT id, unit FROM series WHERE channel LIKE 'gauge%'"
        for series, unit in self.conn.execute(query).fetchall():
            for ts, value, code in self.raw(series):
                assert ts not in found
                found[ts] = (value, code, unit)
        assert found.keys() == self.model.keys()
        for ts, (value, code, unit) in self.model.items():
            now, its_code, its_unit = found[ts]
            linear = exact_conversion(unit, its_unit)
            assert linear is not None
            assert its_code == code
            assert (now is None) == (value is None)
            if value is not None and now is not None:
                assert math.isclose(now, value * linear.factor + linear.shift, rel_tol=1e-9, abs_tol=1e-9)


_step = st.one_of(
    st.tuples(st.just("store"), _readings),
    st.tuples(st.just("convert"), st.sampled_from(UNITS)),
    st.tuples(st.just("slices"), st.integers(1, 20), st.booleans()),
    st.tuples(st.just("slices"), st.integers(1, 20), st.booleans()),
    st.tuples(st.just("move"), st.integers(1, 6)),
    st.tuples(st.just("roll_up"), _edge, st.none() | st.integers(0, 3)),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(_readings, st.lists(_step, min_size=3, max_size=20))
def test_every_reading_is_in_one_series_in_its_unit(tmp_path: Path, fresh: Path, stored: list[Any], steps: list[Any]) -> None:
    """Units change, again while the conversion runs, cut off anywhere; readings arrive, move and are rolled up meanwhile."""
    log = Log(tmp_path, fresh)
    try:
        log.store(stored)
        for step in steps:
            if step[0] == "store":
                log.store(step[1])
            elif step[0] == "convert":
                log.configure(step[1])
            elif step[0] == "slices":
                log.slices(step[1], crash=step[2])
            elif step[0] == "move":
                log.move(step[1], UNTIL)
            else:
                log.roll_up(step[1], [], crash_after=step[2])
                if step[2] is not None:
                    log.restart()
            log.verify()
        log.slices(10_000, crash=False)
        log.verify()
        assert waiting(log.conn) == []
        assert log.conn.execute("SELECT DISTINCT channel FROM series ORDER BY 1").fetchall() == [("counter",), ("gauge",)]
        for _ in range(3):
            log.roll_up(T0 + 3 * 24 * HOUR_US, [])
        assert log.conn.execute("SELECT (SELECT count(*) FROM stale) + (SELECT count(*) FROM dirty)").fetchone() == (0,)
        log.check()
        log.configure(log.unit)  # nothing of those that are gone stays behind
        while log.mover.step(log.conn, log.frontier, UNTIL):  # what was moved to history is deleted by time, whosever it was
            pass
        live = tuple(log.ids.values())
        for table in ("history", "recent", "rollup", "latest", "retention_cut", "calibration"):
            assert log.conn.execute(f"SELECT 1 FROM {table} WHERE series_id NOT IN (?, ?)", live).fetchone() is None
    finally:
        log.close()


# ---- one by one --------------------------------------------------------------------------------------------------------


def spec(unit: str, change: str | None = "convert", **more: Any) -> list[SensorSpec]:
    return [SensorSpec("s", "serial", series=[SeriesSpec("x", unit=unit, unit_change=change, **more)])]


def begun(conn: sqlite3.Connection, machine: Any = None) -> tuple[int, int]:
    """(old, new): three readings in °C, one of them not moved to history yet, on the way to °F."""
    (old,) = sync(conn, spec("°C", scale=0.1), NOW - 9).ids.values()
    conn.execute("INSERT INTO meta VALUES ('moved_until_us', ?)", (str(NOW + 2),))
    conn.executemany("INSERT INTO history VALUES (?, ?, ?, 1)", [(old, NOW, 20.0), (old, NOW + 1, None)])
    conn.execute("INSERT INTO recent VALUES (?, ?, 100.0, 1)", (NOW + 2, old))
    conn.execute("INSERT INTO latest VALUES (?, ?, 100.0, 1, ?)", (old, NOW + 2, NOW + 2))
    (new,) = sync(conn, spec("°F", scale=0.1), NOW).ids.values()
    return old, new


@pytest.fixture
def frontier() -> Any:
    from sensorlogd.storage.watermarks import Frontier

    return Frontier(moved_until_us=NOW + 2)


def test_calibrations_are_converted_with_what_they_were_applied_to(conn: sqlite3.Connection) -> None:
    """So that what the device said can be had from what is stored, before the conversion as after it."""
    (old,) = sync(conn, spec("°C", scale=0.1), NOW).ids.values()
    conn.execute("INSERT INTO recent VALUES (?, ?, 20.0, 1)", (NOW, old))  # it said 200
    (new,) = sync(conn, spec("°F", scale=0.18), NOW + 10).ids.values()
    found = conn.execute('SELECT series_id, valid_from, scale, "offset" FROM calibration ORDER BY valid_from').fetchall()
    assert found == [(old, NOW, 0.1, 0.0), (new, NOW, pytest.approx(0.18), 32.0), (new, NOW + 10, 0.18, 0.0)]


def test_the_new_unit_has_the_name_at_once(conn: sqlite3.Connection, frontier: Any) -> None:
    """The old series steps aside until it is empty; newest value, calibration and an event."""
    old, new = begun(conn)
    assert conn.execute("SELECT id, channel, unit, retired_us FROM series ORDER BY id").fetchall() == [
        (old, "x~converting", "°C", NOW),
        (new, "x", "°F", None),
    ]
    assert conn.execute("SELECT series_id, ts, value FROM latest").fetchall() == [(new, NOW + 2, 212.0)]
    # The writer had one more in memory, which it saved for the old series.
    conn.execute("INSERT INTO latest VALUES (?, ?, 50.0, 1, ?)", (old, NOW + 3, NOW + 3))
    assert working.run(conn, frontier, NOW, rows=1) == 3
    assert conn.execute("SELECT series_id, ts, value FROM latest").fetchall() == [(new, NOW + 3, 122.0)]
    assert conn.execute("SELECT * FROM history ORDER BY ts").fetchall() == [(new, NOW, 68.0, 1), (new, NOW + 1, None, 1)]
    assert conn.execute("SELECT * FROM recent").fetchall() == [(NOW + 2, new, 212.0, 1)]
    assert conn.execute("SELECT id, channel FROM series").fetchall() == [(new, "x")]
    calibrations = conn.execute("SELECT series_id, scale FROM calibration ORDER BY valid_from").fetchall()
    assert calibrations == [(new, pytest.approx(0.18)), (new, 0.1)]
    event = ("unit_changed", "s", "x: convert from '°C' to '°F', 3 readings")
    assert conn.execute("SELECT kind, sensor, detail FROM event").fetchall() == [event]
    assert sync(conn, spec("°F", scale=0.1), NOW + 1).notes == []


def test_what_is_saved_late_does_not_hide_what_arrived_since(conn: sqlite3.Connection, frontier: Any) -> None:
    """A restart while it is converted finds a reading of the old series that was not saved yet, and saves it then."""
    old, new = begun(conn)
    latest.save(conn, {new: (NOW + 9, 68.0, 1)}, NOW + 9, 0)
    latest.save(conn, {old: (NOW + 3, 50.0, 1)}, NOW + 20, 0)
    working.run(conn, frontier, NOW + 20)
    assert latest.saved(conn) == {new: (NOW + 9, 68.0, 1)}


def test_roll_ups_of_expired_readings_move_the_others_are_made_anew(conn: sqlite3.Connection, frontier: Any) -> None:
    """What nothing could compute any more is converted; cuts hold for the new series from the first moment."""
    (old,) = sync(conn, spec("°C"), NOW).ids.values()
    conn.execute("INSERT INTO history VALUES (?, ?, 20.0, 1)", (old, 2 * HOUR_US))
    conn.execute("INSERT INTO retention_cut VALUES (?, 0, ?), (?, 60, 7)", (old, HOUR_US + 7, old))
    conn.executemany(
        "INSERT INTO rollup(series_id, resolution, start, n, mean, m2, min, max, first, last, integral, covered_us, increase)"
        " VALUES (?, ?, ?, 2, 15.0, 50.0, 10.0, 20.0, 10.0, 20.0, 600.0, 60000000, 3.0)",
        [(old, resolution, start) for resolution in (60, 900, 3600) for start in (0, HOUR_US)],
    )
    (new,) = sync(conn, spec("°F"), NOW).ids.values()
    cuts = conn.execute("SELECT tier, cut_us FROM retention_cut WHERE series_id = ?", (new,)).fetchall()
    assert cuts == [(0, HOUR_US + 7), (60, 7)]
    assert conn.execute("SELECT series_id, from_us FROM stale ORDER BY 1").fetchall() == [(old, HOUR_US), (new, HOUR_US)]
    working.run(conn, frontier, NOW, rows=1)
    rows = conn.execute("SELECT series_id, resolution, start, mean, m2, min, max, first, last, integral, increase, n FROM rollup")
    found = rows.fetchall()
    assert [row[:3] for row in found] == [(new, 60, 0), (new, 900, 0), (new, 3600, 0)]
    for row in found:
        assert row[3:] == pytest.approx((59.0, 50.0 * 1.8**2, 50.0, 68.0, 50.0, 68.0, 600 * 1.8 + 32 * 60, 3 * 1.8, 2))
    assert conn.execute("SELECT series_id, from_us FROM stale").fetchall() == [(new, HOUR_US)]
    assert conn.execute("SELECT series_id FROM retention_cut").fetchall() == [(new,), (new,)]


def test_mends_come_before_and_cannot_be_taken_back(conn: sqlite3.Connection, frontier: Any) -> None:
    """What was ordered in the old unit is done in the old unit; nothing is ordered for a series that goes."""
    (old,) = sync(conn, spec("°C"), NOW).ids.values()
    conn.execute("INSERT INTO history VALUES (?, ?, 20.0, 1)", (old, NOW))
    identity, _ = mend_order.order(conn, old, 0, NOW + 1, Change(None, 2.0, 0.0), "", NOW)
    (new,) = sync(conn, spec("K"), NOW).ids.values()
    refusing: tuple[Callable[[], object], ...] = (
        lambda: mend_order.order(conn, old, 0, NOW, Change(4), "", NOW),
        lambda: mend_order.order_undo(conn, identity, NOW),
    )
    for refused in refusing:
        with pytest.raises(MendError, match="convert"):
            refused()
    with pytest.raises(UpsertError, match="is being converted"):
        upsert(conn, frontier, old, [NOW], [1.0], [1], NOW)
    with pytest.raises(UpsertError, match="a mend of it is under way"):
        upsert(conn, frontier, new, [NOW], [1.0], [1], NOW, replace=Replace())
    later, _ = mend_order.order(conn, new, 0, NOW + 1, Change(None, 1.0, 1.0), "", NOW)
    working.run(conn, frontier, NOW)
    assert conn.execute("SELECT * FROM history").fetchall() == [(new, NOW, 40.0 + 273.15 + 1.0, 1)]
    mend_order.order_undo(conn, later, NOW)
    working.run(conn, frontier, NOW)
    assert conn.execute("SELECT value FROM history").fetchall() == [(40.0 + 273.15,)]
    with pytest.raises(MendError, match=f"mend {identity} cannot be taken back: the unit was converted since"):
        mend_order.check_undo(conn, identity)
    with pytest.raises(UpsertError, match="not there any more"):
        upsert(conn, frontier, old, [NOW], [1.0], [1], NOW)


def test_a_unit_that_changes_again_is_converted_twice(conn: sqlite3.Connection, frontier: Any) -> None:
    """While the first conversion waits: the readings pass through both, in order."""
    _, between = begun(conn)
    (last,) = sync(conn, spec("K", scale=0.1), NOW + 1).ids.values()
    assert {name for (name,) in conn.execute("SELECT channel FROM series")} == {"x", "x~converting", "x~converting~1"}
    assert [piece.series for piece in work.waiting(conn)] == [last, last]
    working.run(conn, frontier, NOW)
    assert conn.execute("SELECT id, channel, unit FROM series").fetchall() == [(last, "x", "K")]
    values = [value for (value,) in conn.execute("SELECT value FROM history ORDER BY ts")]
    assert values == [pytest.approx(293.15), None]
    assert between != last


@pytest.mark.parametrize(("change", "unit"), [("new_series", "°F"), (None, "°F"), ("relabel", "degF")])
def test_what_else_happens_to_the_new_series_meanwhile(
    conn: sqlite3.Connection, frontier: Any, change: str | None, unit: str
) -> None:
    """It is set aside or relabelled before it is filled: the readings come where the conversion was to bring them."""
    old, new = begun(conn)
    sync(conn, spec("mbar" if change != "relabel" else "degF", change, scale=0.1), NOW + 1)
    working.run(conn, frontier, NOW)
    assert conn.execute("SELECT unit FROM series WHERE id = ?", (new,)).fetchone() == (unit,)
    assert conn.execute("SELECT value FROM history WHERE series_id = ? ORDER BY ts", (new,)).fetchall() == [(68.0,), (None,)]
    assert conn.execute("SELECT 1 FROM series WHERE id = ?", (old,)).fetchone() is None


def outcome_of(conn: sqlite3.Connection) -> str:
    return conn.execute("SELECT outcome FROM work WHERE kind = 'convert'").fetchone()[0]  # type: ignore[no-any-return]  # a text


@pytest.mark.parametrize(("again", "differing"), [(68.1, 1), (68.0 + 1e-12, 0), (68.0, 0), (None, 1)])
def test_the_first_reading_of_an_instant_stays(
    conn: sqlite3.Connection, frontier: Any, again: float | None, differing: int
) -> None:
    """A device that tells its past again, now in the new unit, does not double it; if the value is another one that is told."""
    _, new = begun(conn)
    conn.execute("INSERT INTO history VALUES (?, ?, ?, 1)", (new, NOW, again))
    working.run(conn, frontier, NOW)
    assert conn.execute("SELECT value FROM history ORDER BY ts").fetchall() == [(68.0,), (None,)]
    told = "; 1 reading in the new unit gave way to another value that was stored before at the same time" if differing else ""
    assert outcome_of(conn) == f"x: convert from '°C' to '°F', 3 readings{told}"


def test_each_reading_that_gives_way_is_counted(conn: sqlite3.Connection, frontier: Any) -> None:
    """Wherever it lies, over all slices; and what is shown as the newest is what is stored."""
    _, new = begun(conn)
    conn.executemany("INSERT INTO history VALUES (?, ?, 1.0, 1)", [(new, NOW), (new, NOW + 1)])
    conn.execute("INSERT INTO recent VALUES (?, ?, 300.0, 1)", (NOW + 2, new))
    latest.save(conn, {new: (NOW + 2, 300.0, 1)}, NOW + 3, 0)
    working.run(conn, frontier, NOW, rows=1)
    assert conn.execute("SELECT value FROM history ORDER BY ts").fetchall() == [(68.0,), (None,)]
    assert conn.execute("SELECT value FROM recent").fetchall() == [(212.0,)]
    assert latest.saved(conn) == {new: (NOW + 2, 212.0, 1)}
    assert "3 readings; 3 readings in the new unit gave way" in outcome_of(conn)


def test_roll_ups_that_come_late_are_swept_away(conn: sqlite3.Connection, frontier: Any) -> None:
    """The aggregator may have computed them while the old series was still there."""
    old, new = begun(conn)
    working.run(conn, frontier, NOW)
    conn.executemany("INSERT INTO rollup(series_id, resolution, start, n) VALUES (?, 60, 0, 1)", [(old,), (new,)])
    sync(conn, spec("°F", scale=0.1), NOW + 1)
    assert conn.execute("SELECT series_id FROM rollup").fetchall() == [(new,)]


@pytest.mark.parametrize(("old", "new"), [("°C", "K"), ("°C", "°F"), ("K", "°F"), ("degF", "degC")])
def test_conversions_are_each_others_inverse(old: str, new: str) -> None:
    """Fixed points of the scales, there and back."""
    there, back = exact_conversion(old, new), exact_conversion(new, old)
    assert there is not None
    assert back is not None
    for value in (-273.15, 0.0, 37.0, 451.0):
        assert (value * there.factor + there.shift) * back.factor + back.shift == pytest.approx(value, abs=1e-9)
    assert exact_conversion("degC", "°C") == SAME


def test_nothing_expires_while_it_is_between_two_series(conn: sqlite3.Connection, frontier: Any) -> None:
    """Its roll-ups are not right yet, whatever is stored; retention waits until they are."""
    day_us = 24 * HOUR_US
    old, new = begun(conn)
    conn.execute("INSERT INTO meta VALUES ('edge_us', ?)", (str(NOW + 100 * day_us),))
    conn.execute("UPDATE meta SET value = ? WHERE key = 'moved_until_us'", (str(NOW + 100 * day_us),))
    conn.execute("DELETE FROM stale")  # as if the aggregator had been there
    retention = Retention()
    retention.use_plan(RetentionPlan({0: day_us}))
    retention.step(conn, frontier, NOW + 100 * day_us)
    assert frontier.cuts_us == {}
    assert retention._choose_day(conn, frontier) == []
    frontier.moved_until_us = NOW + 100 * day_us
    conn.execute("DELETE FROM recent")
    working.run(conn, frontier, NOW)
    conn.execute("DELETE FROM stale")
    retention.step(conn, frontier, NOW + 100 * day_us)
    assert set(frontier.cuts_us) == {new}
    assert old not in frontier.cuts_us


def test_an_import_waits_for_the_conversion(conn: sqlite3.Connection, frontier: Any) -> None:
    """What it brought to the new series would be written over by what is carried there."""
    _, new = begun(conn)
    with pytest.raises(Busy, match="its unit is being converted"):
        upsert(conn, frontier, new, [NOW], [999.0], [1], NOW)
    working.run(conn, frontier, NOW)
    found = upsert(conn, frontier, new, [NOW], [999.0], [1], NOW)
    assert found.new + found.differing == 1


def test_nothing_is_kept_of_the_old_series(conn: sqlite3.Connection, frontier: Any) -> None:
    """SQLite may give its id to a new series, which would be shown with the places and the limits of another one."""
    old, new = begun(conn)
    for prefix in (meta.DECIMALS, meta.SEEN_DECIMALS, meta.VALID):
        for series in (old, new):
            meta.put(conn, f"{prefix}{series}", "1")
    working.run(conn, frontier, NOW)
    kept = {key for key, _ in meta.entries(conn)}
    assert {f"{prefix}{new}" for prefix in (meta.DECIMALS, meta.SEEN_DECIMALS, meta.VALID)} <= kept
    assert not kept & {f"{prefix}{old}" for prefix in (meta.DECIMALS, meta.SEEN_DECIMALS, meta.VALID)}
