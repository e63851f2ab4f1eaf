"""All requests of the control socket. ``encode(request)`` is the object that travels, ``decode`` reads it again.

A field has the same name in Python and on the wire. What an older release does not say has a default; what a newer one says
besides is passed over. Names and fields that were released stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensorlogd.daemon.control.answers import Json
from sensorlogd.daemon.control.requests.alarms import AlarmAck, AlarmMute, AlarmTest
from sensorlogd.daemon.control.requests.daemon import ClockRequest, CommitRequest, Listen, Ping, Reload, StatusRequest
from sensorlogd.daemon.control.requests.database import (
    AskWork,
    Compact,
    KnowSeries,
    Mend,
    Note,
    Rebuild,
    Recompute,
    Resume,
    RollUp,
    Undo,
    Upsert,
)
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.daemon.control.requests.saved_views import DeleteView, SaveView

REQUESTS: dict[str, type[Request[Any]]] = {
    request.name: request
    for request in (
        Ping, CommitRequest, StatusRequest, Reload, ClockRequest, Listen,
        RollUp, Rebuild, Compact, Mend, Undo, Resume, Recompute, AskWork, KnowSeries, Upsert, Note,
        AlarmAck, AlarmMute, AlarmTest,
        SaveView, DeleteView,
    )
}  # fmt: skip


def encode(request: Request[Any]) -> Json:
    """The request as it travels."""
    return {"do": request.name} | request.encoded()


def decode(received: Mapping[str, Any]) -> Request[Any]:
    """Raises ValueError, TypeError for what is no request."""
    name = received.get("do")
    kind = REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown request {name!r}")
    return kind.of(received)
