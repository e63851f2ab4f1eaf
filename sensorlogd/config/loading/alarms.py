"""The named entries of ``alarms:`` and ``notify:``, each by itself and then together with the sensors."""

from __future__ import annotations

from collections.abc import Mapping

from sensorlogd.config.alarms import AlarmOptions, TargetOptions
from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.values import Values
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.validation import alarm_checks


class Alarms:
    """``alarms`` and ``targets``: those that are right by themselves; the mistakes of the others are noted."""

    def __init__(self, document: Document, values: Values) -> None:
        self._document = document
        self.alarms = values.entries("alarms", AlarmOptions)
        self.targets = values.entries("notify", TargetOptions)

    def check(self, sensors: Mapping[str, SensorOptions], *, all_known: bool) -> None:
        """Whether the series that alarms are for are there, and the targets that they name. ``all_known``: ``sensors`` are all
        that there are."""
        targets = self._document.mapping("notify")  # with those that have mistakes: they are named rightly
        for where, problem in alarm_checks.mistakes(self.alarms, targets, sensors, all_known=all_known):
            self._document.error(where, problem)
