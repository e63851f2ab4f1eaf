"""sensorlogd: a daemon that logs sensors into SQLite and never loses a reading in silence.

In Python: ``log = sensorlogd.open()``; see ``sensorlogd.api``. To import this package costs nothing: what is needed is
imported when a log is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from sensorlogd.api import Log

__version__ = "0.1.0"


def open(place: str | PathLike[str] | None = None, *, tz: str | None = None) -> Log:
    """Open a log for reading: a database file, a configuration (``*.yaml``), or what the shell's configuration names.

    See ``sensorlogd.api.Log``. Raises LogUnavailable, ValueError.
    """
    from sensorlogd.api import Log

    return Log(place, tz=tz)
