"""The ``sensorlogd`` command. Verbs are listed without importing them: ``--help`` must not cost what ``run`` needs."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from sensorlogd import __version__
from sensorlogd.cli import appearance, completion, exits, guard, standard_streams
from sensorlogd.processes import interrupts

# verb -> (module, attribute, one line for --help)
VERBS = {
    "run": ("run_verb", "run", "Run the daemon in the foreground (systemd starts this)."),
    "demo": ("demo_verb", "demo", "Simulated sensors with a month of history, and the dashboard."),
    "reload": ("reload_verb", "reload", "Make the daemon read its configuration again; tell the outcome."),
    "check": ("config_verbs", "check", "Validate a configuration and say what it will cost."),
    "add": ("add_verb", "add", "Log what is plugged in: find out what it is, name it, begin."),
    "remove": ("remove_verbs", "remove", "Stop logging a sensor; its data stay."),
    "rename": ("remove_verbs", "rename", "Give a sensor another name; its history goes on."),
    "schema": ("config_verbs", "schema", "Print the JSON Schema of the configuration, for editors."),
    "init": ("config_verbs", "init", "Write a commented starter configuration."),
    "try": ("driver_verbs", "try_", "Read a sensor once, without storing anything."),
    "ports": ("driver_verbs", "ports", "List serial ports with their stable names."),
    "sources": ("sources_verb", "sources", "List what the kernel measures: temperatures, voltages, counters."),
    "probe": ("probe_verb", "probe", "Find out what speaks on a port: baud rate, protocol, the YAML to paste."),
    "listen": ("listen_verb", "listen", "Show what passes over a port, raw and decoded; record it."),
    "profiles": ("profiles_verb", "profiles", "List the devices that are described already."),
    "latest": ("read_verbs", "latest", "Show the newest value of every series."),
    "query": ("query_verb", "query", "Readings or roll-ups over a range of time."),
    "plot": ("plot_verb", "plot", "Draw series in the terminal, or as PNG or SVG."),
    "tail": ("read_verbs", "tail", "Follow readings as they arrive."),
    "events": ("read_verbs", "events", "Show what happened to sensors, clock and database."),
    "gaps": ("gaps_verb", "gaps", "Show the longest gaps of every series."),
    "status": ("status_verb", "status", "Show the daemon and each sensor."),
    "alarms": ("alarms_verb", "alarms", "Show alarms, acknowledge and mute them, test who is notified."),
    "web": ("web_verb", "web", "Serve the dashboard and the API of a database."),
    "export": ("export_verb", "export", "Write readings or buckets to CSV or NDJSON."),
    "import": ("import_verb", "import_", "Import readings from CSV or NDJSON, ours or others'."),
    "flag": ("mend_verbs", "flag", "Give stored readings a quality; roll-ups follow, reversible."),
    "note": ("note_verb", "note", "Write down what happened to a sensor; charts and events show it."),
    "recalibrate": ("mend_verbs", "recalibrate", "Change stored values by scale and offset; reversible."),
    "recompute": ("recompute_verb", "recompute", "Compute a computed sensor anew from what is stored; reversible."),
    "backup": ("db_verb", "backup", "Copy the log while the daemon runs, and verify the copy."),
    "db": ("db_verb", "db", "Look after the database: info, check, compact, incidents, rebuild-rollups."),
    "clock": ("clock_verb", "clock", "Show what the daemon thinks of the clock; say that it is right."),
    "simulate": ("simulate_verb", "simulate", "Pretend to be an instrument on a pty, with faults on request."),
    "version": ("main", "version", "Print the version."),
}


class LazyGroup(click.Group):
    """Imports a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module, attribute, _ = VERBS[name]
        if module == "main":
            return version
        command: click.Command = getattr(importlib.import_module(f"sensorlogd.cli.{module}"), attribute)
        interrupts.raise_again()
        _add_debug(command)
        appearance.add_color(command)
        completion.attach(command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would turn it into a failure
            sys.exit(guard.reader_left())
        except KeyboardInterrupt:  # likewise
            sys.exit(exits.INTERRUPTED)
        except click.Abort as aborted:  # at a question: Ctrl-C, or the end of the input
            if not isinstance(aborted.__context__, KeyboardInterrupt):
                raise
            sys.exit(exits.INTERRUPTED)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, _, line) in VERBS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from sensorlogd.config.validation.names import closest

            ctx.fail(f"no such verb: {args[0]}{closest(args[0], VERBS)}")
        return super().resolve_command(ctx, args)


def _debug(_: click.Context, __: click.Parameter, on: bool) -> None:
    if on:
        guard.debug()


def _add_debug(command: click.Command) -> None:
    """Add ``--debug`` to a verb and to those below it; hidden, since messages mention it when it helps."""
    if not any(parameter.name == "debug" for parameter in command.params):
        option = click.Option(["--debug"], is_flag=True, hidden=True, expose_value=False, callback=_debug)
        command.params.append(option)
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            _add_debug(verb)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  sensorlogd init && sensorlogd check       write a starter configuration and look at it
  sensorlogd run                            start logging
  sensorlogd latest                         what is it now?
  sensorlogd query 'greenhouse.*' --since -1h --every 5min
  sensorlogd status                         is everything well?
\b
The configuration is -c FILE, else $SENSORLOGD_CONFIG, else ./sensorlogd.yaml, else /etc/sensorlogd/sensorlogd.yaml.
Completion for bash: eval "$(_SENSORLOGD_COMPLETE=bash_source sensorlogd)"  (zsh_source, fish_source likewise)
Exit status: 0 ok; 1 failure; 2 usage; 3 no data; 4 stale; 78 bad configuration; 130 ended by Ctrl-C.
""",
)
@click.version_option(__version__, message="sensorlogd %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, callback=_debug, help="show the trace of what goes wrong, too")
def cli() -> None:
    """A sensor data logger: serial and simulated sensors into SQLite, nothing lost in silence."""


cli.params.append(appearance.color_option())


@click.command()
def version() -> None:
    """Print the version of sensorlogd, Python and SQLite."""
    import platform
    import sqlite3

    click.echo(f"sensorlogd {__version__} (Python {platform.python_version()}, SQLite {sqlite3.sqlite_version})")


def main() -> None:
    """The entry point of the console script."""
    standard_streams.prepare()
    guard.run(lambda: cli(prog_name="sensorlogd"))
