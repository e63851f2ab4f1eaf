"""Loads the configuration that ``add``, ``remove`` and ``rename`` change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import fail
from sensorlogd.config import light


def configuration(config_file: Path | None) -> tuple[Path, Any]:
    """(path, the configuration or None if there is none yet). Exits 78 for one that is broken."""
    from sensorlogd.cli.common import readable_file
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.drivers.registry import options_for

    try:
        path = light.find(config_file)
    except light.ConfigNotFound:
        path = light.CANDIDATES[0]
    if not path.exists():
        if not path.absolute().parent.is_dir():
            fail(f"{path}: no such configuration file, and no such folder", exits.BAD_CONFIG)
        return path, None
    try:
        readable_file(path)
        return path, load(path, options_for)
    except OSError as error:
        fail(f"the configuration cannot be read: {plain_errors.os_error(error, path)}", exits.BAD_CONFIG)
    except ConfigErrors as errors:
        for mistake in errors.errors:
            click.echo(mistake, err=True)
        fail(f"{path} is broken as it stands; put that right first ('sensorlogd check')", exits.BAD_CONFIG)


def same_daemon(path: Path) -> None:
    """Exit 2 if the daemon that uses the data folder has another configuration file: it would not see the change."""
    from sensorlogd.cli.config_change import other_configuration

    other = other_configuration(path)
    if other is not None:
        fail(f"the daemon with this data folder runs with another configuration, {other}; say -c {other}", exits.USAGE)
