"""Computes what a unit (a kWh, a m³) costs, and since when: fixed, by the hour of the day, or as a series says. Pure; money is a
float."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """The price from the day ``since`` (ISO date) on: the value of the series ``by``; or ``price``, except in ``hours`` (from, to,
    price; a range may go over midnight)."""

    since: str
    price: float | None = None
    hours: tuple[tuple[int, int, float], ...] = ()
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of some counters. ``series``: globs of the counters. ``unit``: the unit that the price is for. ``rates``: in order
    of time."""

    name: str
    series: tuple[str, ...]
    unit: str
    currency: str
    rates: tuple[Rate, ...]

    def meets(self, series: str) -> bool:
        return any(fnmatch.fnmatchcase(series, glob) for glob in self.series)

    def rate(self, day: str) -> Rate | None:
        """The rate on that day (ISO date); None before the first."""
        return next((rate for rate in reversed(self.rates) if rate.since <= day), None)

    def price(self, at: datetime, price_from: Callable[[str], float | None]) -> float | None:
        """The price of a unit in the hour that begins at ``at`` (local time); None if it is not known. ``price_from``: series ->
        its value in that hour."""
        rate = self.rate(at.date().isoformat())
        if rate is None:
            return None
        if rate.by is not None:
            return price_from(rate.by)
        for begin, end, price in rate.hours:
            if begin <= at.hour < end or (begin > end and (at.hour >= begin or at.hour < end)):
                return price
        return rate.price


def of(rows: Sequence[dict[str, Any]]) -> tuple[Tariff, ...]:
    """The tariffs that ``dataclasses.asdict`` and JSON have made dictionaries of."""
    return tuple(
        Tariff(
            prices["name"],
            tuple(prices["series"]),
            prices["unit"],
            prices["currency"],
            tuple(
                Rate(rate["since"], rate["price"], tuple((a, b, price) for a, b, price in rate["hours"]), rate["by"])
                for rate in prices["rates"]
            ),
        )
        for prices in rows
    )
