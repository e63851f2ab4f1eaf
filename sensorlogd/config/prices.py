"""The model of ``prices:``: what a unit of something that a counter counts costs, and since when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field, field_validator, model_validator

from sensorlogd.config.models import Section
from sensorlogd.config.models.values import Finite, ShortText
from sensorlogd.prices import Rate, Tariff

_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})", re.ASCII)
Text = Annotated[ShortText, Field(min_length=1)]


def _hours(text: str) -> list[int]:
    """The hours of the day in a range, e.g. 22, 23, 0, 1 in ``22-2``."""
    begin, end = map(int, text.split("-"))
    return [hour % 24 for hour in range(begin, end if end > begin else end + 24)]


class RateOptions(Section):
    """The price from a day on, until the day of the next entry."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: date = Field(alias="from", description="the first day of it, e.g. 2026-01-01, in the zone of the configuration")
    price: Finite | None = Field(None, description="of a unit")
    hours: dict[str, Finite] = Field(default_factory=dict, description="other prices by the hour of the day, e.g. {22-6: 0.21}")
    by: Text | None = Field(None, description="a series (sensor.channel) whose values are the price, instead")

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, value: dict[str, float]) -> dict[str, float]:
        for text in value:
            found = _HOURS.fullmatch(text)
            begin, end = (int(found[1]), int(found[2])) if found is not None else (0, 0)
            if begin == end or begin > 23 or end > 24:
                raise ValueError(f"{text!r} is not a range of hours; write e.g. 22-6 or 6-22")
        taken: dict[int, str] = {}
        for text in value:
            for hour in _hours(text):
                other = taken.setdefault(hour, text)
                if other != text:
                    raise ValueError(f"{text}: {hour}:00 is in {other}, too, and has one price; let one of them end earlier")
        return value

    @model_validator(mode="after")
    def _check_price(self) -> RateOptions:
        if (self.price is None) == (self.by is None):
            raise ValueError(f"say either price: or by:; {'neither' if self.price is None else 'both'} is given")
        if self.hours and self.price is None:
            raise ValueError("hours: goes with price:, which holds in all others, and by: is given; leave hours: out")
        return self

    def rate(self) -> Rate:
        """The rate as answers compute with it: ``hours`` as (first hour, hour after the last, price), 0 to 24, in the order of the
        configuration; 22-6 stays (22, 6, price), over midnight."""
        ranges = [(found[1], found[2], price) for text, price in self.hours.items() if (found := _HOURS.fullmatch(text))]
        return Rate(self.since.isoformat(), self.price, tuple((int(a), int(b), price) for a, b, price in ranges), self.by)


class PriceOptions(Section):
    """The prices for some counters."""

    series: tuple[Text, ...] = Field(min_length=1, max_length=100, description="counters (sensor.channel), globs allowed")
    unit: Text = Field(description="what the price is of, e.g. kWh; what is counted is converted to it")
    currency: Annotated[str, Field(min_length=1, max_length=12)] = Field(description="shown beside what it cost, e.g. EUR")
    rates: tuple[RateOptions, ...] = Field(max_length=500, description="prices, each from a day on")

    @field_validator("series", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("rates")
    @classmethod
    def _check_days(cls, value: tuple[RateOptions, ...]) -> tuple[RateOptions, ...]:
        if not value:
            raise ValueError("there is no price; write e.g. - {from: 2026-01-01, price: 0.34}")
        days = [rate.since for rate in value]
        twice = next((day for index, day in enumerate(days) if day in days[:index]), None)
        if twice is not None:
            raise ValueError(f"two prices begin on {twice}; leave one of them out, or change its from:")
        return value


def tariffs(prices: Mapping[str, PriceOptions]) -> tuple[Tariff, ...]:
    """The tariffs by name, in the form that ``sensorlogd.prices`` computes with."""
    return tuple(
        Tariff(
            name,
            price.series,
            price.unit,
            price.currency,
            tuple(rate.rate() for rate in sorted(price.rates, key=lambda rate: rate.since)),
        )
        for name, price in prices.items()
    )
