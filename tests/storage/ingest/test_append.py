"""Appending: what becomes of a reading, whichever way it takes into the database."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.ingest.append import Appended, append
from sensorlogd.storage.watermarks import Frontier

T0 = 1_750_000_020_000_000  # on a whole minute
IDS = {("a", "x"): 1, ("a", "y"): 2, ("b", "x"): 3}


def store(conn: sqlite3.Connection, blocks: list[Block], frontier: Frontier | None = None, **more: bool) -> Appended:
    conn.execute("BEGIN IMMEDIATE")
    result = append(conn, blocks, IDS, frontier or Frontier(), **more)
    conn.execute("COMMIT")
    return result


def table(conn: sqlite3.Connection, name: str) -> list[tuple[int, int, float | None, int]]:
    return conn.execute(f"SELECT series_id, ts, value, quality FROM {name} ORDER BY series_id, ts").fetchall()


def block(
    ts: list[int], x: list[float | None], *, sensor: str = "a", quality: int | list[int] = 1, device: bool = False
) -> Block:
    return Block(sensor, [Column("x", ts, x, quality)], device_time=device)


def test_columns_sampled_together_become_rows_of_each_series(conn: sqlite3.Connection) -> None:
    """Every value is stored under its own series, time and quality."""
    times = [T0, T0 + 5]
    result = store(conn, [Block("a", [Column("x", times, [1.5, None], [1, 9]), Column("y", times, [2.0, 2.5], 3)])])
    assert table(conn, "recent") == [(1, T0, 1.5, 1), (1, T0 + 5, None, 9), (2, T0, 2.0, 3), (2, T0 + 5, 2.5, 3)]
    assert (result.rows, result.stored, result.by_sensor) == (4, 4, {"a": 4})
    assert result.newest == {1: (T0 + 5, None, 9), 2: (T0 + 5, 2.5, 3)}


def test_ragged_columns_keep_their_own_times(conn: sqlite3.Connection) -> None:
    """A deadband makes columns of different length; nothing shifts between them."""
    store(conn, [Block("a", [Column("x", [T0, T0 + 1], [1.0, 2.0], 1), Column("y", [T0 + 1], [3.0], 1)])])
    assert table(conn, "recent") == [(1, T0, 1.0, 1), (1, T0 + 1, 2.0, 1), (2, T0 + 1, 3.0, 1)]


def test_a_taken_microsecond_gives_the_next_free_one(conn: sqlite3.Connection) -> None:
    """Two host-stamped readings never become one."""
    store(conn, [block([T0, T0 + 1], [1.0, 2.0])])
    result = store(conn, [block([T0], [1.0])])
    assert table(conn, "recent") == [(1, T0, 1.0, 1), (1, T0 + 1, 2.0, 1), (1, T0 + 2, 1.0, 1)]
    assert (result.stored, result.shifted) == (1, 1)


def test_a_retried_commit_does_not_double(conn: sqlite3.Connection) -> None:
    """If COMMIT failed after all was written, the same batch again is the same readings."""
    store(conn, [block([T0, T0 + 1], [1.0, None], quality=[1, 9])])
    result = store(conn, [block([T0, T0 + 1], [1.0, None], quality=[1, 9])], retrying=True)
    assert (result.stored, result.repeated) == (0, 2)
    assert len(table(conn, "recent")) == 2


def test_a_device_clock_that_repeats_never_overwrites(conn: sqlite3.Connection) -> None:
    """Device-stamped: the same value again is the same reading, another value is a counted conflict."""
    store(conn, [block([T0], [1.0], device=True)])
    result = store(conn, [block([T0, T0 + 1], [1.0, 3.0], device=True)])
    assert (result.repeated, result.stored, result.conflicts) == (1, 1, {})
    result = store(conn, [block([T0], [2.0], device=True)])
    assert (result.stored, result.conflicts) == (0, {"a": 1})
    assert table(conn, "recent") == [(1, T0, 1.0, 1), (1, T0 + 1, 3.0, 1)]


@pytest.mark.parametrize("rows", range(2, 12))
def test_the_newest_is_none_that_was_not_stored(conn: sqlite3.Connection, rows: int) -> None:
    """The last reading of a hand-over is in conflict with a stored one, however its rows fall into statements."""
    times = [T0 + n for n in range(rows)]
    values: list[float | None] = [9.0 + n for n in range(rows)]
    store(conn, [block([times[-1]], [1.0])])
    result = store(conn, [block(times, values, device=True)])
    assert result.conflicts == {"a": 1}
    assert result.newest == {1: (times[-2], values[-2], 1)}


@pytest.mark.parametrize("rows", range(2, 12))
def test_the_newest_has_the_time_under_which_it_is_stored(conn: sqlite3.Connection, rows: int) -> None:
    """The last reading of a hand-over takes the next free microsecond."""
    times = [T0 + n for n in range(rows)]
    store(conn, [block([times[-1], times[-1] + 1], [1.0, 1.0])])
    result = store(conn, [block(times, [9.0] * rows)])
    assert result.shifted == 1
    assert result.newest == {1: (times[-1] + 2, 9.0, 1)}


@pytest.mark.parametrize("rows", range(2, 12))
def test_of_several_values_for_one_instant_the_first_stays(conn: sqlite3.Connection, rows: int) -> None:
    """Inside one hand-over too, however its rows fall into statements."""
    values: list[float | None] = [float(n) for n in range(rows)]
    result = store(conn, [block([T0 - 1, *[T0] * rows], [-1.0, *values], device=True)])
    assert table(conn, "recent") == [(1, T0 - 1, -1.0, 1), (1, T0, 0.0, 1)]
    assert result.conflicts == {"a": rows - 1}


def test_a_mark_that_is_renewed_is_newer(conn: sqlite3.Connection) -> None:
    """Whoever marked it before with whatever generation: a reading after a snapshot outlives the clearing of that snapshot."""
    conn.execute("INSERT INTO dirty VALUES (1, ?, 41)", (T0,))
    store(conn, [block([T0], [1.0])], Frontier(edge_us=T0 + MINUTE_US, generation=3))
    assert conn.execute("SELECT generation FROM dirty").fetchall() == [(42,)]


def test_late_readings_go_where_readers_look_and_mark_their_minute(conn: sqlite3.Connection) -> None:
    """Below moved_until: history. Inside the block being copied: both. Below the edge: the minute is dirty."""
    frontier = Frontier(moved_until_us=T0, copying=(T0, T0 + MINUTE_US), edge_us=T0 + 2 * MINUTE_US, generation=7)
    result = store(conn, [block([T0 - 1, T0 + 1, T0 + 3 * MINUTE_US], [1.0, 2.0, 3.0])], frontier)
    assert table(conn, "history") == [(1, T0 - 1, 1.0, 1), (1, T0 + 1, 2.0, 1)]
    assert table(conn, "recent") == [(1, T0 + 1, 2.0, 1), (1, T0 + 3 * MINUTE_US, 3.0, 1)]
    assert (result.stored, result.late) == (3, 2)
    marks = conn.execute("SELECT series_id, start, generation FROM dirty ORDER BY start").fetchall()
    assert marks == [(1, T0 - MINUTE_US, 8), (1, T0, 8)]
    assert frontier.generation == 8


def test_readings_older_than_the_cut_are_refused_and_counted(conn: sqlite3.Connection) -> None:
    """What retention expired must not come back and replace an exact roll-up."""
    result = store(conn, [block([T0 - 1, T0], [1.0, 2.0])], Frontier(cuts_us={1: T0}))
    assert table(conn, "recent") == [(1, T0, 2.0, 1)]
    assert result.too_old == {"a": 1}


def test_a_poisoned_row_is_set_aside_never_the_batch(conn: sqlite3.Connection) -> None:
    """One value that the database cannot hold costs itself only."""
    bad: list[float | None] = [1.0, "a word", 3.0, 10**30]  # type: ignore[list-item]  # poison, on purpose
    result = store(conn, [block([T0, T0 + 1, T0 + 2, T0 + 3], bad), block([T0], [4.0], sensor="b")])
    assert table(conn, "recent") == [(1, T0, 1.0, 1), (1, T0 + 2, 3.0, 1), (3, T0, 4.0, 1)]
    assert result.poisoned == {"a": 2}
    assert "series 1" in result.poison_example


@pytest.mark.parametrize("frontier", [Frontier(), Frontier(edge_us=T0 + MINUTE_US)], ids=["fast", "careful"])
@pytest.mark.parametrize(
    "faulty",
    [block([T0, T0 + 1], [1.0]), block([T0, T0 + 1], [1.0, 2.0, 3.0]), block([T0, T0 + 1], [1.0, 2.0], quality=[1])],
    ids=["values missing", "too many values", "qualities missing"],
)
def test_columns_of_unequal_length_are_set_aside(conn: sqlite3.Connection, faulty: Block, frontier: Frontier) -> None:
    """A faulty hand-over is counted, and nothing of it is stored; the next block is. Late or not: the result is the same."""
    result = store(conn, [faulty, block([T0], [4.0], sensor="b")], frontier)
    assert table(conn, "recent") == [(3, T0, 4.0, 1)]
    assert (result.rows, result.stored, result.poisoned) == (3, 1, {"a": 2})
    assert result.poison_example.startswith("series 1: 2 times")


def test_a_channel_outside_the_catalog_is_counted(conn: sqlite3.Connection) -> None:
    """Readings nobody knows a series for are visible as such."""
    result = store(conn, [Block("a", [Column("nope", [T0], [1.0], 1), Column("x", [T0], [2.0], 1)])])
    assert (result.stored, result.unknown) == (1, {"a": 1})


def test_a_full_disk_is_the_callers_to_handle(conn: sqlite3.Connection) -> None:
    """Errors of the database are raised, not taken for bad rows."""
    (pages,) = conn.execute("PRAGMA page_count").fetchone()
    conn.execute(f"PRAGMA max_page_count = {pages}")
    conn.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        append(conn, [block(list(range(T0, T0 + 5000)), [0.5] * 5000)], IDS, Frontier())
    assert classify(caught.value) is Failure.FULL
    if conn.in_transaction:
        conn.execute("ROLLBACK")
    assert table(conn, "recent") == []


_times = st.integers(0, 12).map(lambda n: T0 + n * 20_000_000)
_value = st.one_of(st.none(), st.sampled_from([1.0, 2.0]))
_block = st.builds(
    lambda sensor, rows, device: Block(
        sensor, [Column("x", [t for t, _ in rows], [v for _, v in rows], [9 if v is None else 1 for _, v in rows])], device
    ),
    st.sampled_from(["a", "b"]),
    st.lists(st.tuples(_times, _value), min_size=1, max_size=5),
    st.booleans(),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_block, max_size=4), max_size=5), st.integers(0, 14), st.integers(0, 14))
def test_every_reading_is_accounted_for(conn: sqlite3.Connection, calls: list[list[Block]], moved: int, edge: int) -> None:
    """Whatever collides: rows in = stored + repeated + conflicts, nothing host-stamped is lost, nothing overwritten."""
    for name in ("recent", "history", "dirty"):
        conn.execute(f"DELETE FROM {name}")
    frontier = Frontier(moved_until_us=T0 + moved * 20_000_000, edge_us=T0 + edge * MINUTE_US // 2)
    before: dict[tuple[int, int], float | None] = {}
    for blocks in calls:
        result = store(conn, blocks, frontier)
        assert result.rows == result.stored + result.repeated + sum(result.conflicts.values())
        host = sum(b.rows for b in blocks if not b.device_time)
        assert result.stored >= host
        now = {(s, t): v for name in ("recent", "history") for s, t, v, _ in table(conn, name)}
        assert len(now) == len(before) + result.stored
        assert before.items() <= now.items()
        before = now
    assert all(ts >= frontier.moved_until_us for _, ts, _, _ in table(conn, "recent"))
    assert all(ts < frontier.moved_until_us for _, ts, _, _ in table(conn, "history"))
    marks = {(s, start) for s, start, _ in conn.execute("SELECT * FROM dirty")}
    assert marks == {(s, t - t % MINUTE_US) for s, t in before if t < frontier.edge_us}


_columns = st.one_of(
    st.lists(_times, min_size=1, max_size=12).map(lambda times: [times, times]),
    st.lists(st.lists(_times, min_size=1, max_size=12), min_size=2, max_size=2),
)
_two_columns = st.builds(
    lambda columns, values, device: Block(
        "a",
        [Column(name, times, values[: len(times)], 1) for name, times in zip("xy", columns, strict=True)],
        device_time=device,
    ),
    _columns,
    st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=12, max_size=12),
    st.booleans(),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_two_columns, min_size=1, max_size=4), st.lists(st.tuples(_times, st.integers(1, 2)), max_size=6, unique=True))
def test_the_newest_of_each_series_is_the_row_inserted_last(
    conn: sqlite3.Connection, blocks: list[Block], taken: list[tuple[int, int]]
) -> None:
    """Whichever rows are refused. A trigger writes down in which order the rows came into the table."""
    conn.execute("DELETE FROM recent")
    conn.executemany("INSERT INTO recent VALUES (?, ?, 1.0, 1)", [(series, ts) for ts, series in taken])
    conn.execute("CREATE TEMP TABLE IF NOT EXISTS came(id INTEGER PRIMARY KEY, series_id, ts, value, quality)")
    conn.execute(
        "CREATE TEMP TRIGGER IF NOT EXISTS noted AFTER INSERT ON main.recent BEGIN "
        "INSERT INTO came(series_id, ts, value, quality) VALUES (new.series_id, new.ts, new.value, new.quality); END"
    )
    conn.execute("DELETE FROM came")
    result = store(conn, blocks)
    rows = conn.execute("SELECT series_id, ts, value, quality FROM came ORDER BY id").fetchall()
    assert result.newest == {row[0]: row[1:] for row in rows}
    assert result.stored == len(rows)


def test_a_flood_of_equal_stamps_costs_the_same_for_each(conn: sqlite3.Connection) -> None:
    """Twenty thousand readings that say the same microseconds again: each finds a free one at once, and in order."""
    ids, frontier = {("s", "x"): 1}, Frontier()
    asked: list[str] = []
    n = 20_000
    for start, whose in ((0, 0.0), (100, 0.5)):
        block = Block("s", [Column("x", [1_000_000 + start + at for at in range(n)], [start + at + whose for at in range(n)], 1)])
        conn.set_trace_callback(lambda sql: asked.append(sql[:6]))
        conn.execute("BEGIN")
        append(conn, [block], ids, frontier)
        conn.execute("COMMIT")
        conn.set_trace_callback(None)
    stored = conn.execute("SELECT value FROM recent WHERE value >= 0 ORDER BY ts").fetchall()
    assert len(stored) == 2 * n
    assert [value for (value,) in stored if value % 1 == 0.0] == [float(at) for at in range(n)]
    assert [value for (value,) in stored if value % 1 == 0.5 and value < n] == [at + 0.5 for at in range(100, n)]
    assert len(asked) < 8 * n
