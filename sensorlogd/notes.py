"""What people write down about a log, as the detail of an event of the kind ``note``, or as the reason of a mend."""

from __future__ import annotations

MOST_TEXT = 1_000  # characters
MOST_NAME = 100


def said(text: str, by: str = "", channel: str = "") -> str:
    """One line: ``channel: text (by)``. Raises ValueError for nothing, or too much."""
    words, name = one_line(text), one_line(by)
    if not words:
        raise ValueError("there is nothing to note; write what happened")
    if len(words) > MOST_TEXT:
        raise ValueError(f"a note has at most {MOST_TEXT} characters; this one has {len(words)}")
    if len(name) > MOST_NAME:
        raise ValueError(f"a name has at most {MOST_NAME} characters; this one has {len(name)}")
    return (f"{channel}: " if channel else "") + words + (f" ({name})" if name else "")


def one_line(text: str) -> str:
    """Without what would break a line of a table or a terminal: control characters are blanks, and blanks are one."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
