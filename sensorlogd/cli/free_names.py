"""Tells which names a new sensor cannot have, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensorlogd.config.models import NAME


def taken(config: Any, folder: Path, *, force: bool) -> Callable[[str], str | None]:
    """A function: name -> why it cannot be used, or None. ``force``: a file in ``folder`` may be replaced."""
    known = {} if config is None else {**config.sensors, **config.failed_sensors}
    former = {} if config is None else {options.was: name for name, options in config.sensors.items() if options.was}

    def problem(name: str) -> str | None:
        if not NAME.fullmatch(name):
            front = ", no '-' in front" if name.startswith("-") else ""
            return f"{name!r} is not a name; use letters, digits, '_' and '-', no blanks or dots{front}, e.g. greenhouse"
        file = folder / f"{name}.yaml"
        if name in known and not (force and file.exists()):
            return f"there is a sensor {name!r} already; choose another name" + (", or --force" if file.exists() else "")
        if name in former:
            return f"{name!r} was the name of the sensor {former[name]!r} before; choose another"
        if file.exists() and not force:
            return f"{file} is there already; choose another name, or --force replaces it"
        return None

    return problem
