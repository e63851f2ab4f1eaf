"""The deadband of a channel: which readings are worth storing."""

from __future__ import annotations

from itertools import repeat


class Deadband:
    """Which readings are worth storing: changed by more than ``width``, flagged otherwise, or due as a sign of life.

    A constant value must not look like a dead sensor: two stored readings are never further apart than the heartbeat as
    long as samples come in time. So a reading is stored when waiting for the next one but one (by the pace of the last
    two) could be too late.
    """

    def __init__(self, width: float, heartbeat_us: int) -> None:
        self._width = width
        self._heartbeat_us = heartbeat_us
        self._stored: tuple[int, float | None, int] | None = None
        self._seen_us: int | None = None

    def resume(self, ts: int, value: float | None, quality: int) -> None:
        """Go on from the newest reading that is stored already. ``ts``: microseconds UTC."""
        self._stored, self._seen_us = (ts, value, quality), ts

    def go_on_from(self, former: Deadband) -> None:
        """Take the place of another deadband of the same channel."""
        self._stored, self._seen_us = former._stored, former._seen_us

    def keep(self, times: list[int], values: list[float | None], quality: int | list[int]) -> list[int]:
        """Indices of the readings to store."""
        qualities = repeat(quality, len(times)) if isinstance(quality, int) else quality
        kept = []
        for index, (ts, value, flags) in enumerate(zip(times, values, qualities, strict=True)):
            pace_us = 0 if self._seen_us is None else max(ts - self._seen_us, 0)
            self._seen_us = ts
            if self._stored is None or self._is_worth_storing(self._stored, ts, value, flags, pace_us):
                self._stored = (ts, value, flags)
                kept.append(index)
        return kept

    def _is_worth_storing(
        self, stored: tuple[int, float | None, int], ts: int, value: float | None, flags: int, pace_us: int
    ) -> bool:
        stored_ts, stored_value, stored_flags = stored
        if flags != stored_flags or ts < stored_ts or ts + 2 * pace_us - stored_ts > self._heartbeat_us:
            return True
        if value is None or stored_value is None:
            return value is not stored_value
        return abs(value - stored_value) > self._width
