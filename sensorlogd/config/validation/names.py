"""Suggests the nearest known word: 'did you mean ...?'"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest known word, or nothing."""
    found = nearest(word, known, 1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def nearest(word: str, known: Iterable[str], limit: int) -> list[str]:
    """At most ``limit`` known words that are like ``word``, the nearest first."""
    by_lower = {name.lower(): name for name in known}
    return [by_lower[name] for name in difflib.get_close_matches(word.lower(), by_lower, n=limit, cutoff=0.6)]
