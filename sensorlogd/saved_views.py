"""Keeps the named views of the dashboard in ``panels.json`` in the data directory, written by the daemon, read by the pages.

    {"panels": [{"name": "Cellar", "view": "#/chart?s=cellar.humidity&range=86400", "saved_us": 1795605545000000}, ...]}

A name is a text in that file and never a part of a path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sensorlogd.files import written
from sensorlogd.notes import one_line

FILE = "panels.json"
MAX_VIEWS = 200
MAX_NAME_LENGTH = 80  # characters
MAX_VIEW_LENGTH = 4_000
MAX_FILE_BYTES = 2_000_000  # of the file; those that we write are shorter
_VIEW = re.compile(r"#/[!-~]*", re.ASCII)


class SavedViewError(ValueError):
    """A view cannot be saved, read or deleted; the text says why."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A named view. ``view``: the part of the page's address from the ``#`` on. ``saved_us``: µs since 1970."""

    name: str
    view: str
    saved_us: int


def saved_view(name: str, view: str, now_us: int) -> SavedView:
    """A checked view, saved at ``now_us``. Raises SavedViewError for a name or a view that is empty, too long or malformed."""
    named = one_line(name)
    if not named:
        raise SavedViewError("a view needs a name")
    if len(named) > MAX_NAME_LENGTH:
        raise SavedViewError(f"a name has at most {MAX_NAME_LENGTH} characters; this one has {len(named)}")
    if len(view) > MAX_VIEW_LENGTH:
        raise SavedViewError(f"the address of a view has at most {MAX_VIEW_LENGTH} characters; this one has {len(view)}")
    if not _VIEW.fullmatch(view):
        raise SavedViewError(f"a view is the part of the address that begins with #/, not {view[:50]!a}")
    return SavedView(named, view, now_us)


def read(path: Path) -> list[SavedView]:
    """The saved views, in the order of their names; empty if there is no file. Raises SavedViewError for a file with other content,
    OSError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return []
    try:
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"it is over {MAX_FILE_BYTES} bytes long")
        found = json.loads(content)["panels"][:MAX_VIEWS]
        return [saved_view(row["name"], row["view"], int(row["saved_us"])) for row in found]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SavedViewError(f"{path}: it is not as it was written ({error}); mend it, or move it away") from None


def save(path: Path, view: SavedView) -> None:
    """Add a view; one of the same name is replaced. Raises SavedViewError when there are too many, OSError."""
    others = [known for known in read(path) if known.name != view.name]
    if len(others) >= MAX_VIEWS:
        raise SavedViewError(f"there are {MAX_VIEWS} views already; delete one first")
    _write(path, [*others, view])


def delete(path: Path, name: str) -> None:
    """Remove a view. Raises SavedViewError when there is none of that name, OSError."""
    known = read(path)
    left = [view for view in known if view.name != name]
    if len(left) == len(known):
        raise SavedViewError(f"no view is called {ascii(name)[:200]}")
    _write(path, left)


def _write(path: Path, views: Sequence[SavedView]) -> None:
    rows = sorted(views, key=lambda view: view.name)
    with written(path) as file:
        file.write(json.dumps({"panels": [asdict(view) for view in rows]}, ensure_ascii=False, indent=1).encode() + b"\n")
