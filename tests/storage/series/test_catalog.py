"""The catalog: names are identity, nothing is deleted, a changed unit never mixes with old values."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from sensorlogd.calibration import curves
from sensorlogd.notation.microseconds import BEGINNING_US
from sensorlogd.storage import work
from sensorlogd.storage.series.catalog import Catalog, SensorSpec, SeriesSpec, sync

NOW = 1_750_000_000_000_000
TEMPERATURE = SeriesSpec("t", unit="°C", heartbeat_us=5_000_000)
ROOF = SensorSpec("roof", "serial", {"site": "north"}, series=[TEMPERATURE, SeriesSpec("h", unit="%")])


def known(conn: sqlite3.Connection) -> set[tuple[Any, ...]]:
    """(sensor, channel, series id, unit, is retired) of everything."""
    return set(
        conn.execute(
            "SELECT sensor.name, channel, series.id, unit, series.retired_us IS NOT NULL"
            " FROM series JOIN sensor ON sensor.id = sensor_id"
        ).fetchall()
    )


def kinds(catalog: Catalog) -> list[str]:
    return [kind for kind, *_ in catalog.notes]


def named(name: str, was: str | None = None, *series: SeriesSpec) -> SensorSpec:
    return SensorSpec(name, "serial", was=was, series=series or (SeriesSpec("x"),))


def store(conn: sqlite3.Connection, series: int, *values: float | None, table: str = "history") -> None:
    rows = [(series, NOW + n, value, 1) for n, value in enumerate(values)]
    conn.executemany(f"INSERT INTO {table}(series_id, ts, value, quality) VALUES (?,?,?,?)", rows)


def test_new_sensors_get_ids(conn: sqlite3.Connection) -> None:
    """Everything the writer needs to place a reading comes back."""
    catalog = sync(conn, [ROOF], NOW)
    assert set(catalog.ids) == {("roof", "t"), ("roof", "h")}
    assert catalog.heartbeats_us[catalog.ids["roof", "t"]] == 5_000_000
    assert conn.execute("SELECT name, driver, labels, created_us, retired_us FROM sensor").fetchall() == [
        ("roof", "serial", '{"site": "north"}', NOW, None)
    ]


def test_the_same_configuration_changes_nothing(conn: sqlite3.Connection) -> None:
    """Every start syncs; only a difference writes."""
    first = sync(conn, [ROOF], NOW)
    before = conn.total_changes
    second = sync(conn, [ROOF], NOW + 1)
    assert second == first
    assert conn.total_changes == before


def test_what_leaves_is_retired_and_comes_back_with_its_history(conn: sqlite3.Connection) -> None:
    """Commenting a sensor out for a week costs nothing."""
    ids = sync(conn, [ROOF], NOW).ids
    conn.execute("INSERT INTO sensor_status VALUES (1, 'reading', 0, NULL, NULL, '{}', 0)")
    gone = sync(conn, [], NOW + 5)
    assert kinds(gone) == ["retired", "retired"]
    assert {row[4] for row in known(conn)} == {1}
    assert conn.execute("SELECT retired_us FROM sensor").fetchone() == (NOW + 5,)
    assert conn.execute("SELECT count(*) FROM sensor_status").fetchone() == (0,)
    assert sync(conn, [], NOW + 6).notes == []
    assert sync(conn, [ROOF], NOW + 7).ids == ids
    assert {row[4] for row in known(conn)} == {0}


def test_was_carries_history_over_a_rename_and_may_stay(conn: sqlite3.Connection) -> None:
    """A sensor, and a channel of it, under new names keep their series ids."""
    ids = sync(conn, [ROOF], NOW).ids
    renamed = replace(ROOF, name="attic", was="roof", series=[replace(TEMPERATURE, channel="temperature", was="t")])
    catalog = sync(conn, [renamed], NOW + 1)
    assert catalog.ids == {("attic", "temperature"): ids["roof", "t"]}
    assert kinds(catalog) == ["renamed", "renamed", "retired"]
    again = sync(conn, [renamed], NOW + 2)
    assert (again.ids, again.notes) == (catalog.ids, [])


def test_a_new_sensor_may_take_the_old_name_of_a_renamed_one(conn: sqlite3.Connection) -> None:
    """The order of the sensors in the file does not matter."""
    (old,) = sync(conn, [named("a")], NOW).ids.values()
    catalog = sync(conn, [named("a"), named("b", was="a")], NOW + 1)
    assert catalog.ids["b", "x"] == old
    assert catalog.ids["a", "x"] != old
    assert sync(conn, [named("a"), named("b", was="a")], NOW + 2).ids == catalog.ids


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_of_renames_shifts_along(conn: sqlite3.Connection, order: int) -> None:
    """c was b and b was a: each keeps its own history."""
    ids = sync(conn, [named("a"), named("b")], NOW).ids
    catalog = sync(conn, [named("b", was="a"), named("c", was="b")][::order], NOW + 1)
    assert catalog.ids == {("b", "x"): ids["a", "x"], ("c", "x"): ids["b", "x"]}


def test_was_of_something_unknown_is_just_a_new_sensor(conn: sqlite3.Connection) -> None:
    """A new database with an old configuration."""
    assert kinds(sync(conn, [named("b", "a", SeriesSpec("y", was="x"))], NOW)) == []


def test_a_unit_without_readings_is_corrected_in_silence(conn: sqlite3.Connection) -> None:
    """A typing mistake noticed before the first reading needs no ceremony."""
    ids = sync(conn, [named("s", None, SeriesSpec("x", unit="mbar"))], NOW).ids
    assert sync(conn, [named("s", None, SeriesSpec("x", unit="hPa"))], NOW).ids == ids
    assert {row[3] for row in known(conn)} == {"hPa"}


@pytest.mark.parametrize("table", ["history", "recent"])
@pytest.mark.parametrize("change", [None, "new_series", "convert"])
def test_readings_in_another_unit_are_never_mixed(conn: sqlite3.Connection, table: str, change: str | None) -> None:
    """Without a decision, or a conversion that is known, the old readings step aside under a name of their own."""
    (old,) = sync(conn, [named("s", None, SeriesSpec("x", unit="mbar"))], NOW).ids.values()
    store(conn, old, 1.0, table=table)
    spec = named("s", None, SeriesSpec("x", unit="°C", unit_change=change))
    catalog = sync(conn, [spec], NOW + 9)
    assert catalog.ids["s", "x"] != old
    assert ("s", "x~1", old, "mbar", 1) in known(conn)
    assert kinds(catalog) == (["unit_change_refused"] if change == "convert" else []) + ["unit_changed"]
    assert sync(conn, [spec], NOW + 10).notes == []


def test_relabel_says_the_values_were_right_all_along(conn: sqlite3.Connection) -> None:
    """Only the unit's name changes."""
    (old,) = sync(conn, [named("s", None, SeriesSpec("x", unit="mbar"))], NOW).ids.values()
    store(conn, old, 1.0)
    catalog = sync(conn, [named("s", None, SeriesSpec("x", unit="hPa", unit_change="relabel"))], NOW)
    assert catalog.ids["s", "x"] == old
    assert conn.execute("SELECT value FROM history").fetchall() == [(1.0,)]


def test_convert_sets_the_old_series_aside_to_be_moved(conn: sqlite3.Connection) -> None:
    """The channel goes on in the new unit at once, its history follows (see test_conversion)."""
    (old,) = sync(conn, [named("s", None, SeriesSpec("x", unit="degC"))], NOW).ids.values()
    store(conn, old, 20.0, None)
    spec = named("s", None, SeriesSpec("x", unit="°F", unit_change="convert"))
    catalog = sync(conn, [spec], NOW + 1)
    assert kinds(catalog) == ["unit_change_begun"]
    assert known(conn) == {("s", "x~converting", old, "degC", 1), ("s", "x", catalog.ids["s", "x"], "°F", 0)}
    [ordered] = work.waiting(conn)
    assert (ordered.kind, ordered.series) == ("convert", catalog.ids["s", "x"])
    assert sync(conn, [spec], NOW + 2).notes == []


def test_two_spellings_of_a_unit_convert_into_each_other(conn: sqlite3.Connection) -> None:
    """degC and °C are the same: not a bit of a value changes."""
    (old,) = sync(conn, [named("s", None, SeriesSpec("x", unit="degC"))], NOW).ids.values()
    store(conn, old, 0.1)
    assert sync(conn, [named("s", None, SeriesSpec("x", unit="°C", unit_change="convert"))], NOW).ids["s", "x"] == old
    assert conn.execute("SELECT value FROM history").fetchall() == [(0.1,)]


def test_every_calibration_is_remembered_from_when_it_held(conn: sqlite3.Connection) -> None:
    """A later recalibration needs to know what was applied to what is stored. None is written for 1 and 0."""
    for now, scale, offset in [(1, 1.0, 0.0), (2, 0.1, 0.0), (3, 0.1, 0.0), (4, 0.1, -2.0), (5, 1.0, 0.0)]:
        sync(conn, [named("s", None, SeriesSpec("x", scale=scale, offset=offset))], NOW + now)
    found = conn.execute('SELECT valid_from, scale, "offset" FROM calibration ORDER BY valid_from').fetchall()
    assert found == [(NOW + 2, 0.1, 0.0), (NOW + 4, 0.1, -2.0), (NOW + 5, 1.0, 0.0)]


def test_a_curve_is_remembered_as_scale_and_offset_are(conn: sqlite3.Connection) -> None:
    """As text, from when it held; and taken along by a conversion of the unit."""
    curve = curves.table([[0, 0], [100, 98.5]])
    select = 'SELECT valid_from - ?, scale, "offset", curve FROM calibration WHERE series_id = ? ORDER BY valid_from'
    for now, given_curve in [(1, None), (2, curve), (3, curve), (4, curves.polynomial([0, 1.5])), (5, None)]:
        (old,) = sync(conn, [named("s", None, SeriesSpec("x", unit="°C", curve=given_curve))], NOW + now).ids.values()
    remembered = [
        (2, 1.0, 0.0, '{"table":[[0.0,0.0],[100.0,98.5]]}'), (4, 1.0, 0.0, '{"polynomial":[0.0,1.5]}'), (5, 1.0, 0.0, None),
    ]  # fmt: skip
    assert conn.execute(select, (NOW, old)).fetchall() == remembered
    store(conn, old, 20.0)
    (new,) = sync(conn, [named("s", None, SeriesSpec("x", unit="°F", unit_change="convert"))], NOW + 6).ids.values()
    assert new != old
    converted = [(since, 1.8, 32.0, curve) for since, _, _, curve in remembered]
    assert conn.execute(select, (NOW, new)).fetchall() == [*converted, (6, 1.0, 0.0, None)]


def test_two_micro_signs_are_one_unit(conn: sqlite3.Connection) -> None:
    """What an older release stored under the other one goes on."""
    (old,) = sync(conn, [named("s", None, SeriesSpec("x", unit="\u03bcg/m³"))], NOW).ids.values()
    store(conn, old, 1.0)
    found = sync(conn, [named("s", None, SeriesSpec("x", unit="\u00b5g/m³"))], NOW)
    assert (found.ids["s", "x"], kinds(found)) == (old, [])
    assert conn.execute("SELECT unit FROM series").fetchall() == [("\u00b5g/m³",)]


def test_another_kind_has_its_roll_ups_computed_anew(conn: sqlite3.Connection) -> None:
    """A gauge that turns out to be a counter: all that is stored is noted as stale."""
    (old,) = sync(conn, [named("s")], NOW).ids.values()
    store(conn, old, 1.0, 2.0)
    assert kinds(sync(conn, [named("s", None, SeriesSpec("x", kind="counter"))], NOW)) == ["rollups_stale"]
    assert conn.execute("SELECT * FROM stale").fetchall() == [(old, 60, BEGINNING_US, NOW)]
    (other,) = sync(conn, [named("s", None, SeriesSpec("x", kind="counter", dip=0.0))], NOW).notes
    assert "recalibrate" not in other[2]


def test_an_offset_is_where_a_counter_begins(conn: sqlite3.Connection) -> None:
    """Its roll-ups go by it, so they are computed anew when it changes. Those of a gauge do not."""
    counter, gauge = SeriesSpec("x", kind="counter"), SeriesSpec("y")
    ids = sync(conn, [named("s", None, counter, gauge)], NOW).ids
    found = sync(conn, [named("s", None, replace(counter, offset=12_345.0), replace(gauge, offset=5.0))], NOW)
    assert kinds(found) == ["rollups_stale"]
    assert "offset 0.0 becomes 12345.0" in found.notes[0][2]
    assert "sensorlogd recalibrate s.x --offset 12345 --since 1970-01-01 --until " in found.notes[0][2]
    assert conn.execute("SELECT series_id FROM stale").fetchall() == [(ids["s", "x"],)]
    assert dict(conn.execute("SELECT channel, zero FROM series")) == {"x": 12_345.0, "y": 0.0}
    assert kinds(sync(conn, [named("s", None, replace(counter, offset=12_345.0), replace(gauge, offset=5.0))], NOW)) == []
