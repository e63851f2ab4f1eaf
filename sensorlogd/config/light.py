"""Finds the data of a configuration without validating it, for verbs that only read the log and must start fast.

Imports neither pydantic nor SQLAlchemy. The full loader uses the same functions, so both always agree.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from sensorlogd.config.text import nodes

ENVIRONMENT = "SENSORLOGD_CONFIG"
CANDIDATES = (Path("sensorlogd.yaml"), Path("/etc/sensorlogd/sensorlogd.yaml"))
DATABASE_NAME = "sensorlogd.db"
SQLITE = "sqlite:///"

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")


class ConfigNotFound(Exception):
    """There is no configuration file; the text lists the places that were looked at."""


def find(explicit: Path | str | None = None) -> Path:
    """The configuration file: ``explicit``, else $SENSORLOGD_CONFIG, else ./sensorlogd.yaml, else the one under /etc.

    Raises ConfigNotFound.
    """
    if explicit is not None:
        return Path(explicit)
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    for candidate in CANDIDATES:
        if candidate.exists():
            return candidate
    places = ", ".join(str(candidate) for candidate in CANDIDATES)
    raise ConfigNotFound(
        f"no configuration found (looked at ${ENVIRONMENT}, {places}); name one with -c FILE, or write a starter: sensorlogd init"
    )


def expand(text: str) -> str:
    """``text`` with ``${NAME}`` and ``${NAME:-default}`` replaced; ``$$`` is a dollar. Raises KeyError(name)."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        if match[2] in os.environ:
            return os.environ[match[2]]
        if match[3] is not None:
            return match[3]
        raise KeyError(match[2])

    return _VARIABLE.sub(value, text)


def default_data_dir(config_path: Path) -> Path:
    """/var/lib/sensorlogd for a configuration under /etc, else ``sensorlogd-data`` beside it."""
    folder = config_path.absolute().parent
    if folder.parts[:2] == ("/", "etc"):
        return Path("/var/lib/sensorlogd")
    return folder / "sensorlogd-data"


def resolve(text: str, base: Path) -> Path:
    """A path from the configuration: ``~`` expanded, relative ones taken from the configuration's folder."""
    return base / Path(text).expanduser()


def data_dir(config_path: Path) -> Path:
    """The data directory a configuration names, as far as it can be read; its default otherwise."""
    return _locations(config_path)[0]


def database_path(config_path: Path) -> Path:
    """The database file a configuration names, as far as it can be read; its default otherwise.

    Raises ConfigNotFound if there is no such file.
    """
    return _locations(config_path)[1]


def sensor_names(config_path: Path) -> list[str]:
    """The names of the sensors as written, those in included files of ``conf.d`` too. Nothing is validated."""
    files = [config_path, *sorted(config_path.parent.glob("conf.d/*.yaml"))]
    return list(dict.fromkeys(name for file in files for name in _mapping_at(_top_level(file), "sensors")))


def timezone(config_path: Path) -> str | None:
    """``daemon.timezone`` as written; None if it is not set or cannot be read."""
    return _text_at(_mapping_at(_top_level(config_path), "daemon"), "timezone")


def _locations(config_path: Path) -> tuple[Path, Path]:
    """(the data directory, the database file). Raises ConfigNotFound."""
    if not config_path.exists():
        raise ConfigNotFound(f"{config_path}: no such configuration file; name one with -c FILE")
    top = _top_level(config_path)
    base = resolve(_text_at(top, "base_dir") or ".", config_path.absolute().parent)
    named = _text_at(_mapping_at(top, "daemon"), "data_dir")
    directory = resolve(named, base) if named else default_data_dir(config_path)
    url = _text_at(_mapping_at(top, "storage"), "url")
    database = resolve(url.removeprefix(SQLITE), base) if url and url.startswith(SQLITE) else directory / DATABASE_NAME
    return directory, database


def _top_level(config_path: Path) -> dict[str, yaml.Node]:
    """The nodes at the top of the file, by key; those that can be read, if the file is broken, and none if there is no file."""
    try:
        text = nodes.text_of(config_path)
    except (OSError, ValueError):
        return {}
    try:
        return _entries_of(nodes.compose(text))
    except nodes.UNREADABLE:
        return _readable_sections(text)


def _readable_sections(text: str) -> dict[str, yaml.Node]:
    """The sections of a broken file that can be read by themselves, so that a mistake in a sensor does not change the data
    directory."""
    entries: dict[str, yaml.Node] = {}
    for section in re.split(r"^(?=[^\s#\-\]}])", text, flags=re.MULTILINE):
        try:
            entries |= _entries_of(nodes.compose(section))
        except nodes.UNREADABLE:
            continue
    return entries


def _entries_of(node: Any) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _mapping_at(entries: dict[str, yaml.Node], key: str) -> dict[str, yaml.Node]:
    return _entries_of(entries.get(key))


def _text_at(entries: dict[str, yaml.Node], key: str) -> str | None:
    """The text at a key, with variables expanded; None if there is none or a variable is not set."""
    node = entries.get(key)
    if not isinstance(node, yaml.ScalarNode):
        return None
    try:
        return expand(node.value)
    except KeyError:
        return None
