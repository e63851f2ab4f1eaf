"""Events: a page of them, from the newest backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.query.rows import EVENT_COLUMNS, event_row
from sensorlogd.web.answering.params import TimeForm

Json = dict[str, Any]

EVENT_COLUMNS_WITH_ID = ("id", *EVENT_COLUMNS)


@dataclass(frozen=True, slots=True)
class EventsQuery:
    """A question for events. ``after``, ``before``: ids that bound it; None: no bound. ``kind``, ``sensor``: globs."""

    since_us: int | None
    until_us: int | None
    limit: int
    kind: str | None
    sensor: str | None
    after: int | None
    before: int | None
    form: TimeForm


def events(log: LogReader, query: EventsQuery) -> Json:
    """The newest ``limit`` events that match, oldest first. ``earlier`` in the answer is the ``before`` to ask for the page
    before this one."""
    rows = log.events_between(
        query.since_us, query.until_us, query.kind, query.sensor, after=query.after, before=query.before, limit=query.limit + 1
    )
    found = rows[: query.limit][::-1]
    form = query.form
    return {
        "events": [{"id": event.id, **event_row(event, form.zone), "time": form(event.ts_us)} for event in found],
        "earlier": found[0].id if len(rows) > query.limit else None,
    }
