"""Append readings: the hot insert.

Readings arrive by column (``Block``), are interleaved into one flat parameter list by slice assignment and stored by
multi-row INSERT statements on the driver-level connection. One statement per few thousand rows matters twice: it costs
a quarter of ``executemany``, and sqlite3 releases the GIL once per statement instead of once per row, so busy threads
beside the writer do not slow it to a crawl.

Where a reading goes depends on its time (see ``Frontier``). Nearly all are newer than everything that needs care and
take the fast way; the rest, and any statement that fails, go row by row through ``_Careful``, which gives the same
result.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sensorlogd.batch import Block, Column
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.reading_tables import storing
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.watermarks import Frontier

# What a single bad row can raise: constraint failures (IntegrityError) and values that cannot be bound. Anything else
# (full, locked, corrupt) concerns the database, not the row, and is the caller's to handle.
_ROW_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    TypeError,
    ValueError,
)


@dataclass(slots=True)
class Appended:
    """What happened to the readings of one call. ``rows`` = stored + repeated + all conflicts, too_old, poisoned and unknown."""

    rows: int = 0
    stored: int = 0
    shifted: int = 0  # stored under the next free microsecond (host-stamped only)
    late: int = 0  # stored below the edge: their minutes are marked dirty
    repeated: int = 0  # the same reading again: nothing to do
    conflicts: dict[str, int] = field(default_factory=dict)  # sensor -> same time, other value: the first stays
    too_old: dict[str, int] = field(default_factory=dict)  # sensor -> older than the retention cut
    poisoned: dict[str, int] = field(default_factory=dict)  # sensor -> rows the database cannot hold, left out
    poison_example: str = ""
    unknown: dict[str, int] = field(default_factory=dict)  # sensor -> readings of a channel that is not in the catalog
    by_sensor: dict[str, int] = field(default_factory=dict)  # sensor -> stored
    newest: dict[int, tuple[int, float | None, int]] = field(default_factory=dict)  # series -> stored last: (ts, value, quality)


def append(
    conn: sqlite3.Connection,
    blocks: Iterable[Block],
    ids: Mapping[tuple[str, str], int],
    frontier: Frontier,
    *,
    retrying: bool = False,
) -> Appended:
    """Store all readings of ``blocks``; the caller owns the transaction.

    ``ids`` maps (sensor, channel) to a series id. ``retrying`` says that an earlier attempt may have been committed
    after all: an identical host-stamped reading is then the same reading, not a second one.

    Identity is (series, ts). Host-stamped: a taken microsecond gives the next free one. Device-stamped: the same value
    again is the same reading; another value never overwrites, it is counted in ``conflicts``.

    Raises sqlite3.Error when the database itself is in trouble (the transaction is then the caller's to roll back).
    A row that the database refuses is left out and counted, never the batch; so are all rows of a block in which the lengths
    of one column differ.
    """
    result = Appended()
    careful = _Careful(conn, frontier, result, retrying)
    plain_from = frontier.plain_from_us()
    host = _Plain(careful, device_time=False)
    device = _Plain(careful, device_time=True)
    for block in blocks:
        result.rows += block.rows
        known: list[tuple[int, Column]] = []
        for column in block.columns:
            series = ids.get((block.sensor, column.channel))
            if series is None:
                _add_count(result.unknown, block.sensor, len(column.times_us))
            elif column.times_us:
                known.append((series, column))
        if not known:
            continue
        if example := _unequal_lengths(known):
            _add_count(result.poisoned, block.sensor, sum(len(column.times_us) for _, column in known))
            result.poison_example = example
            continue
        try:
            is_plain = all(min(column.times_us) >= plain_from for _, column in _distinct_times(known))
        except TypeError:  # a time that is no number: the careful way finds and leaves out that row
            is_plain = False
        target = device if block.device_time else host
        if is_plain:
            target.add(block.sensor, known)
        else:
            target.flush()  # keeps the order of arrival where both ways meet in one call
            careful.store_columns(block.sensor, known, device_time=block.device_time)
    host.flush()
    device.flush()
    careful.mark_dirty()
    return result


def _distinct_times(known: Sequence[tuple[int, Column]]) -> list[tuple[int, Column]]:
    """One column per distinct list of times (columns sampled together share the list object)."""
    if len(known) > 1 and all(column.times_us is known[0][1].times_us for _, column in known):
        return [known[0]]
    return list(known)


def _unequal_lengths(known: Sequence[tuple[int, Column]]) -> str:
    """The first column with more or fewer values, or qualities, than times, for people; empty: there is none. Which value
    belongs to which time is then unknown, in the other columns of that block, too."""
    for series, column in known:
        times, values = len(column.times_us), len(column.values)
        qualities = times if isinstance(column.quality, int) else len(column.quality)
        if not times == values == qualities:
            return f"series {series}: {times} times, {values} values, {qualities} qualities"
    return ""


def _add_count(counts: dict[str, int], sensor: str, n: int = 1) -> None:
    counts[sensor] = counts.get(sensor, 0) + n


class _Plain:
    """Collects columns into one flat parameter list and stores it in large statements."""

    def __init__(self, careful: _Careful, *, device_time: bool) -> None:
        self.careful = careful
        self.device_time = device_time
        self.flat: list[object] = []
        self.owners: list[tuple[int, str, list[tuple[int, Column]]]] = []  # (first row, sensor, columns)

    def add(self, sensor: str, known: list[tuple[int, Column]]) -> None:
        """Take in the columns of one block, each of equal lengths."""
        self.owners.append((len(self.flat) // 4, sensor, known))
        times = known[0][1].times_us
        if all(column.times_us is times for _, column in known):
            # Row order is time-major: fresh readings lie by (ts, series), so these rows append at the end.
            self._append_columns(times, known)
        else:
            for series, column in known:
                self._append_columns(column.times_us, [(series, column)])

    def _append_columns(self, times: list[int], known: list[tuple[int, Column]]) -> None:
        """Append columns with the same times to the flat list, row by row: all series of one time, then those of the next."""
        n, stride = len(times), 4 * len(known)
        flat: list[object] = [None] * (n * stride)
        for position, (series, column) in enumerate(known):
            start = 4 * position
            flat[start::stride] = [series] * n
            flat[start + 1 :: stride] = times
            flat[start + 2 :: stride] = column.values
            quality = column.quality
            flat[start + 3 :: stride] = [quality] * n if isinstance(quality, int) else quality
        self.flat += flat

    def flush(self) -> None:
        """Store what was added, in statements as large as possible; the rows of a statement that is refused go to ``careful``."""
        if not self.flat:
            return
        conn, flat, rows = self.careful.conn, self.flat, len(self.flat) // 4
        start = counted = 0
        for size in storing.APPEND_SIZES:
            while rows - start >= size:
                chunk = flat if size == rows else flat[4 * start : 4 * (start + size)]
                try:
                    storing.append(conn, chunk, size)
                except _ROW_ERRORS:
                    # SQLite undoes the statement as a whole. Row by row at once, before any later row: the first stays.
                    self._count_stored(counted, start)
                    self._store_refused(start, start + size)
                    counted = start + size
                start += size
        self._count_stored(counted, rows)
        self.flat, self.owners = [], []

    def _hand_overs(self, low: int, high: int) -> Iterator[_Part]:
        """What the rows [low, high) hold of each hand-over."""
        ends = [first for first, _, _ in self.owners[1:]] + [len(self.flat) // 4]
        for (first, sensor, known), end in zip(self.owners, ends, strict=True):
            a, b = max(low, first), min(high, end)
            if a < b:
                yield _Part(a, b, sensor, known, is_whole=(a, b) == (first, end))

    def _store_refused(self, low: int, high: int) -> None:
        for part in self._hand_overs(low, high):
            rows = self.flat[4 * part.begin : 4 * part.end]
            self.careful.store_rows(part.sensor, rows, device_time=self.device_time)

    def _count_stored(self, low: int, high: int) -> None:
        """Count the rows [low, high), which are stored. Call it in the order of storing, because the last is the newest."""
        result = self.careful.result
        for part in self._hand_overs(low, high):
            result.stored += part.end - part.begin
            _add_count(result.by_sensor, part.sensor, part.end - part.begin)
            if part.is_whole:
                for series, column in part.known:
                    quality = column.quality if isinstance(column.quality, int) else column.quality[-1]
                    result.newest[series] = (column.times_us[-1], column.values[-1], quality)
            else:
                flat: list[Any] = self.flat[4 * part.begin : 4 * part.end]
                result.newest.update(zip(flat[::4], zip(flat[1::4], flat[2::4], flat[3::4], strict=True), strict=True))


class _Part(NamedTuple):
    """Rows [begin, end) of ``_Plain.flat`` that belong to one hand-over; ``is_whole``: they are all that it has."""

    begin: int
    end: int
    sensor: str
    known: list[tuple[int, Column]]
    is_whole: bool


class _Careful:
    """Row by row, for readings that are late, collide, or cannot be stored."""

    def __init__(self, conn: sqlite3.Connection, frontier: Frontier, result: Appended, retrying: bool) -> None:
        self.conn = conn
        self.frontier = frontier
        self.result = result
        self.retrying = retrying
        self.marks: set[tuple[int, int]] = set()
        # series -> from where to where readings were moved last: every microsecond there is taken
        self._taken_runs: dict[int, tuple[int, int]] = {}

    def store_columns(self, sensor: str, known: list[tuple[int, Column]], *, device_time: bool) -> None:
        """Store the columns of one block, each of equal lengths."""
        for series, column in known:
            quality = column.quality
            qualities = [quality] * len(column.times_us) if isinstance(quality, int) else quality
            for ts, value, q in zip(column.times_us, column.values, qualities, strict=True):
                self.store(sensor, series, ts, value, q, device_time=device_time)

    def store_rows(self, sensor: str, flat: list[object], *, device_time: bool) -> None:
        for start in range(0, len(flat), 4):
            series, ts, value, quality = flat[start : start + 4]
            self.store(sensor, series, ts, value, quality, device_time=device_time)  # type: ignore[arg-type]  # as flattened by _Plain

    def store(self, sensor: str, series: int, ts: int, value: float | None, quality: int, *, device_time: bool) -> None:
        """Store one reading, or count why it is not stored. One below the edge marks its minute dirty."""
        result = self.result
        try:
            cut = self.frontier.cuts_us.get(series)
            if cut is not None and ts < cut:
                _add_count(result.too_old, sensor)
                return
            stored_at: int | None = ts
            if not storing.insert(self.conn, self.frontier, series, ts, value, quality):
                stored_at = self._store_beside(sensor, series, ts, value, quality, device_time)
            if stored_at is None:
                return
        except _ROW_ERRORS as error:
            _add_count(result.poisoned, sensor)
            result.poison_example = f"series {series}, ts {ts!r}, value {value!r}, quality {quality!r}: {error}"
            return
        result.stored += 1
        _add_count(result.by_sensor, sensor)
        result.newest[series] = (stored_at, value, quality)
        if stored_at < self.frontier.edge_us:
            result.late += 1
            self.marks.add((series, stored_at - stored_at % MINUTE_US))

    def _store_beside(
        self, sensor: str, series: int, ts: int, value: float | None, quality: int, device_time: bool
    ) -> int | None:
        """Deal with a reading whose time is taken. Returns the time under which it is stored; None: it is counted as repeated
        or as a conflict. Raises ValueError if no later microsecond is free."""
        same = self._is_there(series, ts, value)
        if same and (device_time or self.retrying):
            self.result.repeated += 1
            return None
        if device_time:
            _add_count(self.result.conflicts, sensor)
            return None
        # After a backward clock step a dense stream may have taken many microseconds in a row: look ever further, and what
        # comes next begins where the search before has ended.
        begin, end = self._taken_runs.get(series, (ts, ts))
        if self.retrying or not begin <= ts <= end:
            begin = end = ts
        ts, step = end, 1
        for attempt in range(1, 1000):
            ts += step
            if storing.insert(self.conn, self.frontier, series, ts, value, quality):
                self.result.shifted += 1
                self._taken_runs[series] = (begin, ts)
                return ts
            if self.retrying and self._is_there(series, ts, value):
                self.result.repeated += 1  # the earlier attempt moved it here
                return None
            if attempt % 16 == 0:
                step *= 2
        raise ValueError(f"no free microsecond found up to {ts}")

    def _is_there(self, series: int, ts: int, value: float | None) -> bool:
        found = storing.find(self.conn, self.frontier, series, ts)
        return found is not None and found[0] == value

    def mark_dirty(self) -> None:
        outdated.mark_minutes(self.conn, self.frontier, sorted(self.marks))
