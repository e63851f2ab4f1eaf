"""How a computed channel continues after a start: its memory is filled from the log.

The inputs of the last two heartbeats are remembered again; an integral's sum is the value of its last reading; and what the
inputs have had since that reading (a spill that was taken up, say) is computed now. Nothing is computed twice: each channel
begins after its own newest reading, and the same reading again would be known as such by its time.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sensorlogd.batch import Column
from sensorlogd.computed.channel import Key, Node
from sensorlogd.computed.engine import Engine
from sensorlogd.computed.memory import MAX_KEPT_READINGS
from sensorlogd.quality import FLAG_MASK, Flag
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.reading_tables import together
from sensorlogd.storage.reading_tables.readings import Reading, Readings

MAX_SEARCHED_ROWS = 100_000  # of all series together that are looked through


@dataclass(slots=True)
class Warmed:
    """The outcome of filling an engine with the past. ``made``: what was still to be computed. ``not_continued``: channels whose newest
    reading is further back than was looked. ``from_zero``: integrals of which nothing is stored."""

    made: list[tuple[Key, Column]] = field(default_factory=list)
    not_continued: list[Key] = field(default_factory=list)
    from_zero: list[Key] = field(default_factory=list)


def warm(
    conn: sqlite3.Connection,
    ids: Mapping[Key, int],
    moved_us: int,
    engine: Engine,
    nodes: Sequence[Node],
    seed: Callable[[Key, Reading], None],
    unscaled: Callable[[Key, float], float],
) -> Warmed:
    """Fill ``engine`` and those of its ``nodes``. ``seed``: called with the newest stored reading of each channel. Raises
    sqlite3.Error."""
    keys = {ids[key]: key for key in engine.memories if key in ids}
    nodes_by_id = {ids[node.channel.key]: node for node in nodes if node.channel.key in ids}
    stored = latest.saved_or_settled(conn, {*keys, *nodes_by_id})
    floor = together.reach(conn, MAX_SEARCHED_ROWS) or 0
    back = 2 * max((memory.heartbeat_us for memory in engine.memories.values()), default=0)
    ends = [stored[series_id][0] for series_id in nodes_by_id if series_id in stored]
    begin = min(ends) if ends else max((stored[series_id][0] for series_id in keys if series_id in stored), default=0)
    since = max(begin - back, floor)
    rows = _settled(Readings(conn, moved_us), {*keys, *nodes_by_id}, max(since, moved_us - back))
    for ts, series_id, value, quality in together.fresh(conn, rows.keys(), since, moved_us):
        rows[series_id].append((ts, value, quality))
    for series_id, key in keys.items():
        if rows[series_id]:
            engine.memories[key].insert(*map(list, zip(*rows[series_id], strict=True)))
    warmed, ends_us, after = Warmed(), {}, {}
    for series_id, node in nodes_by_id.items():
        newest = rows[series_id][-1] if rows[series_id] else stored.get(series_id)
        key = node.channel.key
        if newest is None:  # it begins with the next reading
            if node.channel.is_integral:
                warmed.from_zero.append(key)
            continue
        seed(key, newest)
        ends_us[key] = after[key] = newest[0]
        node.note_known([ts for ts, *_ in rows[series_id]])
        if newest[0] < floor and any(rows[ids[source]] for source in node.triggers if source in ids):
            warmed.not_continued.append(key)
        if node.channel.is_integral:
            last = _last_good(rows[series_id]) or together.last_good(conn, series_id, newest[0] + 1, moved_us, floor)
            if last is not None:
                node.resume(last[0], unscaled(key, last[1]))
                after[key] = last[0]
    for key, column in engine.replay(after):
        new = _not_stored_yet(column, ends_us[key])
        if new is not None:
            warmed.made.append((key, new))
    return warmed


def _settled(readings: Readings, series: Collection[int], since_us: int) -> dict[int, list[Reading]]:
    """Series -> its last settled readings from ``since_us`` on, as many as a memory keeps: the mover may have gone as far as two
    seconds before the end."""
    if since_us >= readings.moved_until_us:
        return {series_id: [] for series_id in series}
    return {series_id: readings.last_settled(series_id, since_us, MAX_KEPT_READINGS) for series_id in series}


def _last_good(rows: Sequence[Reading]) -> tuple[int, float] | None:
    return next(((ts, value) for ts, value, q in reversed(rows) if value is not None and q & FLAG_MASK != Flag.FAIL), None)


def _not_stored_yet(column: Column, end_us: int) -> Column | None:
    """The readings after ``end_us``; None: there are none."""
    index = bisect_right(column.times_us, end_us)
    if index == len(column.times_us):
        return None
    quality = column.quality if isinstance(column.quality, int) else column.quality[index:]
    return Column(column.channel, column.times_us[index:], column.values[index:], quality)
