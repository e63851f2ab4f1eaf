"""Finds what is to be done for a request: the handlers of all themes, by the kind of request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sensorlogd.daemon.control.answers import Json
from sensorlogd.daemon.control.requests.registry import decode
from sensorlogd.daemon.control.requests.request import Request

A = TypeVar("A")
Handlers = Mapping[type[Request[Any]], Callable[[Any], Any]]  # a request of that kind -> its answer


class Dispatch:
    """All that can be done. A handler may be called on any thread but the writer's, and raises ValueError for what
    cannot be done."""

    def __init__(self, *themes: Handlers) -> None:
        self._known = {kind: handler for theme in themes for kind, handler in theme.items()}

    def do(self, request: Request[A]) -> A:
        """Raises what the handler raises."""
        answer: A = self._known[type(request)](request)
        return answer

    def by_name(self) -> Mapping[str, Callable[[Json], Json]]:
        """For the control socket: name on the wire -> function from a decoded JSON object to one."""
        return {kind.name: self._answer for kind in self._known}

    def _answer(self, received: Json) -> Json:
        answer = self.do(decode(received))
        encoded: Json = answer if isinstance(answer, dict) else answer.encoded()
        return encoded
