"""Checks that concern several sensors: a port that is used twice, a former name (``was:``) that is not free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sensorlogd.config import ports
from sensorlogd.config.loading.document import Document
from sensorlogd.config.models import SensorOptions


class Crosschecks:
    """Checks sensors that are valid each by itself, and notes the mistakes."""

    def __init__(self, document: Document, sensors: Mapping[str, SensorOptions]) -> None:
        self._document = document
        self._sensors = sensors

    def ports_named_twice(self) -> None:
        """Note a port that two sensors read, unless both share it (then with equal settings) or each opens a connection of its
        own."""
        first: dict[str, str] = {}
        for name, sensor in self._sensors.items():
            port = getattr(sensor, "port", None)
            if not isinstance(port, str) or not sensor.enabled or ports.may_repeat(port):
                continue
            other = first.setdefault(ports.identity(port), name)
            if other != name:
                self._check_shared_port(port, name, other)

    def _check_shared_port(self, port: str, name: str, other: str) -> None:
        """Note a mistake of ``name`` if it may not read the port that ``other`` reads."""
        mine, theirs = self._sensors[name], self._sensors[other]
        mark = self._document.position(("sensors", other, "port"))
        where = f"{port} is already read by sensor {other!r} at {mark.file}:{mark.line}"
        if getattr(mine, "shared", False) and getattr(theirs, "shared", False):
            if hasattr(mine, "line") and hasattr(theirs, "line"):
                self._check_equal_lines(name, mine, theirs, where)
            return
        if "://" in port and not (getattr(mine, "exclusive", True) or getattr(theirs, "exclusive", True)):
            return
        cure = "if both are meant to read it, write shared: true in both"
        if "://" in port:
            cure += ", or exclusive: false in both for a connection each"
        self._document.error(("sensors", name, "port"), f"{where}; {cure}")

    def _check_equal_lines(self, name: str, mine: Any, theirs: Any, where: str) -> None:
        wanted = theirs.line()
        for key, value in mine.line().items():
            if value != wanted[key]:
                problem = f"{where} with {key}: {_as_written(wanted[key])}; a shared port has one setting"
                self._document.error(("sensors", name, key), f"{problem}, found {_as_written(value)}")

    def former_names(self) -> None:
        """Note former names (``was:``) that a configured sensor has now, or that two sensors claim."""
        taken: dict[str, str] = {}
        for name, sensor in self._sensors.items():
            if sensor.was is None:
                continue
            where = (sensor.written_below, name, "was")
            if sensor.was in self._sensors:
                self._document.error(where, f"{sensor.was!r} is still configured; a former name must be free")
            other = taken.setdefault(sensor.was, name)
            if other != name:
                self._document.error(where, f"{sensor.was!r} is claimed by sensor {other!r} too")


def _as_written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).strip('"')
