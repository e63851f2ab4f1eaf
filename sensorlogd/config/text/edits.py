"""Makes small changes to the text of a configuration and leaves every other character as it is. Pure.

Each change is made at the places that the parser names, and the result is read again: if it does not say exactly what was meant,
there is no result, and people are shown what to write instead.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sensorlogd.config.text import nodes
from sensorlogd.config.text.tree import ConfigError, Tree, parse

FOLDER = "conf.d"
INCLUDE = f"include: {FOLDER}"


@dataclass(frozen=True, slots=True)
class SensorLines:
    """The lines that describe a sensor, counted from 1, both included. ``alone``: the file contains nothing but this sensor."""

    first: int
    last: int
    alone: bool


def with_include(text: str, entry: str = FOLDER) -> str | None:
    """``text`` with ``entry`` added to ``include:``; None if that cannot be done without touching more than that."""
    top = _compose(text)
    data = _parsed(text)
    if not isinstance(top, yaml.MappingNode) or not isinstance(data, dict):
        return None
    node = _value_of(top, "include")
    wanted = dict(data)
    if node is None or data["include"] is None:
        if node is not None or top.flow_style:
            return None
        wanted["include"] = entry
        return _if_equal(wanted, _append_line(text, f"include: {entry}"))
    before = data["include"]
    wanted["include"] = [*(before if isinstance(before, list) else [before]), entry]
    if isinstance(node, yaml.ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        return _if_equal(wanted, f"{text[:start]}[{text[start:end]}, {entry}]{text[end:]}")
    if isinstance(node, yaml.SequenceNode) and node.value:
        last = node.value[-1]
        end = last.end_mark.index
        if node.flow_style:
            return _if_equal(wanted, f"{text[:end]}, {entry}{text[end:]}")
        dash = text.rfind("\n", 0, last.start_mark.index) + 1
        line_end = text.find("\n", end)
        line_end = len(text) if line_end < 0 else line_end
        lead = text[dash : last.start_mark.index]
        return _if_equal(wanted, f"{text[:line_end]}{_newline(text)}{lead}{entry}{text[line_end:]}")
    return None


def place_of(text: str, sensor: str) -> SensorLines | None:
    """The lines that describe a sensor; None if it is not in this text."""
    top = _compose(text)
    sensors = _value_of(top, "sensors")
    found = _find_entry(sensors, sensor)
    if found is None or not isinstance(top, yaml.MappingNode) or not isinstance(sensors, yaml.MappingNode):
        return None
    key, value = found
    return SensorLines(
        key.start_mark.line + 1, max(_last_line(value), key.start_mark.line + 1), len(top.value) == len(sensors.value) == 1
    )


def renamed(text: str, old: str, new: str) -> str | None:
    """``text`` with the sensor ``old`` renamed to ``new``, with ``was: old``; None if that cannot be done without touching more."""
    data = _parsed(text)
    found = _find_entry(_value_of(_compose(text), "sensors"), old)
    if found is None or not isinstance(data, dict):
        return None
    key, value = found
    if not isinstance(value, yaml.MappingNode) or not value.value:
        return None
    wanted = copy.deepcopy(data)
    wanted["sensors"] = {new if name == old else name: entry for name, entry in data["sensors"].items()}
    wanted["sensors"][new]["was"] = old
    former = _find_entry(value, "was")
    if former is not None:
        start, end, words = former[1].start_mark.index, former[1].end_mark.index, old
    elif value.flow_style:
        start = end = value.value[0][0].start_mark.index
        words = f"was: {old}, "
    else:
        first = value.value[0][0].start_mark
        start = end = first.index
        words = f"was: {old}{_newline(text)}{' ' * first.column}"
    text = text[:start] + words + text[end:]
    return _if_equal(wanted, text[: key.start_mark.index] + new + text[key.end_mark.index :])


def _compose(text: str) -> Any:
    """The root node, with places counted in characters; None if the text is not valid YAML."""
    try:
        return nodes.compose(text, count_characters=True)
    except nodes.UNREADABLE:
        return None


def _parsed(text: str) -> Any:
    errors: list[ConfigError] = []
    tree: Tree | None = parse(text.removeprefix("\ufeff"), Path(), errors)
    return None if tree is None or errors else tree.data


def _if_equal(wanted: dict[str, Any], text: str) -> str | None:
    """``text`` if it says exactly what is wanted, else None."""
    return text if _parsed(text) == wanted else None


def _value_of(node: Any, key: str) -> Any:
    found = _find_entry(node, key)
    return None if found is None else found[1]


def _find_entry(node: Any, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((name, value) for name, value in node.value if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """The number of the last line that has a part of the node. The parser's own end of a block is where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_last_line(child) for child in (last if isinstance(last, tuple) else (last,)))
    end = node.end_mark
    return int(end.line) + (1 if end.column else 0)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _append_line(text: str, line: str) -> str:
    end = _newline(text)
    return f"{text}{'' if not text or text.endswith(chr(10)) else end}{end}{line}{end}"
