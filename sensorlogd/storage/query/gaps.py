"""The gaps of a series: times longer than its heartbeat without a usable reading.

Found by bisection: a roll-up whose readings cover all from its first to its last has no pause in it, so that only the hours and
minutes that have one are looked into. A year is read as some thousand rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sensorlogd.notation.microseconds import BEGINNING_US, END_US, HOUR_US
from sensorlogd.quality import FLAG_MASK, UNUSABLE
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.segments import Segments
from sensorlogd.storage.rollups.resolutions import HOUR, MINUTE, QUARTER

# From coarse to fine: the length of the pieces that are read, and the resolutions that answer for them. Readings are the last.
LADDER = (("1h", (HOUR, QUARTER, MINUTE)), ("1min", (MINUTE,)))
PIECES_AT_ONCE = 2_000
EVER_US = END_US // 2  # as far as one looks on: what it is added to may be END_US, and the sum is to fit 64 bits


class Gap(NamedTuple):
    """A time without usable readings. ``since_us``: the last usable reading before it, or where the range begins if there is
    none. ``until_us``: the first one after it; None: there is none yet."""

    since_us: int
    until_us: int | None


def gaps(segments: Segments, since_us: int, until_us: int, least_us: int) -> Iterator[Gap]:
    """Those that touch [since, until) and are longer than ``least_us``, which is the heartbeat or more, in order of time.

    Where nothing usable came before, one begins at ``since_us``, as the asker knows of the series from then on. Where readings
    and minutes have expired, those within an hour are not seen."""
    cuts = [segments.cut_us(resolution) for resolution in (0, MINUTE, QUARTER, HOUR)]
    known_us = min(BEGINNING_US if cut is None else cut for cut in cuts)
    begin_us = max(since_us, known_us)
    if cuts[0] is not None and begin_us < cuts[0]:  # a part of an hour is not known there
        begin_us = max(begin_us - begin_us % HOUR_US, known_us)
        until_us = min(until_us + -until_us % HOUR_US, max(until_us, cuts[0]))
    before = segments.before(begin_us) if since_us >= known_us else None
    last = before[0] if before is not None else since_us if since_us >= known_us else None
    for first, end in _stretches(segments, begin_us, until_us, LADDER):
        if last is not None and first - last > least_us and first >= since_us:
            yield Gap(last, first)
        last = end
    if last is not None:
        following = segments.after(until_us, EVER_US)
        if (until_us if following is None else following) - last > least_us:
            yield Gap(last, following)


def usable(rows: Iterable[tuple[int, float | None, int]]) -> Iterator[int]:
    """When those readings of (time in µs, value, quality) were that end a gap: with a value, and not flagged fail or missing."""
    return (ts for ts, value, quality in rows if value is not None and quality & FLAG_MASK not in UNUSABLE)


def _stretches(
    segments: Segments, since_us: int, until_us: int, ladder: Sequence[tuple[str, Sequence[int]]]
) -> Iterator[tuple[int, int]]:
    """(first, last) of usable readings between which no pause is longer than the heartbeat; neighbours may be close, too."""
    if not ladder:
        for rows in segments.chunks(since_us, until_us):
            yield from ((ts, ts) for ts in usable(rows))
        return
    (step, resolutions), *finer = ladder
    edges = Step.parse(step).edges(since_us, until_us, "UTC")
    while piece := list(islice(edges, PIECES_AT_ONCE)):
        begin, end = max(piece[0][0], since_us), min(piece[-1][1], until_us)
        for _, readings, first, last, covered in segments.collect(begin, end, resolutions, piece):
            if readings:
                within = [] if covered == last - first else list(_stretches(segments, first, last + 1, finer))
                known = within and (within[0][0], within[-1][1]) == (first, last)  # else they have expired
                yield from within if known else [(first, last)]
