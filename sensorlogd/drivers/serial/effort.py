"""Limits what the search for frames may cost, and counts what it discards; both are proportional to the bytes that came.

Bytes that look like the beginning of a frame, and are none, are looked at again one byte further on; a flood of them would cost
the length of a frame for every byte. So false beginnings have an allowance that grows with the stream: a device's own noise never
uses it up, and a flood that does loses more than one byte at a time. What is given up depends on the bytes alone, not on how they
are cut into reads.
"""

from __future__ import annotations

from sensorlogd.drivers.contract import Count

CREDIT = 6  # units a byte of the stream; a byte that a checksum covers costs one
RESERVE = 65_536
LOOK = 64  # units for looking at a beginning at all
GIVEN_UP = 32


class Effort:
    """The effort for one stream. ``at`` is the place in the stream, in bytes from its beginning, and never goes back."""

    def __init__(self) -> None:
        self._level = 0
        self._at = 0

    def note_failure(self, at: int, cost: int) -> int:
        """What began at ``at`` was no frame, after ``cost`` bytes of it were examined. Returns how many bytes to skip."""
        cost += LOOK
        level = self._level - CREDIT * (at - self._at)
        self._level = level = (max(0, level)) + cost
        self._at = at
        return 1 if level <= RESERVE else max(GIVEN_UP, cost // CREDIT)

    def is_exhausted(self, at: int) -> bool:
        """Whether the allowance is used up at ``at``."""
        return self._level - CREDIT * (at - self._at) > RESERVE


class Tally:
    """Counts within one ``feed``, reported at its end: the sum, and the last example. In a flood, reporting costs more than
    finding."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._sums: dict[str, int] = {}
        self._examples: dict[str, bytes] = {}
        self._whys: dict[str, str] = {}

    def add(self, name: str, n: int = 1, example: bytes = b"", why: str = "") -> None:
        """``example``: the bytes, of which the first are shown. ``why``: a text that follows them."""
        self._sums[name] = self._sums.get(name, 0) + n
        if example or why:
            self._examples[name] = example
            self._whys[name] = why

    def pass_on(self) -> None:
        """Report what was added since the last call."""
        if not self._sums:
            return
        sums, examples, whys = self._sums, self._examples, self._whys
        self._sums, self._examples, self._whys = {}, {}, {}
        for name, n in sums.items():
            example, why = examples.get(name, b""), whys.get(name, "")
            self._count(name, n, ": ".join(filter(None, (example[:24].hex(" "), why))))
