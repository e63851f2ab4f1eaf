"""Turns YAML text into plain data with a position for every part. Knows YAML, knows nothing of sensors.

PyYAML composes the nodes once; scalars stay text (only a plain ``null``, ``~`` or nothing is None), because what
``on``, ``NO``, ``22:22`` or ``1e3`` mean is the schema's to say. Size, depth and the work that aliases can cause are
bounded before anything recursive looks at the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sensorlogd.config.text import nodes, syntax

MAX_FILE_BYTES = 4_000_000
MAX_NESTING_LEVELS = 40
MAX_NODES = 200_000


Key = str | int
Where = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file; line and column count from 1."""

    file: Path
    line: int = 1
    col: int = 1


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One mistake: where in the file, where in the configuration, what is wrong and what to do."""

    mark: Mark
    path: str
    problem: str

    def __str__(self) -> str:
        where = f"{self.mark.file}:{self.mark.line}:{self.mark.col}: "
        return f"{where}{self.path}: {self.problem}" if self.path else where + self.problem


@dataclass(slots=True)
class Tree:
    """A parsed file. ``data``: dicts, lists, str and None. ``keys`` and ``values``: the position of each key and of each value."""

    data: Any = None
    keys: dict[Where, Mark] = field(default_factory=dict)
    values: dict[Where, Mark] = field(default_factory=dict)

    def graft(self, where: Where, other: Tree, at: Where = ()) -> None:
        """Take over the places of ``other`` below ``at`` as places below ``where`` (the data is the caller's)."""
        for source, target in ((other.keys, self.keys), (other.values, self.values)):
            for path, mark in source.items():
                if path[: len(at)] == at:
                    target.setdefault(where + path[len(at) :], mark)

    def position(self, where: Where, fallback: Mark, *, key: bool = False) -> Mark:
        """The nearest known position of ``where``: itself, else what contains it."""
        if key and where in self.keys:
            return self.keys[where]
        for length in range(len(where), -1, -1):
            mark = self.values.get(where[:length]) or self.keys.get(where[:length])
            if mark is not None:
                return mark
        return fallback


def dotted(where: Where) -> str:
    """``('sensors', 'a', 'valid', 0)`` as ``sensors.a.valid[0]``."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def read(file: Path, errors: list[ConfigError]) -> Tree | None:
    """Read a file. Returns its tree; None, with an entry in ``errors``, if there is none."""
    start = Mark(file)
    try:
        if file.is_dir():
            errors.append(ConfigError(start, "", "is a folder; name a file"))
            return None
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        errors.append(ConfigError(start, "", "no such file; write a starter with: sensorlogd init"))
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        errors.append(ConfigError(start, "", f"cannot be read: {reason}; check owner and mode"))
        return None
    if len(raw) > MAX_FILE_BYTES:
        errors.append(ConfigError(start, "", f"is larger than {MAX_FILE_BYTES} bytes; split it with include:"))
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        mark = Mark(file, before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        errors.append(ConfigError(mark, "", f"byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"))
        return None
    return parse(text, file, errors)


def parse(text: str, file: Path, errors: list[ConfigError]) -> Tree | None:
    """Parse a text. Returns its tree; None, with an entry in ``errors``, if it is not YAML or exceeds the bounds."""
    try:
        if not _within_bounds(text, file, errors):
            return None
        node = nodes.compose(text)
    except yaml.MarkedYAMLError as error:
        mistake = syntax.explain(text, error)
        errors.append(ConfigError(Mark(file, mistake.line, mistake.col), "", mistake.problem))
        return None
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        mark = Mark(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        errors.append(ConfigError(mark, "", f"the character {error.character!r} is not allowed in a text file; take it out"))
        return None
    except nodes.UNREADABLE:
        errors.append(ConfigError(Mark(file), "", "is not a configuration: it cannot be read as lines of the form 'key: value'"))
        return None
    builder = _Builder(file, errors)
    tree = Tree()
    tree.data = builder.build(node, (), tree) if node is not None else None
    return tree


def _within_bounds(text: str, file: Path, errors: list[ConfigError]) -> bool:
    """Whether the text is within the bounds, else with an entry in ``errors``. Looks at parser events, which needs no recursion,
    before nodes are composed, which does."""
    depth = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=nodes.LOADER)):
        start = event.start_mark
        mark = Mark(file, start.line + 1, start.column + 1) if start else Mark(file)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_NESTING_LEVELS:
                errors.append(ConfigError(mark, "", f"is nested deeper than {MAX_NESTING_LEVELS} levels"))
                return False
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                errors.append(ConfigError(mark, "", "a second document begins here; a configuration is one document"))
                return False
        if number > MAX_NODES:
            errors.append(ConfigError(mark, "", f"has more than {MAX_NODES} parts"))
            return False
    return True


class _Builder:
    """Turns the nodes of one file into data, with the position of each part; aliases are followed, within bounds."""

    def __init__(self, file: Path, errors: list[ConfigError]) -> None:
        self.file = file
        self.errors = errors
        self.visited = 0
        self.open: set[int] = set()

    def error(self, node: yaml.Node, where: Where, problem: str) -> None:
        """Note a mistake at the position of ``node``."""
        self.errors.append(ConfigError(self.mark(node), dotted(where), problem))

    def mark(self, node: yaml.Node) -> Mark:
        return Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: yaml.Node, where: Where, tree: Tree) -> Any:
        """The data of a node; its places go into ``tree``. Mistakes are noted, and None stands for what cannot be built."""
        self.visited += 1
        tree.values[where] = self.mark(node)
        if self.visited > MAX_NODES:
            if self.visited == MAX_NODES + 1:
                self.error(node, where, f"aliases expand to more than {MAX_NODES} parts")
            return None
        if id(node) in self.open:
            self.error(node, where, "an alias contains itself")
            return None
        if isinstance(node, yaml.ScalarNode):
            if node.tag == "tag:yaml.org,2002:null" and not node.style:  # a plain one; "null" in quotes is a word
                return None
            if not str(node.tag).startswith("tag:yaml.org,2002:"):
                self.error(
                    node, where, f"the mark {node.tag} before a value is not allowed; put a text that begins with ! in quotes"
                )
            return node.value
        self.open.add(id(node))
        try:
            if not str(node.tag).startswith("tag:yaml.org,2002:") or "python" in node.tag:
                self.error(
                    node, where, f"the mark {node.tag} before a value is not allowed; put a text that begins with ! in quotes"
                )
            if isinstance(node, yaml.MappingNode):
                return self._build_mapping(node, where, tree)
            return [self.build(child, (*where, index), tree) for index, child in enumerate(node.value)]
        finally:
            self.open.discard(id(node))

    def _build_mapping(self, node: yaml.MappingNode, where: Where, tree: Tree) -> dict[str, Any]:
        """The data of a mapping; a key that is not a word, or is there a second time, is a mistake and left out."""
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.error(
                    key_node, where, "a key must be a word before a colon, found brackets; put a text with brackets in quotes"
                )
                continue
            key = key_node.value
            here = (*where, key)
            if key == "<<":
                self.error(key_node, here, "merge keys are not supported; give the shared part a name under templates:")
                continue
            if key in data:
                first = tree.keys[here]
                self.error(key_node, here, f"is here a second time; the first is in line {first.line}; keep one of them")
                continue
            tree.keys[here] = self.mark(key_node)
            data[key] = self.build(value_node, here, tree)
        return data
