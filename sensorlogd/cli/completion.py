"""Completes arguments in a shell: series, sensors, ports, profiles, aggregates.

Called between two key strokes, for command lines that are half written: after any error nothing is offered, and nothing is printed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

ASKED = "_SENSORLOGD_COMPLETE"  # the variable that the shell's completion script sets

Names = Callable[[click.Context], Iterable[tuple[str, str]]]


def attach(command: click.Command) -> None:
    """Give arguments and options of a verb, and of the verbs below it, their completion by name."""
    if ASKED not in os.environ:
        return
    for parameter in command.params:
        known = _NAMES if isinstance(parameter, click.Argument) else _OF_OPTIONS
        names = known.get(parameter.name or "")
        if names is not None:
            # The same as `shell_complete=` of each parameter, but in one place.
            parameter._custom_shell_complete = _completer(names, listed=known is _OF_OPTIONS)
    for verb in command.commands.values() if isinstance(command, click.Group) else ():
        attach(verb)


def _completer(names: Names, *, listed: bool) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """A completer that offers ``names``. ``listed``: a list with commas, of which the last entry is completed."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, begun = incomplete.rpartition(",") if listed else ("", "", incomplete)
        try:
            return [
                CompletionItem(f"{before}{comma}{name}", help=text or None) for name, text in names(ctx) if name.startswith(begun)
            ]
        except Exception:  # a traceback in the middle of a command line helps nobody
            return []

    return complete


def _series(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """(name, unit) of the series in the database that -c and --db, if they are written already, or the usual places lead to."""
    from sensorlogd.config import light
    from sensorlogd.storage.query.log_reader import LogReader

    given = ctx.params.get("db")
    path = Path(str(given).removeprefix("sqlite:///")) if given else light.database_path(_config_path(ctx))
    with LogReader.open(path) as log:
        return [(series.name, series.unit) for series in log.series()]


def _sensors(ctx: click.Context) -> Iterable[tuple[str, str]]:
    from sensorlogd.config import light

    return [(name, "") for name in light.sensor_names(_config_path(ctx))]


def _ports(_: click.Context) -> Iterable[tuple[str, str]]:
    from sensorlogd.drivers import ports

    return [(port.stable, port.description) for port in ports.connected()]


def _targets(ctx: click.Context) -> Iterable[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for names in (_sensors, _ports):
        try:
            found += names(ctx)
        except Exception:  # without a configuration there are still ports to offer
            continue
    return found


def _profiles(_: click.Context) -> Iterable[tuple[str, str]]:
    folder = Path(__file__).parents[1] / "profiles"
    return [(file.stem, "") for file in sorted(folder.glob("*.yaml"))]


def _aggregates(_: click.Context) -> Iterable[tuple[str, str]]:
    from sensorlogd.storage.query import aggregates

    return [(name, "") for name in aggregates.NAMES]


def _config_path(ctx: click.Context) -> Path:
    from sensorlogd.config import light

    given: Any = ctx.params.get("config_file") or ctx.params.get("file")
    return light.find(given)


_NAMES: dict[str, Names] = {"series": _series, "sensor": _sensors, "port": _ports, "target": _targets, "name": _profiles}
_OF_OPTIONS: dict[str, Names] = {"agg": _aggregates}
