"""Changes of the clock, and the words for them in events, ``status`` and the verb ``clock``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sensorlogd.daemon.timekeeping.belief import Belief, ClockState
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.times import format_age

BELIEVE = "sensorlogd clock --believe"
_END = f"It ends when a time server sets the clock, or by '{BELIEVE}' if it is right as it is"
UNSYNCHRONISED = "unsynchronised"  # the word for a clock that is believed for want of a better one


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock was set; positive is forward."""

    kind: ClassVar[EventKind] = EventKind.CLOCK_STEP
    step_us: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ClockJudged:
    """The verdict on the wall clock has changed. ``word``: what the function ``word`` gives."""

    kind: ClassVar[EventKind] = EventKind.CLOCK_JUDGED
    state: ClockState
    word: str
    sentence: str


def step(step_us: int) -> ClockStep:
    way = "forward" if step_us > 0 else "back"
    return ClockStep(step_us, f"the wall clock was set {way} by {abs(step_us) / 1e6:.3f} s")


def word(belief: Belief) -> str:
    """One word for ``status``: believed, behind, ahead or unsynchronised."""
    return UNSYNCHRONISED if belief.in_doubt and belief.state is ClockState.BELIEVED else belief.state.value


def sentence(belief: Belief, offset_us: int | None, synchronised: bool | None, trusted: bool) -> str:
    """Sentences for people: the verdict, what the daemon does meanwhile, and what ends that state. ``offset_us``: wall clock
    minus the time expected; None if no time was."""
    by = format_age(abs(offset_us or 0))
    match belief.state, belief.in_doubt:
        case ClockState.BEHIND, _:
            return (
                f"the wall clock is {by} behind: it shows a time that has surely passed. Readings are stamped with the last"
                f" time believed plus what has passed since, and marked clock_unsynced. {_END}"
            )
        case ClockState.AHEAD, _:
            return (
                f"the wall clock is {by} ahead of what was expected, and nobody confirms it. Readings are stamped with it and"
                f" marked clock_unsynced; meanwhile expiry, moving and roll-ups go on by the time expected. {_END}"
            )
        case _, True:
            return (
                "the wall clock shows a time before this software was made, and this log knows no better one. Readings are"
                f" stamped with it and marked clock_unsynced. {_END}"
            )
    if trusted:
        return "the wall clock is believed: its owner says that it is right"
    if synchronised:
        return "the wall clock is believed: a time server keeps it right"
    near = "nothing speaks against it" if offset_us is None else "it is near the time expected"
    return f"the wall clock is believed: {near}"
