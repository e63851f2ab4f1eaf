"""``simulate``: pretends to be an instrument on a pty, for trying drivers without hardware."""

from __future__ import annotations

import json
import signal
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click

from sensorlogd.cli import exits
from sensorlogd.cli.common import fail
from sensorlogd.cli.stopping import stop_by
from sensorlogd.notation import times
from sensorlogd.notation.durations import parse_duration

PROTOCOLS = ("csv", "nmea", "pms", "vedirect", "p1", "modbus-rtu", "mhz19b", "sics")


@click.command(
    epilog="""\b
Examples:
  sensorlogd simulate pms --link /tmp/air            prints the port and the YAML that reads it
  sensorlogd simulate nmea --interval 100ms --count 600 --truth sent.ndjson
  sensorlogd simulate csv --set temperature=21.5 --fault dropout:0.1 --fault garbage:0.05
  sensorlogd simulate p1 --fault wrong-checksum:0.2 --fault disconnect:every=20,for=5s
\b
Faults: dropout:P garbage:P bit-errors:P wrong-checksum:P hang:after=N,for=T slow:T disconnect:every=N,for=T
clock-drift:PPM babble:after=N,for=T
Nothing is sent while nobody has the port open. Ends with Ctrl-C; then says what was sent.
"""
)
@click.argument("protocol", type=click.Choice(PROTOCOLS))
@click.option("--link", type=click.Path(path_type=Path), help="a symlink to the port, removed at the end")
@click.option("--interval", metavar="DURATION", help="time between frames (default: the instrument's own)")
@click.option("--count", type=click.IntRange(min=1), help="end after this many frames")
@click.option("--for", "duration", metavar="DURATION", help="end after this time")
@click.option("--seed", default=0, show_default=True, help="two runs with the same seed send the same values")
@click.option("--set", "fixed", multiple=True, metavar="CHANNEL=VALUE", help="a channel that always has this value")
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="what goes wrong; see below")
@click.option("--truth", type=click.Path(path_type=Path), help="write the true values as NDJSON (- is stdout)")
def simulate(
    protocol: str,
    link: Path | None,
    interval: str | None,
    count: int | None,
    duration: str | None,
    seed: int,
    fixed: tuple[str, ...],
    faults: tuple[str, ...],
    truth: Path | None,
) -> None:
    """Pretend to be an instrument that speaks PROTOCOL: csv, nmea, pms, vedirect, p1, modbus-rtu, mhz19b or sics."""
    from sensorlogd.drivers.instruments import INSTRUMENTS
    from sensorlogd.drivers.instruments.faults import Faults, parse
    from sensorlogd.drivers.instruments.line import PretendPort
    from sensorlogd.drivers.instruments.pretend import Pretend

    instrument = INSTRUMENTS[protocol]
    try:
        interval_us = instrument.interval_us if interval is None else parse_duration(interval)
        if interval_us < 1_000:
            raise ValueError(f"--interval {interval} is below 1ms; write that or more")
        for_s = None if duration is None else parse_duration(duration) / 1e6
        values = dict(_parse_fixed(text, instrument.channels) for text in fixed)
        chosen = [parse(text) for text in faults]
        if instrument.damage is None and any(fault.name == "wrong-checksum" for fault in chosen):
            raise ValueError(f"wrong-checksum: {protocol} has no checksum")
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if link is not None and link.exists() and not link.is_symlink():
        fail(f"--link {link}: there is a file of that name, and it stays; name another path", exits.USAGE)
    try:
        out = None if truth is None else sys.stdout if str(truth) == "-" else truth.open("w")
    except OSError as error:
        fail(f"--truth {truth}: {error.strerror}")
    try:
        with stop_by(signal.SIGINT, signal.SIGTERM) as stop:
            line = PretendPort(link, stop.wait, _announcing(instrument))
            pretend = Pretend(instrument, line, Faults(chosen, seed), _recorder(out), interval_us, seed, values)
            pretend.run(count, for_s)
    except OSError as error:
        fail(f"--link {link}: {error.strerror}")
    finally:
        if out is not None and out is not sys.stdout:
            out.close()
    done = pretend.counts
    made = ", ".join(f"{n} {name}" for name, n in sorted(pretend.faults.made.items())) or "none"
    click.echo(f"sent {done.sent} intact, {done.damaged} damaged or dropped, {done.unheard} to nobody; faults: {made}", err=True)


def _announcing(instrument: Any) -> Callable[[str], None]:
    """Says where the port is and how to read it, the first time it is there."""
    announced: list[str] = []

    def announce(port: str) -> None:
        if announced and announced[-1] == port:
            return
        first = not announced
        announced.append(port)
        if not first:
            click.echo(f"# the port is now {port}", err=True)
            return
        text = textwrap.indent(instrument.config.format(port=port), "    ")
        click.echo(f"# {instrument.summary} on {port}; to log it:\nsensors:\n  {instrument.name}:\n{text}", err=True)

    return announce


def _parse_fixed(text: str, channels: Mapping[str, Any]) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if name not in channels:
        raise ValueError(f"--set {text}: there is no channel {name!r}; there are {', '.join(channels)}")
    try:
        return name, float(value if equals else "")
    except ValueError:
        raise ValueError(f"--set {text}: write CHANNEL=NUMBER") from None


def _recorder(out: TextIO | None) -> Any:
    """A function that writes true values to the file as NDJSON; one that does nothing without a file."""

    def record(now_us: int, values: Mapping[str, float]) -> None:
        if out is None:
            return
        for channel, value in values.items():
            out.write(json.dumps({"time": times.format_time(now_us), "channel": channel, "value": value}) + "\n")
        out.flush()

    return record
