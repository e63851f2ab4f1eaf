"""What can be read of a damaged log comes back, all of it and nothing else, whatever interrupts it."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sensorlogd.storage import work
from sensorlogd.storage.corrections import mend_order, mend_rows
from sensorlogd.storage.corrections.change import Change
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.salvage.pieces import DamagedPiece, FetchedPiece, FoundRows, PieceSource, Pointer, Stage
from sensorlogd.storage.salvage.storing_piece import FoundPiece
from sensorlogd.storage.salvage.worker import Salvage, SalvageFailure
from sensorlogd.storage.series import catalog
from sensorlogd.storage.worker import NOT_YET
from tests.connections import connect_writer
from tests.storage import salvage_rig as rig
from tests.storage import working


@pytest.fixture(scope="module")
def full(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copy(fresh, tmp_path_factory.mktemp("full") / "log.db"))
    rig.make_full(path)
    return path


@pytest.fixture(scope="module")
def before(full: Path) -> rig.Contents:
    """What is in the full log, which no test changes."""
    return rig.contents(full)


@pytest.fixture
def damaged(full: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged and set aside."""
    return Path(shutil.copy(full, tmp_path / "log.db"))


def equal_but_for_counts(found: rig.Contents, before: rig.Contents) -> None:
    assert found.readings == before.readings
    assert found.cuts == before.cuts
    assert found.calibrations >= before.calibrations
    assert found.mends == before.mends
    assert found.mended == before.mended
    assert found.events == before.events
    assert found.series == before.series


def test_every_table_comes_back(damaged: Path, before: rig.Contents, fresh: Path) -> None:
    """Set aside for nothing: readings, cuts, calibrations, mends, events, names; roll-ups made anew, those of 52 days kept."""
    incident = rig.set_aside(damaged, fresh)
    assert rig.run(damaged, fresh)
    found = rig.contents(damaged)
    equal_but_for_counts(found, before)
    assert found.marks == 0
    expired = {key: row for key, row in before.rollups.items() if key[2] < rig.NOW - rig.KEPT_DAYS * rig.DAY - 15 * rig.HOUR}
    assert {key: found.rollups[key] for key in expired} == expired
    assert sum(resolution == 86400 and name == "one.a" for name, resolution, _ in expired) == 52
    rig.heal(damaged, rig.NOW - rig.MINUTE)
    assert rig.same_rollups(rig.contents(damaged).rollups, before.rollups)
    done = rig.outcome(damaged)
    assert (done.state, done.kind) == (work.State.DONE, "salvage")
    assert f"{len(before.readings)} readings, 156 daily roll-ups" in done.outcome
    assert f"from damaged/{incident.name} are back" in done.outcome
    assert incidents.unfinished_salvage(damaged) == []
    with contextlib.closing(sqlite3.connect(damaged)) as conn:
        assert conn.execute("SELECT detail FROM event WHERE kind = 'salvaged'").fetchall() == [(done.outcome,)]
        assert conn.execute("SELECT count(*) FROM meta WHERE key LIKE 'salvage%'").fetchone() == (0,)
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_killed_between_any_two_slices_it_ends_the_same(damaged: Path, full: Path, fresh: Path, tmp_path: Path) -> None:
    """After each slice all that is in memory is forgotten: nothing doubled, nothing skipped, the same words."""
    rig.set_aside(damaged, fresh)
    other = tmp_path / "other"
    shutil.copytree(tmp_path, other, symlinks=True, ignore=shutil.ignore_patterns("other"))
    assert rig.run(damaged, fresh)
    kills = 0
    while not rig.run(other / "log.db", fresh, slices=1):
        kills += 1
    assert kills > 10
    assert rig.contents(other / "log.db") == rig.contents(damaged)
    assert rig.outcome(other / "log.db").outcome == rig.outcome(damaged).outcome
    assert incidents.unfinished_salvage(other / "log.db") == []


def test_a_salvaged_mend_can_be_taken_back(damaged: Path, full: Path, fresh: Path) -> None:
    """With ids of their own, because the live log has mended something meanwhile: both can be undone, the newest first."""
    original = shutil.copy(full, damaged.with_name("original.db"))
    rig.set_aside(damaged, fresh, rig.SPECS)
    with contextlib.closing(connect_writer(damaged)) as conn, rig.transaction(conn):
        mend_order.order(conn, 1, rig.NOW + 1, rig.NOW + 2, Change(quality=3), "live", rig.NOW)
    assert rig.run(damaged, fresh)
    found = []
    for path in (Path(original), damaged):
        with contextlib.closing(connect_writer(path)) as conn:
            mends = [mended for mended in mend_rows.all_mends(conn) if mended.note != "live"]
            for mended in mends:
                with rig.transaction(conn):
                    mend_order.order_undo(conn, mended.id, rig.NOW)
                working.run(conn, rig.frontier_of(conn), rig.NOW)
        found.append(rig.contents(path))
    assert found[0].readings == found[1].readings
    assert found[1].mended == set()


# ---- damage ------------------------------------------------------------------------------------------------------------

GARBAGE = st.tuples(st.sampled_from(["zeroes", "pattern", "noise"]), st.integers(0, 1 << 20))


def garbage(kind: str, seed: int) -> bytes:
    """A page of it."""
    rng = random.Random(seed)
    if kind == "zeroes":
        return bytes(rig.PAGE)
    return (rng.randbytes(1 + seed % 40) * rig.PAGE)[: rig.PAGE] if kind == "pattern" else rng.randbytes(rig.PAGE)


# An example takes a second: a few each time, and none to make a failing one smaller.
QUIET = settings(
    max_examples=10,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def pages(full: Path) -> dict[str, list[int]]:
    """The pages of some tables."""
    try:
        found = {table: rig.pages_of(full, table) for table in ("history", "recent", "rollup")}
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without dbstat")
    return found | {"inner": rig.pages_of(full, "history", "rollup", kind="internal")}


def salvaged(full: Path, fresh: Path, folder: Path, spoilt: dict[int, tuple[str, int]]) -> Path:
    """A log after these pages were spoilt and what remained was salvaged."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    path = Path(shutil.copy(full, folder / "log.db"))
    rig.spoil(path, {page: garbage(*made) for page, made in spoilt.items()})
    rig.set_aside(path, fresh, rig.SPECS)
    assert rig.run(path, fresh)
    return path


@given(st.data())
@QUIET
def test_lost_readings_leave_their_roll_ups(
    full: Path, before: rig.Contents, fresh: Path, tmp_path: Path, pages: dict[str, list[int]], data: st.DataObject
) -> None:
    """Pages of readings are garbage: all other readings are back, none is invented, and every roll-up is what it was."""
    leaves = pages["history"] + pages["recent"]
    spoilt = data.draw(st.dictionaries(st.sampled_from(leaves), GARBAGE, min_size=1, max_size=6))
    path = salvaged(full, fresh, tmp_path, spoilt)
    found = rig.contents(path)
    assert found.readings <= before.readings
    assert len(before.readings - found.readings) <= 120 * len(spoilt)
    assert (found.cuts, found.mends, found.events) == (before.cuts, before.mends, before.events)
    rig.heal(path, rig.NOW - rig.MINUTE)
    assert rig.same_rollups(rig.contents(path).rollups, before.rollups)
    done = rig.outcome(path)
    assert done.state is work.State.DONE
    assert "damaged stretch" in done.outcome


@pytest.mark.parametrize("note", ["dirty", "stale"])
def test_roll_ups_that_were_known_to_be_wrong_are_made_anew(
    full: Path, before: rig.Contents, fresh: Path, damaged: Path, pages: dict[str, list[int]], note: str
) -> None:
    """Readings are lost, so roll-ups come back as they were; but not those that were to be healed."""
    since = rig.NOW - rig.NOW % rig.DAY - 7 * rig.DAY
    minute = (
        damaged,
        f"UPDATE rollup SET mean = 999 WHERE series_id = 1 AND start <= {since} AND start + resolution * 1000000 > {since}",
    )
    if note == "dirty":
        change(*minute, f"INSERT INTO dirty VALUES (1, {since}, 1)")
    else:
        change(damaged, f"UPDATE rollup SET mean = 999 WHERE series_id = 1 AND start >= {since}")
        change(damaged, f"INSERT INTO stale VALUES (1, 60, {since}, 1)")
    with contextlib.closing(connect_writer(damaged)) as conn:
        close_cleanly(conn)
        # The last leaf of the first series: its newest readings in history.
    late = [page for page in pages["history"] if page_starts_late(full, page)]
    rig.spoil(damaged, {late[0]: garbage("noise", 1)})
    rig.set_aside(damaged, fresh, rig.SPECS)
    assert rig.run(damaged, fresh)
    assert "1 damaged stretch: readings of one.a" in rig.outcome(damaged).outcome
    rig.heal(damaged, rig.NOW - rig.MINUTE)
    expected, found = before.rollups, rig.contents(damaged).rollups
    if note == "stale":  # what was to be made anew behind it is made of the readings there are
        expected = {key: row for key, row in expected.items() if key[2] < rig.NOW - 12 * rig.HOUR and key[1] < 86400}
        found = {key: found[key] for key in expected}
    assert rig.same_rollups(found, expected)


def page_starts_late(path: Path, page: int) -> bool:
    """Does this leaf of history hold readings of the first series in its last hours?"""
    with path.open("rb") as file:
        file.seek((page - 1) * rig.PAGE)
        raw = file.read(rig.PAGE)
    first = int.from_bytes(raw[8:10], "big")
    # A cell: length, length of the header, four types, then the columns; series 1 has type 9 (the number 1), no bytes.
    return raw[first + 2] == 9 and int.from_bytes(raw[first + 6 : first + 14], "big") > rig.NOW - 2 * rig.HOUR


@given(st.data())
@QUIET
def test_any_pages_may_be_garbage(full: Path, before: rig.Contents, fresh: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Schema, names, roots, inner pages, the first page: no exception, no end without an answer, nothing invented."""
    last = full.stat().st_size // rig.PAGE
    number = st.one_of(st.integers(1, 60), st.integers(1, last))
    spoilt = data.draw(st.dictionaries(number, GARBAGE, min_size=1, max_size=12))
    path = salvaged(full, fresh, tmp_path, spoilt)
    found = rig.contents(path)
    known = {row[1:] for row in before.readings}
    assert {row[1:] for row in found.readings} <= known  # where names are lost they have others
    assert {row for row in found.readings if not row[0].startswith("salvaged_")} <= before.readings
    assert found.events <= before.events
    assert {row[1:] for row in found.mends} <= {row[1:] for row in before.mends}
    with contextlib.closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM event WHERE kind IN ('salvaged', 'salvage_failed')").fetchone() == (1,)
    rig.heal(path, rig.NOW - rig.MINUTE)


@pytest.mark.parametrize("page", [*range(1, 16), 20])
def test_each_of_the_first_pages_may_be_garbage(full: Path, before: rig.Contents, fresh: Path, tmp_path: Path, page: int) -> None:
    """One page of schema, names or roots is noise: all readings are back, unless theirs is the root."""
    path = salvaged(full, fresh, tmp_path, {page: ("pattern", 0)})
    found = rig.contents(path)
    with contextlib.closing(sqlite3.connect(full)) as conn:
        hit = {name for (name,) in conn.execute("SELECT name FROM dbstat WHERE pageno = ?", (page,))}
    assert {row[1:] for row in found.readings} <= {row[1:] for row in before.readings}
    if not hit & {"history", "recent"}:
        assert len(found.readings) == len(before.readings)
    if hit == {"retention_cut"}:
        rig.heal(path, rig.NOW - rig.MINUTE)
        assert rig.same_rollups(rig.contents(path).rollups, before.rollups)


# ---- what meets it in the live log -------------------------------------------------------------------------------------


def small(fresh: Path, path: Path, rows: dict[str, list[tuple[int, int, float]]], unit: str = "V", **meta: int) -> Path:
    """A log of one series, ``s.x`` with id 1: table -> (ts, series, value)."""
    shutil.copy(fresh, path)
    with contextlib.closing(connect_writer(path)) as conn, rig.transaction(conn):
        catalog.sync(conn, [spec(unit)], rig.NOW - rig.DAY)
        for table, found in rows.items():
            conn.executemany(f"INSERT INTO {table}(ts, series_id, value, quality) VALUES (?,?,?,1)", found)
        conn.executemany("INSERT INTO meta VALUES (?,?)", [(key, str(value)) for key, value in meta.items()])
    with contextlib.closing(connect_writer(path)) as conn:
        close_cleanly(conn)
    return path


def spec(unit: str = "V", kind: str = "gauge") -> catalog.SensorSpec:
    return catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("x", unit, kind)])


def readings_of(path: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for name, ts, value, _ in rig.contents(path).readings:
        found.setdefault(name, {})[ts] = value
    return found


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(connect_writer(path)) as conn, rig.transaction(conn):
        for statement in statements:
            conn.execute(statement)


T = rig.NOW - 10 * rig.HOUR


def test_copies_of_a_block_that_was_being_moved_count_once(fresh: Path, tmp_path: Path) -> None:
    """Copies in history from the frontier on, and left-overs in recent before it, are not what readers saw."""
    path = small(
        fresh,
        tmp_path / "log.db",
        {"history": [(T, 1, 1.0), (T + 100, 1, -1.0)], "recent": [(T + 5, 1, -2.0), (T + 100, 1, 2.0)]},
        moved_until_us=T + 50,
    )
    rig.set_aside(path, fresh, [spec()])
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x": {T: 1.0, T + 100: 2.0}}


def test_what_is_there_already_stays(fresh: Path, tmp_path: Path) -> None:
    """The live log has received, or mended, the same instant: its value is the newer one. So is its latest reading."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0), (T + 1, 1, 1.0), (rig.NOW + rig.DAY, 1, 9.0)]})
    rig.set_aside(path, fresh, [spec()])
    change(path, f"INSERT INTO history VALUES (1, {T}, 5.0, 1)", f"INSERT INTO latest VALUES (1, {T}, 5.0, 1, {rig.NOW})")
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x": {T: 5.0, T + 1: 1.0, rig.NOW + rig.DAY: 9.0}}
    with contextlib.closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT ts FROM latest").fetchall() == [(T,)]
    assert "2 readings from" in rig.outcome(path).outcome
    assert "1 reading was there already" in rig.outcome(path).outcome


def test_nothing_below_a_cut_comes_back(fresh: Path, tmp_path: Path) -> None:
    """Rows that retention had not deleted yet; and a cut of the live log that has gone further."""
    day = T - T % rig.DAY
    path = small(fresh, tmp_path / "log.db", {"history": [(day - 5, 1, 1.0), (day, 1, 1.0), (T, 1, 2.0)]}, moved_until_us=T + 1)
    change(path, f"INSERT INTO retention_cut VALUES (1, 0, {day})")
    rig.set_aside(path, fresh, [spec()])
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x": {day: 1.0, T: 2.0}}
    assert rig.contents(path).cuts == {("s.x", 0, day)}
    other = small(fresh, tmp_path / "other.db", {"history": [(day, 1, 1.0), (T, 1, 2.0)]}, moved_until_us=T + 1)
    change(other, f"INSERT INTO retention_cut VALUES (1, 0, {day})")
    rig.set_aside(other, fresh, [spec()])
    change(other, f"INSERT INTO retention_cut VALUES (1, 0, {day + rig.HOUR})")
    assert rig.run(other, fresh)
    assert readings_of(other) == {"s.x": {T: 2.0}}
    assert rig.contents(other).cuts == {("s.x", 0, day + rig.HOUR)}


@pytest.mark.parametrize(("unit", "kind"), [("mV", "gauge"), ("V", "counter")])
def test_units_and_kinds_are_never_mixed(fresh: Path, tmp_path: Path, unit: str, kind: str) -> None:
    """The configuration has another unit or kind by now: the former readings come back beside it, and that is told."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    rig.set_aside(path, fresh, [spec(unit, kind)])
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x~salvaged": {T: 1.0}}
    assert {row[:3] for row in rig.contents(path).series} == {("s.x", unit, kind), ("s.x~salvaged", "V", "gauge")}
    assert "s.x was a gauge in 'V': it is x~salvaged now" in rig.outcome(path).outcome


def test_a_unit_that_changes_meanwhile_is_noticed(fresh: Path, tmp_path: Path) -> None:
    """Half of the readings are back when the live series is relabelled: the rest does not follow it."""
    rows = [(T + n, n % 2 + 1, 1.0) for n in range(6_000)]
    path = small(fresh, tmp_path / "log.db", {"history": [(ts, 1, 1.0) for ts, *_ in rows]}, moved_until_us=rig.NOW)
    rig.set_aside(path, fresh, [spec()])
    assert not rig.run(path, fresh, slices=3)
    before = len(readings_of(path)["s.x"])
    assert 0 < before < 6_000
    change(path, "UPDATE series SET unit = 'mV'")
    assert rig.run(path, fresh)
    found = readings_of(path)
    assert len(found["s.x"]) == before
    assert len(found["s.x~salvaged"]) == 6_000 - before


def test_a_sensor_renamed_meanwhile_keeps_what_is_its_own(fresh: Path, tmp_path: Path) -> None:
    """Which live series is meant is settled once."""
    path = small(fresh, tmp_path / "log.db", {"history": [(T + n, 1, 1.0) for n in range(6_000)]}, moved_until_us=rig.NOW)
    rig.set_aside(path, fresh, [spec()])
    assert not rig.run(path, fresh, slices=3)
    change(path, "UPDATE sensor SET name = 'renamed'")
    assert rig.run(path, fresh)
    assert {name: len(found) for name, found in readings_of(path).items()} == {"renamed.x": 6_000}


def test_damaged_again_during_salvage_both_come_back_the_newer_first(fresh: Path, tmp_path: Path) -> None:
    """The live log is set aside in the middle: the next one salvages it, then the first; what was mended stays mended."""
    path = small(fresh, tmp_path / "log.db", {"history": [(T + n, 1, 1.0) for n in range(6_000)]}, moved_until_us=rig.NOW)
    rig.set_aside(path, fresh, [spec()])
    assert not rig.run(path, fresh, slices=3)
    change(path, f"UPDATE history SET value = 7.0 WHERE ts = {T}", f"UPDATE recent SET value = 7.0 WHERE ts = {T}")
    rig.set_aside(path, fresh, [spec()], rig.NOW + 1)
    assert [incident.salvaged for incident in incidents.all_incidents(path)] == [False, False]
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x": {T: 7.0} | {T + n: 1.0 for n in range(1, 6_000)}}
    assert incidents.unfinished_salvage(path) == []
    with contextlib.closing(sqlite3.connect(path)) as conn:
        details = [detail for (detail,) in conn.execute("SELECT detail FROM event WHERE kind = 'salvaged' ORDER BY id")]
    assert [name in detail for name, detail in zip(("20241004T150000Z-1", "20241004T150000Z"), details, strict=True)] == [
        True,
        True,
    ]


def test_a_file_that_is_locked_is_waited_for(fresh: Path, tmp_path: Path) -> None:
    """Somebody else has it: nothing is skipped, nothing is an error of the log."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    with contextlib.closing(connect_writer(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("INSERT INTO meta VALUES ('a', 'b')")
        rig.set_aside(path, fresh, [spec()])
        assert not rig.run(path, fresh, slices=3)
        assert rig.outcome(path).progress == {}
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x": {T: 1.0}}


def test_roll_ups_read_together_with_a_gap_behind_them_are_made_anew(fresh: Path, tmp_path: Path) -> None:
    """Readings are lost to one page, roll-ups to another: those of the same piece that are not brought back are outdated, too."""
    first = T - T % rig.MINUTE
    rows = {"history": [(first + n * rig.MINUTE, 1, float(n)) for n in range(20)]}
    path = small(fresh, tmp_path / "log.db", rows, moved_until_us=first + rig.DAY, edge_us=first + rig.DAY)
    rig.set_aside(path, fresh, [spec()])
    made = Salvage(path, lambda target: _copy(fresh, target))
    with contextlib.closing(connect_writer(path)) as conn, contextlib.closing(made):
        waiting = work.waiting(conn)[0]
        found = rig.until_found(made, waiting)
        source = PieceSource(Stage.ROLLUP, 1, 60, "", first, first + rig.DAY)
        gap = first + 5 * rig.MINUTE
        row = (first, *RollUp(1, 1.0, 0.0, 1.0, 1.0, first, 1.0, first, 1.0, 0.0, 0, n_not_evaluated=1))
        piece = FetchedPiece(Pointer(Stage.OVER), [FoundRows(source, [row])], [DamagedPiece(source, gap, None)])
        ordered = replace(waiting, progress={"pointer": [Stage.ROLLUP, 1, 60, first], "holes": {"1": first + rig.DAY}})
        with rig.transaction(conn):
            made.store(conn, rig.frontier_of(conn), ordered, FoundPiece(found.incident, found.former, piece), rig.NOW)
        assert conn.execute("SELECT min(from_us) FROM stale WHERE tier = 60").fetchone()[0] <= first
        assert conn.execute("SELECT count(*) FROM rollup").fetchone() == (0,)


def test_patience_ends(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that nobody gives back: asked now and then, not all the time, and given up after ten minutes."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    now = 0.0
    with contextlib.closing(connect_writer(path)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("INSERT INTO meta VALUES ('a', 'b')")
        rig.set_aside(path, fresh, [spec()])
        made = Salvage(path, monotonic=lambda: now)
        waiting = rig.outcome(path)
        tries: list[float] = []
        ask = made._fetch_next
        monkeypatch.setattr(made, "_fetch_next", lambda ordered: tries.append(now) or ask(ordered))  # type: ignore[func-returns-value]  # None
        while (found := made.fetch(waiting)) is NOT_YET:
            now += 0.5
        assert isinstance(found, SalvageFailure)
        made.close()
    assert 590 < now < 620
    assert 0 < len(tries) < 400


def test_an_incident_that_was_deleted_ends_its_salvage(fresh: Path, tmp_path: Path) -> None:
    """With an event that says so."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)]})
    incidents.remove(rig.set_aside(path, fresh, [spec()]))
    assert rig.run(path, fresh)
    assert (rig.outcome(path).state, "not there any more" in rig.outcome(path).outcome) == (work.State.FAILED, True)


def test_a_log_of_the_first_schema_comes_back(fresh: Path, tmp_path: Path) -> None:
    """Without what later releases added."""
    path = small(fresh, tmp_path / "log.db", {"recent": [(T, 1, 1.0)], "history": [(T - 5, 1, 2.0)]}, moved_until_us=T)
    change(
        path, "DROP VIEW readings", "DROP VIEW rollups", *(f"DROP TABLE {name}" for name in ("stale", "mend", "mended", "work"))
    )
    change(path, "ALTER TABLE series DROP COLUMN wrap", "ALTER TABLE series DROP COLUMN dip")
    change(path, "ALTER TABLE rollup DROP COLUMN states", "ALTER TABLE rollup DROP COLUMN transitions")
    rig.set_aside(path, fresh, [spec()])
    assert rig.run(path, fresh)
    assert readings_of(path) == {"s.x": {T: 1.0, T - 5: 2.0}}
    assert rig.outcome(path).state is work.State.DONE


def _copy(fresh: Path, target: Path) -> None:
    shutil.copy(fresh, target)
