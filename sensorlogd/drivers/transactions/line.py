"""What is known of one line, by all who ask on it.

A question that was not answered in time leaves a debt: its answer may still come. While a debt is young, no question is asked
whose answer could be taken for the owed one (``Awaited.like``). A debt ends when its answer has come, which is counted
(``late_answers``) and thrown away; or after the quiet time, which begins anew with every byte that cannot be told apart:

    QUIET_TURNAROUNDS times the turnaround; once a unit has been silent for good, CLEAN_MISSES times in a row without a late
    byte, one turnaround; in either case at least SLOWER times the slowest answer seen on the line; never more than MAX_TURNAROUNDS.

An answer that comes even later, from a device that says nothing of whose it is, cannot be told apart from the next one; when it comes in
a pause it is noticed, and from then on the line is waited for this long.

How long after its answer a unit goes on talking (second lines, repeated answers) is learned from its first LEARNING answers, after
which the line is held for the whole turnaround; something unasked on the line makes all that is learned void. A connection that is
closed after an answer changes nothing of that: a serial server gives what the unit still says to the next connection, so the rest
of the time is listened to there, and nothing is asked meanwhile. Once it is known that nothing follows, the next question is asked
at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.transactions.answers import Awaited, Separation
from sensorlogd.drivers.transactions.debts import Debt, Debts
from sensorlogd.drivers.transactions.habits import MAX_TURNAROUNDS, SLOWER, Habits

T = TypeVar("T")

MAX_OPENINGS = 64  # in which something was answered, that are remembered
MAX_LEARNED_KEYS = 256  # of ``recall``
START_QUIET_S = 0.25  # after opening, at most: a question of an earlier run may still be answered
SHOWN_BYTES = 24


@dataclass(slots=True, eq=False)
class OpenQuestion:
    """The question that is open now. ``held_until``: its unit may go on talking. ``debt``: the connection was opened anew meanwhile, by
    another sensor, and its answer may come there."""

    awaited: Awaited
    key: str
    count: Count
    turnaround_s: float
    separation: Separation
    asked_at: float
    answered: bool = False
    held_until: float = 0.0
    debt: Debt | None = None


@dataclass(eq=False)
class Line:
    """One port or connection. All methods may be called by any thread. Times are those of ``clock``, in seconds."""

    clock: Callable[[], float] = time.monotonic
    users: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _debts: Debts = field(default_factory=Debts)
    _open: OpenQuestion | None = None
    _last: OpenQuestion | None = None
    _habits: Habits = field(default_factory=Habits)
    _learned: dict[str, object] = field(default_factory=dict)
    _number: int = 0
    _opening: int = 0
    _answered_in: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_OPENINGS))
    _quiet_until: float = 0.0
    _quiet_most: float | None = None  # it is not put off beyond this

    # ---- opening -----------------------------------------------------------------------------------------------------

    def note_opened(self, quiet_s: float) -> int:
        """Note that the port was opened; returns which opening that is. What was asked before, by whomever, may be answered
        within ``quiet_s``; but where the last unit was heard out often enough, what it says and what it owes is known."""
        with self._lock:
            self._opening += 1
            now = self.clock()
            former, self._open = self._open, None
            if former is not None and former.answered:
                self._quiet_until = max(self._quiet_until, former.held_until)
            elif former is not None:
                former.debt = self._add_debt(former, now + self._habits.quiet_s(former.turnaround_s, former.key))
            if self._last is None or not self._is_learned(self._last):
                self._quiet_until = max(self._quiet_until, now + quiet_s)
            return self._opening

    def _is_learned(self, question: OpenQuestion) -> bool:
        """Whether the unit was heard out often enough, or whatever comes is its own."""
        return question.separation == "own" or self._habits.is_heard_out(question.key)

    def note_closed_after_answer(self, question: OpenQuestion, opening: int, left_s: float) -> bool:
        """Note that the connection was closed after its answer, and that the unit may still talk for this long: nobody asks
        meanwhile. Returns whether something was answered in that opening, so that it is worth while to listen in a new one."""
        with self._lock:
            self._quiet_until = max(self._quiet_until, self.clock() + left_s)
            return opening in self._answered_in

    def note_listening_in(self, question: OpenQuestion, opening: int) -> None:
        """Note that the question's unit is listened to in that opening."""
        with self._lock:
            self._note_answer_in(opening)
            if self._open is None:
                self._open = question

    def answered_in(self, opening: int) -> bool:
        """Whether anything was answered in that opening, so that opening it again is worth while."""
        with self._lock:
            return opening in self._answered_in

    def next_number(self) -> int:
        """For protocols that number their questions: never the same twice in a row on one line, also over openings."""
        with self._lock:
            self._number = self._number % 65535 + 1
            return self._number

    def recall(self, key: str, make: Callable[[], T]) -> T:
        """What was learned about a unit under that key; made the first time. It is kept as long as anybody stays on the line,
        because a sensor that went stale is made anew and must not begin anew with a unit that is dead."""
        with self._lock:
            found = self._learned.get(key)
            if found is None:
                if len(self._learned) >= MAX_LEARNED_KEYS:
                    self._learned.pop(next(iter(self._learned)))
                found = self._learned[key] = make()
            return cast(T, found)

    def owing(self) -> bool:
        """Whether somebody may still have to be kept waiting."""
        with self._lock:
            return self._debts.is_owing(self.clock())

    # ---- asking --------------------------------------------------------------------------------------------------------

    def wait_s(self, awaited: Awaited, key: str, separation: Separation, *, again: bool = False) -> float:
        """How long a question has to wait that expects this. ``again``: it repeats the one that was answered with damage."""
        with self._lock:
            now = self.clock()
            quiet_until = 0.0 if separation == "number" else self._quiet_until
            free_at = self._debts.free_at(awaited, now, key if again else None)
            return max(quiet_until - now, free_at - now, 0.0)

    def begin(self, awaited: Awaited, key: str, count: Count, turnaround_s: float, separation: Separation) -> OpenQuestion:
        """Open a question that is about to be sent."""
        with self._lock:
            self._quiet_most = None
            self._open = OpenQuestion(awaited, key, count, turnaround_s, separation, self.clock())
            return self._open

    def note_answered(self, question: OpenQuestion, opening: int = 0) -> None:
        """Note that the question was answered, in that opening; it stays open until ``end``, because more may belong to its
        answer."""
        with self._lock:
            self._note_answer_in(opening or self._opening)
            question.answered = True
            self._debts.drop(question.debt)
            self._habits.note_answer(question.key, self.clock() - question.asked_at)

    def _note_answer_in(self, opening: int) -> None:
        """Something was answered in that opening, so that opening it again is worth while."""
        if opening not in self._answered_in:
            self._answered_in.append(opening)

    def doubt(self, question: OpenQuestion) -> None:
        """The question was not answered after all: what came may have been an earlier one's. All that is learned is void."""
        with self._lock:
            question.answered = False
            self._habits.forget_what_follows()

    def hold_s(self, question: OpenQuestion, learning_s: float) -> float:
        """How long to listen on after an answer: the whole ``learning_s`` until it is known what the unit does."""
        with self._lock:
            seconds = self._habits.hold_s(question.key, learning_s)
            question.held_until = self.clock() + seconds
            return seconds

    def note_trail(self, key: str, trail_s: float, *, wholly: bool) -> None:
        """After its answer the last byte came this late. ``wholly``: it was listened to for all of the learning time."""
        with self._lock:
            self._habits.note_trail(key, trail_s, wholly=wholly)

    def note_more_followed(self, key: str) -> None:
        """More came with its answer, in one piece: the next time it may come a little after it."""
        with self._lock:
            self._habits.note_more_followed(key)

    def echoes(self, key: str) -> bool:
        """Whether this question comes back before its answer."""
        with self._lock:
            return self._habits.echoes(key)

    def note_echo(self, key: str, seen: bool) -> None:
        """Note whether the question came back, or something else came instead."""
        with self._lock:
            self._habits.note_echo(key, seen)

    def end(self, question: OpenQuestion, *, damaged: bool = False) -> None:
        """Close the question: nobody listens for its answer any more. If there was none, it is owed from now on."""
        with self._lock:
            if self._open is question:
                self._open = None
            if question.answered:
                self._last = question
                return
            if question.debt in self._debts:
                return  # since the connection was opened anew
            now = self.clock()
            if damaged:  # what was damaged was the answer, most likely; should it have been noise, the answer is due soon
                until = max(now, question.asked_at + 2 * question.turnaround_s)
            else:
                until = now + self._habits.quiet_s(question.turnaround_s, question.key)
                self._habits.note_miss(question.key)
            self._add_debt(question, until)

    def _add_debt(self, question: OpenQuestion, until: float) -> Debt:
        """Note that an answer is owed; nothing like it is asked before ``until``."""
        debt = Debt(
            question.awaited, question.key, question.count, question.turnaround_s, question.asked_at, until, question.separation
        )
        self._debts.add(debt)
        return debt

    # ---- listening -----------------------------------------------------------------------------------------------------

    def note_arrived(self, data: bytes, now_us: int) -> bool:
        """Everything that arrives passes here, whoever reads it. True if it changes what the others wait for."""
        with self._lock:
            now = self.clock()
            current = self._open
            debt = self._debts.match(data, now_us, now, None if current is None else current.awaited)
            if debt is not None:
                self._note_late_answer(debt, now)
            elif current is None:
                self._note_unasked(data, now_us, now)
            return debt is not None

    def _note_late_answer(self, debt: Debt, now: float) -> None:
        """An owed answer has come: count it, and learn how late."""
        self._note_answer_in(self._opening)
        late_s = now - debt.asked_at
        debt.count("late_answers", 1, f"{debt.key} after {late_s:.2f} s; turnaround is {debt.turnaround_s:g} s")
        self._habits.note_answer(debt.key, late_s)
        if debt.separation == "time":  # a second part of it may follow
            self._be_quiet(now, self._habits.second_part_s(debt.turnaround_s), debt.turnaround_s)

    def _note_unasked(self, data: bytes, now_us: int, now: float) -> None:
        """Something came that nobody asked for: a repeated answer, a second line, or a device that talks by itself."""
        last = self._last
        if last is None or last.separation == "own":
            return
        repeated = last.separation != "time" and last.awaited.fresh().feed(data, now_us) is not None
        shown = f"{data[:SHOWN_BYTES].hex(' ')}, {now - last.asked_at:.2f} s after {last.key}"
        last.count("repeated_answers" if repeated else "unasked_bytes", 1 if repeated else len(data), shown)
        if repeated or last.separation == "time":
            self._habits.forget_what_follows()
        if last.separation == "time":
            self._be_quiet(now, max(last.turnaround_s, SLOWER * self._habits.slowest_s()), last.turnaround_s)

    def _be_quiet(self, now: float, seconds: float, turnaround_s: float) -> None:
        """Nothing is asked for this long; a line that never falls silent puts it off for MAX_TURNAROUNDS only."""
        if self._quiet_most is None:
            self._quiet_most = now + MAX_TURNAROUNDS * turnaround_s
        self._quiet_until = max(self._quiet_until, min(now + seconds, self._quiet_most))
