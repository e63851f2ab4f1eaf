"""The clock that readings are stamped with: the wall clock as long as it can be believed (see ``belief``).

Threads: ``now_us``, ``safe_us``, ``monotonic_us`` and the properties from any thread; ``poll`` about once a second from the
main thread; ``anchor`` from whoever opens the database. All that is known changes under one lock. ``now_us`` is asked at
every reading and takes no lock: it reads one small tuple, and finds by it that nothing has changed since it was made, or
that the wall clock was set this very moment; only then it judges anew, before it stamps anything.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sensorlogd.batch import Block
from sensorlogd.daemon.timekeeping import believed_time, clock_words, sync_sources
from sensorlogd.daemon.timekeeping.belief import BEHIND_US, RELEASED_US, Belief, ClockState, judge
from sensorlogd.daemon.timekeeping.clock import ASK_EVERY_US, STEP_US, Clock
from sensorlogd.daemon.timekeeping.clock_words import ClockJudged, ClockStep
from sensorlogd.daemon.timekeeping.early_stamps import EarlyStamps

_STEP_NS = STEP_US * 1000
_TIGHT_NS = 20_000  # two clocks read within this time count as read at once
_TRIES = 5
_MAX_CHANGES = 20  # changes reported at one poll: two programs that fight over the clock must not fill the table of events

Nanoseconds = Callable[[], int]
_boottime_ns: Nanoseconds = functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)


class JudgedClock(Clock):
    """The wall clock, judged before it is used. ``ask``: whether the clock is synchronised, None where nobody tells. ``boot``:
    which boot of the machine this is."""

    def __init__(
        self,
        *,
        wall_ns: Nanoseconds = time.time_ns,
        steady_ns: Nanoseconds = _boottime_ns,
        ask: Callable[[], bool | None] = sync_sources.synchronised,
        boot: str | None = None,
    ) -> None:
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._ask = ask
        self._boot = believed_time.boot_id() if boot is None else boot
        self._lock = threading.Lock()
        self._anchored = False
        self._trusted = False  # the owner said that the wall clock is right; until it is set again
        self._offset_ns: int | None = None  # the time expected is the steady clock plus this; None: nothing is expected
        self._synchronised_by_kernel: bool | None = None
        self._ask_at_ns = 0
        self._changes: deque[ClockStep | ClockJudged] = deque(maxlen=_MAX_CHANGES)
        self._early = EarlyStamps()
        wall, steady = self._read_both_clocks()
        self._begun_us = steady // 1000
        # What now_us goes by: the wall clock minus the steady one when last judged; and, only while stamps are not the
        # wall clock's, what to add to the steady clock instead.
        self._view: tuple[int, int | None] = (wall - steady, None)
        self._belief = Belief(ClockState.BELIEVED, wall // 1000, wall // 1000, False)
        self._word = ClockState.BELIEVED.value
        self._since_us = wall // 1000
        self._gap_us: int | None = None  # wall clock minus the time expected
        self._marked = False
        with self._lock:
            self._judge()

    # ---- any thread ------------------------------------------------------------------------------------------------

    def now_us(self) -> int:
        """The stamp of a reading taken now. Goes back only with a wall clock that is believed."""
        difference, held = self._view
        wall, steady = self._wall_ns(), self._steady_ns()
        if -_STEP_NS < wall - steady - difference < _STEP_NS:
            return (wall if held is None else steady + held) // 1000
        with self._lock:  # the clock was set, or this thread was delayed between reading the two clocks
            return self._judge().stamp_us

    def monotonic_us(self) -> int:
        return self._steady_ns() // 1000

    def safe_us(self) -> int:
        """The time for whatever destroys or moves on: expiry, the mover, the edge of roll-ups, schedules.

        Goes back only with a clock that is synchronised or that its owner believes; leaps ahead by more than a day
        likewise. Before ``anchor`` it is the wall clock: take it where the database is open, not before.
        """
        with self._lock:
            return self._judge().safe_us

    @property
    def is_anchored(self) -> bool:
        """Whether it is known what time to expect; until then ``safe_us`` is the wall clock's and nothing may go by it."""
        return self._anchored

    @property
    def state(self) -> ClockState:
        return self._belief.state

    @property
    def is_synchronised(self) -> bool:
        """What the machine says of its clock; True where nobody tells."""
        return self._synchronised_by_kernel is not False

    @property
    def flags_unsynced(self) -> bool:
        """Whether readings stamped now are marked clock_unsynced."""
        return self._marked

    def facts(self) -> dict[str, Any]:
        """What ``status`` shows of the clock. ``state``: believed, behind, ahead, unsynchronised. ``offset_s``: wall clock minus
        the time expected when it was last judged; None: nothing was expected."""
        with self._lock:
            return {
                "state": self._word,
                "since_us": self._since_us,
                "offset_s": None if self._gap_us is None else self._gap_us / 1e6,
                "sentence": self._sentence(),
                "synchronised": self._synchronised_by_kernel,
            }

    def stored(self) -> dict[str, str]:
        """What is to stand in ``meta`` for the next start, about every ten seconds; empty while no time is believed."""
        with self._lock:
            belief = self._judge()
            if not self._anchored or self._offset_ns is None:
                return {}
            return believed_time.to_store(belief.safe_us, self._boot, self._steady_ns() // 1000)

    def believe(self) -> None:
        """The owner says that the wall clock is right now. Holds until it is set again."""
        with self._lock:
            self._judge()  # a step not noticed yet happened before the owner vouched for the clock
            self._trusted = True
            self._judge()

    def correction_us(self, stamp_us: int) -> int:
        """What to add to a stamp that was given before ``anchor`` by a clock that was behind; else 0."""
        return self._early.correction_us(stamp_us)

    def corrected(self, block: Block) -> Block:
        """``block``, its stamps put right that a clock which was behind gave before ``anchor``. For every block that
        passes the inbox, once; later ones are returned as they are."""
        return self._early.corrected(block)

    # ---- start and main thread -------------------------------------------------------------------------------------

    def anchor(self, believed_us: int | None, believed_boot: str = "") -> None:
        """The database is open: ``believed_us`` and ``believed_boot`` of its ``meta`` (None: it knows no time yet).

        Until then the clock stamps as it always did, with the wall clock as it is: what was expected is not known before.
        Readings stamped meanwhile wait in the inbox, and ``corrected`` puts them right before they are stored. A second
        call changes nothing: what is believed now is better than what any file remembers.
        """
        with self._lock:
            if self._anchored:
                return
            self._anchored = True
            if believed_us is not None:
                steady = self._steady_ns()
                passed = believed_time.elapsed_us(believed_boot, self._boot, steady // 1000, self._begun_us)
                self._offset_ns = max(believed_us + passed, RELEASED_US) * 1000 - steady
            self._judge()
            if self._offset_ns is not None:
                self._early.settle(self._steady_ns(), self._offset_ns, BEHIND_US * 1000)

    def poll(self) -> list[ClockStep | ClockJudged]:
        """Judge the clock again. Returns what has changed since the last call, in order; each has a ``kind`` and a
        ``sentence`` for an event."""
        with self._lock:
            self._judge(ask=self._steady_ns() >= self._ask_at_ns)
            changes = list(self._changes)
            self._changes.clear()
            return changes

    # ---- with the lock held ----------------------------------------------------------------------------------------

    def _read_both_clocks(self) -> tuple[int, int]:
        """Wall clock and steady clock of one moment, though the thread may be held up between asking the two."""
        best, least = (0, 0), None
        for _ in range(_TRIES):
            before, wall, after = self._steady_ns(), self._wall_ns(), self._steady_ns()
            if least is None or after - before < least:
                best, least = (wall, (before + after) // 2), after - before
            if least < _TIGHT_NS:
                break
        return best

    def _judge(self, *, ask: bool = False) -> Belief:
        """Read both clocks, judge the wall clock anew, and publish the verdict. ``ask``: also ask whether it is synchronised."""
        wall, steady = self._read_both_clocks()
        difference = wall - steady
        step = difference - self._view[0]
        stepped = abs(step) >= _STEP_NS
        if stepped:
            self._trusted = False
            self._changes.append(clock_words.step(step // 1000))
        if stepped or ask or not self._ask_at_ns:
            self._synchronised_by_kernel = self._ask()
            # As long as it is not synchronised every poll asks: a step and the end of the marks should come together.
            self._ask_at_ns = steady + (ASK_EVERY_US * 1000 if self._synchronised_by_kernel is not False else 1)
        if not self._anchored:
            self._early.note(wall, difference, stepped=stepped)
        expected = None if self._offset_ns is None else (steady + self._offset_ns) // 1000
        belief = judge(wall // 1000, expected, self._synchronised_by_kernel, self._trusted)
        if not self._anchored:
            pass  # nothing is expected before the database tells
        elif expected is None:
            self._offset_ns = None if belief.in_doubt else difference
        elif belief.safe_us != expected:
            self._offset_ns = difference
        self._gap_us = None if expected is None else wall // 1000 - expected
        if belief.state is not ClockState.BEHIND:
            self._early.passed_again(wall)
        self._publish(belief, difference)
        return belief

    def _publish(self, belief: Belief, difference_ns: int) -> None:
        word = clock_words.word(belief)
        self._belief = belief
        self._marked = belief.in_doubt or self._synchronised_by_kernel is False
        # One assignment, so that now_us never sees the half of it.
        self._view = (difference_ns, self._offset_ns if belief.state is ClockState.BEHIND else None)
        if word != self._word:
            self._word, self._since_us = word, belief.stamp_us
            self._changes.append(ClockJudged(belief.state, word, self._sentence()))

    def _sentence(self) -> str:
        return clock_words.sentence(self._belief, self._gap_us, self._synchronised_by_kernel, self._trusted)
