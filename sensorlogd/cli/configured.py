"""The configuration that ``add``, ``remove`` and ``rename`` change: as it stands, and whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits, plain
from sensorlogd.cli.reading import fail
from sensorlogd.config import light


def configuration(config_file: Path | None) -> tuple[Path, Any]:
    """Where it is and what it says; None: there is none yet. Exits 78 for one that is broken."""
    from sensorlogd.cli.reading import readable_file
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
        fail(f"the configuration cannot be read: {plain.os_error(error, path)}", exits.BAD_CONFIG)
    except ConfigErrors as errors:
        for mistake in errors.errors:
            click.echo(mistake, err=True)
        fail(f"{path} is broken as it stands; put that right first ('sensorlogd check')", exits.BAD_CONFIG)


def same_daemon(path: Path) -> None:
    """Exits 2 if the daemon that has the data folder uses another file: what is written here would be nothing to it."""
    from sensorlogd.cli.change import other_configuration

    other = other_configuration(path)
    if other is not None:
        fail(f"the daemon with this data folder runs with another configuration, {other}; say -c {other}", exits.USAGE)
