"""``try`` and ``ports``: show what is connected, and what it sends."""

from __future__ import annotations

import grp
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sensorlogd import quality
from sensorlogd.cli import exits, output, plain_errors
from sensorlogd.cli.common import config_option, fail
from sensorlogd.config.light import ConfigNotFound, find
from sensorlogd.notation import numbers, times
from sensorlogd.notation.durations import parse_duration

if TYPE_CHECKING:
    from sensorlogd.batch import Block


@click.command(
    epilog="""\b
Examples:
  sensorlogd ports
  sensorlogd ports --format json
\b
Put the stable name into the configuration: /dev/ttyUSB0 may be another device after a restart.
Exit status: 0; 3 no port is connected.
"""
)
@output.format_option
def ports(form: str | None) -> None:
    """List serial ports: device, stable name, what it is, who holds it."""
    from sensorlogd.drivers.ports import connected

    rows = []
    for port in connected():
        row = {"device": port.device, "stable_name": port.stable, "description": port.description, "held_by": port.held_by}
        rows.append(row)
        if port.shared:
            click.echo(f"warning: another adapter has the by-id name of {port.device}; its by-path name is shown", err=True)
    if not output.write(rows, ("device", "stable_name", "description", "held_by"), form):
        fail("no serial port is connected (is the cable a data cable? see 'dmesg | tail')", exits.NO_DATA)


@click.command(
    "try",
    epilog="""\b
Examples:
  sensorlogd try arduino
  sensorlogd try --for 30s                    every configured sensor, one after the other
\b
Exit status: 0 every sensor gave a reading; 2 no such sensor; 3 a sensor was silent (the likely cause is said);
78 bad configuration.
""",
)
@click.argument("sensor", required=False)
@config_option
@click.option("--for", "duration", default="10s", show_default=True, metavar="DURATION", help="listen at most this long")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(min=1), help="show this many samples, then end")
def try_(sensor: str | None, config_file: Path | None, duration: str, limit: int) -> None:
    """Read SENSOR (default: all) once without storing: decoded values, flags, unmapped fields."""
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.config.validation.names import closest
    from sensorlogd.drivers.registry import options_for

    try:
        seconds = parse_duration(duration) / 1e6
        config = load(find(config_file), options_for)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    except ConfigNotFound as error:
        fail(str(error), exits.BAD_CONFIG)
    except ConfigErrors as errors:
        for mistake in errors.errors:
            click.echo(mistake, err=True)
        sys.exit(exits.BAD_CONFIG)
    if sensor is not None and sensor in config.failed_sensors:
        fail(f"{sensor}: {config.failed_sensors[sensor]}")
    if sensor is not None and sensor not in config.sensors:
        hint = closest(sensor, config.sensors) or f"; there are {', '.join(config.sensors) or 'none'}"
        fail(f"no sensor {sensor!r} is configured{hint}", exits.USAGE)
    if sensor is not None and config.sensors[sensor].driver == "computed":
        fail(f"{sensor} is computed from others, so there is nothing to read; try those", exits.USAGE)
    names = [sensor] if sensor is not None else [name for name, options in config.sensors.items() if options.driver != "computed"]
    heard = [_try_sensor(name, config, seconds, limit) for name in names]
    if not all(heard):
        sys.exit(exits.NO_DATA)


class _Attempt:
    """What was seen while trying a sensor. ``shown``: how many readings were printed. ``is_showing``: an error that comes now is
    one of the output, not of the driver."""

    def __init__(self, name: str, units: dict[str, str], limit: int) -> None:
        self.name, self.units, self.limit = name, units, limit
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.shown = 0
        self.is_showing = False

    def count(self, name: str, n: int, example: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + n
        if example:
            self.examples[name] = example

    def show(self, block: Block | None) -> None:
        """Print the readings of a block, as far as ``limit`` allows."""
        if block is not None:
            self.is_showing = True
            self.shown += _print_readings(self.name, block, self.units, self.limit - self.shown)
            self.is_showing = False

    def report(self) -> None:
        """Print what was counted, with an example of each."""
        for counter, n in sorted(self.counts.items()):
            example = f", e.g. {self.examples[counter]}" if counter in self.examples else ""
            click.echo(f"{self.name}: {counter}: {n}{example}", err=True)


def _try_sensor(name: str, config: Any, seconds: float, limit: int) -> bool:
    """Read a sensor as the daemon does, and print the first readings. Returns whether there were any; if not, says why."""
    from sensorlogd.daemon.sensing.driver_result import batch_of
    from sensorlogd.daemon.sensing.time_judge import TimeJudge
    from sensorlogd.daemon.sensing.treatment import Treatment
    from sensorlogd.drivers.contract import DriverContext, DriverError, EndOfData
    from sensorlogd.drivers.registry import driver_class
    from sensorlogd.processes.wake_pipe import WakePipe

    options = config.sensors[name]
    units = {channel: entry.unit for channel, entry in options.channel_options().items()}
    attempt = _Attempt(name, units, limit)
    wake = WakePipe()
    stop = threading.Event()
    context = DriverContext(
        name, wake.read_end, stop.wait, lambda: time.time_ns() // 1000, attempt.count, lambda kind, detail: None
    )
    treatment = Treatment(name, options.channel_options(), options.heartbeat_us(), attempt.count)
    judge = TimeJudge(options.time_limits(), attempt.count, lambda kind, detail: None)
    driver = driver_class(options.driver, config.base_dir)(options, context)
    deadline = time.monotonic() + seconds
    problem = ""
    try:
        driver.open()
        while attempt.shown < limit and time.monotonic() < deadline:
            got = driver.read(min(max(deadline - time.monotonic(), 0), 1.0))
            batch = batch_of(driver, got, context.now_us())
            for part in judge.judge(batch, context.now_us(), clock_set=True) if batch.times_us else []:
                for block in treatment.blocks(part):
                    attempt.show(block)
        attempt.show(treatment.flush())
    except EndOfData:
        problem = "the source has ended"
    except DriverError as error:
        problem = f"{error}; {error.hint}" if error.hint else str(error)
        if ": busy" in problem and _daemon_runs(config):
            problem = f"the daemon is reading it; 'sensorlogd listen {name}' shows what it reads, live"
    except KeyboardInterrupt:
        attempt.report()
        raise
    except Exception as error:  # a driver may raise anything; that is the answer here
        if attempt.is_showing:
            raise
        problem = plain_errors.os_error(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    finally:
        driver.close()
        wake.close()
    attempt.report()
    if not attempt.shown:
        click.echo(f"{name}: no reading in {seconds:g} s: {problem or _likely_cause(driver, options, attempt)}", err=True)
    return bool(attempt.shown)


def _daemon_runs(config: Any) -> bool:
    """Whether a daemon runs this configuration."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import PingRequest
    from sensorlogd.daemon.control.requests.registry import encode

    try:
        return bool(control_socket.ask(config.data_dir(), encode(PingRequest()), 5.0).get("ok"))
    except (OSError, ValueError):
        return False


def _print_readings(name: str, block: Any, units: dict[str, str], room: int) -> int:
    """Print the samples of a block. Returns how many."""
    lines: dict[int, list[str]] = {}
    for column in block.columns:
        qualities = [column.quality] * len(column.times_us) if isinstance(column.quality, int) else column.quality
        for ts, value, q in zip(column.times_us, column.values, qualities, strict=True):
            text = numbers.text(value, "-")
            unit = f" {units[column.channel]}" if units.get(column.channel) else ""
            lines.setdefault(ts, []).append(f"{column.channel}={text}{unit} ({quality.describe(q)})")
    shown = sorted(lines.items())[:room]
    for ts, cells in shown:
        click.echo(f"{name}  {times.format_time(ts)}  {'  '.join(cells)}")
    return len(shown)


def _likely_cause(driver: Any, options: Any, attempt: _Attempt) -> str:
    """Why there was no reading, as far as it is known from what arrived."""
    if attempt.counts.get("wrong_terminator"):
        return "bytes arrive, but their lines end otherwise; see the example above for terminator:"
    if attempt.counts.get("bad_lines") or attempt.counts.get("first_partial"):
        return "lines arrive, but none fits the format; compare the example above with format:"
    seen = getattr(driver, "bytes_seen", None)
    if seen == 0:
        port = getattr(options, "port", "the device")
        poll = "" if getattr(options, "poll", None) else ", or it wants a command first (poll:)"
        return f"not a byte came from {port}; is it switched on, are TX and RX crossed, is it the right port{poll}?"
    if seen:
        return f"{seen} bytes arrived, but no complete line; wrong baudrate ({options.baudrate}) or terminator?"
    if not _in_dialout():
        return "nothing arrived; this user is not in the group dialout"
    return "nothing arrived"


def _in_dialout() -> bool:
    try:
        return os.geteuid() == 0 or grp.getgrnam("dialout").gr_gid in os.getgroups()
    except KeyError:
        return True
