"""Turns YAML text into nodes; nothing else does. Does not import pydantic: verbs that only read the log start with this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast
MAX_COMPOSED_LEVELS = 1_000  # composing recurses, and libyaml does so without a check of the stack of the process
UNREADABLE = (yaml.YAMLError, ValueError, RecursionError)  # what composing garbage raises


def compose(text: str, *, count_characters: bool = False) -> Any:
    """The node of the whole text, None if it is empty. Raises UNREADABLE.

    ``count_characters``: places in the text are exact for any text; those of libyaml are not.
    """
    loader = yaml.SafeLoader if count_characters else LOADER
    _refuse_too_deep(text, loader)
    return yaml.compose(text, Loader=loader)


def _refuse_too_deep(text: str, loader: Any) -> None:
    """Raise ValueError if the text is nested too deep. Looks at parser events, which needs no recursion. Raises yaml.YAMLError."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_COMPOSED_LEVELS:
                raise ValueError(f"nested deeper than {MAX_COMPOSED_LEVELS:,} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def text_of(path: Path) -> str:
    """The text of a file in UTF-8; bytes that are not UTF-8 are replaced. Raises OSError."""
    return path.read_text("utf-8-sig", errors="replace")
