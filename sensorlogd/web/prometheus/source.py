"""The log as Prometheus sees it: a series is ``channel{sensor="...", unit="..."}`` with the labels of its sensor.

The channel is ``__name__``, made legal; where that changes it the label ``channel`` has it as it is. Readings flagged fail or
missing are not there. A query reads at most MOST_READINGS: what needs more is refused, never answered from less.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from sensorlogd.storage.query.aggregates import BASE
from sensorlogd.storage.query.log import Log
from sensorlogd.storage.query.log import Series as LogSeries
from sensorlogd.storage.query.segments import Parts
from sensorlogd.storage.rollups.compute import Snapshot
from sensorlogd.storage.rollups.rollup import FAIL, MISSING
from sensorlogd.web.prometheus.values import NAME, Labels, PromError, Samples, Stored

MOST_READINGS = 5_000_000


def legal(name: str, *, label: bool = False) -> str:
    """A name that PromQL takes."""
    text = re.sub(r"[^a-zA-Z0-9_]" if label else r"[^a-zA-Z0-9_:]", "_", name) or "_"
    return f"_{text}" if text[0].isdigit() else text


def labels_of(series: LogSeries) -> Labels:
    """Empty values are no labels."""
    name = legal(series.channel)
    found = {legal(label, label=True): value for label, value in series.labels.items() if value}
    if name != series.channel:
        found["channel"] = series.channel
    if series.unit:
        found["unit"] = series.unit
    return found | {NAME: name, "sensor": series.sensor}


class LogSource:
    """The series of a log, within one read transaction that the caller has begun."""

    def __init__(self, log: Log, *, heartbeat: bool = False) -> None:
        """``heartbeat``: a reading counts for its series' heartbeat, not for the lookback of the query."""
        self.snapshot = Snapshot.of(log.conn, "UTC")
        self.left = MOST_READINGS
        self._series = (
            [
                _LogSeries(self, one, labels_of(one), one.heartbeat_us if heartbeat else None)
                for one in log.series(("*.*",), retired=True)
            ]
            if _any(log)
            else []
        )

    def select(self, matches: Callable[[Labels], bool]) -> list[Stored]:
        return [one for one in self._series if matches(one.labels)]

    def all_labels(self) -> list[tuple[LogSeries, Labels]]:
        return [(one.series, one.labels) for one in self._series]

    def spend(self, readings: int) -> None:
        self.left -= readings
        if self.left < 0:
            raise PromError(
                f"the query needs more than {MOST_READINGS:,} readings; ask for fewer series, a shorter range, or shorter windows"
            )


def _any(log: Log) -> bool:
    return log.conn.execute("SELECT 1 FROM series LIMIT 1").fetchone() is not None


@dataclass(slots=True)
class _LogSeries:
    source: LogSource
    series: LogSeries
    labels: Labels
    lookback_us: int | None

    def window(self, after_us: int, until_us: int) -> Samples:
        times, values = array("q"), array("d")
        for rows in Parts(self.source.snapshot, self.series.id, BASE).chunks(after_us + 1, until_us + 1):
            self.source.spend(len(rows))
            for ts, value, quality in rows:
                if value is not None and quality & 15 not in (FAIL, MISSING):
                    times.append(ts)
                    values.append(value)
        return Samples(times, values)

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        self.source.spend(1)
        return Parts(self.source.snapshot, self.series.id, BASE).before(until_us + 1, until_us - after_us)
