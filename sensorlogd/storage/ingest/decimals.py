"""How many decimal places the values of a series have, learned from a sample: computed values are shown with as many, or two
more.

Counting the digits of every reading would cost more than storing it, so only a few are looked at: some of each series in the
first commit and every few seconds, when the table ``latest`` is due, and some of each piece of an import. The largest count
ever seen is kept in ``meta``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sensorlogd.notation import numbers
from sensorlogd.quality import FLAG_MASK, UNUSABLE
from sensorlogd.storage import meta
from sensorlogd.storage.reading_tables.readings import Reading

if TYPE_CHECKING:
    from sensorlogd.batch import Block, Column

SAMPLE = 8  # of a column
Values = Iterable[float | None]


def learn(conn: sqlite3.Connection, some: Iterable[tuple[int, Values]]) -> None:
    """``some``: (series id, values of it; what is no float is passed over). The caller owns the transaction. Raises
    sqlite3.Error."""
    found: dict[int, int] = {}
    for series, values in some:
        most = max((numbers.places(value) for value in values if isinstance(value, float)), default=-1)
        found[series] = max(found.get(series, -1), min(most, numbers.LONG + 1))
    if found:
        known = seen(conn)
        for series, most in found.items():
            if most > known.get(series, -1):
                meta.put(conn, f"{meta.SEEN_DECIMALS}{series}", str(most))


def of_newest(newest: Mapping[int, Reading]) -> Iterable[tuple[int, Values]]:
    """``newest``: series id -> (ts, value, quality)."""
    return ((series, (value,)) for series, (_, value, quality) in newest.items() if quality & FLAG_MASK not in UNUSABLE)


def of_blocks(blocks: Iterable[Block], ids: Mapping[tuple[str, str], int]) -> Iterable[tuple[int, Values]]:
    """Some of each column of a known series. ``ids``: (sensor, channel) -> series id."""
    for block in blocks:
        for column in block.columns:
            series = ids.get((block.sensor, column.channel))
            if series is not None:
                yield series, _sample_usable(column)


def spread(values: Sequence[float | None]) -> Values:
    """A sample of ``values``, spread from the first to the last."""
    return values[:: max(len(values) // SAMPLE, 1)]


def _sample_usable(column: Column) -> Values:
    quality = column.quality
    if isinstance(quality, int):
        return () if quality & FLAG_MASK in UNUSABLE else spread(column.values)
    step = max(len(quality) // SAMPLE, 1)
    some = zip(column.values[::step], quality[::step], strict=False)
    try:
        return [value for value, flag in some if flag & FLAG_MASK not in UNUSABLE]
    except TypeError:  # not a number: the insert sets this reading aside later
        return ()


def seen(conn: sqlite3.Connection) -> dict[int, int]:
    """Series id -> the most decimal places seen; ``numbers.LONG`` + 1 where the values have more than can be shown."""
    return meta.whole_numbers(conn, meta.SEEN_DECIMALS)
