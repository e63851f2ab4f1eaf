"""Saves and deletes the views of the pages."""

from __future__ import annotations

import time
from pathlib import Path

from sensorlogd import saved_views
from sensorlogd.daemon.control.answers import Done
from sensorlogd.daemon.control.handlers.dispatch import Handlers
from sensorlogd.daemon.control.requests.saved_views import DeleteViewRequest, SaveViewRequest


class SavedViewHandlers:
    """Saves and deletes views in the data directory. For the operating thread of the control socket, one after the other."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / saved_views.FILE

    def handlers(self) -> Handlers:
        """What is done by the kind of request."""
        return {SaveViewRequest: self.save, DeleteViewRequest: self.delete}

    def save(self, request: SaveViewRequest) -> Done:
        """Raises SavedViewError, OSError."""
        saved_views.save(self._path, saved_views.saved_view(request.view_name, request.view, time.time_ns() // 1000))
        return Done()

    def delete(self, request: DeleteViewRequest) -> Done:
        """Raises SavedViewError, OSError."""
        saved_views.delete(self._path, request.view_name)
        return Done()
