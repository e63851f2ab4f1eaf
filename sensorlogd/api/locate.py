"""Finds the database that is meant, and the zone of its times, as verbs do with ``-c``, ``--db`` or neither."""

from __future__ import annotations

import os
from pathlib import Path

from sensorlogd.config import light
from sensorlogd.storage.file.reader import LogUnavailable

CONFIGURATIONS = (".yaml", ".yml")


def find(place: str | os.PathLike[str] | None) -> tuple[Path, Path | None]:
    """(the database, the configuration that names it or None). ``place`` None: the configuration that verbs would use. Raises
    LogUnavailable."""
    if place is None:
        return _of_configuration(_usual_configuration())
    text = os.fspath(place).removeprefix(light.SQLITE)
    if not text:
        raise LogUnavailable("an empty name; name the database file or the configuration")
    path = _expand(text)
    if path.suffix.lower() in CONFIGURATIONS:
        return _of_configuration(path)
    if path.is_dir():
        raise LogUnavailable(f"{path} is a folder; name the database file in it, e.g. {path / light.DATABASE_NAME}")
    return path, None


def zone_of(configuration: Path | None) -> str | None:
    """``daemon.timezone`` of the configuration; None if it is not set."""
    try:
        return None if configuration is None else light.timezone(configuration)
    except (OSError, ValueError):
        return None


def _usual_configuration() -> Path:
    """The configuration that verbs would use. Raises LogUnavailable if there is none."""
    try:
        return light.find()
    except light.ConfigNotFound:
        places = ", ".join(map(str, light.CANDIDATES))
        raise LogUnavailable(
            f"no configuration found (looked at ${light.ENVIRONMENT}, {places});"
            " name it, or the database itself: sensorlogd.open(FILE)"
        ) from None


def _of_configuration(path: Path) -> tuple[Path, Path]:
    """(database, configuration) of a configuration. One that cannot be read is an error, since its defaults would be another
    database."""
    if path.is_dir():
        raise LogUnavailable(f"{path} is a folder, not a configuration; name the file in it")
    if path.exists() and not os.access(path, os.R_OK):
        raise LogUnavailable(f"{path}: the configuration cannot be read: permission denied; name the database file itself")
    try:
        return light.database_path(path), path
    except light.ConfigNotFound:
        raise LogUnavailable(f"{path}: no such configuration file; name one that is there, or the database itself") from None
    except OSError as error:
        raise LogUnavailable(f"{path}: the configuration cannot be read: {error.strerror}") from error
    except RuntimeError as error:
        raise LogUnavailable(f"{path}: {str(error).rstrip('.').lower()}; write the folder in full instead of ~") from error


def _expand(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise LogUnavailable(f"{text}: {str(error).rstrip('.').lower()}; write the folder in full instead of ~") from error
