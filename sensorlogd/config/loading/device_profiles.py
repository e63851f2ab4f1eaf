"""Reads the profiles that sensors and templates name: from the file itself, from folders beside it, and from the package."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sensorlogd.config import profiles
from sensorlogd.config.loading.document import Document
from sensorlogd.config.text.tree import Mark
from sensorlogd.config.validation.names import closest


class DeviceProfiles:
    """The profiles read so far. ``by_name``: profile -> the keys of a sensor in it. ``own``: those that are the user's, not the
    package's."""

    def __init__(self, document: Document) -> None:
        self.by_name: dict[str, Any] = dict(document.mapping("profiles"))
        self.own = dict(self.by_name)
        self._document = document

    @cached_property
    def _available(self) -> dict[str, profiles.Profile]:
        """Every profile that there is; the folders are searched only when a profile is named."""
        return profiles.available(self._document.base_dir)

    def read(self, templates: dict[str, Any], sensors: dict[str, Any]) -> None:
        """Read the profiles that these templates and sensors name."""
        for place, name, wanted in self._named(templates, sensors):
            if isinstance(wanted, str) and wanted in self._available:
                self._read_profile(self._available[wanted])
            else:
                hint = closest(str(wanted), self._available) or "; 'sensorlogd profiles' lists them"
                self._document.error((place, name, "profile"), f"unknown profile {wanted!r}{hint}")

    def _named(self, templates: dict[str, Any], sensors: dict[str, Any]) -> Iterator[tuple[str, str, object]]:
        """(section, entry, what is written there) of every entry that names a profile which has not been read yet."""
        for place, entries in (("templates", templates), ("sensors", sensors)):
            for name, entry in entries.items():
                wanted = entry.get("profile") if isinstance(entry, dict) else None
                if wanted is not None and not (isinstance(wanted, str) and wanted in self.by_name):
                    yield place, name, wanted

    def _read_profile(self, profile: profiles.Profile) -> None:
        """Read one profile; a file that is none is noted as a mistake."""
        tree = self._document.read(profile.path)
        sensor = tree.data.get("sensor") if tree is not None and isinstance(tree.data, dict) else None
        if tree is None or not isinstance(sensor, dict):
            problem = "a profile has the keys title:, source: and sensor: (with the keys of a sensor)"
            self._document.error_at(Mark(profile.path), "", problem)
            return
        self.by_name[profile.name] = sensor
        self._document.graft(("profiles", profile.name), tree, ("sensor",))
        if profile.own:
            self._document.files.append(profile.path)
            self.own[profile.name] = sensor
