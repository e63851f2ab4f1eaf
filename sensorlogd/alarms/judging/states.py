"""The states of an alarm, as ISA-18.2 names them, and what leads from one to the next. Nothing here knows of time."""

from __future__ import annotations

from enum import Enum


class AlarmState(Enum):
    """The state of one alarm of one series. The values are stored: they are never renamed."""

    NORMAL = "normal"
    PENDING = "pending"  # the condition holds, but not for as long as ``for`` says; nobody hears of it
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned unacknowledged"  # the condition is over, and nobody has acknowledged it
    SHELVED = "shelved"  # muted for a while; only shown, the true state goes on changing beneath it


ACTIVE = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)


def judged(state: AlarmState, *, holds: bool, ends: bool, long_enough: bool) -> AlarmState:
    """The next state after the condition was evaluated. ``holds``: the condition; ``ends``: the condition under ``clear``. If
    both are true, ``holds`` wins."""
    if holds:
        if state in ACTIVE:
            return state
        if long_enough:
            return AlarmState.UNACKNOWLEDGED
        return AlarmState.PENDING if state is AlarmState.NORMAL else state
    if state is AlarmState.PENDING:
        return AlarmState.NORMAL
    if ends and state is AlarmState.UNACKNOWLEDGED:
        return AlarmState.RETURNED
    if ends and state is AlarmState.ACKNOWLEDGED:
        return AlarmState.NORMAL
    return state


def acknowledged(state: AlarmState) -> AlarmState:
    """The next state after somebody has acknowledged the alarm."""
    if state is AlarmState.UNACKNOWLEDGED:
        return AlarmState.ACKNOWLEDGED
    return AlarmState.NORMAL if state is AlarmState.RETURNED else state
