"""The changes of stored readings, as a list."""

from __future__ import annotations

from typing import Any

from sensorlogd.storage.corrections import mend_rows, mend_state
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.answering.params import TimeForm, find_series

Json = dict[str, Any]
MAX_MENDS = 100


def mends(log: LogReader, patterns: list[str], since_us: int, until_us: int, form: TimeForm) -> Json:
    """The changes of stored readings in the range, newest first, at most ``MAX_MENDS``."""
    names = {
        series.id: series.name for series in (find_series(log, patterns, retired=True) if patterns else log.series(retired=True))
    }
    found = [
        mend for mend in mend_rows.all_mends(log.conn)
        if mend.series in names and mend.since_us < until_us and mend.until_us > since_us
    ]  # fmt: skip
    rows = [
        {
            "mend": mend.id,
            "series": names[mend.series],
            "made": form(mend.made_us),
            "since": form(mend.since_us),
            "until": form(mend.until_us),
            "what": mend.message(),
            "note": mend.note,
            "readings": mend.readings,
            "state": mend_state.state_of(log.conn, mend),
        }
        for mend in found[:MAX_MENDS]
    ]
    return {"mends": rows}
