"""What an opening of the database has to report."""

from __future__ import annotations

from dataclasses import dataclass, field

from sensorlogd.daemon.writing.intake.events import Event


@dataclass(slots=True)
class Notes:
    """What an opening reports. ``before``: events that happened before all that wait in the queue. ``counted``: (sensor, counter,
    readings). ``given_up``: readings lost for good so far."""

    before: list[Event] = field(default_factory=list)
    after: list[Event] = field(default_factory=list)
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    given_up: int = 0
