"""What an opening of the database has to report."""

from __future__ import annotations

from collections.abc import Mapping

from sensorlogd.daemon.writing.intake.events import Event


class Notes:
    """What an opening reports, collected while it goes on. ``before``: events that happened before all that wait in the queue;
    ``after``: those that happened at the opening. ``counted``: (sensor, counter, readings). ``given_up``: readings lost for good
    so far."""

    def __init__(self) -> None:
        self.before: list[Event] = []
        self.after: list[Event] = []
        self.counted: list[tuple[str, str, int]] = []
        self.given_up = 0

    def put_before(self, event: Event) -> None:
        self.before.append(event)

    def put(self, *events: Event) -> None:
        self.after.extend(events)

    def count(self, counter: str, readings: Mapping[str, int]) -> None:
        """``readings``: by sensor."""
        self.counted.extend((sensor, counter, n) for sensor, n in readings.items())

    def set_given_up(self, readings: int) -> None:
        self.given_up = readings
