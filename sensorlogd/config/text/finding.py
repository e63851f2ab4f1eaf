"""The types of what is found in a YAML text: a mistake, and a line."""

from __future__ import annotations

from dataclasses import dataclass

MAX_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake in a text. Line and column count from 1; ``problem``: what was found, what is allowed, what to do."""

    line: int
    col: int
    problem: str


@dataclass(frozen=True, slots=True)
class BlockLine:
    """A line that begins outside of quotes, brackets and multi-line texts; ``text``: without indentation and comment."""

    number: int
    indent: int
    text: str


def shown(text: str) -> str:
    """The text in quotes, shortened if it is long."""
    text = text.strip()
    text = text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 3] + "..."
    return f"'{text}'" if "'" not in text else f'"{text}"'
