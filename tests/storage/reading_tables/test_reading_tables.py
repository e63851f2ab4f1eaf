"""Whatever stage a reading is in, and whatever the mover has left behind: answers are those of a plain list."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage.migrations.tables import metadata
from sensorlogd.storage.reading_tables import KEYS, moving, storing, survey, together
from sensorlogd.storage.reading_tables.readings import Readings
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer

Stored = dict[tuple[int, int], tuple[float | None, int]]  # (series, ts) -> (value, quality)
SERIES = (1, 2)
_times = st.integers(0, 30)
_rows = st.dictionaries(
    st.tuples(st.sampled_from(SERIES), _times),
    st.tuples(st.one_of(st.none(), st.integers(-5, 5).map(float)), st.sampled_from([1, 3, 4, 9, 20, 129])),
    max_size=40,
)
_ALL_US = (-(1 << 62), 1 << 62)


@contextmanager
def opened(fresh: Path, folder: Path) -> Iterator[sqlite3.Connection]:
    """The writer's connection to an empty log with two series."""
    path = Path(shutil.copy(fresh, folder / "log.db"))
    with closing(connect_writer(path)) as conn:
        conn.execute("INSERT INTO sensor(id, name, driver, created_us) VALUES (1, 's', 'simulate', 0)")
        for series in SERIES:
            conn.execute(
                "INSERT INTO series(id, sensor_id, channel, kind, heartbeat_us, created_us) VALUES (?, 1, ?, 'gauge', 1, 0)",
                (series, f"c{series}"),
            )
        yield conn
    path.unlink()


def filled(conn: sqlite3.Connection, rows: Stored, moved_us: int, until_us: int) -> Frontier:
    """All of ``rows`` where they belong, while the mover has copied all of the block [moved, until) but not advanced yet; what
    was moved before is still left over."""
    for (series, ts), (value, quality) in rows.items():
        assert storing.insert(conn, Frontier(), series, ts, value, quality)
    moving.copy(conn, (0, moved_us), 1, 2)
    moving.set_border(conn, moved_us)
    conn.execute("UPDATE recent SET value = -99.0 WHERE ts < ?", (moved_us,))  # left over: nobody may see it
    if until_us > moved_us:
        moving.begin(conn, until_us)
        moving.copy(conn, (moved_us, until_us), 1, 2)
        return Frontier(moved_us, (moved_us, until_us))
    return Frontier(moved_us)


def of(rows: Stored, series: int, since_us: int, until_us: int) -> list[tuple[int, float | None, int]]:
    return sorted(
        (ts, *reading) for (stored_series, ts), reading in rows.items() if stored_series == series and since_us <= ts < until_us
    )


def all_of(readings: Readings, series: int) -> list[tuple[int, float | None, int]]:
    return [row for rows in readings.chunks(series, *_ALL_US, 4) for row in rows]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_rows, _times, _times, st.tuples(_times, _times).map(sorted))
def test_each_question_is_answered_as_by_a_list(
    tmp_path: Path, fresh: Path, rows: Stored, moved: int, until: int, span: list[int]
) -> None:
    """Of one series and of all, in any span, with the border anywhere in it."""
    begin, end = span
    with opened(fresh, tmp_path) as conn:
        filled(conn, rows, moved, until)
        readings = Readings.of(conn)
        assert readings.moved_until_us == moved
        stamped = sorted((ts, series, *reading) for (series, ts), reading in rows.items() if begin <= ts < end)
        assert readings.stamped(begin, end) == stamped
        assert [row for some in readings.fresh_stamped(begin, end, 3) for row in some] == [r for r in stamped if r[0] >= moved]
        fresh_now = [row for some in readings.fresh(begin, end, 3) for row in some]
        assert fresh_now == [(ts, value, quality, series) for ts, series, value, quality in stamped if ts >= moved]
        for series in SERIES:
            expected = of(rows, series, begin, end)
            assert [row for some in readings.chunks(series, begin, end, 3) for row in some] == expected
            settled = [row for some in readings.settled(series, begin, end, 3) for row in some]
            assert settled == [row for row in expected if row[0] < moved]
            usable = [row[:2] for row in expected if row[1] is not None and row[2] & 15 not in (4, 9)]
            assert readings.first_usable(series, begin, end) == (usable[0] if usable else None)
            assert readings.last_usable(series, begin, end) == (usable[-1] if usable else None)
            everything = of(rows, series, *_ALL_US)
            assert readings.extent(series) == ((everything[0][0], everything[-1][0]) if everything else None)
            assert readings.first_settled(series, begin) == min((r[0] for r in everything if begin <= r[0] < moved), default=None)
            assert readings.last_settled(series, begin, 2) == [r for r in everything if begin <= r[0] < moved][-2:]
            assert survey.exists(conn, series) is bool(everything)
            held = readings.few_fresh(SERIES, begin, end, 1_000)
            assert held is not None
            assert held[series] == [row for row in expected if row[0] >= moved]
            piece, at = [], begin
            while at < end:
                some, at = readings.some(series, at, end, 2, 3)
                piece += some
            assert piece == expected
        settled_now = {(series, *row) for series in SERIES for row in of(rows, series, begin, moved)}
        ends = {series: max((row[1] for row in settled_now if row[0] == series), default=None) for series in SERIES}
        assert set(readings.last_settled_of_each(begin)) == {row for row in settled_now if row[1] == ends[row[0]]}
        times = [ts for _, ts in rows]
        assert survey.extent(conn) == ((min(times), max(times)) if times else (None, None))
        assert survey.count_all(conn, moved) == (sum(ts < moved for ts in times), sum(ts >= moved for ts in times))
        assert survey.first_between(conn, begin, end) == min((ts for ts in times if begin <= ts < end), default=None)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_rows, _times, _times, st.tuples(_times, _times).map(sorted), st.sets(st.sampled_from(SERIES)), st.integers(1, 4))
def test_series_together_are_answered_as_by_a_list(
    tmp_path: Path, fresh: Path, rows: Stored, moved: int, until: int, span: list[int], asked: set[int], most: int
) -> None:
    """At once or in pieces, with the border anywhere in the span; what was left over is not seen."""
    begin, end = span
    with opened(fresh, tmp_path) as conn:
        filled(conn, rows, moved, until)
        stamped = sorted((ts, series, *reading) for (series, ts), reading in rows.items() if series in asked)
        expected = [row for row in stamped if begin <= row[0] < end]
        assert together.between(conn, asked, begin, end, moved) == expected
        assert list(together.fresh(conn, asked, begin, moved)) == [row for row in stamped if row[0] >= max(begin, moved)]
        pieces, at = [], begin
        while at < end:
            piece, at = together.some(conn, asked, at, end, moved, most)
            pieces += piece
        assert pieces == expected
        for series in SERIES:
            good = [row[:2] for row in of(rows, series, 0, end) if row[1] is not None and row[2] & 15 not in (4, 9)]
            seen = [row for row in good if row[0] >= begin or row[0] < moved]
            assert together.last_good(conn, series, end, moved, begin) == (seen[-1] if seen else None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_rows, _rows, _rows, _times, _times)
def test_what_is_inserted_or_changed_while_a_block_is_copied_stays(
    tmp_path: Path, fresh: Path, rows: Stored, late: Stored, changed: Stored, moved: int, until: int
) -> None:
    """Before and after the mover advances, and after what was left over is gone."""
    with opened(fresh, tmp_path) as conn:
        frontier = filled(conn, rows, moved, until)
        expected = late | rows
        assert storing.insert_many(conn, frontier, [(*key, *reading) for key, reading in late.items()]) == len(late.keys() - rows)
        for series in SERIES:
            there = [
                (ts, *reading)
                for (changed_series, ts), reading in sorted(changed.items())
                if (changed_series, ts) in expected and changed_series == series
            ]
            storing.change(conn, frontier, series, there)
            expected |= {(series, ts): (value, quality) for ts, value, quality in there}
        for step in range(3):
            for series in SERIES:
                assert all_of(Readings.of(conn), series) == of(expected, series, *_ALL_US)
                for ts in range(31):
                    assert storing.find(conn, frontier, series, ts) == expected.get((series, ts))
            if step == 0 and frontier.copying is not None:
                moving.advance(conn, until)
                frontier = Frontier(until)
            elif step == 1:
                moving.delete_left_over(conn, frontier.moved_until_us)


def test_a_change_that_meets_fewer_readings_than_it_remembers_is_an_error(tmp_path: Path, fresh: Path) -> None:
    """In either stage; but for what has expired, and for what is known to be lost to damage."""
    with opened(fresh, tmp_path) as conn:
        frontier = filled(conn, {(1, ts): (float(ts), 1) for ts in (2, 3, 5, 6)}, 4, 0)
        storing.change(conn, frontier, 1, [(ts, 0.5, 1) for ts in (2, 3, 5, 6)])
        for gone in (1, 7):
            remembered = sorted([(gone, 1.5, 1), *((ts, 1.5, 1) for ts in (2, 3, 5, 6))])
            with pytest.raises(storing.ReadingsMissing, match="of 5 readings of series 1 that were to be changed 4 are there"):
                storing.change(conn, frontier, 1, remembered)
            storing.change(conn, frontier, 1, remembered, some_are_lost=True)
        storing.change(conn, frontier, 1, [(ts, 2.5, 1) for ts in (1, 2, 3, 5, 6)], cut_us=2)
        with pytest.raises(storing.ReadingsMissing):
            storing.change(conn, frontier, 1, [(ts, 2.5, 1) for ts in (1, 2, 3, 5, 6, 7)], cut_us=2)
        assert all_of(Readings.of(conn), 1) == [(ts, 2.5, 1) for ts in (2, 3, 5, 6)]


def test_the_keys_are_those_of_the_tables() -> None:
    """Whoever reads all of a table reads it in the order in which it lies."""
    for table, key in KEYS.items():
        assert tuple(column.name for column in metadata.tables[table].primary_key) == key


# What may read a whole table, because its key does not begin with what is asked for; all of them of ``recent`` or of all.
_PASSES = {"extent", "exists", "count", "count_all"}


def _asked(conn: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """(question, each statement that it has run)."""
    readings, border = Readings(conn, 10), Frontier(10, (10, 20))
    carry = moving.Carry(1, 2, 2.0, 0.0)
    questions: dict[str, Callable[[], object]] = {
        "chunks": lambda: list(readings.chunks(1, 0, 30, 5)),
        "some": lambda: (readings.some(1, 0, 30, 5, 5), readings.some(1, 15, 30, 5, 5)),
        "last_usable": lambda: readings.last_usable(1, 0, 30),
        "first_usable": lambda: readings.first_usable(1, 0, 30),
        "first_settled": lambda: readings.first_settled(1, 0),
        "extent": lambda: readings.extent(1),
        "last_settled": lambda: readings.last_settled(1, 0, 5),
        "last_settled_of_each": lambda: readings.last_settled_of_each(0),
        "fresh": lambda: list(readings.fresh(0, 30, 5)),
        "fresh_stamped": lambda: list(readings.fresh_stamped(0, 30, 5)),
        "fresh_from": lambda: list(readings.fresh_from(0)),
        "stamped": lambda: readings.stamped(0, 30),
        "few_fresh": lambda: readings.few_fresh(SERIES, 0, 30, 100),
        "reach": lambda: together.reach(conn, 5),
        "together": lambda: list(together.fresh(conn, SERIES, 0, 10)),
        "some_together": lambda: (together.some(conn, SERIES, 0, 30, 10, 5), together.some(conn, SERIES, 15, 30, 10, 5)),
        "last_good": lambda: together.last_good(conn, 1, 30, 10, 15),
        "insert": lambda: storing.insert(conn, border, 1, 15, 1.0, 1),
        "insert_many": lambda: storing.insert_many(conn, border, [(1, 5, 1.0, 1), (2, 25, 1.0, 1)]),
        "find": lambda: (storing.find(conn, border, 1, 5), storing.find(conn, border, 1, 15)),
        "find_anywhere": lambda: storing.find_anywhere(conn, 1, 3),
        "change_one": lambda: storing.change_one(conn, border, 1, 15, 2.0, 1),
        "change": lambda: storing.change(conn, border, 1, [(5, 2.0, 1), (15, 2.0, 1)]),
        "oldest": lambda: moving.oldest(conn, 10),
        "count_fresh": lambda: moving.count(conn, 10, 20, 5),
        "end_of": lambda: moving.end_of(conn, 10, 20, 0),
        "copy": lambda: moving.copy(conn, (10, 20), 1, 2),
        "is_left_over": lambda: moving.is_left_over(conn, 10),
        "delete_left_over": lambda: moving.delete_left_over(conn, 0),
        "newest_settled": lambda: moving.newest_settled(conn, 0, 10, 1),
        "bring_back": lambda: moving.bring_back(conn, 8, 10),
        "oldest_settled": lambda: (moving.oldest_settled(conn, 1, 10), moving.oldest_settled(conn, 1, 10, 1)),
        "delete_before": lambda: moving.delete_before(conn, 1, 0),
        "carry_settled": lambda: moving.carry_settled(conn, border, carry, 1),
        "carry_fresh": lambda: moving.carry_fresh(conn, border, carry, 10, 1),
        "exists": lambda: survey.exists(conn, 1),
        "count": lambda: survey.count(conn, 1),
        "count_all": lambda: survey.count_all(conn, 10),
        "first_between": lambda: survey.first_between(conn, 0, 30),
        "firsts_kept": lambda: survey.firsts_kept(conn, 30),
        "stale_us": lambda: survey.outdated_us(conn, 30),
        "first_fresh": lambda: survey.first_fresh(conn),
    }
    for name, question in questions.items():
        ran: list[str] = []
        conn.set_trace_callback(ran.append)
        question()
        conn.set_trace_callback(None)
        assert ran, name
        yield from ((name, sql) for sql in ran if re.search(r"\b(recent|history)\b", sql))


def test_statements_use_the_key_of_the_table(tmp_path: Path, fresh: Path) -> None:
    """What asks for a series, a time or a span seeks it; nothing sorts in memory but what must."""
    with opened(fresh, tmp_path) as conn:
        filled(conn, {(series, ts): (1.0, 1) for series in SERIES for ts in range(30)}, 10, 20)
        seen = set()
        for name, sql in _asked(conn):
            seen.add(name)
            steps = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for step in steps:
                is_scan = re.match(r"SCAN (recent|history)\b", step) is not None
                assert name in _PASSES or not is_scan or "LIMIT 1" in sql or "min(ts)" in sql, (name, sql, steps)
                assert "TEMP B-TREE" not in step or name in {"copy", "bring_back", "carry_fresh"}, (name, sql, steps)
        assert len(seen) >= 41
