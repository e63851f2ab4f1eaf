"""Validates ``prices:``: each entry by itself, then together with the sensors."""

from __future__ import annotations

from collections.abc import Mapping

from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.values import Values
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.prices import PriceOptions
from sensorlogd.config.validation import price_checks


class Prices:
    """The valid prices by name, in ``prices``; the mistakes of the others are noted."""

    def __init__(self, document: Document, values: Values) -> None:
        self._document = document
        self.prices = values.entries("prices", PriceOptions)

    def check(self, sensors: Mapping[str, SensorOptions], *, all_known: bool) -> None:
        """Note prices for series that are not counters. ``all_known``: ``sensors`` has every sensor of the configuration."""
        for where, problem in price_checks.mistakes(self.prices, sensors, all_known=all_known):
            self._document.error(where if self._document.has(where) else where[:-1], problem)
