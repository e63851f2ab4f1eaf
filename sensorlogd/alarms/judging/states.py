"""The states of an alarm, as ISA-18.2 names them, and what leads from one to the next. Nothing here knows of time."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """The state of one alarm of one series. The values are stored: they are never renamed."""

    NORMAL = "normal"
    PENDING = "pending"  # the condition holds, but not for as long as ``for`` says; nobody hears of it
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned unacknowledged"  # the condition is over, and nobody has acknowledged it
    SHELVED = "shelved"  # muted for a while; only shown, the true state goes on changing beneath it


ACTIVE = (State.UNACKNOWLEDGED, State.ACKNOWLEDGED)


def judged(state: State, *, holds: bool, ends: bool, long_enough: bool) -> State:
    """The next state after the condition was evaluated. ``holds``: the condition; ``ends``: the condition under ``clear``. If
    both are true, ``holds`` wins."""
    if holds:
        if state in ACTIVE:
            return state
        if long_enough:
            return State.UNACKNOWLEDGED
        return State.PENDING if state is State.NORMAL else state
    if state is State.PENDING:
        return State.NORMAL
    if ends and state is State.UNACKNOWLEDGED:
        return State.RETURNED
    if ends and state is State.ACKNOWLEDGED:
        return State.NORMAL
    return state


def acknowledged(state: State) -> State:
    """The next state after somebody has acknowledged the alarm."""
    if state is State.UNACKNOWLEDGED:
        return State.ACKNOWLEDGED
    return State.NORMAL if state is State.RETURNED else state
