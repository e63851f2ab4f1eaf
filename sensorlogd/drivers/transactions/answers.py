"""What a driver says of the answer to one question."""

from __future__ import annotations

from typing import Any, Literal, Protocol

# How an answer is known to be one's own: by the number of its question; by what is in it (unit, address, length), so that only
# questions that are alike are kept apart by time; by time only; or because only one sensor with one question is on the line, so
# that whatever comes is its own, however late.
Separation = Literal["number", "content", "time", "own"]


class Awaited(Protocol):
    """The answer to one question, looked for in what arrives after it.

    ``damaged``: something arrived that began as the answer would, but is not whole or not right (a checksum).
    """

    damaged: bool

    @property
    def foreign(self) -> int:
        """Whole answers of others that passed meanwhile, where the protocol allows to tell them."""

    def feed(self, data: bytes, now_us: int) -> Any | None:
        """The answer, once it is complete; else None. Never raises. Whether another one came after it is asked by feeding on, with
        nothing at first."""

    def begun(self) -> bool:
        """Whether what arrived last may be the beginning of the answer, so that it is worth a little longer wait."""

    def like(self, other: Awaited) -> bool:
        """Whether the answer to the other question could be taken for the answer to this one. Where it is False, neither has to wait
        for the other: transaction numbers, units, addresses, prefixes tell them apart."""

    def fresh(self) -> Awaited:
        """The same expectation, of which nothing has arrived."""
