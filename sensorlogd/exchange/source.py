"""What every kind of file has in common once it is open: it gives its readings, once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from sensorlogd.exchange.readings import FileReading
from sensorlogd.exchange.times.stamps import TimeReader


class Source(ABC):
    """Gives the readings of one file, once. It owns what it notes meanwhile, which is complete when ``read`` has ended."""

    def __init__(self, times: TimeReader | None = None) -> None:
        self.times = times
        self.left_out: dict[str, str] = {}  # as in FileFindings
        self.units_of: dict[str, list[str]] = {}  # likewise
        self.pointed: dict[str, str] = {}  # likewise

    @abstractmethod
    def read(self) -> Iterator[FileReading]:
        """The readings in the order of the file. Raises FileError."""
