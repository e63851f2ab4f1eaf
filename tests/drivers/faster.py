"""Another program that has the port open, too, and is faster once: it takes what has arrived between our poll and our read."""

from __future__ import annotations

import os

import pytest


class Faster:
    """The next ``os.read`` of this process finds that the other program has read before. ``taken``: what it got."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = b""
        self._read = os.read
        self._descriptor: int | None = None
        monkeypatch.setattr(os, "read", self._read_after_the_other)

    def reads(self, descriptor: int) -> None:
        """The other program's descriptor of the port."""
        self._descriptor = descriptor

    def _read_after_the_other(self, fd: int, size: int) -> bytes:
        if self._descriptor is not None:
            self.taken += self._read(self._descriptor, 65536)
            self._descriptor = None
        return self._read(fd, size)
