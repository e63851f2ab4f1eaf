"""What verbs say of a range in which nothing is stored: where the readings are."""

from __future__ import annotations

from collections.abc import Sequence

from sensorlogd.notation import times
from sensorlogd.notation.microseconds import HOUR_US
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series

SHOWN_US = HOUR_US  # the range that is proposed


def where_readings_are(
    log: LogReader, series: Sequence[Series], span_us: tuple[int, int] | None, zone: str, *, proposes: bool = True
) -> str:
    """A half sentence to go after "no data in this range"; empty if the series have readings on both sides of it. ``span_us``: the
    range, [since, until) in µs UTC; None: it is all before or after what is stored. ``proposes``: with a --since that shows some."""
    first, last = log.span(series)
    if first is None or last is None:
        return "; nothing is stored of this at all"
    if span_us is not None and first < span_us[1] and last >= span_us[0]:
        return ""
    stored = f"; stored are {times.format_time(first, zone)} to {times.format_time(last, zone)}"
    return f"{stored}: try --since {times.format_time(max(first, last - SHOWN_US), zone)}" if proposes else stored
