"""``Log.tail``: every reading that is committed, once, or it says which were not."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sensorlogd
from sensorlogd.api import LogClosed, LogLocked, LogUnavailable, Tail, UnknownSeries
from sensorlogd.batch import Block, Column
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.file import reader
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.query.following import MAX_LATE_US, Following
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.rollups.edge import set_edge
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.api.rig import T0, S
from tests.connections import connect_writer

EDGE = T0 + 7200 * S


class Writer:
    """Commits what it is told to, as the daemon does."""

    def __init__(self, path: Path) -> None:
        self.conn = connect_writer(path)
        self.edge_us = T0
        specs = [catalog.SensorSpec("lab", "simulated", series=[catalog.SeriesSpec("t"), catalog.SeriesSpec("n")])]
        self.conn.execute("BEGIN IMMEDIATE")
        self.ids = catalog.sync(self.conn, specs, T0).ids
        set_edge(self.conn, self.edge_us)
        self.conn.execute("COMMIT")

    def store(self, channel: str, *stamps: int) -> None:
        self.conn.execute("BEGIN IMMEDIATE")
        columns = [Column(channel, list(stamps), [float(ts % 97) for ts in stamps], 1)]
        append(self.conn, [Block("lab", columns, device_time=True)], self.ids, Frontier(edge_us=self.edge_us))
        self.conn.execute("COMMIT")

    def roll_up(self, edge_us: int) -> None:
        """What matters of it here: the edge."""
        self.edge_us = max(edge_us, self.edge_us)
        self.conn.execute("BEGIN IMMEDIATE")
        set_edge(self.conn, self.edge_us)
        self.conn.execute("COMMIT")

    def close(self) -> None:
        self.conn.close()


@pytest.fixture
def log_path(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fresh, tmp_path / "tail.db"))


@pytest.fixture
def writer(log_path: Path) -> Iterator[Writer]:
    made = Writer(log_path)
    yield made
    made.close()


def looked(following: Following, log: LogReader, now_us: int, *, whole: bool) -> list[SeriesReading]:
    following.begin(log, now_us, whole=whole)
    found = []
    while (page := following.page(log)) is not None:
        found += page
    following.end()
    return found


Step = tuple[Literal["store"], str, list[int]] | tuple[Literal["roll_up"], int] | tuple[Literal["look"], bool, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.sampled_from("tn"), st.lists(st.integers(0, 1200), min_size=1, max_size=5)),
        st.tuples(st.just("roll_up"), st.integers(0, 1200)),
        st.tuples(st.just("look"), st.booleans(), st.integers(0, 1200)),
    ),
    max_size=30,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(since=st.integers(0, 600), steps=STEPS)
def test_whatever_comes_in_whatever_order_is_given_once_or_told(
    fresh: Path, tmp_path: Path, since: int, steps: list[Step]
) -> None:
    """Of all readings from ``since`` on that are stored when the last whole look ends."""
    for file in tmp_path.glob("law.db*"):
        file.unlink()
    writer = Writer(Path(shutil.copy(fresh, tmp_path / "law.db")))
    stored: set[tuple[str, int]] = set()
    given_: list[tuple[str, int]] = []
    try:
        with LogReader.open(tmp_path / "law.db") as log:
            following = Following(log.series(), T0 + since * S)
            for step in [*steps, ("look", True, 1200)]:
                match step:
                    case ("store", channel, seconds):
                        stamps = sorted({T0 + second * S for second in seconds})
                        writer.store(channel, *stamps)
                        stored |= {(channel, ts) for ts in stamps}
                    case ("roll_up", second):
                        writer.roll_up(T0 + second // 60 * MINUTE_US)
                    case ("look", whole, second):
                        found = looked(following, log, T0 + second * S, whole=whole)
                        given_ += [(reading.series.channel, reading.ts_us) for reading in found]
            late_minutes = {
                (late.series.channel, minute)
                for late in following.late
                for minute in range(late.since_us, late.until_us, MINUTE_US)
            }
    finally:
        writer.close()
    assert len(given_) == len(set(given_))
    wanted = {(channel, ts) for channel, ts in stored if ts >= T0 + since * S}
    assert set(given_) <= wanted
    assert {(channel, ts - ts % MINUTE_US) for channel, ts in wanted - set(given_)} <= late_minutes


def test_what_is_too_late_is_told_and_nothing_is_remembered_for_ever(log_path: Path, writer: Writer) -> None:
    with LogReader.open(log_path) as log:
        following = Following(log.series(), T0)
        writer.store("t", *range(T0, EDGE, S))
        assert len(looked(following, log, EDGE, whole=True)) == 7200
        writer.roll_up(EDGE)
        looked(following, log, EDGE, whole=True)
        assert following.floor_us == EDGE - MAX_LATE_US
        assert sum(map(len, following._seen.values())) == 120
        writer.store("n", EDGE - MAX_LATE_US - S, EDGE - S)
        assert [reading.ts_us for reading in looked(following, log, EDGE, whole=True)] == [EDGE - S]
        (late,) = following.late
        assert (late.series.name, late.since_us) == ("lab.n", EDGE - MAX_LATE_US - MINUTE_US)
        following.late.clear()
        for minute in (1, 2, 2, 3, 5):
            writer.store("n", T0 + minute * MINUTE_US + S + minute)
            writer.store("n", T0 + minute * MINUTE_US + 2 * S + len(following.late))
            looked(following, log, EDGE, whole=False)
        spans = [((late.since_us - T0) // MINUTE_US, (late.until_us - T0) // MINUTE_US) for late in following.late]
        assert spans == [(1, 4), (5, 6)]


def now_us() -> int:
    return time.time_ns() // 1000


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="reads")
    thread.start()
    return thread


def test_tail_waits_for_what_is_committed_by_another_thread(log_path: Path, writer: Writer) -> None:
    """And ends when it is told to, from a thread that does not iterate."""
    came = threading.Semaphore(0)
    found: list[tuple[str, int]] = []
    since = now_us()
    with sensorlogd.open(log_path) as log:
        tail = log.tail("lab.*", since)

        def read() -> None:
            for reading in tail:
                found.append((reading.series.name, reading.ts_us))
                came.release()

        thread = in_thread(read)
        for number in range(3):
            writer.store("t", since + number)
            assert came.acquire(timeout=60)
        writer.store("n", since + 1)  # later than the newest of another series, and earlier than it
        assert came.acquire(timeout=60)
        tail.stop()
        thread.join(60)
        assert not thread.is_alive()
    assert found == [("lab.t", since), ("lab.t", since + 1), ("lab.t", since + 2), ("lab.n", since + 1)]
    assert tail.late == []


def test_tail_ends_at_its_time_with_all_that_was_there(log_path: Path, writer: Writer) -> None:
    """A duration, or an event that somebody sets; what was stored an hour ago is found, too."""
    hour_ago = now_us() - 3600 * S
    with sensorlogd.open(log_path) as log:
        writer.store("t", hour_ago, hour_ago + 1, hour_ago + 2)
        assert [reading.ts_us - hour_ago for reading in log.tail("lab.t", hour_ago + 1, duration="10ms")] == [1, 2]
        assert list(log.tail("lab.t", duration=timedelta(milliseconds=1))) == []
        set_ = threading.Event()
        set_.set()
        assert list(log.tail("lab.t", duration="1h", stop=set_)) == []
        with pytest.raises(UnknownSeries, match=r"did you mean lab\.t"):
            log.tail("lab.tt")
        with pytest.raises(ValueError, match="long"):
            log.tail("lab.t", duration="long")


def test_closing_the_log_ends_a_tail_that_waits(log_path: Path, writer: Writer) -> None:
    ended: list[BaseException] = []
    since = now_us()
    log = sensorlogd.open(log_path)
    came = threading.Event()

    def read() -> None:
        try:
            for _ in log.tail("lab.t", since):
                came.set()
        except LogClosed as error:
            ended.append(error)

    thread = in_thread(read)
    writer.store("t", since)
    assert came.wait(60)
    log.close()
    thread.join(60)
    assert "has been closed" in str(ended[0])


def test_tail_goes_on_after_the_file_was_exchanged(log_path: Path, writer: Writer, tmp_path: Path) -> None:
    """Nothing comes twice and nothing is left out."""
    since = now_us()
    with sensorlogd.open(log_path) as log:
        tail = log.tail("lab.t", since)
        writer.store("t", since)
        assert next(tail).ts_us == since
        writer.conn.execute("PRAGMA wal_checkpoint").fetchone()
        writer.close()
        for side in ("-wal", "-shm"):
            log_path.with_name(log_path.name + side).rename(tmp_path / f"aside{side}")
        shutil.copy(log_path, tmp_path / "new")
        (tmp_path / "new").replace(log_path)
        again = Writer(log_path)
        again.store("t", since + 1)
        assert next(tail).ts_us == since + 1
        again.close()


def test_tail_waits_while_the_file_is_locked(log_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one without a WAL is while somebody writes it."""
    monkeypatch.setattr(reader, "BUSY_WITHIN_S", 0.01)
    assert writer.conn.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    since = now_us()
    waited = []
    with sensorlogd.open(log_path) as log:
        tail = log.tail("lab.t", since)
        writer.conn.execute("BEGIN EXCLUSIVE")
        append(
            writer.conn,
            [Block("lab", [Column("t", [since], [1.0], 1)], device_time=True)],
            writer.ids,
            Frontier(edge_us=writer.edge_us),
        )
        with pytest.raises(LogLocked, match="another program has locked the database; try again"):
            log.latest()

        def pause(_: object) -> float:
            waited.append(True)
            writer.conn.execute("COMMIT")
            return 0.0

        monkeypatch.setattr(Tail, "_pause", pause)
        assert next(tail).ts_us == since
        assert waited == [True]


def test_tail_says_that_the_file_is_gone(log_path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    from sensorlogd.api import tail as module

    monkeypatch.setattr(module, "GONE_WITHIN_S", 0.0)
    with sensorlogd.open(log_path) as log:
        tail = log.tail("lab.t", duration="1h")
        for file in log_path.parent.glob("tail.db*"):
            file.unlink()
        with pytest.raises(LogUnavailable, match="no such database"):
            next(tail)
