"""One line, many askers: whose answer is whose, in a time that the tests hold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.drivers.transactions import AskingPace, Awaited, Line
from sensorlogd.drivers.transactions.answers import Separation
from sensorlogd.drivers.transactions.asking_pace import PATIENT
from sensorlogd.drivers.transactions.echo import Echo
from sensorlogd.drivers.transactions.habits import LEARNING, MAX_TURNAROUNDS, QUIET_TURNAROUNDS
from sensorlogd.drivers.transactions.line import OpenQuestion
from tests.drivers.decoders.decoding import pieces

TURN_S = 1.0


class Said:
    """Awaits one text; ``group``: questions of other groups cannot be taken for it."""

    damaged = False
    foreign = 0

    def __init__(self, text: bytes, group: str = "") -> None:
        self.text, self.group = text, group

    def feed(self, data: bytes, now_us: int) -> Any | None:
        return data if self.text in data else None

    def begun(self) -> bool:
        return False

    def like(self, other: Awaited) -> bool:
        return isinstance(other, Said) and other.group == self.group

    def fresh(self) -> Said:
        return Said(self.text, self.group)


class Bench:
    """A line with a clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.counts: Counter[str] = Counter()
        self.line = Line(clock=lambda: self.now)

    def count(self, name: str, n: int, example: str) -> None:
        self.counts[name] += n

    def ask(self, what: Said, key: str, separation: Separation = "content", *, answer_after: float | None = None) -> None:
        """A question, and the answer to it or the end of its time."""
        asked = self.line.begin(what, key, self.count, TURN_S, separation)
        if answer_after is None:
            self.now += TURN_S
        else:
            self.now += answer_after
            self.line.note_arrived(what.text, 0)
            self.line.note_answered(asked)
        self.line.end(asked)

    def hold_s(self, key: str) -> float:
        """After an answer to that question."""
        return self.line.hold_s(OpenQuestion(Said(b""), key, self.count, TURN_S, "content", self.now), TURN_S)

    def wait_s(self, what: Said, key: str, separation: Separation = "content", *, again: bool = False) -> float:
        return self.line.wait_s(what, key, separation, again=again)


@pytest.fixture
def bench() -> Bench:
    return Bench()


A, B, OTHER = Said(b"a", "unit 1"), Said(b"b", "unit 1"), Said(b"o", "unit 2")


def test_a_missed_answer_keeps_those_waiting_that_could_be_mistaken_for_it(bench: Bench) -> None:
    """Only those, and only until it has come; it is counted for its own question."""
    bench.ask(A, "a")
    assert bench.wait_s(B, "b") == pytest.approx(QUIET_TURNAROUNDS * TURN_S)
    assert bench.wait_s(OTHER, "o") == 0
    bench.now += 0.5
    assert bench.line.note_arrived(b"a", 0)
    assert bench.wait_s(B, "b") == 0
    assert bench.counts == {"late_answers": 1}


def test_a_late_answer_is_recognised_while_somebody_else_asks(bench: Bench) -> None:
    """Of another unit, in the middle of a question."""
    bench.ask(A, "a")
    bench.line.begin(OTHER, "o", bench.count, TURN_S, "content")
    assert bench.line.note_arrived(b"a", 0)
    assert bench.counts == {"late_answers": 1}


def test_a_damaged_question_may_be_repeated_at_once_and_nothing_else_like_it(bench: Bench) -> None:
    """What was damaged may have been noise: should the answer come after all, it must not be the next question's."""
    asked = bench.line.begin(A, "a", bench.count, TURN_S, "content")
    bench.now += 0.1
    bench.line.end(asked, damaged=True)
    assert bench.wait_s(A, "a", again=True) == 0
    assert bench.wait_s(B, "b") > TURN_S
    assert bench.wait_s(OTHER, "o") == 0


def test_a_unit_that_is_silent_for_good_is_waited_for_less(bench: Bench) -> None:
    """After two misses without a late byte one turnaround is enough; a late answer makes it as long as ever."""
    waits = []
    for _ in range(4):
        bench.ask(A, "a", "time")
        waits.append(bench.wait_s(B, "b", "time"))
        bench.now += 10 * TURN_S
    assert waits == pytest.approx([3, 3, 1, 1])
    bench.ask(A, "a", "time")
    bench.now += 0.5
    bench.line.note_arrived(b"a", 0)
    bench.now += 10 * TURN_S
    bench.ask(A, "a", "time")
    assert bench.wait_s(B, "b", "time") == pytest.approx(3)


def test_the_line_is_drained_for_longer_than_the_slowest_answer_seen(bench: Bench) -> None:
    """Also beyond the usual quiet time, once such an answer has been noticed; but never without bound."""
    bench.ask(A, "a")
    bench.now += 5 * TURN_S
    bench.line.note_arrived(b"a", 0)
    bench.now += 20 * TURN_S
    bench.ask(A, "a")
    assert 6 * TURN_S < bench.wait_s(B, "b") <= MAX_TURNAROUNDS * TURN_S


def test_what_only_time_keeps_apart_waits_for_a_quiet_line_but_not_for_ever(bench: Bench) -> None:
    """Every byte that nobody asked for puts the next question off; a line that babbles on is asked all the same."""
    bench.ask(A, "a", "time", answer_after=0.1)
    began = bench.now
    while bench.now < began + 2 * MAX_TURNAROUNDS * TURN_S:
        bench.line.note_arrived(b"?", 0)
        if not bench.wait_s(B, "b", "time"):
            break
        bench.now += 0.2
    assert bench.now - began == pytest.approx(MAX_TURNAROUNDS * TURN_S, abs=0.5)
    assert bench.counts["unasked_bytes"] > 10


def test_how_long_a_unit_talks_on_is_learned(bench: Bench) -> None:
    """The first answers are heard out; then the line is held for as long as the second part takes; what was unasked voids that."""
    for _ in range(LEARNING):
        assert bench.hold_s("a") == TURN_S
        bench.line.note_trail("a", 0.2, wholly=True)
    assert 0.2 < bench.hold_s("a") < TURN_S / 2
    for _ in range(LEARNING):
        bench.line.note_trail("b", 0.0, wholly=True)
    assert bench.hold_s("b") == 0
    bench.ask(B, "b", "time", answer_after=0.1)
    bench.line.note_arrived(b"?", 0)
    assert bench.hold_s("b") == TURN_S


def test_what_came_in_one_piece_may_come_in_two(bench: Bench) -> None:
    """A repetition right behind its answer is read with it, nearly always; the line is held for it all the same."""
    for _ in range(LEARNING):
        bench.line.note_more_followed("a")
        bench.line.note_trail("a", 0.0, wholly=True)
    assert 0.02 < bench.hold_s("a") < TURN_S / 2


def test_a_doubted_answer_is_none(bench: Bench) -> None:
    """It leaves a debt as silence does, and all answers are heard out anew."""
    for _ in range(LEARNING):
        bench.line.note_trail("a", 0.0, wholly=True)
    asked = bench.line.begin(A, "a", bench.count, TURN_S, "content")
    bench.line.note_answered(asked)
    bench.line.doubt(asked)
    bench.line.end(asked)
    assert bench.wait_s(B, "b") > TURN_S
    assert bench.hold_s("a") == TURN_S


def test_a_repeated_answer_is_told(bench: Bench) -> None:
    """By what is in it."""
    bench.ask(A, "a", answer_after=0.1)
    bench.line.note_arrived(b"a", 0)
    assert bench.counts == {"repeated_answers": 1}


def test_after_opening_a_question_of_an_earlier_run_may_be_answered(bench: Bench) -> None:
    """So the line is quiet for a moment, unless answers are numbered."""
    bench.line.note_opened(0.25)
    assert bench.wait_s(A, "a", "time") == pytest.approx(0.25)
    assert bench.wait_s(A, "a", "number") == 0


def test_only_an_opening_that_brought_an_answer_is_worth_another(bench: Bench) -> None:
    """A device that closes at once is left to the daemon's own patience."""
    first = bench.line.note_opened(0)
    bench.ask(A, "a", answer_after=0.1)
    second = bench.line.note_opened(0)
    assert bench.line.answered_in(first)
    assert not bench.line.answered_in(second)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 3.9)), min_size=1, max_size=40))
def test_no_answer_comes_while_another_question_is_open(plan: list[tuple[str, float]]) -> None:
    """The law: whatever the delays, up to the quiet time, every answer comes for its own open question or while none is open."""
    bench = Bench()
    owed: list[tuple[float, bytes]] = []

    def deliver(until: float, open_key: bytes | None) -> bool:
        """What is due by then; True if the open question's own answer was among it."""
        for at, key in sorted(owed):
            if at > until:
                return False
            owed.remove((at, key))
            bench.now = at
            bench.line.note_arrived(key, 0)
            if open_key is not None:
                assert key == open_key, "an answer to another question"
                return True
        return False

    for name, delay in plan:
        key, awaited = name.encode(), Said(name.encode())
        while (wait_s := bench.wait_s(awaited, name, "time")) > 0:
            end = bench.now + wait_s
            deliver(min([end, *(at for at, _ in owed)]), None)
            bench.now = end if not owed else min(end, max(bench.now, min(at for at, _ in owed)))
        asked_at = bench.now
        asked = bench.line.begin(awaited, name, bench.count, TURN_S, "time")
        owed.append((asked_at + delay * TURN_S, key))
        if deliver(asked_at + TURN_S, key):
            bench.line.note_answered(asked)
        else:
            bench.now = asked_at + TURN_S
        bench.line.end(asked)


# ---- back-off --------------------------------------------------------------------------------------------------------


def test_who_is_silent_is_asked_less_often_and_at_once_again() -> None:
    """The wait doubles up to the cap; one answer ends it."""
    pace = AskingPace(10.0, 60.0)
    waits = []
    for _ in range(8):
        pace.missed(0.0)
        waits.append(pace.wait_s())
    assert waits == [0.0] * PATIENT + [20.0, 40.0, 60.0, 60.0, 60.0, 60.0]
    assert not pace.due(50.0)
    assert pace.due(60.0)
    pace.answered()
    assert pace.due(0.0)


def test_an_interval_longer_than_the_cap_is_kept() -> None:
    """Nobody is asked more often than was said."""
    pace = AskingPace(600.0, 60.0)
    for _ in range(5):
        pace.missed(0.0)
    assert pace.wait_s() == 600.0


# ---- echo ------------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from([b"", b"> ", b"\r\n> ", b"ready>"]),
    st.sampled_from([(b"READ 5\r\n", b"READ 5\r\n"), (b"READ 5\n", b"READ 5\r\n"), (b"?", b"?")]),
    st.sampled_from([b"21.5\r\n", b" 21.5\r\n> "]),
    st.integers(0, 50),
)
def test_the_echo_is_no_answer(prompt: bytes, command: tuple[bytes, bytes], answer: bytes, seed: int) -> None:
    """Behind any prompt, with any line end, in any cutting: what is left is what came behind it."""
    sent, echoed = command
    echo = Echo(sent, expected=True)
    left = b"".join(echo.without(piece) for piece in pieces(prompt + echoed + answer, seed))
    assert left == answer
    assert echo.seen


def test_an_adapter_without_an_echo_costs_no_answer() -> None:
    """What was held back in search of an echo is given in the end, unless the line is known to echo."""
    new, known = Echo(b"READ\n", expected=False), Echo(b"READ\n", expected=True)
    assert new.without(b"21.5\n") == known.without(b"21.5\n") == b""
    assert new.give_up() == b"21.5\n"
    assert known.give_up() == b""
