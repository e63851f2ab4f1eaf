"""The log as a source of Prometheus series: each is ``channel{sensor="...", unit="..."}``, with the labels of its sensor.

The channel is ``__name__``, made legal; where that changes it the label ``channel`` has it as it is. Readings flagged fail or
missing are not there. A query that would look at more readings than it may is refused, never answered from less.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from sqlite3 import DatabaseError

from sensorlogd.counters import Law
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.notation.times import format_time
from sensorlogd.quality import FLAG_MASK, UNUSABLE
from sensorlogd.storage.query.aggregates import BASE
from sensorlogd.storage.query.grid import FIRST_US, LAST_US
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.query.segments import Segments
from sensorlogd.storage.rollups.resolutions import DAY, HOUR, NAMES
from sensorlogd.storage.rollups.snapshot import Snapshot
from sensorlogd.storage.series.stored import Series as LogSeries
from sensorlogd.web.prometheus import rolled
from sensorlogd.web.prometheus.limits import Limits
from sensorlogd.web.prometheus.promql.queryable import Samples, Stored
from sensorlogd.web.prometheus.promql.values import NAME, Labels, Values
from sensorlogd.web.prometheus.tiles import Tiles, tiles_of
from sensorlogd.web.workers.damage import DamageSkipper, Lost, is_damaged_page

NO_MORE = Limits()
FEW = 10_000  # readings of a series: looked at rather than their roll-ups
LOOKED_UP_AS_READ = 20  # looking one reading up takes as long as reading this many


def legal(name: str, *, label: bool = False) -> str:
    """The name in a form that PromQL accepts."""
    text = re.sub(r"[^a-zA-Z0-9_]" if label else r"[^a-zA-Z0-9_:]", "_", name) or "_"
    return f"_{text}" if text[0].isdigit() else text


def labels_of(series: LogSeries) -> Labels:
    """The labels of a series. A label with an empty value does not exist in Prometheus."""
    name = legal(series.channel)
    found = {legal(label, label=True): value for label, value in series.labels.items() if value}
    if name != series.channel:
        found["channel"] = series.channel
    if series.unit:
        found["unit"] = series.unit
    return found | {NAME: name, "sensor": series.sensor}


def _in_calendar(us: int) -> int:
    """The time, limited to what the storage can hold. Offsets and windows of thousands of years would exceed it."""
    return max(FIRST_US, min(us, LAST_US))


class LogSource:
    """The series of a log. To be used within one read transaction, which the caller has begun."""

    def __init__(self, log: LogReader, *, heartbeat: bool = False, limits: Limits = NO_MORE) -> None:
        """``heartbeat``: a reading counts for the heartbeat of its series, instead of for the lookback of the query."""
        self.snapshot = Snapshot.of(log.conn, "UTC")
        self.limits = limits
        self.looked_at = 0
        self.lost: list[Lost] = []
        self._expired: dict[str, int] = {}  # series with windows of expired readings -> the time from which they are kept
        self._looked_at_rolled = 0
        self._resolutions: dict[int, bool] = {}  # that answered, and whether on the bounds that were asked for
        self._series = (
            [
                _LogSeries(self, series, labels_of(series), series.heartbeat_us if heartbeat else None)
                for series in log.series(("*.*",), retired=True)
            ]
            if log.has_series()
            else []
        )

    def select(self, matches: Callable[[Labels], bool]) -> list[Stored]:
        return [known for known in self._series if matches(known.labels)]

    def all_labels(self) -> list[tuple[LogSeries, Labels]]:
        """Every series of the log, retired ones too, with its labels as Prometheus names them."""
        return [(known.series, known.labels) for known in self._series]

    def spend(self, readings: int) -> None:
        """Count readings that were looked at. Raises PromError when they become too many."""
        self.looked_at += readings
        self.limits.check_readings(self.looked_at)

    def notes(self) -> dict[str, list[str]]:
        """The remarks of the answer: ``warnings`` and ``infos``."""
        warnings = [
            f"{stretch.series} cannot be read from {format_time(stretch.since_us)} to {format_time(stretch.until_us)}: the file is damaged"
            for stretch in self.lost[:20]
        ]
        warnings += [
            f"the readings of {name} before {format_time(kept_from_us)} have expired: windows that begin earlier were computed from"
            " what is left"
            for name, kept_from_us in list(self._expired.items())[:20]
        ]
        return {"warnings": warnings, "infos": self._about_rollups()}

    def source_kind(self) -> str | None:
        """Where the values came from, for ``X-Sensorlogd-Source``. None: nothing was read from the log."""
        if self._resolutions:
            return "rollups+readings" if self.looked_at else "rollups"
        return "readings" if self.looked_at else None

    def spend_rolled(self, rows: int) -> None:
        """Count rows of roll-ups, and of readings where there are no roll-ups yet. Raises PromError."""
        self.limits.check_readings(self.looked_at + self._looked_at_rolled + rows)
        self._looked_at_rolled += rows

    def note_expired(self, name: str, kept_from_us: int) -> None:
        """Note that a window of readings of this series begins before ``kept_from_us``, from where on they are kept."""
        self._expired[name] = kept_from_us

    def note_rolled(self, tiles: Tiles) -> None:
        """Note that a series was answered from roll-ups."""
        self._resolutions[tiles.resolution] = self._resolutions.get(tiles.resolution, True) and tiles.is_exact()

    def _about_rollups(self) -> list[str]:
        sentences = []
        for resolution, exact in sorted(self._resolutions.items()):
            moved = "" if exact else f"; bounds of windows are moved to whole {NAMES[resolution]}"
            sentences.append(
                f"answered from roll-ups of {NAMES[resolution]}: a reading on the bound of a window counts to the window"
                f" that begins there{moved}"
            )
        return sentences


@dataclass(slots=True)
class _LogSeries:
    """One series of the log, as the engine reads it."""

    source: LogSource
    series: LogSeries
    labels: Labels
    lookback_us: int | None
    _held: Segments | None = None
    _counted: tuple[int, int, int] = (0, 0, 0)  # after, until, readings

    @property
    def counter(self) -> Law | None:
        return self.source.snapshot.rules_of(self.series.id) if self.series.kind == "counter" else None

    def window(self, after_us: int, until_us: int) -> Samples:
        after_us, until_us = _in_calendar(after_us), _in_calendar(until_us)
        if self._has_expired(after_us):
            self.source.note_expired(self.series.name, self._segments().cut_us(0) or 0)
        try:
            return self._read_window(after_us, until_us)
        except DatabaseError as error:
            if not is_damaged_page(error):
                raise
        return self._around_damage(after_us, until_us)

    def _read_window(self, after_us: int, until_us: int) -> Samples:
        """The usable readings in (after, until]. Raises PromError, or DatabaseError for a damaged file."""
        times, values = array("q"), array("d")
        for rows in self._segments().chunks(after_us + 1, until_us + 1):
            self.source.spend(len(rows))
            for ts, value, quality in rows:
                if value is not None and quality & FLAG_MASK not in UNUSABLE:
                    times.append(ts)
                    values.append(value)
        return Samples(times, values)

    def _around_damage(self, after_us: int, until_us: int) -> Samples:
        """The readings that can be read of a damaged file. The ranges that cannot become warnings of the answer."""

        def rows(since_us: int, before_us: int) -> list[tuple[int, float]]:
            some = self._read_window(since_us - 1, before_us - 1)
            return list(zip(some.times, some.values, strict=True))

        skipper = DamageSkipper(self.series.name, self.source.lost)
        found = skipper.read(rows, after_us + 1, until_us + 1)
        return Samples(array("q", (ts for ts, _ in found)), array("d", (value for _, value in found)))

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        self.source.spend(1)
        if after_us < FIRST_US or until_us > LAST_US:  # asked first: there is one look-up for each instant
            after_us, until_us = _in_calendar(after_us), _in_calendar(until_us)
        return self._segments().before(until_us + 1, until_us - after_us)

    def rolled(self, function: str, ends: Sequence[int], length_us: int) -> Values | None:
        """The values of a function in windows, from roll-ups: one for each end, or one if all ends are the same. None if they
        have to be computed from readings."""
        if function not in rolled.FUNCTIONS:
            return None
        if len(ends) > 1 and ends[0] == ends[1]:  # all instants look at the same
            ends = ends[:1]
        if ends[0] - length_us < FIRST_US or ends[-1] > LAST_US:
            return None
        tiles = tiles_of(ends, length_us)
        if tiles is None or self._is_little(ends[0] - length_us, ends[-1]):
            return None
        try:
            found = rolled.Rolled(self.source.snapshot, self.series.id, tiles, self.source.spend_rolled).values(function)
        except rolled.NotInRollUps:
            return None
        except DatabaseError as error:
            if not is_damaged_page(error):
                raise
            return None  # readings may be whole, or tell what is not
        self.source.note_rolled(tiles)
        return found

    def is_to_look_up(self, ends: Sequence[int], lookback_us: int) -> bool:
        if self._has_expired(_in_calendar(ends[0] - lookback_us)):
            return True  # roll-ups still have the last reading of each of their buckets
        between = self._count_stored(_in_calendar(ends[0]), _in_calendar(ends[-1]))
        return between > LOOKED_UP_AS_READ * len(ends)

    def _is_little(self, after_us: int, until_us: int) -> bool:
        """Whether the readings are few enough to be used instead of roll-ups: they give exactly the answer of Prometheus."""
        return not self._has_expired(after_us) and self._count_stored(after_us, until_us) <= FEW

    def _has_expired(self, since_us: int) -> bool:
        """Whether readings from this time on have been removed by the retention."""
        kept_from_us = self._segments().cut_us(0)
        return kept_from_us is not None and since_us < kept_from_us

    def _count_stored(self, after_us: int, until_us: int) -> int:
        """About how many readings there are in the range, before the edge."""
        if (after_us, until_us) != self._counted[:2]:
            resolution = DAY if until_us - after_us > 20 * DAY_US else HOUR
            self._counted = (after_us, until_us, self.source.snapshot.rolled_up(self.series.id, resolution, after_us, until_us))
        return self._counted[2]

    def _segments(self) -> Segments:
        if self._held is None:
            self._held = Segments(self.source.snapshot, self.series.id, BASE)
        return self._held
