"""Validates ``alarms:`` and ``notify:``: each entry by itself, then together with the sensors."""

from __future__ import annotations

from collections.abc import Mapping

from sensorlogd.config.alarms import AlarmOptions, TargetOptions
from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.values import Values
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.validation import alarm_checks


class LoadedAlarms:
    """The valid alarms and targets by name, in ``alarms`` and ``targets``; the mistakes of the others are noted."""

    def __init__(self, document: Document, values: Values) -> None:
        self._document = document
        self.alarms = values.entries("alarms", AlarmOptions)
        self.targets = values.entries("notify", TargetOptions)

    def check(self, sensors: Mapping[str, SensorOptions], *, all_known: bool) -> None:
        """Note alarms whose globs match no series, and targets that are not defined. ``all_known``: ``sensors`` has every sensor of
        the configuration."""
        targets = self._document.mapping("notify")  # also targets with mistakes: naming them is not another mistake
        for where, problem in alarm_checks.mistakes(self.alarms, targets, sensors, all_known=all_known):
            self._document.error(where, problem)
