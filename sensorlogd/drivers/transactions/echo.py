"""On a half-duplex line what we send comes back first, perhaps after a prompt, perhaps with another line end."""

from __future__ import annotations

MAX_HELD_BYTES = 4096  # of what is held back in search of an echo


class Echo:
    """Takes the echo of one question, and whatever stands before it, out of what arrives.

    ``expected``: an echo was seen on this line before; what comes before it is no answer. Without that, an adapter that does
    not echo after all must not cost the answer: what was held back is given at the end by ``give_up``.
    """

    def __init__(self, sent: bytes, *, expected: bool) -> None:
        self._mark = sent.rstrip(b"\r\n") or sent
        self._expected = expected
        self._held = b""
        self._skipping_end = False
        self.seen = False

    def without(self, data: bytes) -> bytes:
        """What of ``data`` is after the echo."""
        if self.seen:
            return self._behind(data)
        self._held = (self._held + data)[-MAX_HELD_BYTES:]
        start = self._held.find(self._mark)
        if start < 0:
            return b""
        self.seen, self._skipping_end = True, True
        rest, self._held = self._held[start + len(self._mark) :], b""
        return self._behind(rest)

    def _behind(self, data: bytes) -> bytes:
        """The device may echo another line end than we sent, in another burst."""
        if self._skipping_end and data:
            data = data.lstrip(b"\r\n")
            self._skipping_end = not data
        return data

    def give_up(self) -> bytes:
        """No echo came: what came instead, which is nothing where an echo was expected."""
        held, self._held = self._held, b""
        return b"" if self._expected else held


def without_echo(data: bytes, echo: bytes) -> tuple[bytes, bytes]:
    """``data`` without the echo it begins with, and what of the echo is still to come. No echo at all is fine, too.

    For protocols whose answers never look like their questions.
    """
    both = min(len(data), len(echo))
    if data[:both] != echo[:both]:
        return data, b""  # something else came: this adapter has no echo
    return data[both:], echo[both:]
