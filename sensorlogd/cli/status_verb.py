"""``status``: shows how the daemon and each sensor are, from a running daemon, or as it wrote it last."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from sensorlogd.cli import appearance, daemon_condition, exits, sensor_table, status_sentence
from sensorlogd.cli.common import config_option, database, db_option, fail, fail_if_damaged, now_us, unreadable
from sensorlogd.cli.daemon_condition import Condition
from sensorlogd.cli.sensor_table import AGO
from sensorlogd.notation import times
from sensorlogd.storage.file import reader
from sensorlogd.storage.ingest.status import StoredStatus
from sensorlogd.storage.query.health import ALIVE, newest_by_sensor
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

LABEL = 9  # columns
MAX_EXAMPLES = 12  # lines of a table; JSON has all


def sensor_row(sensor: StoredStatus, now: int, running: bool, newest: dict[str, int]) -> dict[str, Any]:
    """The row of a sensor. ``now``: µs since 1970. ``newest``: sensor -> the time of its newest reading, where that is known."""
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
        AGO: None if age is None else times.format_ago(age),
        "readings": counters.get("readings", 0),
        "reconnects": counters.get("reconnects", 0),
        "counts": " ".join(f"{name}={count}" for name, count in lost.items()),
        "error": sensor.last_error,
        "examples": {name: sensor.examples[name] for name in lost if name in sensor.examples},
    }


def rows_of(log: LogReader, condition: Condition, now: int) -> list[dict[str, Any]]:
    """The rows, one for each sensor. ``now``: µs since 1970. Raises sqlite3.Error."""
    newest = newest_by_sensor(log, now)
    if not condition.sensors and condition.state == "never started":
        return imported_rows(log, now)
    now = max(now, now_us())  # the daemon has stored readings since ``now``: they are not in the future
    return [sensor_row(sensor, now, condition.state in ALIVE, newest) for sensor in condition.sensors]


def imported_rows(log: LogReader, now: int) -> list[dict[str, Any]]:
    """The rows of a log that no daemon has written: its sensors are known by their readings alone. Raises sqlite3.Error."""
    found: dict[str, int | None] = {}
    configured: set[str] = set()
    for series, reading in zip(every := log.series(retired=True), log.latest(every, now), strict=True):
        ages = [found.get(series.sensor), None if reading is None else now - reading.ts_us]
        found[series.sensor] = min((age for age in ages if age is not None), default=None)
        if series.retired_us is None:
            configured.add(series.sensor)
    return [
        {
            "sensor": sensor, "state": status_sentence.NOT_RUN if sensor in configured else "imported",
            "last": None if age is None else times.format_age(age),
            AGO: None if age is None else times.format_ago(age), "readings": None, "reconnects": 0, "counts": "", "error": None,
            "examples": {},
        }
        for sensor, age in found.items()
    ]  # fmt: skip


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
@config_option
@db_option
def status(config_file: Path | None, db: str | None, form: str | None, watch: bool) -> None:
    """Show the daemon and each sensor: state, age of the last reading, counters, last error."""
    path = database(config_file, db)
    try:
        with LogReader.open(path) as log:
            if watch:
                _show_screen(log, form)
            else:
                _print_status(log, form, None if db is not None else config_file)
    except LogUnavailable as error:
        _without_database(path, str(error), form)
    except sqlite3.Error as error:
        _without_database(path, unreadable(path, error), form)
    except Exception as error:
        fail_if_damaged(path, error)
        raise


def _show_screen(log: LogReader, form: str | None) -> None:
    if form is not None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--watch is a screen: it needs a terminal, and no --format")
    from sensorlogd.cli import status_screen as screen

    screen.watch(log, rows_of)


def _print_status(log: LogReader, form: str | None, config_file: Path | None) -> None:
    """Print the status, and exit with the status that says how all is. ``config_file``: the one that was named, if any."""
    now = now_us()
    state = daemon_condition.condition(log, now)
    rows = rows_of(log, state, now)
    problems = list(state.facts.get("config_errors") or [])
    if form == "json":
        _echo_json(state, rows)
    else:
        said, how = status_sentence.of(state, rows)
        for line in appearance.wrapped(said, appearance.width()) if appearance.width() else [said]:
            appearance.echo(line, how)
        click.echo("")
        for label, text in _head_facts(log, state):
            _print_fact(label, text)
        other = _other_file(state, config_file)
        if other:
            _print_fact("config", other, "warn")
        for problem in problems:
            _print_fact("config", problem, "bad")
        if problems:
            which = "runs from last-good.yaml" if state.facts.get("from_last_good", True) else "goes on as before that reload"
            _print_fact("config", f"the daemon {which}; mend the file and reload", "bad")
        for text in _examples(rows):
            _print_fact("example", text)
        if rows:
            click.echo("")
            head, each = sensor_table.laid(rows, appearance.width())
            for line in (head, *(line for lines in each for line in lines)):
                click.echo(line, color=True)
    if state.state != "running" or problems or state.facts.get("state") != "writing":
        sys.exit(exits.FAILURE)
    if any(row["state"] not in status_sentence.WELL for row in rows):
        sys.exit(exits.STALE)


def _other_file(condition: Condition, config_file: Path | None) -> str:
    """A sentence if the running daemon has another configuration than the one that was named; else empty."""
    runs = str(condition.facts.get("config_path") or "")
    if config_file is None or condition.state not in ALIVE or condition.facts.get("from_last_good") or not os.path.isabs(runs):
        return ""
    if os.path.realpath(runs) == os.path.realpath(config_file):
        return ""
    return f"the daemon runs {runs}, not {os.path.abspath(config_file)}"


def _print_fact(label: str, text: str, how: str = "") -> None:
    """Print a label and its text; on a terminal a long text is folded below itself."""
    room = appearance.width()
    first, *more = appearance.wrapped(text, max(room - LABEL - 1, 10)) if room else [text]
    click.echo(f"{appearance.painted(f'{label:<{LABEL}}', 'dim')} {appearance.painted(first, how)}".rstrip(), color=True)
    for line in more:
        click.echo(f"{'':{LABEL}} {appearance.painted(line, how)}", color=True)


def _examples(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The last example of each kind that was counted, if it was kept; control characters in a device's text are removed."""
    examples = [f"{row['sensor']}: {name}: {example}" for row in rows for name, example in row["examples"].items()]
    for text in examples[:MAX_EXAMPLES]:
        yield "".join(letter if letter.isprintable() else "?" for letter in text)[:160]
    if len(examples) > MAX_EXAMPLES:
        yield f"{len(examples) - MAX_EXAMPLES} more: --format json"


def _echo_json(condition: Condition, rows: list[dict[str, Any]], **more: Any) -> None:
    document = {"state_now": condition.state, "explanation": condition.explanation, "answered": condition.answered}
    problems = list(condition.facts.get("config_errors") or [])
    public_rows = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
    whole = {"daemon": condition.facts | document, "sensors": public_rows, "config_errors": problems} | more
    click.echo(json.dumps(whole, ensure_ascii=False, indent=1))


def _head_facts(log: LogReader, condition: Condition) -> Iterator[tuple[str, str]]:
    """(label, text) of the facts about daemon and database."""
    facts, alive = condition.facts, condition.state in ALIVE
    yield "daemon", f"{condition.state} ({condition.explanation})"
    if facts:
        writing = str(facts.get("state", "")) + (f": {facts['state_reason']}" if facts.get("state_reason") else "")
        yield "database", f"{log.path}, {_size_on_disk(log)}; {writing if alive else 'not being written'}"
        yield (
            "stored",
            f"{facts.get('committed', 0):,} readings since start; inbox {facts.get('inbox_depth', 0):,} of"
            f" {facts.get('inbox_limit', 0):,}; last commit took {facts.get('last_commit_ms', 0):.1f} ms",
        )
        if alive and facts.get("web_state", "off") != "off":
            yield "pages", f"{facts.get('web_url') or facts['web_state']} {facts.get('web_error', '')}".rstrip()
        if alive and daemon_condition.clock(facts):
            yield "clock", daemon_condition.clock(facts)
    yield from daemon_condition.remarks(facts)


def _without_database(path: Path, why: str, form: str | None) -> NoReturn:
    """Show what the daemon that holds the database answers, when the database itself cannot be read."""
    found = daemon_condition.judge(path, {}, [], now_us())
    if found.answered:
        if form == "json":
            _echo_json(found, [], error=why)
        else:
            _print_fact("daemon", f"{found.state} ({found.explanation})")
            for label, text in daemon_condition.remarks(found.facts):
                _print_fact(label, text, "bad")
    if found.state in (*ALIVE, "hung") and not reader.size_of(path):
        fail(
            f"{path}: there is no database yet, though a daemon runs: {found.explanation}; see its log (journalctl -u sensorlogd), and"
            f" whether it may write in {path.absolute().parent}"
        )
    fail(why)


def _size_on_disk(log: LogReader) -> str:
    from sensorlogd.notation.durations import format_size

    return format_size(sum(log.file_sizes()))
