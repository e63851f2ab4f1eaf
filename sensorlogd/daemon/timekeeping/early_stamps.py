"""Readings that were stamped before it was known what time to expect.

Sensors do not wait for the database, and what time was believed last stands in the database. Until it is open, readings
get the wall clock's time as it is. If that turns out to lie in the past, they would be stored months before their time,
or refused for being older than what retention keeps. They have not been stored yet: they wait in the inbox. So what each
of them is wrong by is worked out once the time expected is known, and they are shifted to the stamps they would have got.
"""

from __future__ import annotations

from sensorlogd.batch import Block, Column
from sensorlogd.quality import Test

TOLERANCE_NS = 500_000_000  # a stamp that was taken is moved to a free microsecond, or a driver dates it back a little
MARK = int(Test.CLOCK_UNSYNCED)


class EarlyStamps:
    """Stretches of the wall clock between two steps. Guarded by the clock's lock, but for ``correction_us``."""

    def __init__(self) -> None:
        self._stretches: list[tuple[int, int, int]] = []  # wall clock at its begin and end, minus the steady clock; ns
        self._shifts: tuple[tuple[int, int, int], ...] = ()  # from, until, what to add; µs

    def note(self, wall_ns: int, difference_ns: int, *, stepped: bool) -> None:
        """Record what the wall clock shows now, and by how much it is ahead of the steady clock. ``stepped``: the wall clock was
        set."""
        if stepped and self._stretches:
            begin, end, since = self._stretches[-1]  # it held until now, also for readings stamped after the last poll
            self._stretches[-1] = (begin, max(end, wall_ns - difference_ns + since), since)
        if stepped or not self._stretches:
            self._stretches.append((wall_ns, wall_ns, difference_ns))
        begin, _, since = self._stretches[-1]
        self._stretches[-1] = (begin, wall_ns, since)

    def settle(self, steady_ns: int, offset_ns: int, behind_ns: int) -> None:
        """The time is known from now on: steady clock + ``offset_ns``. Stamps that are wrong by more than ``behind_ns`` into the
        past are to be shifted."""
        if self._stretches:
            begin, end, difference = self._stretches[-1]
            self._stretches[-1] = (begin, max(end, steady_ns + difference), difference)
        self._shifts = tuple(
            ((begin - TOLERANCE_NS) // 1000, (end + TOLERANCE_NS) // 1000, (offset_ns - difference) // 1000)
            for begin, end, difference in self._stretches
            if offset_ns - difference > behind_ns
        )
        self._stretches.clear()

    def passed_again(self, wall_ns: int) -> None:
        """Readings are stamped with the wall clock, which shows this: what it shows now is not early any more."""
        if self._shifts and any(wall_ns // 1000 <= until for _, until, _ in self._shifts):
            self._shifts = ()

    def correction_us(self, stamp_us: int) -> int:
        """What to add to a stamp of the host; 0 for all but early ones. Any thread."""
        for begin, until, shift in self._shifts:
            if begin <= stamp_us <= until:
                return shift
        return 0

    def corrected(self, block: Block) -> Block:
        """``block`` with its early stamps shifted and marked clock_unsynced; the same object where there are none."""
        if not self._shifts or block.device_time:
            return block
        shifted: dict[int, list[int]] = {}  # columns that share their times go on sharing them
        columns = []
        changed = False
        for column in block.columns:
            times = shifted.get(id(column.times_us))
            if times is None:
                times = [ts + self.correction_us(ts) for ts in column.times_us]
                shifted[id(column.times_us)] = times
            if times == column.times_us:
                columns.append(column)
                continue
            changed = True
            columns.append(Column(column.channel, times, column.values, _quality_marked(column, times)))
        return Block(block.sensor, columns, block.device_time) if changed else block


def _quality_marked(column: Column, times: list[int]) -> int | list[int]:
    """The quality of the column, with the flag clock_unsynced where a time was shifted."""
    moved = [new != old for new, old in zip(times, column.times_us, strict=True)]
    quality = column.quality
    if isinstance(quality, int):
        if all(moved):
            return quality | MARK
        quality = [quality] * len(moved)
    return [flags | MARK if is_moved else flags for flags, is_moved in zip(quality, moved, strict=True)]
