"""A configuration while it is loaded: its data, where each part of it stands, and every mistake found so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sensorlogd.config.text.tree import ConfigError, Mark, Tree, Where, dotted, read
from sensorlogd.config.validation import errors as value_errors


class Document:
    """``data``: the file's; other files are merged into it. ``files``: this one and those. ``base_dir``: what relative paths
    are relative to. ``errors``: the caller's list, added to."""

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
        """A mistake at ``where``; with ``key`` it is the key that is wrong, not its value."""
        self.errors.append(ConfigError(self.place(where, key=key), dotted(where), problem))

    def error_at(self, mark: Mark, path: str, problem: str) -> None:
        """A mistake in another file."""
        self.errors.append(ConfigError(mark, path, problem))

    # ---- places ----------------------------------------------------------------------------------------------------

    def place(self, where: Where, *, key: bool = False) -> Mark:
        """Where it stands, or what contains it."""
        return self._tree.place(where, self._start, key=key)

    def has(self, where: Where) -> bool:
        """Whether there is such a value."""
        return where in self._tree.values

    def read(self, file: Path) -> Tree | None:
        """Another file; None, and its mistakes are noted, if it cannot be read."""
        return read(file, self.errors)

    def graft(self, where: Where, other: Tree, at: Where) -> None:
        """What stands at ``where`` now is from ``other``, from below ``at``."""
        self._tree.graft(where, other, at)

    def graft_own(self, where: Where, at: Where) -> None:
        """What stands at ``where`` now is from this configuration, from below ``at``."""
        part = Tree()
        part.graft((), self._tree, at)
        self._tree.graft(where, part)

    # ---- data ------------------------------------------------------------------------------------------------------

    def mapping(self, key: str) -> dict[str, Any]:
        """What stands below ``key``, by name."""
        entries = self.data.get(key)
        if entries is None:
            return {}
        if not isinstance(entries, dict):
            self.error((key,), value_errors.names_wanted(key, entries))
            return {}
        return entries
