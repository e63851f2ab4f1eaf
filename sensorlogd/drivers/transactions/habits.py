"""What is learned of the answers to each question of a line: how long they take, what follows them, whether the question echoes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

QUIET_TURNAROUNDS = 3.0
MAX_TURNAROUNDS = 10.0
CLEAN_MISSES = 2
SLOWER = 1.5
MAX_REMEMBERED_ANSWERS = 16  # to one question, whose time is remembered
LEARNING = 3
ECHO_MISSES = 3
TRAIL_MARGIN_S = 0.02
AT_ONCE_S = 0.002  # what is no further apart than this is read in one piece


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
    times_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_REMEMBERED_ANSWERS))


class Habits:
    """The habits of all questions on one line, by their keys. Not for several threads at once: the line locks."""

    def __init__(self) -> None:
        self._habits: dict[str, Habit] = {}

    def _of(self, key: str) -> Habit:
        return self._habits.setdefault(key, Habit())

    # ---- how long answers take -------------------------------------------------------------------------------------------

    def note_answer(self, key: str, took_s: float) -> None:
        """Note an answer, in time or late."""
        habit = self._of(key)
        habit.times_s.append(took_s)
        habit.clean_misses = 0

    def note_miss(self, key: str) -> None:
        """Note that no answer came, and nothing that looked like one."""
        self._of(key).clean_misses += 1

    def slowest_s(self) -> float:
        """The slowest of the answers that are remembered, on the whole line, in seconds."""
        return max((time_s for habit in self._habits.values() for time_s in habit.times_s), default=0.0)

    def quiet_s(self, turnaround_s: float, key: str) -> float:
        """How many seconds the answer to a question that was not answered is waited for; see ``line``."""
        is_silent = self._of(key).clean_misses >= CLEAN_MISSES
        return self._bounded_s(1.0 if is_silent else QUIET_TURNAROUNDS, turnaround_s)

    def second_part_s(self, turnaround_s: float) -> float:
        """How many seconds a second part of a late answer is waited for."""
        return self._bounded_s(1.0, turnaround_s)

    def _bounded_s(self, turnarounds: float, turnaround_s: float) -> float:
        return min(max(turnarounds * turnaround_s, SLOWER * self.slowest_s()), MAX_TURNAROUNDS * turnaround_s)

    # ---- what follows answers --------------------------------------------------------------------------------------------

    def is_heard_out(self, key: str) -> bool:
        """Whether the unit was heard out often enough to know what follows its answer."""
        return self._of(key).heard_out >= LEARNING

    def hold_s(self, key: str, learning_s: float) -> float:
        """How many seconds to listen on after an answer: the whole ``learning_s`` until it is known what the unit does."""
        habit = self._of(key)
        if habit.heard_out < LEARNING:
            return learning_s
        if not habit.trail_s:
            return 0.0
        # Long enough also for the unit's own answer, should what came have been the rest of another one.
        return min(SLOWER * max(habit.trail_s, *habit.times_s, 0.0) + TRAIL_MARGIN_S, learning_s)

    def note_trail(self, key: str, trail_s: float, *, wholly: bool) -> None:
        """After its answer the last byte came this late. ``wholly``: it was listened to for all of the learning time."""
        habit = self._of(key)
        habit.trail_s = max(habit.trail_s, trail_s)
        habit.heard_out += wholly

    def note_more_followed(self, key: str) -> None:
        """More came with its answer, in one piece: the next time it may come a little after it."""
        habit = self._of(key)
        habit.trail_s = max(habit.trail_s, AT_ONCE_S)

    def forget_what_follows(self) -> None:
        """Something came that cannot be explained: what follows the answers is to be learned anew, on the whole line."""
        for habit in self._habits.values():
            habit.heard_out = 0

    # ---- echoes ----------------------------------------------------------------------------------------------------------

    def echoes(self, key: str) -> bool:
        """Whether this question comes back before its answer."""
        return self._of(key).echoes

    def note_echo(self, key: str, seen: bool) -> None:
        """Note whether the question came back, or something else came instead."""
        habit = self._of(key)
        habit.echo_misses = 0 if seen else habit.echo_misses + 1
        habit.echoes = seen or (habit.echoes and habit.echo_misses < ECHO_MISSES)
