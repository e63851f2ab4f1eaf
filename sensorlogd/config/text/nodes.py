"""YAML as nodes: the one place that says how text becomes them. No pydantic: verbs that only read the log start with this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast
UNREADABLE = (yaml.YAMLError, ValueError, RecursionError)  # what composing garbage raises


def compose(text: str, *, count_characters: bool = False) -> Any:
    """The node of the whole text, None if it is empty. Raises UNREADABLE.

    ``count_characters``: the places in the text are exact whatever is in it, which libyaml's are not.
    """
    return yaml.compose(text, Loader=yaml.SafeLoader if count_characters else LOADER)


def of_file(path: Path) -> Any:
    """The same of a file in UTF-8, of which what is not UTF-8 is replaced. Raises OSError, UNREADABLE."""
    return compose(text_of(path))


def text_of(path: Path) -> str:
    """Raises OSError."""
    return path.read_text("utf-8-sig", errors="replace")
