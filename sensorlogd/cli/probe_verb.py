"""``probe``: what does the device on this port speak? It only listens, unless told to ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from sensorlogd.cli import exits
from sensorlogd.cli.reading import fail
from sensorlogd.durations import parse_duration

SURE = 0.9


@click.command(
    epilog="""\b
Examples:
  sensorlogd probe /dev/ttyUSB0
  sensorlogd probe /dev/ttyUSB0 --for 15s           a device that speaks seldom
  sensorlogd probe /dev/ttyUSB0 --baudrate 9600     this baud rate only
  sensorlogd probe /dev/ttyUSB0 --active            asks, too: MH-Z19B, S8, scales, Modbus units 1 to 10
\b
It never writes to the device without --active. (Opening a port raises DTR, as the kernel has it; that resets some Arduinos.)
Exit status: 0 recognised; 1 the port cannot be used; 2 usage; 3 nothing heard, or nothing that is known.
"""
)
@click.argument("port")
@click.option("--for", "duration", default="3s", show_default=True, metavar="DURATION", help="listen so long at each setting")
@click.option("--baudrate", "baudrates", multiple=True, type=click.IntRange(min=50), help="try this one (may be repeated)")
@click.option("--active", is_flag=True, help="also ask devices that only answer")
def probe(port: str, duration: str, baudrates: tuple[int, ...], active: bool) -> None:
    """Find out what speaks on PORT: baud rate, protocol, and the YAML that reads it."""
    from sensorlogd.drivers import probing
    from sensorlogd.drivers.contract import DriverError
    from sensorlogd.drivers.listening import Line

    try:
        seconds = parse_duration(duration) / 1e6
        if not 0.1 <= seconds <= 3600:
            raise ValueError(f"--for {duration} is not between 100ms and 1h")
    except ValueError as error:
        fail(str(error), exits.USAGE)
    found: list[Any] = []
    heard_bytes = 0
    try:
        with Line(port) as line:
            for heard in _listen(line, baudrates or probing.BAUDRATES, seconds):
                heard_bytes += len(heard.data)
                candidates = probing.judge(heard)
                found += candidates
                _tell(line, heard, candidates)
                if line.one_setting or (candidates and candidates[0].confidence >= SURE):
                    break
            if active and not any(one.confidence >= SURE for one in found):
                found += _ask(line)
            has_speed = not (line.is_pty or line.one_setting)
    except DriverError as error:
        fail(f"{error}; {error.hint}" if error.hint else str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    _answer(port, probing.best(found), heard_bytes, has_speed, active)


def _listen(line: Any, baudrates: Any, seconds: float) -> Iterator[Any]:
    from sensorlogd.drivers.probing import Heard

    for baudrate in baudrates:
        line.set(baudrate)
        data, errors = line.listen(seconds)
        yield Heard(baudrate, data, errors)
        if data and errors > len(data) // 20:  # a parity bit more than eight data bits: Modbus and M-Bus lines
            line.set(baudrate, parity="even")
            data, errors = line.listen(seconds)
            yield Heard(baudrate, data, errors, "even", 8)


def _tell(line: Any, heard: Any, candidates: list[Any]) -> None:
    setting = "as it comes" if line.one_setting else f"{heard.baudrate} baud"
    errors = f", {heard.errors} framing errors" if heard.errors else ""
    best = f": {candidates[0].title} ({candidates[0].confidence:.0%})" if candidates else ""
    click.echo(f"{setting}: {len(heard.data)} bytes{errors}{best}", err=True)


def _ask(line: Any) -> list[Any]:
    from sensorlogd.drivers.asking import ask

    found = []
    for title, candidate in ask(line):
        click.echo(f"asked: {title}{'' if candidate is None else ' - it answers'}", err=True)
        if candidate is not None:
            found.append(candidate)
            break
    return found


def _answer(port: str, ranked: list[Any], heard_bytes: int, has_speed: bool, active: bool) -> None:
    if not ranked:
        if not heard_bytes:
            hint = "" if active else "; or it only answers when asked: try --active"
            fail(f"{port}: not a byte came; is it switched on, are TX and RX crossed, is it the right port{hint}?", exits.NO_DATA)
        fail(
            f"{port}: {heard_bytes} bytes came, and they are nothing that is known; 'sensorlogd listen {port}' shows them",
            exits.NO_DATA,
        )
    first = ranked[0]
    click.echo(
        f"# {first.title}: {first.confidence:.0%} ({first.evidence}{f'; {first.heard.baudrate} baud' if has_speed else ''})"
    )
    if not has_speed:
        click.echo("# this port has no real speed: the baud rate cannot be told from it")
    for other in ranked[1:4]:
        click.echo(f"# or {other.title}: {other.confidence:.0%} ({other.evidence})")
    click.echo(first.yaml(port, with_speed=has_speed), nl=False)
    if first.confidence < 0.5:
        click.echo("# a guess: look at it with 'sensorlogd listen' first", err=True)
