"""The inbox: bounded, in order, fair, and nothing is lost without being counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.intake.inbox import LITTLE, RESERVE, Inbox
from tests.rig import until

LONG = 600.0  # a wait that something else must end
DEADLINE = 60.0  # within which it must have ended


def block(sensor: str, rows: int, first: int = 0) -> Block:
    return Block(sensor, [Column("x", list(range(first, first + rows)), [0.0] * rows, 1)] if rows else [])


def first_times(blocks: list[Block]) -> list[int]:
    return [taken.columns[0].times_us[0] for taken in blocks]


def waiting(inbox: Inbox) -> bool:
    """Whether a thread waits for room."""
    return bool(inbox._room._waiters)  # type: ignore[attr-defined]  # no public way to see it, and no sleep instead


def test_blocks_come_out_in_order() -> None:
    inbox = Inbox(1000)
    for n in range(10):
        assert inbox.put(block("a", 3, n))
    assert inbox.depth == 30
    assert first_times(inbox.get_all(7, 0)) == [0, 1, 2], "about max_rows: whole blocks, until it is reached"
    assert first_times(inbox.get_all(1000, 0)) == [3, 4, 5, 6, 7, 8, 9]
    assert inbox.depth == 0
    assert inbox.get_all(1000, 0) == []


def test_the_writer_sleeps_until_enough_is_there() -> None:
    inbox = Inbox(1000)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(inbox.get_all, 1000, LONG, 3)
        until(lambda: inbox._wanted == 3, "the writer to wait")
        inbox.put(block("a", 2))
        assert not taken.done()
        inbox.put(block("a", 1))
        assert sum(taken_block.rows for taken_block in taken.result(DEADLINE)) == 3


@pytest.mark.parametrize("end", [Inbox.wake, Inbox.close, lambda inbox: inbox.put(block("", 0))], ids=["wake", "close", "flush"])
def test_the_writers_sleep_ends_at_once(end: Callable[[Inbox], object]) -> None:
    """Woken, closed, or somebody waits for a commit: what is there is taken, however little."""
    inbox = Inbox(1000)
    inbox.put(block("a", 1))
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(inbox.get_all, 1000, LONG, 500)
        until(lambda: inbox._wanted == 500, "the writer to wait")
        end(inbox)
        assert taken.result(DEADLINE)[0].rows == 1


def test_a_wake_before_the_sleep_is_not_forgotten() -> None:
    inbox = Inbox(1000)
    inbox.wake()
    assert inbox.get_all(1000, LONG) == []
    inbox.wake()
    inbox.wait(LONG)


def test_wait_leaves_readings_alone() -> None:
    inbox = Inbox(1000)
    with ThreadPoolExecutor(1) as pool:
        slept = pool.submit(inbox.wait, LONG)
        until(lambda: inbox._wanted > 1, "the writer to wait")
        inbox.put(block("a", 5))
        assert not slept.done(), "readings do not end it"
        inbox.wake()
        slept.result(DEADLINE)
    assert inbox.depth == 5


def test_a_closed_inbox_refuses_and_keeps_what_it_has() -> None:
    inbox = Inbox(1000)
    inbox.put(block("a", 5))
    inbox.close()
    inbox.close()
    assert inbox.put(block("a", 1)) is False
    assert inbox.depth == 5
    assert sum(taken_block.rows for taken_block in inbox.get_all(1000, 0)) == 5
    inbox.wait(0)
    assert inbox.drain_dropped() == {}


def test_a_closed_inbox_does_not_keep_the_writer_spinning() -> None:
    """Closing wakes once; after that the writer sleeps until its time has come."""
    inbox = Inbox(1000)
    inbox.close()
    inbox.get_all(10, LONG)
    with ThreadPoolExecutor(1) as pool:
        slept = pool.submit(inbox.get_all, 10, LONG)
        until(lambda: bool(inbox._filled._waiters), "the writer to sleep")  # type: ignore[attr-defined]  # as above
        assert not slept.done()
        inbox.wake()
        assert slept.result(DEADLINE) == []


def test_a_reader_waits_for_room_and_gets_it() -> None:
    inbox = Inbox(1000)
    inbox.put(block("a", 900))
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(inbox.put, block("a", 200), LONG)
        until(lambda: waiting(inbox), "the reader to wait")
        inbox.get_all(1000, 0)
        assert put.result(DEADLINE) is True
    assert inbox.depth == 200
    assert inbox.drain_dropped() == {}


def test_closing_frees_a_waiting_reader() -> None:
    inbox = Inbox(1000)
    inbox.put(block("a", 900))
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(inbox.put, block("a", 200), LONG)
        until(lambda: waiting(inbox), "the reader to wait")
        inbox.close()
        assert put.result(DEADLINE) is False
    assert inbox.depth == 900


def test_full_for_too_long_drops_the_oldest_and_counts() -> None:
    inbox = Inbox(6400)
    for n in range(100):
        assert inbox.put(block("a", 100, n), 0)
    dropped = inbox.drain_dropped()
    assert list(dropped) == ["a"]
    assert inbox.drain_dropped() == {}
    left = inbox.get_all(10**6, 0)
    assert first_times(left) == list(range(dropped["a"] // 100, 100)), "the newest, without a hole"
    assert dropped["a"] + 100 * len(left) == 10_000
    assert 6400 - 6400 // RESERVE - 2 * 100 - 6400 // LITTLE <= 100 * len(left) <= 6400


def test_once_nobody_takes_anything_readers_do_not_wait_at_every_put() -> None:
    """While the database is away, ports must still be read in time: the kernel holds only 4 kB for each."""
    inbox = Inbox(1000)
    inbox.put(block("a", 900))
    inbox.put(block("a", 900), 0)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inbox.put, block("a", 900), LONG).result(DEADLINE), "does not wait"
    inbox.get_all(1000, 0)
    inbox.put(block("a", 900))
    with ThreadPoolExecutor(1) as pool:
        put = pool.submit(inbox.put, block("a", 900), LONG)
        until(lambda: waiting(inbox), "the reader to wait again, now that the writer takes")
        inbox.close()
        assert put.result(DEADLINE) is False


def test_a_babbling_sensor_costs_its_own_readings_only() -> None:
    inbox = Inbox(6400)
    for n in range(1000):
        inbox.put(block("babbler", 50, n), 0)
        if n % 20 == 0:
            assert inbox.put(block("quiet", 1, n), LONG), "and nobody waits behind it"
    assert set(inbox.drain_dropped()) == {"babbler"}
    assert Counter(taken_block.sensor for taken_block in inbox.get_all(10**6, 0))["quiet"] == 50


def test_a_quiet_sensor_does_not_wait_behind_one_that_is_as_fast_as_it_can() -> None:
    inbox = Inbox(6400)
    with ThreadPoolExecutor(2) as pool:
        while inbox.depth + 100 <= 6400 - 6400 // RESERVE:
            inbox.put(block("fast", 100))
        fast = pool.submit(inbox.put, block("fast", 100), LONG)
        until(lambda: waiting(inbox), "the fast one to wait")
        for _ in range(100):
            assert pool.submit(inbox.put, block("quiet", 1), LONG).result(DEADLINE)
        assert not fast.done()
        inbox.get_all(3000, 0)
        assert fast.result(DEADLINE)
    assert inbox.drain_dropped() == {}


def test_equals_lose_equally() -> None:
    inbox = Inbox(6400)
    for n in range(1000):
        for sensor in "abcd":
            inbox.put(block(sensor, 10, n), 0)
    dropped = inbox.drain_dropped()
    assert max(dropped.values()) - min(dropped.values()) <= 6400 // LITTLE
    newest = inbox.get_all(10**6, 0)
    assert {
        sensor: max(first_times([taken_block for taken_block in newest if taken_block.sensor == sensor])) for sensor in "abcd"
    } == dict.fromkeys("abcd", 999)


def test_somebody_waiting_for_a_commit_is_never_dropped() -> None:
    inbox = Inbox(1000)
    inbox.put(block("a", 5000))
    flush = block("", 0)
    assert inbox.put(flush, 0)
    assert inbox.depth == 5000, "and drops nothing itself"
    for _ in range(50):
        inbox.put(block("a", 500), 0)
    assert any(entry is flush for entry in inbox.get_all(10**6, 0))


def test_one_hand_over_larger_than_the_limit_is_taken_whole() -> None:
    inbox = Inbox(1000)
    inbox.put(block("a", 10))
    assert inbox.put(block("a", 5000), 0)
    assert inbox.depth == 5000
    assert inbox.drain_dropped() == {"a": 10}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400), st.booleans()), max_size=60))
def test_every_reading_is_taken_or_counted(puts: list[tuple[str, int, bool]]) -> None:
    """Whatever is put and taken in whatever order: what went in comes out, in order, or is counted; the bound holds."""
    inbox = Inbox(1000)
    put: Counter[str] = Counter()
    out: Counter[str] = Counter()
    order: list[int] = []
    for number, (sensor, rows, take) in enumerate(puts):
        assert inbox.put(block(sensor, rows, number * 1000), 0)
        assert inbox.depth <= 1000
        put[sensor] += rows
        if take:
            for taken_block in inbox.get_all(300, 0):
                out[taken_block.sensor] += taken_block.rows
                order += first_times([taken_block]) if taken_block.rows else []
    for taken_block in inbox.get_all(10**6, 0):
        out[taken_block.sensor] += taken_block.rows
        order += first_times([taken_block]) if taken_block.rows else []
    out.update(inbox.drain_dropped())
    assert inbox.depth == 0
    assert +out == +put
    assert order == sorted(order)


def test_many_threads_lose_nothing() -> None:
    inbox = Inbox(2000)
    put: Counter[str] = Counter()
    out: Counter[str] = Counter()
    done = threading.Event()

    def write() -> None:
        while not (done.is_set() and inbox.depth == 0):
            for taken_block in inbox.get_all(700, 0.01):
                out[taken_block.sensor] += taken_block.rows

    def read(sensor: str) -> int:
        return sum(rows for rows in range(1, 200) if inbox.put(block(sensor, rows), LONG))

    with ThreadPoolExecutor(5) as pool:
        writer = pool.submit(write)
        readers = {sensor: pool.submit(read, sensor) for sensor in "abcd"}
        for sensor, reader in readers.items():
            put[sensor] = reader.result(DEADLINE)
        done.set()
        writer.result(DEADLINE)
    assert inbox.drain_dropped() == {}
    assert out == put
