"""What the verb ``alarms`` asks for. ``alarms``: names, ``name/subject`` or globs of either; none: all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensorlogd.daemon.control.answers import Acknowledged, Muted, Tested, needed
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.notation.microseconds import DAY_US

LONGEST_MUTE_US = 200 * 365 * DAY_US  # as long as a duration may be that people write


@dataclass(frozen=True, slots=True)
class AlarmAckRequest(Request[Acknowledged]):
    """Somebody knows of these alarms, and says what was found."""

    name = "alarm_ack"
    answer = Acknowledged
    alarms: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> AlarmAckRequest:
        return cls(_alarm_names(received), str(received.get("note") or ""))


@dataclass(frozen=True, slots=True)
class AlarmMuteRequest(Request[Muted]):
    """Nobody is to hear of these alarms for this long; 0: that is ended."""

    name = "alarm_mute"
    answer = Muted
    alarms: tuple[str, ...]
    for_us: int
    note: str = ""

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> AlarmMuteRequest:
        for_us = int(needed(received, "for_us"))
        if not 0 <= for_us <= LONGEST_MUTE_US:
            raise ValueError(f"for_us is 0 (end it), or up to 200 years in microseconds, not {for_us}")
        return cls(_alarm_names(received), for_us, str(received.get("note") or ""))


@dataclass(frozen=True, slots=True)
class AlarmTestRequest(Request[Tested]):
    """Tell this target now that this is a test."""

    name = "alarm_test"
    answer = Tested
    target: str

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> AlarmTestRequest:
        return cls(str(needed(received, "target")))


def _alarm_names(received: Mapping[str, Any]) -> tuple[str, ...]:
    names = received.get("alarms") or ()
    if not isinstance(names, (list, tuple)):
        raise ValueError(f"alarms is a list of names, not {type(names).__name__}")
    return tuple(map(str, names))
