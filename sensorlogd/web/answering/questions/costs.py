"""What counters cost: their increase in each hour times the price of that hour. Computed when it is
asked for, so that a mended reading or a corrected price counts at once.

Increases are summed by hours of UTC. Where an hour or a day of the zones begins within such an hour (Asia/Kolkata is +05:30), they
are summed by quarters of an hour, in which the offsets of all zones of today are whole."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sensorlogd.notation.microseconds import DAY_US, HOUR_US
from sensorlogd.prices import Tariff
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader, UnknownSeries
from sensorlogd.storage.series.stored import Series
from sensorlogd.web.answering.params import TimeForm, find_series
from sensorlogd.web.refusal import ApiError, bad_parameter

MAX_HOURS = 20_000
MAX_PRICE_AGE_US = 48 * HOUR_US  # a logged price holds for this long where no newer one was logged
HOUR = Step(HOUR_US)
QUARTER = Step(HOUR_US // 4)


@dataclass(frozen=True, slots=True)
class CostQuery:
    """A question for costs. ``zone``: the zone of days and months in the answer. ``home``: the zone in which the hours and days
    of prices are written."""

    patterns: list[str]
    since_us: int
    until_us: int
    every: Step
    zone: str
    home: str
    tariffs: tuple[Tariff, ...]
    form: TimeForm


@dataclass(slots=True)
class Sum:
    """What falls into one step: the increase, what its priced part cost, and the part of the increase for which no price is
    known."""

    increase: float = 0.0
    cost: float = 0.0
    unpriced: float = 0.0


@dataclass(slots=True)
class PriceSeries:
    """Prices that are logged as series, by hour. Each series is read once for a question."""

    log: LogReader
    query: CostQuery
    known: dict[str, dict[int, float]] = field(default_factory=dict)

    def price(self, name: str, at_us: int) -> float | None:
        """The mean price of the hour of ``at_us``, or the last known before it. None if there was none for two days."""
        if name not in self.known:
            self.known[name] = self._read_prices(name)
        hours = self.known[name]
        for hour_us in range(at_us - at_us % HOUR_US, at_us - MAX_PRICE_AGE_US, -HOUR_US):
            if hour_us in hours:
                return hours[hour_us]
        return None

    def _read_prices(self, name: str) -> dict[int, float]:
        """The mean price of each hour, by its begin in µs; nothing for a series that does not exist."""
        try:
            found = self.log.series([name], retired=True)
        except UnknownSeries:
            return {}
        rows = _rows(self.log, found[0], self.query.since_us - MAX_PRICE_AGE_US, self.query.until_us, HOUR, "mean", None)
        return {start: value for start, value in rows if value is not None}


def cost(log: LogReader, query: CostQuery) -> dict[str, Any]:
    """One entry for each series that has a price. Raises ApiError 400 for too long a range or too short a step."""
    if query.until_us - query.since_us > MAX_HOURS * HOUR_US:
        raise bad_parameter("since", f"the range is longer than {MAX_HOURS:,} hours; ask for the cost of a shorter one")
    if query.every.about_us < HOUR_US:
        raise bad_parameter("every", "is shorter than an hour, by which prices are known")
    announced = PriceSeries(log, query)
    entries = []
    for series in find_series(log, query.patterns, retired=True):
        tariff = next((tariff for tariff in query.tariffs if tariff.meets(series.name)), None)
        if tariff is not None and series.kind == "counter":
            entries.append(_cost_of_series(log, series, tariff, query, announced))
    return {"series": entries}


def _cost_of_series(log: LogReader, series: Series, tariff: Tariff, query: CostQuery, announced: PriceSeries) -> dict[str, Any]:
    """The increase and cost of one series in each step, as columns."""
    sums: dict[int, Sum] = {}
    home = ZoneInfo(query.home)
    whole = all(_has_whole_hours(zone, query.since_us, query.until_us) for zone in (query.home, query.zone))
    for start, rose in _rows(log, series, query.since_us, query.until_us, HOUR if whole else QUARTER, "increase", tariff.unit):
        if rose is None:
            continue
        bucket = sums.setdefault(query.every.bucket(max(start, query.since_us), query.zone)[0], Sum())
        bucket.increase += rose
        price = tariff.price(datetime.fromtimestamp(start / 1e6, home), lambda name, at=start: announced.price(name, at))  # type: ignore[misc]
        if price is None:
            bucket.unpriced += rose
        else:
            bucket.cost += rose * price
    times = sorted(sums)
    return {
        "series": series.name,
        "tariff": tariff.name,
        "currency": tariff.currency,
        "unit": tariff.unit,
        "time": [query.form(at) for at in times],
        "increase": [sums[at].increase for at in times],
        "cost": [sums[at].cost for at in times],
        "unpriced": [sums[at].unpriced for at in times],
    }


def _has_whole_hours(zone: str, since_us: int, until_us: int) -> bool:
    """Whether the offset of the zone from UTC is whole hours all through the range, looked at on each of its days."""
    info = ZoneInfo(zone)
    return all(
        datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(info).utcoffset() % timedelta(hours=1) == timedelta(0)  # type: ignore[operator]
        for at_us in (*range(since_us, until_us, DAY_US), until_us)
    )


def _rows(
    log: LogReader, series: Series, since: int, until: int, every: Step, aggregate: str, unit: str | None
) -> list[tuple[int, float | None]]:
    """A list of (begin of the step, value). Raises ApiError 400 for a unit that cannot be converted."""
    try:
        with closing(log.buckets([series], Query(since, until, every, None, (aggregate,), "UTC"), unit)) as answers:
            return [(row.start_us, row.values[0]) for _, answer in answers for row in answer.rows]
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
