"""Validates each sensor by itself: its name, its driver, and its keys by the driver's model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.layers import Layers
from sensorlogd.config.loading.values import Values
from sensorlogd.config.models import NAME, SensorOptions
from sensorlogd.config.text.tree import Where
from sensorlogd.config.validation import errors as value_errors


class DriverUnavailable(Exception):
    """A third-party driver cannot be loaded: only its sensors are out of service."""


# Gives the options model for a driver's name; the folder is where relative driver files are looked for.
# Raises ValueError (unknown driver, with the nearest name) or DriverUnavailable.
OptionsFor = Callable[[str, Path], type[SensorOptions]]


class Sensors:
    """Validates sensors. ``failed``: sensor -> why its driver cannot be loaded."""

    def __init__(self, document: Document, layers: Layers, values: Values, options_for: OptionsFor) -> None:
        self.failed: dict[str, str] = {}
        self._document = document
        self._layers = layers
        self._values = values
        self._options_for = options_for

    def valid(self, raw: Mapping[str, Any], shared_labels: Mapping[str, str]) -> dict[str, SensorOptions]:
        """The valid sensors by name; the mistakes of the others are noted."""
        sensors: dict[str, SensorOptions] = {}
        for name, entry in raw.items():
            self._check_name(name)
            options = self._validate(name, entry)
            if options is not None:
                sensors[name] = self._with_labels(options, shared_labels)
        return sensors

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            cure = re.sub(r"[^\w-]+", "_", name.strip()).strip("_-")[:64]
            allowed = "is not a name; use letters, digits, '_' and '-', at most 64, no dots or blanks"
            allowed += ", and no '-' in front" if name.startswith("-") else ""
            self._document.error(("sensors", name), allowed + (f", e.g. {cure}" if cure else ""), key=True)

    def _validate(self, name: str, entry: Any) -> SensorOptions | None:
        """The options of one sensor; None, with the mistakes noted, if it is not valid."""
        where: Where = ("sensors", name)
        if not isinstance(entry, dict):
            problem = (
                f"must hold keys with values, driver: at least, {value_errors.found(entry)}; write them below {name}:, indented"
            )
            self._document.error(where, problem, key=True)
            return None
        merged = self._layers.merged(entry, where)
        model = None if merged is None else self._find_model(name, merged)
        if model is None:
            return None
        options: SensorOptions | None = self._values.validated(model, merged or {}, where)
        if options is not None and not options.channel_options():
            self._document.error(where, "has no channels; name at least one under channels:", key=True)
        return options

    def _find_model(self, name: str, merged: dict[str, Any]) -> type[SensorOptions] | None:
        """The model of the driver's options; None, with the mistake noted or the sensor among ``failed``, if there is none."""
        driver = merged.get("driver")
        where: Where = ("sensors", name, "driver")
        if not isinstance(driver, str) or not driver:
            problem = "is required here and is not there; write driver: serial, driver: simulated or another"
            self._document.error(where, problem)
            return None
        try:
            return self._options_for(driver, self._document.base_dir).variant(merged)
        except DriverUnavailable as unavailable:
            self.failed[name] = str(unavailable)
        except ValueError as unknown:
            self._document.error(where, str(unknown))
        return None

    @staticmethod
    def _with_labels(options: SensorOptions, shared: Mapping[str, str]) -> SensorOptions:
        return options.model_copy(update={"labels": {**shared, **options.labels}}) if shared else options
