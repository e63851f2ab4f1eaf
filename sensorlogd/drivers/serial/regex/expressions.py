"""Regular expressions that no line can make expensive.

One that provably takes time in proportion to the line (``ambiguity``) is run by Python's engine. Any other is run by RE2, whose time
is always so, where the package google-re2 is installed and knows everything in it; else, if it is no worse than the cube of the
length, on lines short enough for that; else it is refused with the configuration.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sensorlogd import extras
from sensorlogd.drivers.serial.regex.ambiguity import degree

# By how time grows with the length: the longest line to try it on. Some hundred thousand steps, a few milliseconds.
SHORT_ENOUGH = {2: 1000, 3: 120}


class LineTooLong(ValueError):
    """The line is too long for this expression."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. ``search(text)`` returns a match or None; raises LineTooLong. ``limit``: the greatest length in
    characters, None for no limit."""

    search: Callable[[str], Any]
    groups: tuple[str, ...]
    engine: str
    limit: int | None = None


@cache
def expression(pattern: str) -> Expression:
    """The compiled expression. Raises ValueError that says what to do instead."""
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    groups = tuple(compiled.groupindex)
    try:
        steps, why = degree(pattern), "a repeat inside a repeat, in which one text can be read in several ways"
    except (ValueError, RecursionError) as error:
        steps, why = None, f"{error}, which cannot be judged"
    if steps == 1:
        return Expression(compiled.search, groups, "re")
    linear = _re2(pattern)
    if linear is not None and tuple(sorted(linear.groupindex)) == tuple(sorted(groups)):
        return Expression(linear.search, groups, "re2")
    if steps is not None and steps > 3:
        why = f"{steps} repeats in a row that can read the same characters"
    if steps not in SHORT_ENOUGH:
        raise ValueError(
            f"could take for ever on an unlucky line ({why}); write it without, or install google-re2, which has no such lines:"
            f" {extras.advice('regex')}"
        )
    limit = SHORT_ENOUGH[steps]

    def search(text: str) -> Any:
        if len(text) > limit:
            raise LineTooLong(f"is too long ({len(text)} characters, at most {limit}) for this pattern without google-re2")
        return compiled.search(text)

    return Expression(search, groups, "re", limit)


def linear_bytes(pattern: str) -> re.Pattern[bytes]:
    """A compiled search in bytes whose time is proportional to the length. Raises ValueError for any other expression."""
    try:
        steps = degree(pattern, re.DOTALL | re.ASCII)  # as in bytes: no byte above 7F is a letter
        compiled = re.compile(pattern.encode("latin-1"), re.DOTALL)
    except (re.error, RecursionError, OverflowError, UnicodeEncodeError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if steps != 1:
        raise ValueError("could take too long; let it begin with a character that nothing inside it matches")
    return compiled


def _re2(pattern: str) -> Any:
    """The pattern compiled by RE2; None if RE2 is not installed or does not support the pattern."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import re2  # type: ignore[import-not-found,import-untyped,unused-ignore]  # it ships no types
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, ValueError, TypeError):
        return None
