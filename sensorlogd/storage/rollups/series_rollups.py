"""The roll-ups of one series while they are computed: what is stored, overlaid with what was computed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sensorlogd.notation.microseconds import MINUTE_US, SECOND_US
from sensorlogd.storage.rollups import resolutions, rollup
from sensorlogd.storage.rollups.resolutions import DAY, FIXED, HOUR, MINUTE, QUARTER
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.rollups.snapshot import Key, Minutes, Row, Snapshot, append_minutes, settled_minutes

COARSER = (QUARTER, HOUR, DAY)

_FIELDS = ", ".join(RollUp._fields)
STORED = f"SELECT start, {_FIELDS} FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ? AND start < ? ORDER BY start"


class SeriesRollups:
    """Roll-ups of one series: the stored ones, overlaid with what this call has computed (None: nothing is left in it).

    ``all_from_us``: from here on whatever there is was computed by this call.
    """

    def __init__(self, snapshot: Snapshot, series: int, all_from_us: int | None = None) -> None:
        self.snapshot = snapshot
        self.series = series
        self.rules = snapshot.rules_of(series)
        self.all_from_us = all_from_us
        self._computed: dict[int, dict[int, RollUp | None]] = {resolution: {} for resolution in (*FIXED, DAY)}

    def replace_minutes(self, minutes: Mapping[int, RollUp | None]) -> None:
        """Minutes that were computed elsewhere, from readings; None: nothing is left in it."""
        self._computed[MINUTE].update(minutes)

    def close(self, minutes: Iterable[int], old_edge_us: int, new_edge_us: int) -> None:
        """Compute the coarser buckets that end in (old_edge, new_edge] and hold one of ``minutes`` or touch the old edge."""
        begun = [old_edge_us - MINUTE_US, *minutes]
        for resolution in COARSER:
            closed_us = self.snapshot.closed_until(self.series, resolution, old_edge_us)
            for start, end in self._buckets(begun, resolution):
                if closed_us < end <= new_edge_us:
                    self.compute(resolution, start, end)

    def _buckets(self, minutes: Sequence[int], resolution: int) -> list[tuple[int, int]]:
        """Each bucket that holds one of ``minutes``, which are in order."""
        found: list[tuple[int, int]] = []
        end = None
        for minute in minutes:
            if end is None or minute >= end:
                bucket = resolutions.bucket(minute, resolution, self.snapshot.zone)
                end = bucket[1]
                found.append(bucket)
        return found

    def compute(self, resolution: int, start_us: int, end_us: int, *, partly: bool = False) -> bool:
        """False: it cannot be computed any more; what is stored stays. ``partly``: of a day, what is left of it will do."""
        source = self._choose_source(resolution, start_us, end_us, partly)
        if source is None:
            return False
        parts = self._stored_parts(source, start_us, end_us) if source else list(self._roll_up_readings(start_us, end_us))
        self._computed[resolution][start_us] = rollup.merge_all(parts, self.rules) if parts else None
        return True

    def _choose_source(self, resolution: int, start_us: int, end_us: int, partly: bool) -> int | None:
        """The coarsest finer resolution (0: readings) of which all that makes up this bucket is kept; ``partly``: else what
        reaches back furthest."""
        coarsest = resolutions.children(start_us, end_us, resolution)
        if self.all_from_us is not None and start_us >= self.all_from_us:
            return coarsest or 0
        choices = [finer for finer in reversed(FIXED) if coarsest is not None and finer <= coarsest] + [0]
        kept = {choice: self.snapshot.kept_from(self.series, choice) for choice in choices}
        for choice, kept_from in kept.items():
            if kept_from is None or kept_from <= start_us:
                return choice
        if not partly:
            return None
        best = min(choices, key=lambda choice: kept[choice] or 0)
        return best if (kept[best] or 0) < end_us else None

    def _stored_parts(self, resolution: int, start_us: int, end_us: int) -> list[RollUp]:
        """The roll-ups of ``resolution`` in a bucket: what this call has computed, else what is stored; from readings where a
        stored one cannot be used."""
        width = resolution * SECOND_US
        computed = self._computed[resolution]
        starts = range(start_us, end_us, width)
        whole = self.all_from_us is not None and start_us >= self.all_from_us
        if not whole and not all(start in computed for start in starts):
            found: dict[int, RollUp | None] = {
                row[0]: RollUp._make(row[1:])
                for row in self.snapshot.conn.execute(STORED, (self.series, resolution, start_us, end_us))
            }
            if any(part is not None and part.n and part.last_ts is None for part in found.values()):
                # Not a row that sensorlogd wrote: somebody edited the file. One such row must not end the aggregator.
                return list(self._roll_up_readings(start_us, end_us))
            computed = found | {start: computed[start] for start in starts if start in computed}
        return [part for part in map(computed.get, starts) if part is not None]

    def _roll_up_readings(self, start_us: int, end_us: int) -> Iterator[RollUp]:
        for times, values, qualities in self.snapshot.columns(self.series, start_us, end_us):
            yield rollup.of(times, values, qualities, self.rules)

    def heal(self, minutes: list[int], edge_us: int, fresh: Minutes) -> tuple[list[Row], list[Key]]:
        """Compute dirty ``minutes`` and the buckets around them that end at or before the edge; ``fresh``: those of fresh readings.
        Returns (rows to store, keys of buckets in which nothing is left)."""
        healed: list[tuple[Key, RollUp | None]] = []
        kept_from = self.snapshot.kept_from(self.series, 0)
        if kept_from is not None:  # where readings have expired the roll-ups stay
            minutes = [minute for minute in minutes if minute >= kept_from]
        for first, last in _runs(minutes):
            found: dict[int, RollUp | None] = dict.fromkeys(range(first, last, MINUTE_US))
            whole = settled_minutes(self.snapshot, self.series, first, last)
            append_minutes(whole, ((start, fresh[start]) for start in found if start in fresh), self.rules)
            found.update(whole)
            self.replace_minutes(found)
            healed += (((self.series, MINUTE, start), whole) for start, whole in found.items())
        for resolution in COARSER:
            for start, end in self._buckets(minutes, resolution):
                if end <= edge_us and self.compute(resolution, start, end):
                    healed.append(((self.series, resolution, start), self._computed[resolution][start]))
        return (
            [(*key, *whole) for key, whole in healed if whole is not None and self.snapshot.is_kept(*key)],
            [key for key, whole in healed if whole is None],
        )

    def changes(self, after_us: int, end_us: int) -> tuple[list[Row], list[Key]]:
        """What differs between the stored buckets that end in (after, end] and the computed ones: (rows to store, keys to
        delete)."""
        rows: list[Row] = []
        deletes: list[Key] = []
        for resolution in (*FIXED, DAY):
            since = after_us - resolution * SECOND_US + 1
            if resolution == DAY:
                since, following = resolutions.bucket(after_us, resolution, self.snapshot.zone)
                if not self.snapshot.is_kept(self.series, 0, since):
                    since = following  # a day whose first readings have expired stays as it is
            until = end_us if resolution == DAY else end_us - resolution * SECOND_US + 1
            stored = self._stored(resolution, since, until)
            for start, whole in self._computed[resolution].items():
                if since <= start < until:
                    before = stored.pop(start, None)
                    if whole is None:
                        if before is not None:
                            deletes.append((self.series, resolution, start))
                    elif before != whole and self.snapshot.is_kept(self.series, resolution, start):
                        rows.append((self.series, resolution, start, *whole))
            deletes += ((self.series, resolution, start) for start in stored)
        return rows, deletes

    def changes_of_day(self, begin_us: int, end_us: int, from_us: int) -> tuple[list[Row], list[Key]]:
        """As ``changes``, of the day [begin, end), which is computed from what is left of it; stored ones that begin before
        ``from_us`` stay. Nothing, if it cannot be computed any more."""
        if not self.compute(DAY, begin_us, end_us, partly=True):
            return [], []
        stored = self._stored(DAY, begin_us, end_us)
        whole = self._computed[DAY][begin_us]
        rows: list[Row] = []
        if whole is not None and stored.pop(begin_us, None) != whole and self.snapshot.is_kept(self.series, DAY, begin_us):
            rows.append((self.series, DAY, begin_us, *whole))
        return rows, [(self.series, DAY, start) for start in stored if start >= from_us]

    def _stored(self, resolution: int, since_us: int, until_us: int) -> dict[int, Row]:
        """Start -> stored roll-up, of those that begin in [since, until)."""
        found = self.snapshot.conn.execute(STORED, (self.series, resolution, since_us, until_us))
        return {row[0]: row[1:] for row in found}

    def rows(self) -> list[Row]:
        """What was computed and is kept."""
        return [
            (self.series, resolution, start, *whole)
            for resolution, computed in self._computed.items()
            for start, whole in computed.items()
            if whole is not None and self.snapshot.is_kept(self.series, resolution, start)
        ]

    def forget(self, before_us: int) -> None:
        """Forget roll-ups before ``before_us``, which no later bucket is merged from."""
        for computed in self._computed.values():
            for start in [start for start in computed if start < before_us]:
                del computed[start]

    def forget_days(self) -> None:
        """Forget the days: nothing is merged from them."""
        self._computed[DAY].clear()


def _runs(minutes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive minutes as [first, last) spans."""
    first = last = None
    for minute in minutes:
        if last is not None and first is not None and minute == last:
            last = minute + MINUTE_US
            continue
        if first is not None and last is not None:
            yield first, last
        first, last = minute, minute + MINUTE_US
    if first is not None and last is not None:
        yield first, last
