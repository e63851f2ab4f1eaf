"""Reads, merges and validates a configuration, and reports every mistake at once.

One pass; each step is a module of ``loading``: read the file -> include others -> read profiles -> expand ``${ENV}`` -> validate
each section -> lay each sensor over its template and profile and validate it with its driver's model -> check what concerns several
sensors. Every step adds its mistakes to the same list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sensorlogd.config import light
from sensorlogd.config.loading.alarms import LoadedAlarms
from sensorlogd.config.loading.computed import Computed
from sensorlogd.config.loading.crosschecks import Crosschecks
from sensorlogd.config.loading.device_profiles import DeviceProfiles
from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.includes import Includes
from sensorlogd.config.loading.keys import SECTIONS, SUGGESTED, TOP_LEVEL
from sensorlogd.config.loading.layers import Layers
from sensorlogd.config.loading.prices import Prices
from sensorlogd.config.loading.sensors import DriverUnavailable, OptionsFor, Sensors
from sensorlogd.config.loading.snapshot import snapshot
from sensorlogd.config.loading.values import Values
from sensorlogd.config.models import Config, DaemonOptions
from sensorlogd.config.text.tree import ConfigError, Mark, Tree, parse, read
from sensorlogd.config.validation import errors as value_errors

__all__ = ["ConfigErrors", "DriverUnavailable", "OptionsFor", "load", "load_text"]


class ConfigErrors(Exception):
    """All mistakes of a configuration, in the order of the file."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = sorted(set(errors), key=lambda e: (str(e.mark.file), e.mark.line, e.mark.col, e.path, e.problem))
        super().__init__("\n".join(str(error) for error in self.errors))


def load(path: Path | str, options_for: OptionsFor) -> Config:
    """The configuration in ``path``. Raises ConfigErrors with all mistakes, and nothing else."""
    path = Path(path)
    errors: list[ConfigError] = []
    return _load_tree(read(path, errors), path, options_for, errors)


def load_text(text: str, path: Path, options_for: OptionsFor) -> Config:
    """The configuration in ``text``; ``path`` is what errors and relative paths refer to. Raises ConfigErrors."""
    errors: list[ConfigError] = []
    return _load_tree(parse(text, path, errors), path, options_for, errors)


def _load_tree(tree: Tree | None, path: Path, options_for: OptionsFor, errors: list[ConfigError]) -> Config:
    """The configuration in a tree; None as the tree: it could not be read. Raises ConfigErrors."""
    if tree is None:
        raise ConfigErrors(errors)
    start = Mark(path)
    if tree.data is None:
        raise ConfigErrors([*errors, ConfigError(start, "", "is empty; write a starter with: sensorlogd init")])
    if not isinstance(tree.data, dict):
        found = "a list" if isinstance(tree.data, list) else f"the text {str(tree.data)[:40]!r}"
        problem = f"holds {found}; a configuration has keys in its first column, each with a colon: {', '.join(SUGGESTED)}"
        raise ConfigErrors([*errors, ConfigError(tree.position((), start), "", problem)])
    config = _config(Document(tree, path, errors), options_for)
    if errors:
        raise ConfigErrors(errors)
    return config


def _config(document: Document, options_for: OptionsFor) -> Config:
    """Run all steps. The result may only be used if no mistake was noted meanwhile."""
    _check_keys(document)
    _take_base_dir(document)
    Includes(document).merge()
    templates, raw = document.mapping("templates"), document.mapping("sensors")
    profiles = DeviceProfiles(document)
    profiles.read(templates, raw)
    text = snapshot(document, templates, raw, profiles.own)

    values = Values(document)
    values.expand()
    sections = {key: values.section(key, model) for key, model in SECTIONS.items()}
    layers = Layers(document, templates, profiles.by_name)
    layers.check()
    sensors = Sensors(document, layers, values, options_for)
    daemon = sections["daemon"]
    shared_labels = daemon.labels if isinstance(daemon, DaemonOptions) else {}
    read = sensors.valid(raw, shared_labels)
    computed = Computed(document, values, read, sensors.failed)
    all_known = len(read) + len(sensors.failed) == len(raw)
    valid = {**read, **computed.valid(shared_labels, all_known=all_known)}

    crosschecks = Crosschecks(document, valid)
    crosschecks.ports_named_twice()
    crosschecks.former_names()
    alarms = LoadedAlarms(document, values)
    whole = len(valid) == len(raw) + len(document.mapping("computed"))
    alarms.check(valid, all_known=whole)
    prices = Prices(document, values)
    prices.check(valid, all_known=whole)
    if document.errors:  # whoever mends them wants to know this, too; by itself it is a warning, and costs its sensor only
        for name, reason in sensors.failed.items():
            document.error(("sensors", name, "driver"), reason)
    return Config(
        path=document.path,
        base_dir=document.base_dir,
        sensors=valid,
        alarms=alarms.alarms,
        notify=alarms.targets,
        prices=prices.prices,
        failed_sensors=sensors.failed,
        sources=tuple(document.files),
        text=text,
        **{key: section for key, section in sections.items() if section is not None},  # type: ignore[arg-type]
    )


def _check_keys(document: Document) -> None:
    for key, value in document.data.items():
        if key not in TOP_LEVEL:
            document.error((key,), _strange_key(key, value), key=True)


def _strange_key(key: str, value: Any) -> str:
    if isinstance(value, dict) and {"driver", "template", "profile"} & value.keys():
        return "is a sensor in the first column; sensors stand below sensors:, so indent it and all its lines by two blanks"
    return value_errors.unknown_key(key, SUGGESTED)


def _take_base_dir(document: Document) -> None:
    named = document.data.get("base_dir")
    if isinstance(named, str):
        document.base_dir = light.resolve(named, document.base_dir)
    elif named is not None:
        document.error(("base_dir",), f"must be the path of a folder, {value_errors.found(named)}; write one path")
