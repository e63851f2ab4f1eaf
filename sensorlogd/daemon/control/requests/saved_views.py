"""Views that the pages have the daemon save and delete under a name (``sensorlogd.saved_views``). On the wire a view is
a panel, and its name is ``name``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensorlogd.daemon.control.answers import Done, Json, needed
from sensorlogd.daemon.control.requests.request import Request


@dataclass(frozen=True, slots=True)
class SaveViewRequest(Request[Done]):
    """``view``: the part of the page's address from the ``#`` on."""

    name = "panel_save"
    view_name: str
    view: str

    def encoded(self) -> Json:
        return {"name": self.view_name, "view": self.view}

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> SaveViewRequest:
        return cls(str(needed(received, "name")), str(needed(received, "view")))


@dataclass(frozen=True, slots=True)
class DeleteViewRequest(Request[Done]):
    """The view of this name is not wanted any more."""

    name = "panel_delete"
    view_name: str

    def encoded(self) -> Json:
        return {"name": self.view_name}

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> DeleteViewRequest:
        return cls(str(needed(received, "name")))
