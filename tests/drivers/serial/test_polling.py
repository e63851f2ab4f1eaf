"""Polled devices: what comes late, in two lines, half, echoed or behind a prompt, on a port of one's own and on a shared one."""

from __future__ import annotations

import select
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.drivers.serial import SerialDriver
from sensorlogd.drivers.serial.options import SerialOptions
from tests.drivers.lending import rows_of
from tests.drivers.serial.test_transport import WatchedContext
from tests.rig import Port, until

Says = Callable[[bytes], list[tuple[float, bytes]]]  # a question -> (after so many seconds, bytes), one after the other


@contextmanager
def devices(port: Port, says: Says) -> Iterator[list[bytes]]:
    """Whoever is at the other end: what was asked, in order."""
    asked: list[bytes] = []
    done = threading.Event()

    def run() -> None:
        rest = b""
        while not done.is_set():
            if not select.select([port.master], [], [], 0.02)[0]:
                continue
            *questions, rest = (rest + _read(port)).split(b"\n")
            for question in questions:
                asked.append(question)
                for after_s, data in says(question):
                    if done.wait(after_s):
                        return
                    port.send(data)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join()


def _read(port: Port) -> bytes:
    import os

    try:
        return os.read(port.master, 100)
    except OSError:
        return b""


class Sensor(threading.Thread):
    """A polled sensor on a thread of its own, as in the daemon; ``command`` is also its name."""

    def __init__(self, port: Port, command: str, **more: Any) -> None:
        super().__init__(daemon=True)
        self.lent = WatchedContext()
        keys = {
            "driver": "serial", "port": str(port.path), "interval": "20ms", "format": {"type": "csv", "fields": ["v"]},
            "poll": {"command": f"{command}\n", "turnaround": more.pop("turnaround", "100ms")}, **more,
        }  # fmt: skip
        self.driver = SerialDriver(SerialOptions.model_validate(keys), self.lent.context)
        self.values: list[float] = []
        self._done = threading.Event()

    @property
    def misses(self) -> int:
        """How often the device has not answered."""
        assert self.driver.poller is not None
        return self.driver.poller.device.misses

    def run(self) -> None:
        self.driver.open()
        while not self._done.is_set():
            self.values += [row["v"] for _, row in rows_of(self.driver.read(0.2))]
        self.driver.close()

    def __enter__(self) -> Sensor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.lent.wake()
        self.join(60)
        self.lent.close()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "tty")
    yield made
    made.close()


def test_a_late_answer_is_not_the_other_sensors(port: Port) -> None:
    """A answers after its time is over, in B's, if B were asked at once: it is counted for A, and B gets its own."""
    says: Says = lambda question: [(0.5, b"11\n")] if question == b"A" else [(0.02, b"22\n")]  # noqa: E731  # as short as a table
    # The line is held for three turnarounds after the time-out: long enough for an answer that a stalled machine delays, too.
    kept = {"shared": True, "turnaround": "400ms"}
    with devices(port, says) as asked, Sensor(port, "A", **kept) as a, Sensor(port, "B", **kept) as b:
        until(lambda: len(b.values) >= 2 and a.lent.counts.get("late_answers", 0) >= 2, "answers and late ones")
    assert set(b.values) == {22}
    assert a.values == []
    assert b"A, A, A" not in b", ".join(asked)  # whoever waits while the line is held for A has it next
    # Where the machine stalled, an answer of B's was late, too; never more of them than it missed.
    assert b.lent.counts.get("late_answers", 0) <= b.lent.counts.get("unanswered", 0)


def test_a_line_that_came_before_the_question_stays_before_the_answer(port: Port) -> None:
    """It waits in the port when the question is due, so it is read together with the answer."""
    lent = WatchedContext()
    keys = {
        "driver": "serial", "port": str(port.path), "interval": "100ms", "format": {"type": "csv", "fields": ["v"]},
        "poll": {"command": "A\n", "turnaround": "10s"},
    }  # fmt: skip
    driver = SerialDriver(SerialOptions.model_validate(keys), lent.context)
    found: list[Any] = []

    def read_rows() -> int:
        found.extend(rows_of(driver.read(0.1)))
        return len(found)

    with devices(port, lambda _: [(0.02, b"1\n")]):
        driver.open()
        poller = driver.poller
        assert poller is not None
        until(read_rows, "the first answer")
        port.send(b"7\n")
        until(lambda: select.select([port._slave], [], [], 0)[0] and time.monotonic() > poller._due, "the line, and the question")
        until(lambda: read_rows() >= 3, "the line and the next answer")
    driver.close()
    lent.close()
    assert [row["v"] for _, row in found][:3] == [1, 7, 1]
    assert found == sorted(found, key=lambda row: row[0])


def test_the_second_line_is_not_the_next_sensors(port: Port) -> None:
    """From the first question on, since what a device sends is learned before its neighbour is asked."""
    says: Says = lambda question: [(0.01, b"11\n"), (0.04, b"11.5\n")] if question == b"A" else [(0.06, b"22\n")]  # noqa: E731  # as short as a table
    with devices(port, says), Sensor(port, "A", shared=True) as a, Sensor(port, "B", shared=True) as b:
        until(lambda: len(b.values) >= 10 and len(a.values) >= 10, "ten of each")
    assert set(b.values) == {22}
    assert set(a.values) == {11, 11.5}


def test_half_an_answer_is_not_glued_to_the_next(port: Port) -> None:
    """The end of its line never came; it is counted, and the next answer is whole."""
    times = Counter[str]()

    def says(question: bytes) -> list[tuple[float, bytes]]:
        times["n"] += 1
        return [(0.0, b"21" if times["n"] % 2 else b"22\n")]

    with devices(port, says), Sensor(port, "A") as a:
        until(lambda: len(a.values) >= 4, "whole answers")
    assert set(a.values) == {22}
    assert a.lent.counts["cut_short"] >= 3


def test_a_second_line_that_comes_in_two_pieces_is_whole(port: Port) -> None:
    """Its first piece came together with the answer."""
    says: Says = lambda _: [(0.0, b"11\n2"), (0.02, b"2\n")]  # noqa: E731  # as short as a table
    with devices(port, says), Sensor(port, "A", interval="200ms") as a:
        until(lambda: len(a.values) >= 6, "both lines")
    assert set(a.values) == {11, 22}
    assert "cut_short" not in a.lent.counts


def test_silence_ends_an_answer_also_a_late_one(port: Port) -> None:
    """On a port of its own it is taken; two answers with a silence between them are not glued."""
    says: Says = lambda _: [(0.2, b"21")]  # noqa: E731  # as short as a table
    more = {"terminator": "silence", "gap": "30ms", "interval": "100ms"}
    with devices(port, says), Sensor(port, "A", **more) as a:
        until(lambda: len(a.values) >= 3, "late answers")
    assert set(a.values) == {21}
    assert a.lent.counts["unanswered"] >= 1


def test_a_late_answer_on_a_port_of_its_own_is_taken_and_told(port: Port) -> None:
    """It can only be this device's. The counter says that the turnaround is too short."""
    with devices(port, lambda _: [(0.15, b"11\n")]), Sensor(port, "A") as a:
        until(lambda: len(a.values) >= 3, "late answers")
    assert a.lent.counts["late_answers"] >= 2
    assert a.lent.counts["unanswered"] >= 2


def test_a_prompt_before_the_echo_does_not_make_it_an_answer(port: Port) -> None:
    """The command itself holds a number that the pattern would find."""
    says: Says = lambda question: [(0.0, b"> " + question + b"\r\n"), (0.01, b"T=21.5\r\n")]  # noqa: E731  # as short as a table
    more = {"ignore_echo": True, "format": {"type": "regex", "pattern": r"(?P<v>\d+\.?\d*)"}, "channels": {"v": {}}}
    with devices(port, says), Sensor(port, "READ 7", **more) as a:
        until(lambda: len(a.values) >= 5, "answers")
    assert set(a.values) == {21.5}
    assert a.lent.counts["echoes"] >= 5


def test_an_adapter_that_does_not_echo_costs_no_answer(port: Port) -> None:
    """Though ``ignore_echo`` was said."""
    with devices(port, lambda _: [(0.0, b"21.5\n")]), Sensor(port, "A", ignore_echo=True) as a:
        until(lambda: len(a.values) >= 3, "answers")
    assert set(a.values) == {21.5}


def test_prefixes_tell_devices_apart(port: Port) -> None:
    """A device that never answers in time does not keep those waiting whose lines begin in another way."""
    says: Says = lambda question: [(0.0, b"b22\n")] if question == b"B" else []  # noqa: E731  # as short as a table
    formats = {name: {"type": "csv", "fields": ["v"], "prefix": name} for name in "ab"}
    with (
        devices(port, says) as asked,
        Sensor(port, "A", shared=True, format=formats["a"], turnaround="2s") as a,
        Sensor(port, "B", shared=True, format=formats["b"]) as b,
    ):
        until(lambda: a.lent.counts.get("unanswered", 0) >= 1, "a miss")
        missed, values = time.monotonic(), len(b.values)
        until(lambda: len(b.values) >= values + 3, "B to be asked")
        assert time.monotonic() - missed < 6.0  # not the quiet time of A
    assert asked.count(b"A") >= 1


def test_a_silent_device_is_asked_less_often_and_returns(port: Port) -> None:
    """It is counted how often it was left out, and its neighbour goes on; once it answers it is asked as often as ever."""
    awake = threading.Event()
    says: Says = lambda question: [(0.0, b"22\n")] if question == b"B" else [(0.0, b"11\n")] if awake.is_set() else []  # noqa: E731  # as short as a table
    with devices(port, says), Sensor(port, "A", shared=True) as a, Sensor(port, "B", shared=True) as b:
        until(lambda: a.lent.counts.get("backed_off", 0) >= 5, "patience")
        values = len(b.values)
        until(lambda: len(b.values) >= values + 5, "B to go on")
        awake.set()
        until(lambda: len(a.values) >= 5, "A to return")
    assert set(a.values) == {11}
    assert set(b.values) == {22}


def test_a_sensor_that_is_made_anew_does_not_forget_that_its_device_is_dead(port: Port) -> None:
    """The daemon opens a stale sensor again and again; as long as others are on the line, what was learned stays."""
    says: Says = lambda question: [(0.0, b"22\n")] if question == b"B" else []  # noqa: E731  # as short as a table
    with devices(port, says) as asked, Sensor(port, "B", shared=True, turnaround="20ms"):
        with Sensor(port, "A", shared=True, turnaround="20ms") as first:
            until(lambda: first.misses >= 8, "patience")
        before = asked.count(b"A")
        with Sensor(port, "A", shared=True, turnaround="20ms") as second:
            until(lambda: second.lent.counts.get("backed_off", 0) >= 3, "patience from the beginning")
        assert second.misses >= 8
        assert asked.count(b"A") <= before + 1
