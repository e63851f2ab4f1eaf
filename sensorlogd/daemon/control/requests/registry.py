"""All requests of the control socket. ``encode(request)`` is the object that travels, ``decode`` reads it again.

A field has the same name in Python and on the wire. What an older release does not say has a default; what a newer one says
besides is passed over. Names and fields that were released stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensorlogd.daemon.control.answers import Json
from sensorlogd.daemon.control.requests.alarms import AlarmAckRequest, AlarmMuteRequest, AlarmTestRequest
from sensorlogd.daemon.control.requests.daemon import (
    ClockRequest,
    CommitRequest,
    ListenRequest,
    PingRequest,
    ReloadRequest,
    StatusRequest,
)
from sensorlogd.daemon.control.requests.database import (
    CompactRequest,
    MendRequest,
    NoteRequest,
    RebuildRequest,
    RecomputeRequest,
    ResumeRequest,
    RollUpRequest,
    SeriesRequest,
    UndoRequest,
    UpsertRequest,
    WorkRequest,
)
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.daemon.control.requests.saved_views import DeleteViewRequest, SaveViewRequest

REQUESTS: dict[str, type[Request[Any]]] = {
    request.name: request
    for request in (
        PingRequest, CommitRequest, StatusRequest, ReloadRequest, ClockRequest, ListenRequest,
        RollUpRequest, RebuildRequest, CompactRequest, MendRequest, UndoRequest, ResumeRequest, RecomputeRequest,
        WorkRequest, SeriesRequest, UpsertRequest, NoteRequest,
        AlarmAckRequest, AlarmMuteRequest, AlarmTestRequest,
        SaveViewRequest, DeleteViewRequest,
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
