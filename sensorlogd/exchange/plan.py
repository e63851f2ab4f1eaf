"""How a file is read, once its head has been looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sensorlogd.exchange.readings import FileReading


@dataclass(slots=True)
class ImportPlan:
    """How a file is read. ``own_format``: it is in the format that sensorlogd writes, so the same reading twice is one reading."""

    own_format: bool
    understood_as: str
    read: Callable[[], Iterator[FileReading]]
    left_out: dict[str, str] = field(default_factory=dict)  # columns of words -> their first cell; complete when all is read
    doubtful: list[int] = field(default_factory=list)  # the time of each reading that was marked bad_time
    zoneless: list[str] = field(default_factory=list)  # the first time without an offset, if such were read in UTC
