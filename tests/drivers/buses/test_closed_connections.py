"""A serial server that closes the connection after each answer: what its units still say comes in the next one."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sensorlogd.drivers.contract import DriverError
from sensorlogd.drivers.serial.shared import Port
from sensorlogd.drivers.transactions import Asker, Awaited, Fate, Line, Outcome, Question
from sensorlogd.drivers.transactions import asking as asking_module
from sensorlogd.drivers.transactions.habits import LEARNING
from sensorlogd.drivers.transactions.line import START_QUIET_S
from tests.drivers.buses.test_transactions import TURN_S, A, B, Bench
from tests.drivers.lending import WatchedContext

LEARNING_S = 0.08
TURNAROUND_S = 20.0  # no question here waits for it


class Anything:
    """Whatever comes is the answer."""

    damaged = False
    foreign = 0

    def feed(self, data: bytes, now_us: int) -> Any | None:
        return data or None

    def begun(self) -> bool:
        return False

    def like(self, other: Awaited) -> bool:
        return True

    def fresh(self) -> Anything:
        return Anything()


class ClosingServer:
    """A port (``Port``) whose other end answers at once and closes; ``again``: and says its answer once more, in the next connection."""

    is_connection = True

    def __init__(self, *, again: bool) -> None:
        self.again = again
        self.now_s = 0.0
        self.line = Line(clock=lambda: self.now_s)
        self.generation = self.line.note_opened(0.0)
        self.openings = 1
        self.waited_s = 0.0
        self._owed: deque[bytes] = deque()
        self._arrived: deque[bytes] = deque()
        self._closed = False

    def write(self, data: bytes) -> None:
        self._raise_if_closed()
        self._arrived.append(b"to " + data)
        if self.again:
            self._owed.append(b"to " + data)
        self._closed = True

    def read(self, timeout_s: float) -> tuple[int, bytes]:
        if self._arrived:
            data = self._arrived.popleft()
            self.line.note_arrived(data, 0)
            return 0, data
        self._raise_if_closed()
        self.waited_s += timeout_s
        self.now_s += timeout_s
        return 0, b""

    def discard_input(self) -> bytes:
        self._raise_if_closed()
        data = b"".join(self._arrived)
        self._arrived.clear()
        return data

    def reopen(self) -> None:
        self._closed = False
        self.openings += 1
        self.generation = self.line.note_opened(START_QUIET_S)
        self._arrived.extend(self._owed)
        self._owed.clear()

    def queue_up(self, ready: Callable[[], bool]) -> None:
        """Nobody else asks."""

    @contextlib.contextmanager
    def transaction(self, wait_s: float, hold_s: float) -> Iterator[bool]:
        yield True

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise DriverError("closed")


class Asking:
    """A sensor's way to ask there."""

    def __init__(self, *, again: bool) -> None:
        self.port = ClosingServer(again=again)
        self.lent = WatchedContext()
        self.asker = Asker(cast(Port, self.port), self.lent.context)

    def ask(self, sent: bytes) -> Outcome:
        question = Question(
            sent.decode(), lambda: (sent, Anything()), TURNAROUND_S, "time", learning_s=LEARNING_S
        )  # fmt: skip
        return self.asker.ask(question, TURNAROUND_S)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Time passes at its port alone, while that is waited for."""
    made: list[Asking] = []

    def make_asking(*, again: bool) -> Asking:
        made.append(Asking(again=again))
        monkeypatch.setattr(asking_module, "time", SimpleNamespace(monotonic=lambda: made[-1].port.now_s))
        return made[-1]

    yield make_asking
    for asking in made:
        asking.lent.close()


def test_what_is_said_once_more_is_not_the_next_answer(make: Any) -> None:
    """It comes in the next connection, and nobody has asked there before it has."""
    asking = make(again=True)
    for n in range(3 * LEARNING):
        sent = b"question %d" % n
        outcome = asking.ask(sent)
        assert (outcome.fate, outcome.answer) == (Fate.ANSWERED, b"to " + sent)
    assert asking.lent.counts["repeated_answers"] >= 3 * LEARNING - 1


def test_a_device_that_only_closes_is_waited_for_until_that_is_known(make: Any) -> None:
    """Then closing costs nothing but the opening; neither the learning time nor the quiet time at the start."""
    asking = make(again=False)
    for _ in range(LEARNING + 1):
        asking.ask(b"same")
    assert LEARNING * LEARNING_S / 2 < asking.port.waited_s < LEARNING * (LEARNING_S + START_QUIET_S) + LEARNING_S
    before = asking.port.waited_s
    for _ in range(20):
        assert asking.ask(b"same").fate is Fate.ANSWERED
    assert asking.port.waited_s == before
    assert asking.port.openings >= 20


def test_who_opens_anew_first_does_not_ask_into_the_answer_of_another() -> None:
    """The other has not even seen that its connection is closed; its answer may still come, or lies there unread."""
    bench = Bench()
    asked = bench.line.begin(A, "a", bench.count, TURN_S, "content")
    bench.line.note_opened(0.0)
    assert bench.wait_s(B, "b") > TURN_S
    bench.line.note_answered(asked)
    assert bench.wait_s(B, "b") == 0
    bench.line.end(asked)
    assert bench.wait_s(B, "b") == 0


def test_nor_while_the_other_may_still_talk() -> None:
    """Its answer has come, and it has not been heard out."""
    bench = Bench()
    asked = bench.line.begin(A, "a", bench.count, TURN_S, "content")
    bench.line.note_answered(asked)
    assert bench.line.hold_s(asked, TURN_S) == TURN_S
    bench.line.note_opened(0.0)
    assert bench.wait_s(B, "b") == pytest.approx(TURN_S)


def test_an_end_that_comes_late_ends_nobody_elses_question() -> None:
    """Who was held up ends its own, not the one that is open now."""
    bench = Bench()
    first = bench.line.begin(A, "a", bench.count, TURN_S, "content")
    bench.line.note_opened(0.0)
    second = bench.line.begin(B, "b", bench.count, TURN_S, "content")
    bench.line.end(first)
    bench.line.note_arrived(b"b", 0)
    bench.line.note_answered(second)
    bench.line.end(second)
    assert not bench.counts.get("unasked_bytes")
