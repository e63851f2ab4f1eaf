"""A configuration while it is loaded: its data, the place of each part in its file, and every mistake found so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sensorlogd.config.text.tree import ConfigError, Mark, Tree, Where, dotted, read
from sensorlogd.config.validation import errors as value_errors


class Document:
    """The configuration while it is loaded. ``data``: what the file says, with included files merged in. ``files``: the file and
    the included ones. ``base_dir``: the folder that relative paths start from. ``errors``: the caller's list; mistakes are
    appended to it."""

    def __init__(self, tree: Tree, path: Path, errors: list[ConfigError]) -> None:
        self.data: dict[str, Any] = tree.data
        self.path = path
        self.files = [path]
        self.base_dir = path.absolute().parent
        self.errors = errors
        self._tree = tree
        self._start = Mark(path)

    # ---- mistakes --------------------------------------------------------------------------------------------------

    def error(self, where: Where, problem: str, *, key: bool = False) -> None:
        """Note a mistake at ``where``; with ``key`` it is the key that is wrong, not its value."""
        self.errors.append(ConfigError(self.position(where, key=key), dotted(where), problem))

    def error_at(self, mark: Mark, path: str, problem: str) -> None:
        """Note a mistake at a place of another file."""
        self.errors.append(ConfigError(mark, path, problem))

    # ---- positions -------------------------------------------------------------------------------------------------

    def position(self, where: Where, *, key: bool = False) -> Mark:
        """The position of ``where`` in its file, else that of the nearest thing around it."""
        return self._tree.position(where, self._start, key=key)

    def has(self, where: Where) -> bool:
        """Whether the data has a value at ``where``."""
        return where in self._tree.values

    def read(self, file: Path) -> Tree | None:
        """Read another file; None, with its mistakes noted, if it cannot be read."""
        return read(file, self.errors)

    def graft(self, where: Where, other: Tree, at: Where) -> None:
        """Record that the data at ``where`` was taken from ``other``, where it stood at ``at``."""
        self._tree.graft(where, other, at)

    def graft_own(self, where: Where, at: Where) -> None:
        """Record that the data at ``where`` was taken from this configuration, where it stood at ``at``."""
        part = Tree()
        part.graft((), self._tree, at)
        self._tree.graft(where, part)

    # ---- data ------------------------------------------------------------------------------------------------------

    def mapping(self, key: str) -> dict[str, Any]:
        """The mapping at the top-level ``key``, by name; empty if there is none."""
        entries = self.data.get(key)
        if entries is None:
            return {}
        if not isinstance(entries, dict):
            self.error((key,), value_errors.names_wanted(key, entries))
            return {}
        return entries
