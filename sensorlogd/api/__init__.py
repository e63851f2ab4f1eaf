"""A log in Python: ``import sensorlogd; log = sensorlogd.open()``. What is named here is public, the modules are not.

Read-only and independent of the daemon, running or not; for any number of threads. Series are named as everywhere,
``sensor.channel`` with globs (a bare sensor means all its channels); times as everywhere, too (``"-1d"``,
``"2026-01-31T12:30"``, ``datetime``, or integer microseconds UTC). Ranges are [since, until).

What is wrong with the log is a ``LogError``, what is wrong with a question a ``ValueError``; each says what to do.
"""

from __future__ import annotations

from sensorlogd import quality
from sensorlogd.api.answer import Answer
from sensorlogd.api.log import Latest, Log
from sensorlogd.api.tail import Tail
from sensorlogd.api.troubles import LogClosed, LogLocked
from sensorlogd.storage.file.reader import LogDamaged, LogError, LogUnavailable
from sensorlogd.storage.ingest.events import Event
from sensorlogd.storage.query.following import Late
from sensorlogd.storage.query.log_reader import SeriesReading as Reading
from sensorlogd.storage.query.log_reader import UnknownSeries
from sensorlogd.storage.series.stored import Series

__all__ = [
    "Answer",
    "Event",
    "Late",
    "Latest",
    "Log",
    "LogClosed",
    "LogDamaged",
    "LogError",
    "LogLocked",
    "LogUnavailable",
    "Reading",
    "Series",
    "Tail",
    "UnknownSeries",
    "describe_quality",
]


def describe_quality(code: int) -> str:
    """``good``, ``fail:gross_range`` ... for a reading's quality code."""
    return quality.describe(code)
