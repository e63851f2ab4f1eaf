"""What the rows of a damaged file may say. A damaged page may still look like one, so each row is judged before it is used.

The rules, from the single value to the row:

- An instant lies in the years 1 to 9999, as that of every reading that is taken. A bound may also be the beginning or the end
  of all time.
- A series has an id from 1 to MAX_SERIES_ID; ids of other rows, and numbers of readings, are below 2 to the power of 40.
- A number is finite. Only the value of a reading may be an infinity, or missing.
- A reading has an instant, a series, and a quality with a flag that exists. So has each original that a mend keeps; they
  ascend in time, and are as many as their row says.
- What has a name (a sensor, a series) is kept for its name, and whatever else of it makes no sense gets a default. Labels are a
  JSON object of texts, for any other would make the live log unreadable.
- A mark of the log lies before the day after the file was set aside. A cut belongs to a resolution that has cuts, and lies
  before what is moved and rolled up, for retention never cuts what is not.
- A mark of outdated roll-ups has a bound, a dirty minute an instant that is a whole minute.
- A roll-up begins on a bucket of its resolution (days: on a minute, for their zone may be lost), and its columns are of their
  types, finite, and where they count at least 0.

Everything here is a question about values: nothing is read, stored or raised.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from itertools import pairwise

from sensorlogd.calibration import curves
from sensorlogd.counters import DIP
from sensorlogd.notation import times
from sensorlogd.notation.microseconds import BEGINNING_US, DAY_US, END_US, MINUTE_US, SECOND_US
from sensorlogd.quality import FLAG_MASK, Flag
from sensorlogd.series_kinds import SERIES_KINDS
from sensorlogd.storage import cuts
from sensorlogd.storage.corrections import originals
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.salvage.reading import Row

MAX_SERIES_ID = 1_000_000
MAX_ID = 1 << 40  # ids, and numbers of readings, are smaller
_FIRST_US = -62_135_596_800_000_000  # the year 1: an import takes readings from then on
_FAR_FUTURE_US = 253_402_300_800_000_000  # the year 10000
_LONGEST_HEARTBEAT_US = 10 * 366 * DAY_US
_WITH_CUTS = (cuts.READINGS, *resolutions.DEFAULT_RESOLUTIONS)
_FLAGS = frozenset(int(flag) for flag in Flag)
_WHOLE = {"n", "n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing"}
_INTEGERS = {"first_ts", "last_ts", "covered_us", "resets", "transitions"}


# ---- values ------------------------------------------------------------------------------------------------------------


def is_time(us: object) -> bool:
    return type(us) is int and _FIRST_US <= us < _FAR_FUTURE_US


def is_bound(us: object) -> bool:
    """A time, or one of those that mean the beginning and the end of all time."""
    return type(us) is int and BEGINNING_US <= us <= END_US


def is_series(series: object) -> bool:
    return type(series) is int and 0 < series <= MAX_SERIES_ID


def is_quality(quality: object) -> bool:
    return type(quality) is int and 0 < quality < 1 << 31 and quality & FLAG_MASK in _FLAGS


def is_number(value: object) -> bool:
    return type(value) is float and math.isfinite(value)


def is_curve(text: object) -> bool:
    try:
        return type(text) is str and bool(curves.parse(text))
    except ValueError:
        return False


def is_labels(text: object) -> bool:
    """Labels as they are stored: a JSON object of texts."""
    if type(text) is not str:
        return False
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(labels, dict) and all(isinstance(label, str) for label in labels.values())


# ---- values, or what stands for them -----------------------------------------------------------------------------------


def text_or(value: object, default: str) -> str:
    return value if type(value) is str else default


def name_or_none(value: object) -> str | None:
    """A text that is not empty."""
    return value if type(value) is str and value else None


def time_or_none(us: object) -> int | None:
    return us if type(us) is int and is_time(us) else None


def labels_or_empty(text: object) -> str:
    """The labels, as they are stored; ``{}`` for what are none."""
    return text if type(text) is str and is_labels(text) else "{}"


def kind_or_gauge(kind: object) -> str:
    """The kind of a series."""
    return kind if type(kind) is str and kind in SERIES_KINDS else "gauge"


def heartbeat_or_minute(us: object) -> int:
    """A heartbeat is longer than 0 and not above ten years."""
    return us if type(us) is int and 0 < us <= _LONGEST_HEARTBEAT_US else MINUTE_US


def wrap_or_none(wrap: object) -> float | None:
    """Where a counter begins again."""
    return wrap if type(wrap) is float and 0 < wrap < math.inf else None


def dip_or_usual(dip: object) -> float:
    """By how much a counter may fall without a reset."""
    return dip if type(dip) is float and 0 <= dip < math.inf else DIP


def zero_or_usual(zero: object) -> float:
    """What a counter begins from: 0.0 unless something else is stored."""
    return zero if type(zero) is float and math.isfinite(zero) else 0.0


def mend_kind(kind: object) -> str:
    """The kind of a mend; older files have no such column, and all their mends are changes."""
    return kind if type(kind) is str else "change"


# ---- what a log says of itself -----------------------------------------------------------------------------------------


def is_mark(us: int, made_us: int) -> bool:
    """How far a log had got. ``made_us``: when its file was set aside."""
    return 0 < us <= made_us + DAY_US


def is_cut(series: object, resolution: object, cut_us: object, settled_us: int) -> bool:
    """A cut that retention can have made. ``settled_us``: until then the log had moved its readings and rolled them up."""
    return type(series) is int and resolution in _WITH_CUTS and type(cut_us) is int and 0 < cut_us <= settled_us


def is_outdated_mark(series: object, resolution: object, from_us: object) -> bool:
    """A row of ``stale``."""
    return type(series) is int and type(resolution) is int and is_bound(from_us)


def is_dirty_minute(series: object, start_us: object) -> bool:
    """A row of ``dirty``."""
    return type(series) is int and type(start_us) is int and is_time(start_us) and start_us % MINUTE_US == 0


def is_newest_event(identity: object) -> bool:
    """The highest id of an event."""
    return type(identity) is int and 0 <= identity < MAX_ID


def zone_or_none(name: str | None) -> str | None:
    """The time zone of days, if there is one of that name."""
    try:
        return times.zone(name or "")
    except (ValueError, TypeError):
        return None


# ---- rows --------------------------------------------------------------------------------------------------------------


def is_reading(series: object, ts: object, value: object, quality: object) -> bool:
    return is_time(ts) and (value is None or type(value) is float) and is_quality(quality) and is_series(series)


def is_calibration(row: Row) -> bool:
    """(series, valid_from, scale, offset, curve)"""
    series, valid_from, scale, offset, curve = row
    return (
        (curve is None or is_curve(curve))
        and is_series(series)
        and is_bound(valid_from)
        and is_number(scale)
        and is_number(offset)
    )


def is_mend(row: Row) -> bool:
    """(id, made, series, since, until, quality, scale, offset, note, at, readings, done, undone, ...). What kind it is, and its
    curve, are not asked: see ``mend_kind``."""
    identity, made, series, since, until, quality, scale, offset, note, at_us, count, done, undone = row[:13]
    return (
        -MAX_ID < identity < MAX_ID
        and is_series(series)
        and is_time(made)
        and all(is_bound(us) for us in (since, until, at_us))
        and (quality is None or is_quality(quality))
        and all(value is None or is_number(value) for value in (scale, offset))
        and type(note) is str
        and type(count) is int
        and 0 <= count < MAX_ID
        and all(us is None or is_time(us) for us in (done, undone))
    )


def is_mended(first_ts: object, n: object, before: object) -> bool:
    """Whether ``n`` readings, from that time on, can be unpacked: else the mend could never be taken back."""
    if type(n) is not int or not isinstance(before, bytes):
        return False
    try:
        rows = originals.unpack(before, n)
    except (ValueError, zlib.error):
        return False
    stamps = [ts for ts, _, _ in rows]
    is_ascending = all(earlier < later for earlier, later in pairwise(stamps))
    return bool(rows) and stamps[0] == first_ts and is_ascending and all(is_reading(1, *row) for row in rows)


def is_event(row: Row, newest_event: int) -> bool:
    """(id, ts, kind, sensor, detail). ``newest_event``: the highest id there."""
    identity, ts, kind, sensor, detail = row
    return (
        -MAX_ID < identity <= newest_event
        and is_time(ts)
        and type(kind) is str
        and type(detail) is str
        and (sensor is None or type(sensor) is str)
    )


def is_rollup(resolution: int, row: Row) -> bool:
    """(start, *fields of RollUp), of buckets of ``resolution`` seconds."""
    start = row[0]
    if not is_time(start) or start % MINUTE_US or (resolution != resolutions.DAY and start % (resolution * SECOND_US)):
        return False
    named: Mapping[str, object] = dict(zip(RollUp._fields, row[1:], strict=True))
    return all(_is_column(name, value) for name, value in named.items())


def _is_column(name: str, value: object) -> bool:
    """Whether a column of a roll-up may have that value."""
    if name in _WHOLE:
        return type(value) is int and value >= 0
    if value is None:
        return True
    if name in _INTEGERS:
        return type(value) is int
    return type(value) is str if name == "states" else is_number(value)
