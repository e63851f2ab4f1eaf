"""The base class of the requests of the control socket, which are defined in the other modules of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar, Generic, TypeVar

from sensorlogd.daemon.control.answers import Done, Json

A = TypeVar("A")
ANSWER_S = 25.0  # how long an answer waits for the writer or the main thread


class Request(Generic[A]):
    """What a client asks of the daemon. ``name``: how it is called on the wire. ``answer``: the class of its answer; that of a
    Request[Json] stays as it travels."""

    __slots__ = ()
    name: ClassVar[str]
    answer: ClassVar[type[Any]] = Done

    def encoded(self) -> Json:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # each is a dataclass

    @classmethod
    def of(cls, received: Mapping[str, Any]) -> Request[A]:
        return cls()
