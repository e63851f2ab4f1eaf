"""Lays a sensor's keys over those of its template and of its profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensorlogd.config.loading.document import Document
from sensorlogd.config.text.tree import Where
from sensorlogd.config.validation import errors as value_errors
from sensorlogd.config.validation.names import closest


class Layers:
    """Lays the keys of sensors over those of templates and profiles. ``templates`` and ``profiles``: their keys by name. What a
    sensor takes from them keeps its place in their files, for errors."""

    def __init__(self, document: Document, templates: Mapping[str, Any], profiles: Mapping[str, Any]) -> None:
        self._document = document
        self._templates = templates
        self._profiles = profiles

    def check(self) -> None:
        """Note mistakes in templates, whether they are used or not."""
        for name, template in self._templates.items():
            if not isinstance(template, dict):
                problem = f"must hold the keys of a sensor, {value_errors.found(template)}; write them below {name}:, indented"
                self._document.error(("templates", name), problem, key=True)

    def merged(self, entry: dict[str, Any], where: Where) -> dict[str, Any] | None:
        """``entry`` merged with its template and profile; None, with the mistake noted, if one of them does not exist."""
        over = self._over_template(entry, where)
        return None if over is None else self._over_profile(over, where)

    def _over_template(self, entry: dict[str, Any], where: Where) -> dict[str, Any] | None:
        """``entry`` merged with its template; None, with the mistake noted, if that cannot be used."""
        name = entry.get("template")
        if name is None:
            return entry
        template = self._templates.get(name) if isinstance(name, str) else None
        if not isinstance(template, dict):
            hint = closest(str(name), self._templates)
            known = f"; known: {', '.join(self._templates)}" if self._templates else "; there is no templates: section"
            self._document.error((*where, "template"), f"unknown template {name!r}{hint}{known}")
            return None
        if "template" in template:
            self._document.error(("templates", str(name), "template"), "a template cannot use a template")
            return None
        return self._lay_over(template, entry, where, ("templates", str(name)))

    def _over_profile(self, entry: dict[str, Any], where: Where) -> dict[str, Any] | None:
        """``entry`` merged with its profile. A channel that the entry sets to null is removed."""
        name = entry.get("profile")
        if name is None:
            return entry
        profile = self._profiles.get(name) if isinstance(name, str) else None
        if not isinstance(profile, dict):
            return None  # the mistake was noted when it was read
        merged = self._lay_over(profile, entry, where, ("profiles", name))
        if isinstance(merged.get("channels"), dict) and isinstance(profile.get("channels"), dict):
            merged["channels"] = {
                channel: options
                for channel, options in merged["channels"].items()
                if options is not None or channel not in profile["channels"]
            }
        return merged

    def _lay_over(self, below: dict[str, Any], above: dict[str, Any], where: Where, origin: Where) -> dict[str, Any]:
        """``above`` plus whatever only ``below`` has; mappings are merged at every depth. The places of values follow them."""
        merged = dict(above)
        for key, value in below.items():
            if key in ("missing", "missing_only") and "missing_only" in above:
                continue
            if key == "missing" and isinstance(value, list) and isinstance(above.get(key), list):
                merged[key] = [*above[key], *value]
            elif key not in above:
                merged[key] = value
                self._document.graft_own((*where, key), (*origin, key))
            elif isinstance(value, dict) and isinstance(above[key], dict):
                if key == "signal" or (key == "format" and "type" in above[key]):
                    continue  # a union whose forms have different keys: replaced as a whole, never mixed
                merged[key] = self._lay_over(value, above[key], (*where, key), (*origin, key))
        return merged
