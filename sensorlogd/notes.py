"""Checks the notes that people write about a log: details of events of the kind ``note``, or reasons of mends."""

from __future__ import annotations

MAX_TEXT_LENGTH = 1_000  # characters
MAX_NAME_LENGTH = 100


def said(text: str, by: str = "", channel: str = "") -> str:
    """A note as one line, ``channel: text (by)``. Raises ValueError if the text is empty, or the text or the name too long."""
    words, name = one_line(text), one_line(by)
    if not words:
        raise ValueError("there is nothing to note; write what happened")
    if len(words) > MAX_TEXT_LENGTH:
        raise ValueError(f"a note has at most {MAX_TEXT_LENGTH} characters; this one has {len(words)}")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"a name has at most {MAX_NAME_LENGTH} characters; this one has {len(name)}")
    return (f"{channel}: " if channel else "") + words + (f" ({name})" if name else "")


def one_line(text: str) -> str:
    """``text`` without characters that would break a line of a table or a terminal: control characters become blanks, and several
    blanks become one."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
