"""``demo``: runs daemon and dashboard on simulated sensors with a month of history; nothing need be configured."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import webbrowser
from pathlib import Path

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import fail
from sensorlogd.notation.microseconds import DAY_US, MINUTE_US

NAME = "demo.yaml"
EVERY_US = MINUTE_US  # between two readings of the past
AT_ONCE = 5_000
PORT = 8321
CONFIG = """\
# The demo: simulated sensors. Change what you like and start it again: sensorlogd demo --data FOLDER
daemon: {data_dir: .}
storage: {rollup_interval: 1min, min_free: 200MB}
web: {listen: "LISTEN"}

templates:
  simulated: {driver: simulated, interval: 2s, heartbeat: 3min}

sensors:
  greenhouse:
    template: simulated
    channels:
      temperature: {unit: °C, decimals: 2, signal: {diurnal: {offset: 21, amplitude: 6, noise: 0.1}}, valid: [-40, 85]}
      humidity: {unit: "%", decimals: 1, signal: {random_walk: {start: 55, step: 0.4, low: 30, high: 95}}, valid: [0, 100]}
  well:
    template: simulated
    channels:
      level: {unit: m, decimals: 3, signal: {sine: {offset: 3.2, amplitude: 0.4, period: 12h, noise: 0.01}}}
      pump: {kind: state, signal: {square: {low: 0, high: 1, period: 2h, duty: 0.3}}}
  weather:
    template: simulated
    channels:
      temperature: {unit: °C, decimals: 2, signal: {diurnal: {offset: 12, amplitude: 8, noise: 0.2}}, valid: [-50, 60]}
      wind: {unit: m/s, decimals: 1, signal: {random_walk: {start: 4, step: 0.3, low: 0, high: 18}}, valid: [0, 60]}
      direction: {unit: °, kind: angle, decimals: 0, signal: {random_walk: {start: 200, step: 4, low: 0, high: 359}}}
  meter:
    template: simulated
    channels:
      energy: {unit: Wh, kind: counter, signal: {counter: {step: 0.5}}}
  loose-cable:
    driver: serial
    port: ./not-plugged-in
    baudrate: 9600
    format: {type: csv, fields: [voltage]}
    channels: {voltage: {unit: V}}
"""


@click.command(
    epilog="""\b
Examples:
  sensorlogd demo                           then open the address that it prints
  sensorlogd demo --data /tmp/demo --days 365
\b
Everything lies in the folder: delete it, and the demo has never been there.
"""
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sensorlogd-demo"),
    show_default=True,
    metavar="FOLDER",
)
@click.option(
    "--days", type=click.IntRange(0, 3650), default=30, show_default=True, help="how much history is made at the first start"
)
@click.option(
    "--listen", metavar="ADDRESS:PORT", help=f"of the dashboard; default 127.0.0.1:{PORT}, or a free port if that is taken"
)
@click.option("--no-browser", is_flag=True, help="do not open the dashboard")
def demo(data: Path, days: int, listen: str | None, no_browser: bool) -> None:
    """Log simulated sensors, with a month of history, and show them in a dashboard."""
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.daemon.main.process import logs
    from sensorlogd.daemon.main.process.lock import LockHeld
    from sensorlogd.daemon.main.run import run_daemon
    from sensorlogd.drivers.registry import options_for

    try:
        data.mkdir(parents=True, exist_ok=True)
        path = data / NAME
        if not path.exists() or listen is not None:
            path.write_text(CONFIG.replace("LISTEN", listen or f"127.0.0.1:{_port()}"), encoding="utf-8")
        config = load(path, options_for)
        if not config.database_path().exists() and days:
            began = time.monotonic()
            made = _store_history(path, days)
            click.echo(
                f"{made:,} readings of {days} days were made in {time.monotonic() - began:.1f} s: {config.database_path()}"
            )
        logs.setup("warning")
        address = f"http://{config.web.listen}/"
        looking = threading.Thread(
            target=_show_address, args=(config.web.listen, address, path, not no_browser), name="demo", daemon=True
        )
        looking.start()
        status = run_daemon(config, lambda: load(path, options_for))
    except ConfigErrors as errors:
        for error in errors.errors:
            click.echo(str(error), err=True)
        sys.exit(exits.BAD_CONFIG)
    except LockHeld as error:
        fail(str(error))
    except OSError as error:
        fail(plain_errors.os_error(error))
    sys.exit(status)


def _port() -> int:
    """The usual port, or any free one."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    return PORT


def _store_history(path: Path, days: int) -> int:
    """Store readings of the simulated sensors for the past, one a minute, as an import does. Returns how many."""
    from sensorlogd.config.loader import load
    from sensorlogd.daemon.control.offline import Offline
    from sensorlogd.daemon.sensing.build import sensor_specs
    from sensorlogd.drivers.registry import options_for
    from sensorlogd.drivers.simulated.driver import SimulatedOptions
    from sensorlogd.storage.corrections.upsert import UpsertCounts, upsert
    from sensorlogd.storage.open_database import OpenDatabase
    from sensorlogd.storage.series import catalog

    config = load(path, options_for)
    now_us = time.time_ns() // 1000
    count = days * DAY_US // EVERY_US
    begin_us = now_us - count * EVERY_US
    made = 0
    with Offline(config.database_path(), config.daemon.timezone) as offline:
        writer = offline.writer
        ids = writer.submit("sensors", lambda db: catalog.sync(db.conn, sensor_specs(config), begin_us)).result().ids
        writer.submit("past", lambda db: db.upkeep.expect_the_past(db.conn, db.frontier, now_us), transaction=False).result()
        for name, sensor in config.sensors.items():
            if not isinstance(sensor, SimulatedOptions):
                continue
            for channel, options in sensor.channels.items():
                source = options.signal.source(f"{name}.{channel}", EVERY_US, begin_us)
                for first in range(0, count, AT_ONCE):
                    n = min(AT_ONCE, count - first)
                    times = range(begin_us + first * EVERY_US, begin_us + (first + n) * EVERY_US, EVERY_US)
                    values, identity = source.values(n), ids[name, channel]

                    def store(
                        db: OpenDatabase, series: int = identity, t: range = times, v: list[float | None] = values
                    ) -> UpsertCounts:
                        return upsert(db.conn, db.frontier, series, t, v, [1] * len(v), now_us)

                    writer.submit("past", store).result()
                    made += n
        offline.roll_up()
    return made


def _show_address(listen: str, address: str, path: Path, browser: bool) -> None:
    """Wait until the dashboard answers, print its address, and open it if there is a screen."""
    host, _, port = listen.rpartition(":")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection((host.strip("[]"), int(port)), 1.0).close()
        except OSError:
            time.sleep(0.1)
            continue
        click.echo(
            f"\n  dashboard   {address}\n  your own    plug it in, then elsewhere: sensorlogd add -c {path}\n  stop        Ctrl-C\n"
        )
        if browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            webbrowser.open(address)
        return
