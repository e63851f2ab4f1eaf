"""Finds the folder for the file of a new sensor, and the change of the configuration that includes it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.config import light
from sensorlogd.config.models import Config
from sensorlogd.config.text import edits
from sensorlogd.config.text.tree import ConfigError, parse

FRESH = """\
# sensorlogd configuration. Check it with:  sensorlogd check
# Sensors are in files of their own, in the folder conf.d; 'sensorlogd add' writes them.

daemon:
  data_dir: ./sensorlogd-data      # the database lives here: sensorlogd.db is the one file to back up
  timezone: UTC                    # days begin at midnight here, e.g. Europe/Berlin

include: conf.d
"""


class NoPlace(Exception):
    """The file cannot be written there, or would not be included; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the file of a new sensor goes. ``folder``: for the new file. ``main``: the new text of the configuration, None if it
    includes the folder already."""

    folder: Path
    main: str | None


def target(path: Path, config: Config | None) -> Target:
    """Where a new sensor goes. ``path``: the configuration file; ``config``: what it says, None if there is none yet. Raises
    NoPlace, OSError."""
    if config is None:
        return Target(path.absolute().parent / edits.FOLDER, FRESH)
    text = read_text(path)
    included = included_folders(path, config.base_dir)
    if included:
        return Target(included[0], None)
    folder = config.base_dir / edits.FOLDER
    others = sorted(file.name for file in folder.glob("*.y*ml")) if folder.is_dir() else []
    if others:
        raise NoPlace(
            f"{folder} holds {others[0]}{' and others' if len(others) > 1 else ''}, and {path} does not read it; add the line"
            f" '{edits.INCLUDE}' to {path} if that is meant, else move it away; then call this again"
        )
    main = edits.with_include(text)
    if main is None:
        raise NoPlace(
            f"{path} must read the folder {edits.FOLDER}, and is written so that this cannot be put in here; add '{edits.FOLDER}' to"
            f" its include: yourself (make the folder {folder} first), then call this again"
        )
    return Target(folder, main)


def read_text(path: Path) -> str:
    """The text of a file, with its line ends and its byte order mark. Raises OSError."""
    return path.read_bytes().decode("utf-8", "replace")


def must_be_writable(path: Path, where: Target) -> None:
    """Raise NoPlace if a file cannot be written, before anybody is asked a question."""
    folder = where.folder if where.folder.is_dir() else where.folder.parent
    needed = [folder]
    if where.main is not None:
        needed.append(Path(os.path.realpath(path)).parent)  # a file is replaced as a whole
        if path.exists():
            needed.append(path)
    for place in needed:
        if not os.access(place, os.W_OK):
            raise NoPlace(_why_not_writable(place, path, where))


def _why_not_writable(folder: Path, path: Path, where: Target) -> str:
    from sensorlogd.cli import plain_errors

    reason = plain_errors.os_error(PermissionError(13, "permission denied", str(folder)))
    if where.main is not None and folder != where.folder and path.exists():
        return f"{reason}; or let the owner add the line '{edits.INCLUDE}' to {path}"
    return reason


def included_folders(path: Path, base: Path) -> list[Path]:
    """The folders that the configuration names under include:, in its order. Raises OSError."""
    errors: list[ConfigError] = []
    tree = parse(read_text(path).removeprefix("\ufeff"), path, errors)
    entry = tree.data.get("include") if tree is not None and isinstance(tree.data, dict) else None
    places = [light.resolve(text, base) for text in (entry if isinstance(entry, list) else [entry]) if isinstance(text, str)]
    return [place for place in places if place.is_dir()]
