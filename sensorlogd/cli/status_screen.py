"""``status --watch``: a live screen of daemon, disk and sensors."""

from __future__ import annotations

import contextlib
import curses
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from sensorlogd.cli import appearance, daemon_condition, sensor_table, standard_streams, status_sentence
from sensorlogd.cli.common import now_us, usual_zone
from sensorlogd.cli.daemon_condition import Condition
from sensorlogd.cli.sensor_table import RATE
from sensorlogd.cli.stopping import Stop, stop_by
from sensorlogd.notation import times
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

EVERY_MS = 1000
PLAIN_EVERY_S = 5.0
ANSWER_WITHIN_S = 0.5  # a screen is not held up for longer by a daemon that does not answer
LABEL = 9  # columns

Row = dict[str, Any]
RowsOf = Callable[[LogReader, Condition, int], list[Row]]


@dataclass(slots=True)
class Rates:
    """The rate of each sensor, readings per second, between the last two times that the daemon wrote its counters."""

    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _rate: dict[str, float] = field(default_factory=dict)

    def of(self, sensor: str, readings: int, updated_us: int) -> float | None:
        before = self._seen.get(sensor)
        if before is None or updated_us > before[0]:
            self._seen[sensor] = (updated_us, readings)
            if before is not None:
                self._rate[sensor] = max(readings - before[1], 0) * 1e6 / (updated_us - before[0])
        return self._rate.get(sensor)


def lines(log: LogReader, rates: Rates, rows_of: RowsOf, zone: str = "UTC", room: int = 0) -> list[tuple[str, str]]:
    """(text, how: head, good, warn, bad, dim, plain) of the whole screen, ``room`` columns wide. Raises sqlite3.Error."""
    now = now_us()
    seen = daemon_condition.condition(log, now, ANSWER_WITHIN_S)
    rows = rows_of(log, seen, now)
    updated = {sensor.sensor: sensor.updated_us for sensor in seen.sensors}
    for row in rows:
        row[RATE] = rates.of(row["sensor"], int(row["readings"] or 0), updated.get(row["sensor"], 0))
    clock = times.format_time(now // 1_000_000 * 1_000_000, zone)
    said, looks = status_sentence.of(seen, rows)
    found = [(f"{clock}   q ends", "head"), *((line, looks) for line in _folded(said, room)), ("", "plain")]
    for label, text, how in _facts(log, seen):
        first, *more = _folded(text, room - LABEL - 1 if room else 0)
        found += [(f"{label:<{LABEL}} {first}".rstrip(), how), *((f"{'':{LABEL}} {line}", how) for line in more)]
    found.append(("", "plain"))
    head, each = sensor_table.laid(rows, room, lambda text, _="": text)
    found.append((head, "head"))
    for row, shown in zip(rows, each, strict=True):
        how = sensor_table.LOOKS.get(row["state"], "bad")
        found += [(text, "plain" if how == "good" else how) for text in shown]
    return found


def _folded(text: str, room: int) -> list[str]:
    return appearance.wrapped(text, room) if room else [text]


def _facts(log: LogReader, seen: Condition) -> Iterator[tuple[str, str, str]]:
    """(label, text, how)"""
    facts = seen.facts
    stat = os.statvfs(log.path.absolute().parent)
    sizes = log.file_sizes()
    yield "daemon", f"{seen.state} ({seen.explanation})", "good" if seen.state == "running" else "bad"
    writing = f"; {facts['state']} {facts.get('state_reason') or ''}".rstrip() if facts.get("state") else ""
    yield (
        "database",
        f"{log.path}, {_size_text(sizes.database_bytes)}, WAL {_size_text(sizes.wal_bytes)},"
        f" {_size_text(stat.f_bavail * stat.f_frsize)} free on the disk{writing}",
        "plain" if facts.get("state") in ("writing", None) else "bad",
    )
    if facts:
        yield (
            "inbox",
            f"{facts.get('inbox_depth', 0):,} of {facts.get('inbox_limit', 0):,} readings; last commit took"
            f" {facts.get('last_commit_ms', 0):.1f} ms; {facts.get('committed', 0):,} stored since start",
            "plain",
        )
    for label, text in daemon_condition.remarks(facts):
        yield label, text, "bad"


def _size_text(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _sayable(text: str, encoding: str) -> str:
    """``text`` with characters that the terminal's encoding lacks replaced."""
    return text.encode(encoding, standard_streams.UNSAID).decode(encoding, "replace")


def watch(log: LogReader, rows_of: RowsOf) -> None:
    """Show the screen until q or Ctrl-C. Ctrl-C sets a flag: Python could not pass on an exception raised in a finaliser."""
    with stop_by(signal.SIGINT) as stop:
        if _is_a_screen():
            curses.wrapper(_show_screen, log, rows_of, stop.is_set)
        else:
            _one_below_the_other(log, rows_of, stop)


def _is_a_screen() -> bool:
    """Whether the cursor of this terminal can be sent somewhere (TERM=dumb cannot, and an unknown TERM is not asked for it)."""
    try:
        curses.setupterm()
        return bool(curses.tigetstr("cup"))
    except curses.error:
        return False


def _one_below_the_other(log: LogReader, rows_of: RowsOf, over: Stop) -> None:
    """Print the screen as plain lines every few seconds, for terminals without cursor control."""
    rates = Rates()
    click.echo(f"this terminal (TERM={os.environ.get('TERM', '')}) has no screen: plain lines instead; Ctrl-C ends", err=True)
    while not over.is_set():
        for text, _ in _lines_or_error(log, rates, rows_of, appearance.width()):
            click.echo(text.replace("q ends", "").rstrip())
        click.echo("")
        sys.stdout.flush()
        over.wait(PLAIN_EVERY_S)


def _lines_or_error(log: LogReader, rates: Rates, rows_of: RowsOf, room: int) -> list[tuple[str, str]]:
    """The lines, or what keeps them from being read: the screen stays, since it may be over soon."""
    try:
        return lines(log, rates, rows_of, usual_zone(), room)
    except (sqlite3.Error, LogUnavailable, OSError) as error:
        return [(f"{log.path}: {error}", "bad"), ("trying again; q ends", "plain")]


def _show_screen(screen: curses.window, log: LogReader, rows_of: RowsOf, over: Callable[[], bool]) -> None:
    """Paint the screen again and again until ``over`` or q; arrow keys scroll the sensors."""
    looks = dict.fromkeys(("plain", "good", "warn"), curses.A_NORMAL) | {
        "head": curses.A_BOLD,
        "bad": curses.A_BOLD,
        "dim": curses.A_DIM,
    }
    with contextlib.suppress(curses.error):  # a cursor that cannot be hidden stays
        curses.curs_set(0)
    if curses.has_colors() and appearance.paints():
        curses.use_default_colors()
        curses.init_pair(1, curses.COLOR_GREEN, -1)
        curses.init_pair(2, curses.COLOR_RED, -1)
        curses.init_pair(3, curses.COLOR_YELLOW, -1)
        looks |= {"good": curses.color_pair(1), "bad": curses.color_pair(2), "warn": curses.color_pair(3)}
    screen.timeout(EVERY_MS)
    rates, first = Rates(), 0
    while not over():
        height, width = screen.getmaxyx()
        shown = _lines_or_error(log, rates, rows_of, max(width - 1, appearance.MIN_TERMINAL_COLUMNS))
        top = max((at + 1 for at, (_, how) in enumerate(shown) if how == "head"), default=0)
        head, rest = shown[:top], shown[top:]
        first = max(min(first, len(rest) - (height - len(head))), 0)
        screen.erase()
        for at, (text, how) in enumerate((head + rest[first:])[:height]):
            # The last cell of the last line cannot be written without scrolling; a window may shrink meanwhile.
            with contextlib.suppress(curses.error):
                screen.addnstr(at, 0, _sayable(text, screen.encoding), max(width - 1, 0), looks[how])
        screen.refresh()
        key = screen.getch()
        if key in (ord("q"), ord("Q"), 27):
            return
        first += {curses.KEY_DOWN: 1, curses.KEY_UP: -1, curses.KEY_NPAGE: height // 2, curses.KEY_PPAGE: -height // 2}.get(
            key, 0
        )
