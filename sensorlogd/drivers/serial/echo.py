"""On a half-duplex line what we send comes back first."""

from __future__ import annotations


def without_echo(data: bytes, echo: bytes) -> tuple[bytes, bytes]:
    """``data`` without the echo it begins with, and what of the echo is still to come. No echo at all is fine, too."""
    both = min(len(data), len(echo))
    if data[:both] != echo[:both]:
        return data, b""  # something else came: this adapter has no echo
    return data[both:], echo[both:]
