"""``listen``: shows what passes over a port, raw and decoded side by side, and records it for ``replay`` on request."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import config_option, fail
from sensorlogd.cli.stopping import Stop, stop_by
from sensorlogd.notation import numbers, times
from sensorlogd.notation.durations import parse_duration

ASK_EVERY_S = 0.1
BYTES_A_LINE = 16

Passed = tuple[int, str, bytes]


@click.command(
    epilog="""\b
Examples:
  sensorlogd listen /dev/ttyUSB0 --baudrate 115200
  sensorlogd listen /dev/ttyUSB0 --profile plantower-pms5003       decoded, too
  sensorlogd listen boiler                      a sensor of the configuration, through the daemon where that has the port
  sensorlogd listen boiler --for 1min --record boiler.jsonl        'driver: replay' plays it again
\b
Nothing is ever written to the device. Ends with Ctrl-C.
Exit status: 0; 1 the port cannot be used; 2 usage; 3 not a byte came.
"""
)
@click.argument("target", metavar="PORT|SENSOR")
@config_option
@click.option("--baudrate", type=click.IntRange(min=50), help="of a port (default 9600, or the profile's)")
@click.option("--profile", metavar="NAME", help="decode as this device; 'nmea' for NMEA 0183 and UBX")
@click.option("--for", "duration", metavar="DURATION", help="end after this time")
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    help="write what comes to this file, in the format of replay; '-': to standard output, alone",
)
@click.option("--format", "form", type=click.Choice(("text", "ndjson")), default="text", show_default=True)
def listen(
    target: str,
    config_file: Path | None,
    baudrate: int | None,
    profile: str | None,
    duration: str | None,
    record: Path | None,
    form: str,
) -> None:
    """Show what passes over a PORT, or over the port of a SENSOR: bytes and what they mean."""
    from sensorlogd.drivers.contract import DriverError
    from sensorlogd.drivers.decoding import decoder_of
    from sensorlogd.drivers.recording import RecordingWriter

    try:
        for_s = None if duration is None else parse_duration(duration) / 1e6
    except ValueError as error:
        fail(str(error), exits.USAGE)
    options, data_dir = _meant(target, config_file, baudrate, profile)
    counts: dict[str, int] = {}
    decoder = None
    if data_dir is not None or profile is not None:
        decoder = decoder_of(options, lambda name, n, _: counts.update({name: counts.get(name, 0) + n}))
    channels = {entry.source or name: (name, entry) for name, entry in options.channel_options().items()}
    seen = 0
    trouble = ""
    with ExitStack() as stack:
        stop = stack.enter_context(stop_by(signal.SIGINT, signal.SIGTERM))
        writer = None
        if record is not None:
            try:
                # Written as it comes: what was recorded until a power cut is worth having.
                file = sys.stdout if str(record) == "-" else stack.enter_context(record.open("w"))
            except OSError as error:
                fail(f"--record {plain_errors.os_error(error, record)}")
            writer = RecordingWriter(
                file, time.time_ns() // 1000, {"port": options.port, "baudrate": getattr(options, "baudrate", None)}
            )
        try:
            for at_us, direction, data in _passed(target, options, data_dir, stop, for_s):
                seen += len(data)
                if writer is not None:
                    writer.write(at_us, data, direction)
                batch = decoder.feed(data, at_us) if decoder is not None and direction == "rx" else None
                if str(record) != "-":
                    _print_passed(at_us, direction, data, _decoded(batch, channels), form)
        except DriverError as error:
            trouble = f"{error}; {error.hint}" if error.hint else str(error)
            if not seen:
                fail(trouble)
    counted = "".join(f", {name} {n}" for name, n in sorted(counts.items()))
    click.echo(f"{seen} bytes{counted}" + (f"; recorded in {record}" if record is not None else ""), err=True)
    if trouble:
        fail(trouble)
    if not seen:
        sys.exit(exits.NO_DATA)


def _meant(target: str, config_file: Path | None, baudrate: int | None, profile: str | None) -> tuple[Any, Path | None]:
    """(options of the sensor or port, the data directory of a daemon that may have it open)."""
    from sensorlogd.config.light import ConfigNotFound, find
    from sensorlogd.config.loader import ConfigErrors, load, load_text
    from sensorlogd.config.validation.names import closest
    from sensorlogd.drivers.registry import options_for

    if "/" not in target and "://" not in target:
        try:
            config = load(find(config_file), options_for)
        except ConfigNotFound as error:
            fail(f"{target} is not a port, and of sensors nothing is known: {error}", exits.BAD_CONFIG)
        except ConfigErrors as errors:
            for mistake in errors.errors:
                click.echo(mistake, err=True)
            sys.exit(exits.BAD_CONFIG)
        if target not in config.sensors:
            fail(f"no sensor {target!r} is configured{closest(target, config.sensors)}; a port has a / in it", exits.USAGE)
        options = config.sensors[target]
        if options.driver == "computed":
            fail(f"{target} is computed from others: it has no port", exits.USAGE)
        if not getattr(options, "port", None):
            fail(f"{target}: driver {options.driver} reads no port; 'sensorlogd try {target}' shows its values", exits.USAGE)
        return options, config.data_dir()
    keys: dict[str, Any] = {"port": target}
    if profile == "nmea":
        keys["driver"] = "nmea"
    elif profile is not None:
        keys["profile"] = profile
    else:
        keys |= {"driver": "serial", "format": {"type": "regex", "pattern": "(?P<nothing>$^)"}}
    if baudrate is not None:
        keys["baudrate"] = baudrate
    try:
        config = load_text(json.dumps({"sensors": {"port": keys}}), Path.cwd() / "listen.yaml", options_for)
    except ConfigErrors as errors:
        fail("; ".join(error.problem for error in errors.errors), exits.USAGE)
    return config.sensors["port"], None


def _passed(target: str, options: Any, data_dir: Path | None, stop: Stop, for_s: float | None) -> Iterator[Passed]:
    """What passes over the port: from the daemon if it reads the sensor, else from the port itself."""
    end = None if for_s is None else time.monotonic() + for_s
    if data_dir is not None:
        from sensorlogd.daemon.control import control_socket
        from sensorlogd.daemon.control.requests.daemon import PingRequest
        from sensorlogd.daemon.control.requests.registry import encode

        try:
            control_socket.ask(data_dir, encode(PingRequest()), 5.0)
        except (OSError, ValueError):
            click.echo(f"{target}: no daemon runs; opening {options.port}", err=True)
        else:
            click.echo(f"{target}: {options.port}, through the daemon", err=True)
            yield from _from_daemon(target, data_dir, stop, end)
            return
    yield from _from_port(options, stop, end)


def _from_daemon(target: str, data_dir: Path, stop: Stop, end: float | None) -> Iterator[Passed]:
    """What passes over the port that the daemon has. ``end``: a moment of the monotonic clock. Raises DriverError."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import ListenRequest
    from sensorlogd.daemon.control.requests.registry import encode
    from sensorlogd.drivers.contract import DriverError

    following: int | None = None
    while not stop.is_set() and (end is None or time.monotonic() < end):
        try:
            answer = control_socket.ask(data_dir, encode(ListenRequest(target, following)), 10.0)
        except (OSError, ValueError) as error:
            raise DriverError(f"the daemon does not answer any more: {error}") from None
        if not answer.get("ok"):
            raise DriverError(str(answer.get("error")))
        if answer["missed"]:
            click.echo(f"{answer['missed']} bytes came faster than they could be shown", err=True)
        for at_us, direction, data in answer["passed"]:
            yield at_us, direction, bytes.fromhex(data)
        following = answer["next"]
        stop.wait(ASK_EVERY_S)


def _from_port(options: Any, stop: Stop, end: float | None) -> Iterator[Passed]:
    """What comes from the port, opened here. ``end``: a moment of the monotonic clock. Raises DriverError."""
    from sensorlogd.drivers.contract import DriverContext
    from sensorlogd.drivers.serial.transport import Transport
    from sensorlogd.processes.wake_pipe import WakePipe

    wake = WakePipe()
    context = DriverContext("listen", wake.read_end, stop.wait, lambda: time.time_ns() // 1000, lambda *_: None, lambda *_: None)
    transport = Transport(options, context)
    try:
        transport.open()
        while not stop.is_set() and (end is None or time.monotonic() < end):
            left = 0.25 if end is None else min(max(end - time.monotonic(), 0), 0.25)
            arrived = transport.read(left)
            if arrived is not None and arrived[1]:
                yield arrived[0], "rx", arrived[1]
    finally:
        transport.close()
        wake.close()


def _print_passed(at_us: int, direction: str, data: bytes, decoded: list[dict[str, float | None]], form: str) -> None:
    """Print bytes that passed, and what was decoded from them."""
    when = times.format_time(at_us)
    if form == "ndjson":
        row = {"time": when, "dir": direction, "hex": data.hex(), "text": data.decode("latin-1"), "decoded": decoded}
        click.echo(json.dumps(row, ensure_ascii=False))
        sys.stdout.flush()
        return
    clock = when[11:26].ljust(15)
    for start in range(0, len(data), BYTES_A_LINE):
        piece = data[start : start + BYTES_A_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        click.echo(f"{clock}  {direction}  {piece.hex(' '):<{3 * BYTES_A_LINE}} {text}")
        clock = " " * 15
    for sample in decoded:
        click.echo(f"{'':15}  =>  " + "  ".join(f"{name}={numbers.text(value, '-')}" for name, value in sample.items()))
    sys.stdout.flush()


def _decoded(batch: Any, channels: dict[str, tuple[str, Any]]) -> list[dict[str, float | None]]:
    """A mapping for each sample: channel -> value, scaled as it would be stored; None for a missing value."""
    from sensorlogd.calibration.scaling import divisor

    curves = {field: entry.curve() for field, (_, entry) in channels.items()}
    decoded: list[dict[str, float | None]] = []
    for index in range(0 if batch is None else len(batch.times_us)):
        sample: dict[str, float | None] = {}
        for field, column in batch.values.items():
            value = column[index]
            if value is None or field not in channels:
                continue
            name, entry = channels[field]
            curve, by = curves[field], divisor(entry.scale)
            value = value if curve is None else curve.value(value)
            sample[name] = None if value != value else (value * entry.scale if by is None else value / by) + entry.offset
        decoded.append(sample)
    return decoded
