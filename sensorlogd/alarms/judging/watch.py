"""Time watched: it goes on while readings are judged, and stands still while they are not.

A daemon that was down, a machine that slept, a disk that hung for minutes: then nothing could arrive, so nothing is missing
for it. Within a process it is the steady clock less what was not watched; setting the wall clock does not touch it. What the
database remembers in the time of a former run is shifted into that of this one (see ``ended_at``).
"""

from __future__ import annotations

from sensorlogd.notation.microseconds import MINUTE_US

MAX_GAP_US = MINUTE_US  # between two observations; any time beyond that was not watched
BEGIN_AT = 10**15  # so that nothing remembered lies before 0
_MAX_UNMARKED_US = 20_000_000  # a run that was killed has watched at most this much more than it has written down


class WatchClock:
    """The time watched. ``now``: called at least every few seconds, by one thread. ``hold``: by any."""

    def __init__(self) -> None:
        self._is_held = False
        self._offset = BEGIN_AT
        self._last: int | None = None

    def now(self, steady_us: int) -> int:
        """The time watched in µs. ``steady_us``: the steady clock now."""
        if self._is_held and self._last is not None:
            return self._last + self._offset
        if self._last is None:
            self._offset -= steady_us
        elif steady_us - self._last > MAX_GAP_US:
            self._offset -= steady_us - self._last - 1_000_000
        self._last = steady_us
        return steady_us + self._offset

    def hold(self) -> None:
        """Stop the time watched for good."""
        self._is_held = True


def mark(watched_us: int, now_us: int) -> str:
    """To be stored for the next run."""
    return f"{watched_us} {now_us}"


def ended_us(marked: str | None, newest_us: int | None, now_us: int) -> int | None:
    """The wall clock until which a former run watched: its last mark or its newest reading, whichever is later. A mark in the
    future was made by a wrong clock and does not count. None if nothing is known."""
    try:
        wall_us = int((marked or "0 0").split()[1])
    except (ValueError, IndexError):
        wall_us = 0
    marks = [wall_us] if 0 < wall_us <= now_us else []
    return max([*marks, *([] if newest_us is None else [newest_us])], default=None)


def ended_at(marked: str | None, newest_us: int | None) -> int:
    """Where a former run had got to in its own time: its last mark, and what its newest reading shows that it went on."""
    try:
        at, wall_us = map(int, (marked or "0 0").split())
    except ValueError:
        return 0
    further = 0 if newest_us is None or not wall_us else newest_us - wall_us
    return at + min(max(further, 0), _MAX_UNMARKED_US)
