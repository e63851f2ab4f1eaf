"""What is asked of the daemon itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensorlogd.daemon.control.answers import Json, int_or_none
from sensorlogd.daemon.control.requests.request import Request


@dataclass(frozen=True, slots=True)
class PingRequest(Request[Json]):
    """Are you there? The answer also says pid and version."""

    name = "ping"


@dataclass(frozen=True, slots=True)
class CommitRequest(Request[Json]):
    """Answered once everything that was received so far is committed."""

    name = "commit"


@dataclass(frozen=True, slots=True)
class StatusRequest(Request[Json]):
    """The answer is what ``status`` shows."""

    name = "status"


@dataclass(frozen=True, slots=True)
class ReloadRequest(Request[Json]):
    """Use the configuration as it is now; the answer says with what outcome. ``path``: of the file that is meant, resolved; None: the
    one that the daemon runs."""

    name = "reload"
    path: str | None = None

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> ReloadRequest:
        path = received.get("path")
        return cls(None if path is None else str(path))


@dataclass(frozen=True, slots=True)
class ClockRequest(Request[Json]):
    """What is thought of the clock. ``believe``: its owner says that it is right."""

    name = "clock"
    believe: bool = False

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> ClockRequest:
        believe = received.get("believe", False)
        if not isinstance(believe, bool):
            raise ValueError(f"believe is true or false, not {believe!r}")
        return cls(believe)


@dataclass(frozen=True, slots=True)
class ListenRequest(Request[Json]):
    """What passed over the port of a sensor. ``after``: the place up to which it was heard; None: from now on."""

    name = "listen"
    sensor: str
    after: int | None = None

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> ListenRequest:
        return cls(str(received.get("sensor")), int_or_none(received.get("after")))
