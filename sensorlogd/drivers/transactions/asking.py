"""One question and its fate: who asks for whom, when, how often, and what is done with what comes back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeVar

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.transactions.answers import Awaited, Separation
from sensorlogd.drivers.transactions.echo import Echo, without_echo
from sensorlogd.drivers.transactions.line import SHOWN_BYTES, OpenQuestion

if TYPE_CHECKING:
    from sensorlogd.drivers.serial.shared import Port

GRACE_S = 5.0  # beyond what its questions may take, after which a shared line is taken away from who hangs
MAX_REOPENINGS = 20  # for one question
MAX_HANG_UPS = 8  # connections in a row that were closed without an answer, after which the device is taken for lost
MAX_ANSWERS = 16  # that are looked for in what came at once
DAMAGED_S = 0.05  # of silence after a damaged answer: no other one will come
MAX_ANSWER_S = 10.0  # beyond the turnaround, for an answer that has begun

T = TypeVar("T")


class Fate(Enum):
    """The outcome of a question."""

    ANSWERED = auto()
    SILENT = auto()  # nothing that could be the answer came within the turnaround
    DAMAGED = auto()  # the answer came, and is none
    AMBIGUOUS = auto()  # two different answers came, of which one is an earlier question's: neither is taken
    NOT_YET = auto()  # it was not asked: the line is not free, or an earlier answer may still come
    STOPPED = auto()  # a stop was asked for


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one question. ``answer``: what ``Awaited.feed`` gave; ``at_us``: when it was complete; ``heard``: the last
    bytes that came, for people."""

    fate: Fate
    answer: Any = None
    at_us: int = 0
    heard: bytes = b""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, ready to be sent.

    key         names what is asked for, on one line, for people and as the key of what is learned about it
    make        bytes and expectation, made anew for each time it is sent (a number may be in both)
    separation  how its answer is known
    echo        none; ``like`` an answer never looks like the question, so an echo is known by its looks; ``known``: the configuration
                says there is one
    learning_s  how long to listen on after an answer, until it is known whether the unit goes on talking
    gap_s       an answer that has begun goes on within this, beyond the turnaround, too
    quiet_s     an answer that has begun, and of which nothing more came for this long, ended there; ``quiet`` (also called when its
                time is over) says what it is then, or None
    ready       whether it may be sent, after what came unasked; if not, it is not asked now
    begins      called right before it is sent
    hang_up_is_silence  a connection that is closed instead of an answer, twice in a row, is an answer that did not come: other
                questions may be answered in the next one
    unasked     what came before it was sent
    more        what came after its answer while the line was still listened to
    """

    key: str
    make: Callable[[], tuple[bytes, Awaited]]
    turnaround_s: float
    separation: Separation
    retries: int = 0
    pause_s: float = 0.0
    echo: str = ""
    learning_s: float = 0.0
    gap_s: float = 0.0
    quiet_s: float = 0.0
    quiet: Callable[[int], Any | None] | None = None
    ready: Callable[[], bool] | None = None
    begins: Callable[[], object] | None = None
    hang_up_is_silence: bool = False
    unasked: Callable[[bytes, int], object] | None = None
    more: Callable[[bytes, int], object] | None = None

    def hold_s(self) -> float:
        """The longest that it may have the line."""
        once_s = self.pause_s + self.turnaround_s + self.learning_s + (MAX_ANSWER_S if self.gap_s else 0.0)
        return once_s * (1 + self.retries) + GRACE_S


class Asker:
    """One sensor's way to ask on its port."""

    def __init__(self, port: Port, context: DriverContext) -> None:
        self.port = port
        self.context = context
        self.bytes_seen = 0
        self._hang_ups = 0  # connections in a row that gave no answer

    def ask(self, question: Question, wait_s: float) -> Outcome:
        """Wait for the line for at most ``wait_s``, then for the answer. Raises DriverError when the device is lost."""
        outcome = self.reconnecting(lambda: self._ask_or_hang_up(question, wait_s))
        if outcome.fate in (Fate.ANSWERED, Fate.DAMAGED, Fate.AMBIGUOUS):
            self._hang_ups = 0
        return outcome

    def _ask_or_hang_up(self, question: Question, wait_s: float) -> Outcome:
        """Ask; with ``hang_up_is_silence`` a connection that is closed instead of an answer is opened anew, and closed twice it
        is silence. Raises DriverError where it cannot be opened, or nothing was answered in too many; and where the connection
        had given an answer before, so that its end tells nothing of this question."""
        port = self.port
        for _ in range(2):
            try:
                return self._ask_in_turn(question, wait_s)
            except DriverError as error:
                if not question.hang_up_is_silence or not port.is_connection or port.line.answered_in(port.generation):
                    raise
                self._hang_ups += 1
                if self._hang_ups > MAX_HANG_UPS or self.context.wait(0):
                    raise
                port.reopen()
                self.context.count("reopened", 1, f"{question.key}: {error}")
        return Outcome(Fate.SILENT)

    def reconnecting(self, do: Callable[[], T]) -> T:
        """Do it, and do it again in a new connection if the old one was closed after it had given an answer, as some devices do
        each time. On a shared one that may be another sensor's answer, so that it takes some more."""
        port, closed = self.port, ""
        for _ in range(MAX_REOPENINGS):
            try:
                if closed:
                    port.reopen()
                    self.context.count("reopened", 1, closed)
                return do()
            except DriverError as error:
                if not port.is_connection or self.context.wait(0) or not port.line.answered_in(port.generation):
                    raise
                closed = str(error)
        raise DriverError(closed)

    @contextlib.contextmanager
    def turn(self, question: Question, wait_s: float, hold_s: float) -> Iterator[bool]:
        """Take the line for several questions, of which the first is given. False: not within ``wait_s``, or a stop was asked
        for."""
        end = time.monotonic() + wait_s
        while True:
            # Before the wait for an earlier answer: else whoever wakes up first after it has the line, perhaps the same one each time.
            self.port.queue_up(lambda: not self.waiting_s(question))
            left = max(end - time.monotonic(), 0.0)
            if not self._wait_for_owed_answers(question, left):
                yield False
                return
            with self.port.transaction(max(end - time.monotonic(), 0.0), hold_s) as has_turn:
                if not has_turn or not self.waiting_s(question):
                    yield has_turn
                    return

    def _ask_in_turn(self, question: Question, wait_s: float) -> Outcome:
        with self.turn(question, wait_s, question.hold_s()) as has_turn:
            return self.ask_now(question) if has_turn else Outcome(Fate.NOT_YET)

    def ask_now(self, question: Question) -> Outcome:
        """Ask in a turn that the caller has already, again where the answer comes damaged. Raises DriverError when the device is
        lost."""
        outcome = Outcome(Fate.NOT_YET)
        for attempt in range(1 + question.retries):
            if question.pause_s and self.context.wait(question.pause_s):
                return Outcome(Fate.STOPPED)
            self._pass_on_unasked(question, self.port.discard_input(), self.context.now_us())
            if self.waiting_s(question, again=attempt > 0) or not (question.ready is None or question.ready()):
                break
            outcome = self._ask_once(question)
            if outcome.fate is not Fate.DAMAGED:
                break
            self.context.count("bad_frames", 1, f"{question.key}; heard {outcome.heard.hex(' ')}")
        return outcome

    def waiting_s(self, question: Question, *, again: bool = False) -> float:
        """How long an earlier answer may still come that could be taken for this one's."""
        if question.separation == "number":
            return 0.0
        _, awaited = question.make()
        return self.port.line.wait_s(awaited, question.key, question.separation, again=again)

    def _wait_for_owed_answers(self, question: Question, wait_s: float) -> bool:
        """Listen until nothing is owed that could be taken for this one's answer; the line is nobody's meanwhile. False: not
        within ``wait_s``, or a stop was asked for."""
        end = time.monotonic() + wait_s
        while (left := self.waiting_s(question)) > 0:
            arrived = self.port.read(min(left, max(end - time.monotonic(), 0.0)))
            if arrived is None:
                return False
            self._pass_on_unasked(question, arrived[1], arrived[0])
            if time.monotonic() >= end and self.waiting_s(question):
                return False
        return True

    def _pass_on_unasked(self, question: Question, data: bytes, now_us: int) -> None:
        """Give to the question what came before it was sent. The line has heard it already; most have no use for it."""
        self.bytes_seen += len(data)
        if data and question.unasked is not None:
            question.unasked(data, now_us)

    # ---- one time ------------------------------------------------------------------------------------------------------

    def _ask_once(self, question: Question) -> Outcome:
        """Ask without retries. The line knows the question from before it is sent until nobody listens for its answer any
        more."""
        line, outcome = self.port.line, Outcome(Fate.NOT_YET)
        sent, awaited = question.make()
        open_question = line.begin(awaited.fresh(), question.key, self.context.count, question.turnaround_s, question.separation)
        try:
            outcome = self._send_and_listen(question, open_question, sent, awaited)
        finally:
            line.end(open_question, damaged=outcome.fate is Fate.DAMAGED)
        return outcome

    def _send_and_listen(self, question: Question, open_question: OpenQuestion, sent: bytes, awaited: Awaited) -> Outcome:
        """Send the question, and listen until its answer is complete, until the time is over, or until a stop. Raises
        DriverError."""
        line = self.port.line
        if question.begins is not None:
            question.begins()
        self.port.write(sent)
        echo = _Echoes(question.echo, sent, line.echoes(question.key))
        began = time.monotonic()
        until, heard, in_time = began + question.turnaround_s, b"", True
        while in_time:
            left = max(until - time.monotonic(), 0.0)
            in_time = left > 0  # what has arrived by then is looked at, should we have been held up
            quiet_s = question.quiet_s if question.quiet is not None and awaited.begun() else left
            arrived = self.port.read(min(left, quiet_s))
            if arrived is None:
                return Outcome(Fate.STOPPED)
            now_us, data = arrived
            self.bytes_seen += len(data)
            heard = (heard + data)[-SHOWN_BYTES:]
            answer = awaited.feed(echo.without(data), now_us) if data else None
            if not data and quiet_s < left and question.quiet is not None:
                answer = question.quiet(now_us)
            if answer is not None:
                line.note_answered(open_question, self.port.generation)
                self._count_strays(question, awaited, echo, heard)
                with contextlib.ExitStack() as turns:
                    return Outcome(self._listen_on(question, open_question, awaited, answer, turns), answer, now_us, heard)
            if awaited.damaged and data:
                until = min(until, time.monotonic() + DAMAGED_S)
            elif question.gap_s and data and awaited.begun():
                until = min(max(until, time.monotonic() + question.gap_s), began + question.turnaround_s + MAX_ANSWER_S)
        return self._outcome_at_time_out(question, open_question, awaited, echo, heard)

    def _outcome_at_time_out(
        self, question: Question, open_question: OpenQuestion, awaited: Awaited, echo: _Echoes, heard: bytes
    ) -> Outcome:
        """The outcome when the time is over: what was held back as an echo, or what ``quiet`` makes of what has come, may still
        be the answer."""
        held = echo.give_up()
        now_us = self.context.now_us()
        answer = awaited.feed(held, now_us) if held else None
        if answer is None and question.quiet is not None:
            answer = question.quiet(now_us)
        self._count_strays(question, awaited, echo, heard)
        if answer is not None:
            self.port.line.note_answered(open_question, self.port.generation)
            return Outcome(Fate.ANSWERED, answer, now_us, heard)
        damaged = awaited.damaged or (question.separation in ("number", "content") and awaited.begun())
        return Outcome(Fate.DAMAGED if damaged else Fate.SILENT, None, now_us, heard)

    def _count_strays(self, question: Question, awaited: Awaited, echo: _Echoes, heard: bytes) -> None:
        """Count the echo, and whole answers of others that passed meanwhile."""
        if question.echo == "known" and heard:
            self.port.line.note_echo(question.key, echo.is_seen)
            if echo.is_seen:
                self.context.count("echoes", 1, "")
        if awaited.foreign:
            self.context.count("foreign_answers", awaited.foreign, f"{heard.hex(' ')} while {question.key} was asked")

    def _listen_on(
        self, question: Question, open_question: OpenQuestion, awaited: Awaited, answer: Any, turns: contextlib.ExitStack
    ) -> Fate:
        """Listen until the unit has said everything. What it says is given to ``more``, or counted."""
        line = self.port.line
        if question.more is None and self._differs(question, open_question, awaited, b"", answer):
            return Fate.AMBIGUOUS
        if isinstance(answer, Batch) and len(answer.times_us) > 1:
            line.note_more_followed(question.key)
        hold_s = line.hold_s(open_question, question.learning_s)
        began, trail_s = time.monotonic(), 0.0
        until = began + hold_s
        while (left := until - time.monotonic()) > 0:
            arrived = self._read_on(open_question, left, turns)
            if arrived is None:
                return Fate.ANSWERED
            if not arrived[1]:
                continue
            trail_s = time.monotonic() - began
            until = min(max(until, time.monotonic() + trail_s), began + max(hold_s, question.learning_s))
            if question.more is not None:
                question.more(arrived[1], arrived[0])
            elif self._differs(question, open_question, awaited, arrived[1], answer):
                return Fate.AMBIGUOUS
        if hold_s:
            line.note_trail(question.key, trail_s, wholly=hold_s >= question.learning_s)
        return Fate.ANSWERED

    def _read_on(self, open_question: OpenQuestion, left_s: float, turns: contextlib.ExitStack) -> tuple[int, bytes] | None:
        """Read as the port does, and once in a new connection where the old one is closed after the answer, which stands. None:
        a stop was asked for, or nothing more can be learned; what is wrong with the port, the next question meets again."""
        port, line = self.port, self.port.line
        try:
            return port.read(left_s)
        except DriverError as error:
            if (
                not line.note_closed_after_answer(open_question, port.generation, left_s)
                or not port.is_connection
                or self.context.wait(0)
            ):
                return None
            try:
                port.reopen()
                line.note_listening_in(open_question, port.generation)
                has_turn = turns.enter_context(port.transaction(left_s, left_s + GRACE_S))
            except DriverError:
                return None
            self.context.count("reopened", 1, str(error))
            return (self.context.now_us(), b"") if has_turn else None

    def _differs(self, question: Question, open_question: OpenQuestion, awaited: Awaited, data: bytes, answer: Any) -> bool:
        """Whether another answer comes after the first one, that is not the same once more. Then the first was an earlier question's,
        which would go on for ever with a unit that says everything twice: each question would get the repetition before its own."""
        came_again = False
        for _ in range(MAX_ANSWERS):
            another = awaited.feed(data, 0)
            if another is None:
                break
            came_again, data = True, b""
            if another != answer:
                self.port.line.doubt(open_question)
                self.context.count("ambiguous_answers", 1, question.key)
                return True
            self.port.line.note_more_followed(question.key)
            self.context.count("repeated_answers", 1, question.key)
        if data and not came_again:
            self.context.count("unasked_bytes", len(data), f"{data[:SHOWN_BYTES].hex(' ')} after {question.key}")
        return False


class _Echoes:
    """The echo of one question, in the way that fits its protocol."""

    def __init__(self, way: str, sent: bytes, expected: bool) -> None:
        self._rest = sent if way == "like" else b""
        self._echo = Echo(sent, expected=expected) if way == "known" else None

    @property
    def is_seen(self) -> bool:
        """Whether the question came back as an echo. Only the way ``known`` can say so; for ``like`` it is always False."""
        return self._echo is not None and self._echo.seen

    def without(self, data: bytes) -> bytes:
        """``data`` without what of it is the echo of the question."""
        if self._echo is not None:
            return self._echo.without(data)
        data, self._rest = without_echo(data, self._rest)
        return data

    def give_up(self) -> bytes:
        """The bytes that were held back as a possible echo and were none, because the rest of the echo never came."""
        return self._echo.give_up() if self._echo is not None else b""
