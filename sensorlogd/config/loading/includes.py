"""Merges the files that ``include:`` names into the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sensorlogd.config import light
from sensorlogd.config.loading.document import Document
from sensorlogd.config.loading.keys import INCLUDABLE
from sensorlogd.config.text.tree import Mark, Tree, Where
from sensorlogd.config.validation import errors as value_errors


class Includes:
    """Merges other files into the document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def merge(self) -> None:
        """Merge every file, in the order in which they are named."""
        entry = self._document.data.get("include")
        if entry is None:
            return
        for index, place in enumerate(entry if isinstance(entry, list) else [entry]):
            where: Where = ("include", index) if isinstance(entry, list) else ("include",)
            if isinstance(place, str):
                for file in self._files_at(where, light.resolve(place, self._document.base_dir)):
                    self._merge_file(file)
                continue
            self._document.error(
                where,
                f"must be the path of a file or folder, {value_errors.found(place)}; write one path, or a list of paths",
            )

    def _files_at(self, where: Where, place: Path) -> list[Path]:
        """The file, or those in the folder, by name; none, with the mistake noted, if there is nothing to read."""
        try:
            if place.is_dir():
                return sorted(file for file in place.iterdir() if file.suffix in (".yaml", ".yml"))
            if place.exists():
                return [place]
            self._document.error(where, f"{place}: no such file or folder")
        except (OSError, ValueError) as error:
            self._document.error(where, f"{place}: {error}")
        return []

    def _merge_file(self, file: Path) -> None:
        """Merge one file; mistakes are noted, and leave out no more than the key that they are in."""
        tree = self._document.read(file)
        if tree is None or tree.data is None:
            return
        self._document.files.append(file)
        if not isinstance(tree.data, dict):
            problem = f"an included file holds sensors: or templates:, {value_errors.found(tree.data)}"
            self._document.error_at(Mark(file), "", problem)
            return
        for key, entries in tree.data.items():
            mark = tree.position((key,), Mark(file), key=True)
            if key not in INCLUDABLE:
                self._document.error_at(mark, key, f"an included file may hold {', '.join(INCLUDABLE)} only")
            elif isinstance(entries, dict):
                self._merge_entries(key, entries, tree, mark)
            elif entries is not None:
                self._document.error_at(mark, key, value_errors.names_wanted(key, entries))

    def _merge_entries(self, key: str, entries: dict[str, Any], tree: Tree, mark: Mark) -> None:
        """Merge the entries of one section; a name that is there already is a mistake, and the first entry stays."""
        data = self._document.data
        if data.get(key) is None:
            data[key] = {}
        mine = data[key]
        if not isinstance(mine, dict):
            return  # noted as a mistake elsewhere
        for name, entry in entries.items():
            if name in mine:
                first = self._document.position((key, name), key=True)
                problem = f"is here a second time; the first is at {first.file}:{first.line}"
                self._document.error_at(tree.position((key, name), mark, key=True), f"{key}.{name}", problem)
                continue
            mine[name] = entry
            self._document.graft((key, name), tree, (key, name))
