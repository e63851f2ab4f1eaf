"""``status``: how the daemon and each sensor are, from the database, so that it is true when the daemon is down."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from sensorlogd import times
from sensorlogd.cli import exits, output
from sensorlogd.cli.reading import now_us, reads_the_log
from sensorlogd.storage.health import daemon_state, newest_by_sensor
from sensorlogd.storage.reader import Log, SensorState


def sensor_row(sensor: SensorState, now: int, running: bool, newest: dict[str, int]) -> dict[str, Any]:
    counters = dict(sensor.counters)
    last = newest.get(sensor.sensor, sensor.last_reading_us)
    age = None if last is None else now - last
    state = sensor.state if running else "not running"
    lost = {
        name: counters[name] for name in sorted(counters) if name not in ("readings", "attempts", "reconnects") and counters[name]
    }
    return {
        "sensor": sensor.sensor,
        "state": state,
        "last": None if age is None else times.format_age(age),
        "readings": counters.get("readings", 0),
        "reconnects": counters.get("reconnects", 0),
        "counts": " ".join(f"{name}={count}" for name, count in lost.items()),
        "error": sensor.last_error,
    }


def _rows(log: Log, now: int) -> tuple[str, str, list[dict[str, Any]]]:
    """State of the daemon, what it means, and a row for each sensor."""
    state, explanation = daemon_state(log.daemon(), now)
    newest = newest_by_sensor(log, now)
    return state, explanation, [sensor_row(sensor, now, state == "running", newest) for sensor in log.sensors()]


@click.command(
    epilog="""\b
Examples:
  sensorlogd status
  sensorlogd status --watch                 a live screen; q ends it
  sensorlogd status --format json | jq .daemon
\b
Exit status: 0 all is well; 1 the daemon is not running, cannot write, or runs from last-good.yaml;
4 a sensor has been silent for longer than its heartbeat.
"""
)
@click.option("--format", "form", type=click.Choice(("table", "json")), help="default: table")
@click.option("--watch", is_flag=True, help="a live screen of daemon, disk and sensors")
@reads_the_log
def status(log: Log, form: str | None, watch: bool) -> None:
    """Show the daemon and each sensor: state, age of the last reading, counters, last error."""
    if watch:
        if form is not None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError("--watch is a screen: it needs a terminal, and no --format")
        from sensorlogd.cli import watch as screen

        screen.watch(log, _rows)
        return
    now = now_us()
    facts = log.daemon()
    state, explanation, rows = _rows(log, now)
    running = state == "running"
    problems = list(facts.get("config_errors") or [])
    if form == "json":
        whole = {"daemon": facts | {"state_now": state, "explanation": explanation}, "sensors": rows, "config_errors": problems}
        click.echo(json.dumps(whole, ensure_ascii=False, indent=1))
    else:
        click.echo(f"daemon    {state} ({explanation})")
        if facts:
            writing = str(facts.get("state", "")) + (f": {facts['state_reason']}" if facts.get("state_reason") else "")
            click.echo(f"database  {log.path}, {_size(log)}; {writing if running else 'not being written'}")
            click.echo(
                f"stored    {facts.get('committed', 0):,} readings since start; inbox {facts.get('inbox_depth', 0):,} of"
                f" {facts.get('inbox_limit', 0):,}; last commit took {facts.get('last_commit_ms', 0):.1f} ms"
            )
            if running and facts.get("web_state", "off") != "off":
                click.echo(f"pages     {facts.get('web_url') or facts['web_state']} {facts.get('web_error', '')}".rstrip())
            if facts.get("rollup_error"):
                click.echo(f"roll-ups  {facts['rollup_error']}")
            if running and not facts.get("clock_synchronised", True):
                click.echo("clock     not synchronised: readings are marked clock_unsynced")
        for problem in problems:
            click.echo(f"config    {problem}")
        if problems:
            click.echo("config    the daemon runs from last-good.yaml; mend the file and reload")
        click.echo("")
        output.write(rows, ("sensor", "state", "last", "readings", "reconnects", "counts", "error"), "table")
    if not running or problems or facts.get("state") != "writing":
        sys.exit(exits.FAILURE)
    if any(row["state"] not in ("reading", "finished", "disabled", "starting") for row in rows):
        sys.exit(exits.STALE)


def _size(log: Log) -> str:
    from sensorlogd.durations import format_size

    total = 0
    for suffix in ("", "-wal"):
        try:
            total += os.stat(f"{log.path}{suffix}").st_size
        except OSError:
            continue
    return format_size(total)
