"""What nearly every part of the writer notes."""

from __future__ import annotations

from dataclasses import dataclass

from sensorlogd.daemon.writing.commits.timetable import Timetable
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.totals import Totals


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """``totals``: what was done, counted. ``notices``: events that are to be recorded. ``times``: when the slower
    tables are due."""

    totals: Totals
    notices: Notices
    times: Timetable
