"""The answer about the database itself: its size, its growth, how far its roll-ups are, and its incidents."""

from __future__ import annotations

import os
from typing import Any

from sensorlogd.config.footprint import BYTES_PER_MINUTE_ROLLUP, BYTES_PER_READING
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.storage.maintenance import growth, incidents, inspection
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.reading_tables import survey
from sensorlogd.web.answering.params import TimeForm

MAX_FORECAST_DAYS = 36_500
COARSER = 1.1  # roll-ups of more than a minute add a tenth


def database(log: LogReader, now_us: int, form: TimeForm, *, measure: bool) -> dict[str, Any]:
    """Facts about the file. ``measure``: also the size of each part, for which the whole file has to be read."""
    facts = inspection.facts(log.conn, log.path)
    disk = os.statvfs(log.path.absolute().parent)
    free_on_disk = disk.f_bavail * disk.f_frsize
    grows = growth.growth(log.conn)
    daily = None
    if grows is not None:
        daily = grows.readings_per_day * BYTES_PER_READING + grows.minutes_per_day * BYTES_PER_MINUTE_ROLLUP * COARSER
    full_us = None
    if daily and grows is not None and not grows.expires and (free_on_disk + facts["free_bytes"]) / daily < MAX_FORECAST_DAYS:
        full_us = now_us + int((free_on_disk + facts["free_bytes"]) / daily * DAY_US)

    def when(us: int | None) -> Any:
        return None if us is None else form(us)

    return {
        "bytes": facts["file_bytes"],
        "wal_bytes": facts["wal_bytes"],
        "free_bytes": facts["free_bytes"],
        "disk_free_bytes": free_on_disk,
        "first": when(facts["first_us"]),
        "last": when(facts["last_us"]),
        "series": facts["series"],
        "events": facts["events"],
        "mends": facts["mends"],
        "readings_per_day": None if grows is None else round(grows.readings_per_day, 1),
        "bytes_per_day": None if daily is None else round(daily),
        "expires": grows is not None and grows.expires,
        "full": when(full_us),
        "moved_until": when(facts["moved_until_us"]),
        "rolled_up_until": when(facts["edge_us"]),
        "hours_to_roll_up": inspection.hours_to_roll_up(log.conn),
        "parts": survey.parts(log.conn) if measure else None,
        "incidents": [
            {
                "name": incident.name,
                "time": form(incident.when_us),
                "reason": incident.reason,
                "bytes": sum(incident.files.values()),
                "salvaged": incident.salvaged,
            }
            for incident in incidents.all_incidents(log.path)
        ],
    }
