"""Writes a whole configuration as one text that loads to an equal configuration on any machine."""

from __future__ import annotations

from typing import Any

import yaml

from sensorlogd.config import light
from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.keys import SECTIONS


def snapshot(document: Document, templates: dict[str, Any], sensors: dict[str, Any], own_profiles: dict[str, Any]) -> str:
    """The text of a document with everything merged into it, from before ``${ENV}`` was expanded: no secret gets into the text."""
    whole = {key: value for key, value in document.data.items() if key in SECTIONS}
    whole["base_dir"] = _literal(document.base_dir)
    if templates:
        whole["templates"] = templates
    if own_profiles:
        whole["profiles"] = own_profiles
    if sensors:
        whole["sensors"] = sensors
    whole |= {key: document.data[key] for key in ("computed", "alarms", "notify", "prices") if document.data.get(key)}
    daemon = whole.get("daemon") or {}
    if "data_dir" not in daemon and (whole.get("daemon") is None or isinstance(daemon, dict)):
        whole["daemon"] = {**daemon, "data_dir": _literal(light.default_data_dir(document.path))}
    return yaml.dump(whole, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)


def _literal(path: object) -> str:
    return str(path).replace("$", "$$")


class _PlainDumper(yaml.SafeDumper):
    """Writes YAML without anchors and aliases, since people read the snapshot, too."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
