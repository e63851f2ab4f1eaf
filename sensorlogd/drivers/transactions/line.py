"""What is known of one line, by all who ask on it.

A question that was not answered in time leaves a debt: its answer may still come. While a debt is young, no question is asked
whose answer could be taken for the owed one (``Awaited.like``). A debt ends when its answer has come, which is counted
(``late_answers``) and thrown away; or after the quiet time, which begins anew with every byte that cannot be told apart:

    QUIET_TURNAROUNDS times the turnaround; once a unit has been silent for good, CLEAN_MISSES times in a row without a late
    byte, one turnaround; in either case at least SLOWER times the slowest answer seen on the line; never more than MOST_TURNAROUNDS.

An answer that comes even later, from a device that says nothing of whose it is, cannot be told from the next one; when it comes in
a pause it is noticed, and from then on the line is waited for so long.

How long after its answer a unit goes on talking (second lines, repeated answers) is learned from its first LEARNING answers, after
which the line is held for the whole turnaround; something unasked on the line makes all that is learned void. A connection that is
closed behind an answer changes nothing of that: a serial server gives what the unit still says to the next connection, so the rest
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

T = TypeVar("T")

QUIET_TURNAROUNDS = 3.0
MOST_TURNAROUNDS = 10.0
CLEAN_MISSES = 2
SLOWER = 1.5
REMEMBERED = 64  # debts, openings
MOST_LEARNED = 256  # keys of ``recall``
HABIT = 16  # answers to one question whose time is remembered
FORGOTTEN_S = 60.0  # an answer that comes after so long is not recognised any more
LEARNING = 3
ECHO_MISSES = 3
START_QUIET_S = 0.25  # after opening, at most: a question of an earlier run may still be answered
TRAIL_MARGIN_S = 0.02
AT_ONCE_S = 0.002  # what is no further apart than this is read in one piece
SHOWN_BYTES = 24


@dataclass(slots=True, eq=False)
class Debt:
    """A question whose answer may still come. ``until``: nothing like it is asked before."""

    awaited: Awaited
    key: str
    count: Count
    turnaround_s: float
    asked_at: float
    until: float
    separation: Separation


@dataclass(slots=True)
class Habit:
    """What is learned of one question's answers.

    heard_out     how many were listened to for the whole learning time
    trail_s       how long after an answer something came at most
    clean_misses  in a row, without a late byte
    times_s       how long the last answers took
    echoes        its echo was seen; echo_misses: how often in a row it was not, though something came
    """

    heard_out: int = 0
    trail_s: float = 0.0
    clean_misses: int = 0
    echoes: bool = False
    echo_misses: int = 0
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=HABIT))


@dataclass(slots=True, eq=False)
class Open:
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
    _debts: deque[Debt] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _open: Open | None = None
    _last: Open | None = None
    _habits: dict[str, Habit] = field(default_factory=dict)
    _learned: dict[str, object] = field(default_factory=dict)
    _number: int = 0
    _generation: int = 0
    _answered_in: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _quiet_until: float = 0.0
    _quiet_most: float | None = None  # it is not put off beyond this

    # ---- opening -----------------------------------------------------------------------------------------------------

    def opened(self, quiet_s: float) -> int:
        """Note that the port was opened; returns which opening that is. What was asked before, by whomever, may be answered
        within ``quiet_s``; but where the last unit was heard out often enough, what it says and what it owes is known."""
        with self._lock:
            self._generation += 1
            now = self.clock()
            former, self._open = self._open, None
            if former is not None and former.answered:
                self._quiet_until = max(self._quiet_until, former.held_until)
            elif former is not None:
                former.debt = self._add_debt(former, now + self._quiet_s(former.turnaround_s, self._habit(former.key)))
            if self._last is None or not self._is_learned(self._last):
                self._quiet_until = max(self._quiet_until, now + quiet_s)
            return self._generation

    def _is_learned(self, opened: Open) -> bool:
        """Whether the unit was heard out often enough, or whatever comes is its own."""
        return opened.separation == "own" or self._habit(opened.key).heard_out >= LEARNING

    def goes_on(self, opened: Open, generation: int, left_s: float) -> bool:
        """Note that the connection was closed behind its answer, and that the unit may still talk for so long: nobody asks
        meanwhile. Returns whether something was answered in that opening, so that it is worth while to listen in a new one."""
        with self._lock:
            self._quiet_until = max(self._quiet_until, self.clock() + left_s)
            return generation in self._answered_in

    def goes_on_in(self, opened: Open, generation: int) -> None:
        """Note that the question's unit is listened to in that opening."""
        with self._lock:
            self._note_answer_in(generation)
            if self._open is None:
                self._open = opened

    def answered_in(self, generation: int) -> bool:
        """Whether anything was answered in that opening, so that opening it again is worth while."""
        with self._lock:
            return generation in self._answered_in

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
                if len(self._learned) >= MOST_LEARNED:
                    self._learned.pop(next(iter(self._learned)))
                found = self._learned[key] = make()
            return cast(T, found)

    def owing(self) -> bool:
        """Whether somebody may still have to be kept waiting."""
        with self._lock:
            return any(debt.until > self.clock() for debt in self._debts)

    # ---- asking --------------------------------------------------------------------------------------------------------

    def wait_s(self, awaited: Awaited, key: str, separation: Separation, *, again: bool = False) -> float:
        """How long a question has to wait that expects this. ``again``: it repeats the one that was answered with damage."""
        with self._lock:
            now = self.clock()
            until = 0.0 if separation == "number" else self._quiet_until
            for debt in self._debts:
                if debt.until > now and awaited.like(debt.awaited) and not (again and debt.key == key):
                    until = max(until, debt.until)
            return max(until - now, 0.0)

    def begin(self, awaited: Awaited, key: str, count: Count, turnaround_s: float, separation: Separation) -> Open:
        """Open a question that is about to be sent."""
        with self._lock:
            self._quiet_most = None
            self._open = Open(awaited, key, count, turnaround_s, separation, self.clock())
            return self._open

    def answered(self, opened: Open, generation: int = 0) -> None:
        """Note that the question was answered, in that opening; it stays open until ``end``, because more may belong to its
        answer."""
        with self._lock:
            self._note_answer_in(generation or self._generation)
            opened.answered = True
            if opened.debt is not None and opened.debt in self._debts:
                self._debts.remove(opened.debt)
            habit = self._habit(opened.key)
            habit.times_s.append(self.clock() - opened.asked_at)
            habit.clean_misses = 0

    def _note_answer_in(self, generation: int) -> None:
        """Something was answered in that opening, so that opening it again is worth while."""
        if generation not in self._answered_in:
            self._answered_in.append(generation)

    def doubt(self, opened: Open) -> None:
        """The question was not answered after all: what came may have been an earlier one's. All that is learned is void."""
        with self._lock:
            opened.answered = False
            for habit in self._habits.values():
                habit.heard_out = 0

    def hold_s(self, opened: Open, learning_s: float) -> float:
        """How long to listen on after an answer: the whole ``learning_s`` until it is known what the unit does."""
        with self._lock:
            seconds = self._seconds_to_hold(self._habit(opened.key), learning_s)
            opened.held_until = self.clock() + seconds
            return seconds

    def _seconds_to_hold(self, habit: Habit, learning_s: float) -> float:
        """How many seconds to listen on, by what is learned of the question."""
        if habit.heard_out < LEARNING:
            return learning_s
        if not habit.trail_s:
            return 0.0
        # Long enough also for the unit's own answer, should what came have been the rest of another one.
        return min(SLOWER * max(habit.trail_s, *habit.times_s, 0.0) + TRAIL_MARGIN_S, learning_s)

    def heard_out(self, key: str, trail_s: float, *, wholly: bool) -> None:
        """After its answer the last byte came so late. ``wholly``: it was listened to for all of the learning time."""
        with self._lock:
            habit = self._habit(key)
            habit.trail_s = max(habit.trail_s, trail_s)
            habit.heard_out += wholly

    def talks_on(self, key: str) -> None:
        """More came with its answer, in one piece: the next time it may come a little behind it."""
        with self._lock:
            habit = self._habit(key)
            habit.trail_s = max(habit.trail_s, AT_ONCE_S)

    def echoes(self, key: str) -> bool:
        """Whether this question comes back before its answer."""
        with self._lock:
            return self._habit(key).echoes

    def echoed(self, key: str, seen: bool) -> None:
        """Note whether the question came back, or something else came instead."""
        with self._lock:
            habit = self._habit(key)
            habit.echo_misses = 0 if seen else habit.echo_misses + 1
            habit.echoes = seen or (habit.echoes and habit.echo_misses < ECHO_MISSES)

    def end(self, opened: Open, *, damaged: bool = False) -> None:
        """Close the question: nobody listens for its answer any more. If there was none, it is owed from now on."""
        with self._lock:
            if self._open is opened:
                self._open = None
            if opened.answered:
                self._last = opened
                return
            if opened.debt is not None and opened.debt in self._debts:
                return  # since the connection was opened anew
            now = self.clock()
            if damaged:  # what was damaged was the answer, most likely; should it have been noise, the answer is due soon
                until = max(now, opened.asked_at + 2 * opened.turnaround_s)
            else:
                habit = self._habit(opened.key)
                until = now + self._quiet_s(opened.turnaround_s, habit)
                habit.clean_misses += 1
            self._add_debt(opened, until)

    def _add_debt(self, opened: Open, until: float) -> Debt:
        """Note that an answer is owed; nothing like it is asked before ``until``."""
        debt = Debt(opened.awaited, opened.key, opened.count, opened.turnaround_s, opened.asked_at, until, opened.separation)
        self._debts.append(debt)
        return debt

    def _habit(self, key: str) -> Habit:
        return self._habits.setdefault(key, Habit())

    def _slowest_s(self) -> float:
        """The slowest of the answers that are remembered, on the whole line, in seconds."""
        return max((time_s for habit in self._habits.values() for time_s in habit.times_s), default=0.0)

    def _quiet_s(self, turnaround_s: float, habit: Habit) -> float:
        """How many seconds the answer to a question that was not answered is waited for; see the module."""
        turnarounds = 1.0 if habit.clean_misses >= CLEAN_MISSES else QUIET_TURNAROUNDS
        return min(max(turnarounds * turnaround_s, SLOWER * self._slowest_s()), MOST_TURNAROUNDS * turnaround_s)

    # ---- listening -----------------------------------------------------------------------------------------------------

    def heard(self, data: bytes, now_us: int) -> bool:
        """Everything that arrives passes here, whoever reads it. True if it changes what the others wait for."""
        with self._lock:
            now = self.clock()
            self._forget_old_debts(now)
            current = self._open
            # Whose answer it is while something like it is asked, is for the one who asks to judge.
            owed = [debt for debt in self._debts if current is None or not debt.awaited.like(current.awaited)]
            come = [debt for debt in owed if debt.awaited.feed(data, now_us) is not None]
            if come:  # the oldest that is waited for; where none is, the youngest
                self._clear_debt(next((debt for debt in come if debt.until > now), come[-1]), now)
            elif current is None:
                self._note_unasked(data, now_us, now)
            return bool(come)

    def _clear_debt(self, debt: Debt, now: float) -> None:
        """An owed answer has come: count it, and drop the debt with all like it that are older, whose answers will not come any
        more."""
        self._note_answer_in(self._generation)
        late_s = now - debt.asked_at
        debt.count("late_answers", 1, f"{debt.key} after {late_s:.2f} s; turnaround is {debt.turnaround_s:g} s")
        habit = self._habit(debt.key)
        habit.times_s.append(late_s)
        habit.clean_misses = 0
        like = [other for other in self._debts if other.awaited.like(debt.awaited)]
        for other in like:
            other.awaited = other.awaited.fresh()  # these bytes were the other's
            if other.asked_at <= debt.asked_at:
                self._debts.remove(other)
        if debt.separation == "time":  # a second part of it may follow
            self._be_quiet(now, self._quiet_s(debt.turnaround_s, Habit(clean_misses=CLEAN_MISSES)), debt.turnaround_s)

    def _note_unasked(self, data: bytes, now_us: int, now: float) -> None:
        """Something came that nobody asked for: a repeated answer, a second line, or a device that talks by itself."""
        last = self._last
        if last is None or last.separation == "own":
            return
        repeated = last.separation != "time" and last.awaited.fresh().feed(data, now_us) is not None
        shown = f"{data[:SHOWN_BYTES].hex(' ')}, {now - last.asked_at:.2f} s after {last.key}"
        last.count("repeated_answers" if repeated else "unasked_bytes", 1 if repeated else len(data), shown)
        if repeated or last.separation == "time":
            for habit in self._habits.values():
                habit.heard_out = 0
        if last.separation == "time":
            self._be_quiet(now, max(last.turnaround_s, SLOWER * self._slowest_s()), last.turnaround_s)

    def _be_quiet(self, now: float, seconds: float, turnaround_s: float) -> None:
        """Nothing is asked for so long; a line that never falls silent puts it off for MOST_TURNAROUNDS only."""
        if self._quiet_most is None:
            self._quiet_most = now + MOST_TURNAROUNDS * turnaround_s
        self._quiet_until = max(self._quiet_until, min(now + seconds, self._quiet_most))

    def _forget_old_debts(self, now: float) -> None:
        while self._debts and self._debts[0].asked_at < now - FORGOTTEN_S and self._debts[0].until <= now:
            self._debts.popleft()


_lines: dict[str, Line] = {}
_lines_lock = threading.Lock()


def line_of(identity: str) -> Line:
    """The line of a port, for one more user; ``leave`` it in the end. Debts outlast the opening that made them."""
    with _lines_lock:
        for name in [name for name, line in _lines.items() if not line.users and not line.owing()]:
            del _lines[name]
        line = _lines.setdefault(identity, Line())
        line.users += 1
        return line


def leave(line: Line) -> None:
    """One user fewer."""
    with _lines_lock:
        line.users -= 1
