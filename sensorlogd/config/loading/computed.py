"""Validates ``computed:``: each entry by itself, then together with the sensors."""

from __future__ import annotations

from collections.abc import Mapping

from sensorlogd.config import computed
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.values import Values
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.text.tree import Where


class Computed:
    """Validates computed sensors. ``sensors``: the valid sensors. ``failed``: those whose driver cannot be loaded, so that their
    channels are unknown."""

    def __init__(
        self, document: Document, values: Values, sensors: Mapping[str, SensorOptions], failed: Mapping[str, str]
    ) -> None:
        self._document = document
        self._values = values
        self._sensors = sensors
        self._failed = failed

    def valid(self, shared_labels: Mapping[str, str], *, all_known: bool) -> dict[str, ComputedOptions]:
        """The computed sensors that are valid; the mistakes of the others are noted. References to sensors are checked only if
        ``all_known``: every sensor is valid or among the failed ones."""
        found = self._values.entries("computed", ComputedOptions)
        for name, options in found.items():
            self._check_entry(name, options)
            found[name] = options.model_copy(update={"labels": {**shared_labels, **options.labels}})
        if not all_known:
            return found
        completed, mistakes = computed.complete(found, self._sensors, self._failed)
        if len(found) == len(self._document.mapping("computed")):
            for mistake in mistakes:
                self._document.error(mistake.where, mistake.problem)
        return completed

    def _check_entry(self, name: str, options: ComputedOptions) -> None:
        where: Where = ("computed", name)
        if name in self._sensors or name in self._failed:
            first = self._document.position(("sensors", name), key=True)
            problem = f"is the name of a sensor already, at {first.file}:{first.line}; give it another name"
            self._document.error(where, problem, key=True)
        if not options.channels:
            problem = "has no channels; name at least one under channels:, with its formula:"
            self._document.error(where, problem, key=True)
