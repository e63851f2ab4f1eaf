"""Whether the wall clock can be believed: one pure decision, made from what is known without it.

What is known without it: the time believed last, and how much has passed since on a clock that nobody can set. From these
follows the time *expected* now. A wall clock far from it is wrong or was set, and until somebody who knows says which it
is, readings get the best stamp there is and nothing is destroyed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.stamping.judging import BUILT_US

BEHIND_US = 1_000_000  # so far the wall clock may lie before what is expected (a leap second, jitter) and is believed
# So far it may lie after what is expected and is believed: the machine was off overnight. A clock a year ahead is wrong.
AHEAD_US = DAY_US
RELEASED_US = BUILT_US  # no clock before it is right


class ClockState(Enum):
    """The verdict on the wall clock."""

    BELIEVED = "believed"  # readings are stamped with it, and everything goes by it
    BEHIND = "behind"  # before time that has surely passed: readings are stamped with the time expected
    AHEAD = "ahead"  # perhaps the machine was off, perhaps it is nonsense: it stamps, but destroys nothing


@dataclass(frozen=True, slots=True)
class Belief:
    """What follows for this instant, in microseconds UTC.

    ``stamp_us``: for readings. ``safe_us``: for whatever destroys or moves on. ``in_doubt``: readings are marked
    clock_unsynced, because of the clock's own value (what the kernel says of it is a reason beside this one).
    """

    state: ClockState
    stamp_us: int
    safe_us: int
    in_doubt: bool


def judge(wall_us: int, expected_us: int | None, synchronised: bool | None, trusted_by_owner: bool) -> Belief:
    """``expected_us``: None if no time was ever believed (a fresh log). ``synchronised``: None where nobody tells.

    Where the clock is believed but lies a little before what was expected, ``safe_us`` does not go back with it.
    """
    if synchronised or trusted_by_owner:
        return Belief(ClockState.BELIEVED, wall_us, wall_us, False)
    if expected_us is None:  # no better time is known than the wall clock's, whatever it shows
        return Belief(ClockState.BELIEVED, wall_us, wall_us, wall_us < RELEASED_US)
    if wall_us < expected_us - BEHIND_US:
        return Belief(ClockState.BEHIND, expected_us, expected_us, True)
    if wall_us > expected_us + AHEAD_US:
        return Belief(ClockState.AHEAD, wall_us, expected_us, True)
    return Belief(ClockState.BELIEVED, wall_us, max(wall_us, expected_us), False)
