"""What the pages have the daemon write: named views. ``{"do": "panel_save", "name", "view"}``, ``{"do": "panel_delete",
"name"}``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sensorlogd import panels
from sensorlogd.daemon.control.answers import needed


class PanelRequests:
    """The requests that save and delete named views. ``handlers``: on the thread of the control socket that acts, one after the
    other."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / panels.FILE

    def handlers(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {"panel_save": self.save, "panel_delete": self.delete}

    def save(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises PanelsError, OSError."""
        name, view = str(needed(request, "name")), str(needed(request, "view"))
        panels.save(self._path, panels.panel(name, view, time.time_ns() // 1000))
        return {}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises PanelsError, OSError."""
        panels.delete(self._path, str(needed(request, "name")))
        return {}
