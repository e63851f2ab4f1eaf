"""``probe``: finds out what the device on a port speaks. It only listens, unless told to ask."""

from __future__ import annotations

import sys
from typing import Any

import click

from sensorlogd.cli import exits
from sensorlogd.cli.common import fail, listening_s


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
@click.option("--for", "duration", default="3s", show_default=True, metavar="DURATION", help="listen this long at each setting")
@click.option("--baudrate", "baudrates", multiple=True, type=click.IntRange(min=50), help="try this one (may be repeated)")
@click.option("--active", is_flag=True, help="also ask devices that only answer")
def probe(port: str, duration: str, baudrates: tuple[int, ...], active: bool) -> None:
    """Find out what speaks on PORT: baud rate, protocol, and the YAML that reads it."""
    from sensorlogd.cli.device_recognition import hear
    from sensorlogd.drivers.contract import DriverError

    seconds = listening_s(duration)
    try:
        found = hear(port, baudrates, seconds, active=active, show=lambda line: click.echo(line, err=True))
    except DriverError as error:
        fail(f"{error}; {error.hint}" if error.hint else str(error))
    except KeyboardInterrupt:
        sys.exit(exits.INTERRUPTED)
    _print_findings(port, found.ranked, found.heard_bytes, found.has_speed, active)


def _print_findings(port: str, ranked: list[Any], heard_bytes: int, has_speed: bool, active: bool) -> None:
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
        click.echo("# this port has no real speed, so the baud rate is not known")
    for other in ranked[1:4]:
        click.echo(f"# or {other.title}: {other.confidence:.0%} ({other.evidence})")
    click.echo(first.yaml(port, with_speed=has_speed), nl=False)
    if first.confidence < 0.5:
        click.echo("# a guess: look at it with 'sensorlogd listen' first", err=True)
