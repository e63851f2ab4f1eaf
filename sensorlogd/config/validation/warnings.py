"""What is allowed but will be regretted: ports that renumber, history that retires, pages that everybody can read."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator

from sensorlogd.config.listen import auth_needed
from sensorlogd.config.models import Config

_RENUMBERS = re.compile(r"/dev/tty(USB|ACM)\d+")

# Gives (stable name, whether the by-id name is shared by several adapters) of a device.
StableName = Callable[[str], tuple[str, bool]]


def warnings(config: Config, stable_name: StableName) -> Iterator[str]:
    """One line each: the place in the configuration, what will happen, what to do."""
    for name, reason in config.failed_sensors.items():
        yield f"sensors.{name}: will not be read: {reason}"
    if not config.sensors and not config.failed_sensors:
        yield "sensors: none are configured; nothing will be logged"
    for name, sensor in config.sensors.items():
        port = getattr(sensor, "port", None)
        if isinstance(port, str) and port.startswith("/dev/"):
            stable, shared = stable_name(port)
            if _RENUMBERS.fullmatch(port):
                hint = f"use {stable}" if stable != port else "plug it in and let 'sensorlogd ports' show its stable name"
                yield f"sensors.{name}.port: {port} may be another device after a restart; {hint}"
            elif "/by-id/" in port and shared:
                yield f"sensors.{name}.port: another adapter has the same by-id name; use {stable}"
    if config.web.enabled and config.web.auth == "none" and auth_needed(config.web.listen) is not None:
        yield f"web.auth: everybody who reaches {config.web.listen} can read all values; auth: token asks for a token"
    yield from _retiring(config)


def _retiring(config: Config) -> Iterator[str]:
    """History of names that are not configured any more."""
    path = config.database_path()
    if not path.exists():
        return
    configured = {(name, channel) for name, sensor in config.sensors.items() for channel in sensor.channel_options()}
    former = {sensor.was for sensor in config.sensors.values() if sensor.was}
    renamed = {
        (sensor.was or name, options.was)
        for name, sensor in config.sensors.items()
        for options in sensor.channel_options().values()
        if options.was
    }
    units = {
        (name, channel): options
        for name, sensor in config.sensors.items()
        for channel, options in sensor.channel_options().items()
    }
    try:
        conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
    except sqlite3.Error:
        return
    try:
        for series, sensor, channel, unit in conn.execute(
            "SELECT series.id, name, channel, unit FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.retired_us IS NULL"
        ).fetchall():
            key = (sensor, channel)
            if key not in configured and sensor not in former and key not in renamed and sensor not in config.failed_sensors:
                yield (
                    f"{sensor}.{channel}: is in the database and not configured any more: {_count(conn, series)} readings"
                    f" retire (they stay readable); if it was renamed, write was: {sensor if sensor not in config.sensors else channel}"
                )
            elif key in units and units[key].unit != unit and units[key].unit_change is None and _count(conn, series):
                yield (
                    f"sensors.{sensor}.channels.{channel}.unit: changes from {unit!r} to {units[key].unit!r} with history; a new"
                    " series will be begun; say which you want with unit_change: convert, relabel or new_series"
                )
    except sqlite3.Error:
        return
    finally:
        conn.close()


def _count(conn: sqlite3.Connection, series: int) -> int:
    """Readings of a series without a scan: minutes rolled up plus what is in history beyond them is near enough."""
    (rolled,) = conn.execute(
        "SELECT coalesce(sum(n_good + n_not_evaluated + n_suspect + n_fail + n_missing), 0) FROM rollup"
        " WHERE series_id = ? AND resolution = 3600",
        (series,),
    ).fetchone()
    if rolled:
        return int(rolled)
    (stored,) = conn.execute("SELECT count(*) FROM history WHERE series_id = ?", (series,)).fetchone()
    (fresh,) = conn.execute("SELECT count(*) FROM recent WHERE series_id = ?", (series,)).fetchone()
    return int(stored + fresh)
