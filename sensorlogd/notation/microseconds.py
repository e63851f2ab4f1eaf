"""Units of time in microseconds, as all times and durations are counted, and the ends of time."""

from __future__ import annotations

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

# Before and after everything that is stored or asked for. Far from the ends of a 64 bit integer, so that what is added to them
# or taken from them (a heartbeat, a day) still fits a column of SQLite.
BEGINNING_US, END_US = -(1 << 62), 1 << 62
