"""What the pages have the daemon save and delete: views under a name (``sensorlogd.saved_views``). On the wire a view is a panel."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd import saved_views
from sensorlogd.daemon.control.answers import Done, Json, needed
from sensorlogd.daemon.control.request import Request


@dataclass(frozen=True, slots=True)
class SaveView(Request[Done]):
    """``view``: the part of the page's address from the ``#`` on."""

    name = "panel_save"
    view_name: str
    view: str

    def encoded(self) -> Json:
        return {"name": self.view_name, "view": self.view}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SaveView:
        return cls(str(needed(said, "name")), str(needed(said, "view")))


@dataclass(frozen=True, slots=True)
class DeleteView(Request[Done]):
    """The view of this name is not wanted any more."""

    name = "panel_delete"
    view_name: str

    def encoded(self) -> Json:
        return {"name": self.view_name}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> DeleteView:
        return cls(str(needed(said, "name")))


class SavedViewOperations:
    """Saves and deletes views in the data directory. For the operating thread of the control socket, one after the other."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / saved_views.FILE

    def handlers(self) -> Mapping[str, Callable[[Json], Json]]:
        """Name on the wire -> function from a decoded JSON object to one."""
        return {
            SaveView.name: lambda said: self.save(SaveView.of(said)).encoded(),
            DeleteView.name: lambda said: self.delete(DeleteView.of(said)).encoded(),
        }

    def save(self, request: SaveView) -> Done:
        """Raises SavedViewError, OSError."""
        saved_views.save(self._path, saved_views.saved_view(request.view_name, request.view, time.time_ns() // 1000))
        return Done()

    def delete(self, request: DeleteView) -> Done:
        """Raises SavedViewError, OSError."""
        saved_views.delete(self._path, request.view_name)
        return Done()
