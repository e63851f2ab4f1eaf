"""sensorlogd: a daemon that logs sensors into SQLite and never loses a reading in silence.

In Python: ``log = sensorlogd.open("sensorlogd.db")``; see ``sensorlogd.api``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sensorlogd.api import Log

__version__ = "0.1.0"


def open(path: str | Path, *, tz: str = "UTC") -> Log:
    """Open a log for reading; see ``sensorlogd.api.Log``. Raises LogUnavailable, ValueError."""
    from sensorlogd.api import Log  # late: `sensorlogd --help` must not pay for it

    return Log(path, tz=tz)
