"""``status --watch``: a live screen of daemon, disk and sensors."""

from __future__ import annotations

import curses
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sensorlogd import times
from sensorlogd.cli import condition
from sensorlogd.cli.condition import Condition
from sensorlogd.cli.reading import now_us
from sensorlogd.storage.query.log import Log, LogUnavailable

EVERY_MS = 1000
ANSWER_WITHIN_S = 0.5  # a screen is not held up for longer by a daemon that does not answer
HEAD = ("sensor", "state", "last", "rate/s", "readings", "reconnects", "counts", "error")
WIDTHS = (24, 13, 9, 9, 13, 11, 24)

Row = dict[str, Any]
RowsOf = Callable[[Log, Condition, int], list[Row]]


@dataclass(slots=True)
class Rates:
    """Readings a second of each sensor, between the last two times that the daemon wrote its counters."""

    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _rate: dict[str, float] = field(default_factory=dict)

    def of(self, sensor: str, readings: int, updated_us: int) -> float | None:
        before = self._seen.get(sensor)
        if before is None or updated_us > before[0]:
            self._seen[sensor] = (updated_us, readings)
            if before is not None:
                self._rate[sensor] = max(readings - before[1], 0) * 1e6 / (updated_us - before[0])
        return self._rate.get(sensor)


def lines(log: Log, rates: Rates, rows_of: RowsOf) -> list[tuple[str, str]]:
    """(text, how: head, good, bad, plain) of the whole screen. Raises sqlite3.Error."""
    now = now_us()
    seen = condition.look(log, now, ANSWER_WITHIN_S)
    facts, rows = seen.facts, rows_of(log, seen, now)
    stat = os.statvfs(log.path.absolute().parent)
    size = log.path.stat().st_size
    wal = log.path.with_name(log.path.name + "-wal")
    found = [
        (f"{log.path}   {times.format_time(now // 1_000_000 * 1_000_000)}   q ends", "head"),
        (f"daemon    {seen.state} ({seen.explanation})", "good" if seen.state == "running" else "bad"),
        (
            f"database  {size / 1e6:,.1f} MB, WAL {(wal.stat().st_size if wal.exists() else 0) / 1e6:,.1f} MB,"
            f" disk {stat.f_bavail * stat.f_frsize / 1e9:,.1f} GB free; {facts.get('state', '?')} {facts.get('state_reason', '')}",
            "plain" if facts.get("state") == "writing" else "bad",
        ),
        (
            f"queue     {facts.get('inbox_depth', 0):,} of {facts.get('inbox_limit', 0):,} readings; last commit took"
            f" {facts.get('last_commit_ms', 0):.1f} ms; {facts.get('committed', 0):,} stored since start",
            "plain",
        ),
        *((f"{label:<9} {text}", "bad") for label, text in condition.remarks(facts)),
        ("", "plain"),
        (_columns([name if name != "error" else "last error" for name in HEAD]), "head"),
    ]
    updated = {one.sensor: one.updated_us for one in seen.sensors}
    for row in rows:
        rate = rates.of(row["sensor"], int(row["readings"]), updated.get(row["sensor"], 0))
        cells = [row["sensor"], row["state"], row["last"] or "never", "" if rate is None else f"{rate:,.1f}"]
        cells += [f"{row['readings']:,}", str(row["reconnects"]), row["counts"], row["error"] or ""]
        found.append((_columns(cells), "plain" if row["state"] in ("reading", "finished", "disabled") else "bad"))
    return found


def _columns(cells: list[str]) -> str:
    text = "".join(f"{cell[: width - 1]:<{width}}" for cell, width in zip(cells, WIDTHS, strict=False))
    return text + cells[-1]


def watch(log: Log, rows_of: RowsOf) -> None:
    """Until q or Ctrl-C, which sets a flag: an exception may come where Python cannot hand it on (a finaliser)."""
    asked = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: asked.set())
    try:
        curses.wrapper(_loop, log, rows_of, asked.is_set)
    finally:
        signal.signal(signal.SIGINT, before)


def _loop(screen: curses.window, log: Log, rows_of: RowsOf, over: Callable[[], bool]) -> None:
    looks = {"plain": curses.A_NORMAL, "head": curses.A_BOLD, "good": curses.A_NORMAL, "bad": curses.A_BOLD}
    curses.curs_set(0)
    if curses.has_colors():
        curses.use_default_colors()
        curses.init_pair(1, curses.COLOR_GREEN, -1)
        curses.init_pair(2, curses.COLOR_RED, -1)
        looks |= {"good": curses.color_pair(1), "bad": curses.color_pair(2)}
    screen.timeout(EVERY_MS)
    rates, first = Rates(), 0
    while not over():
        try:
            shown = lines(log, rates, rows_of)
        except (sqlite3.Error, LogUnavailable, OSError) as error:
            shown = [(f"{log.path}: {error}", "bad"), ("trying again; q ends", "plain")]
        height, width = screen.getmaxyx()
        top = max((at + 1 for at, (_, how) in enumerate(shown) if how == "head"), default=0)
        head, rest = shown[:top], shown[top:]
        first = max(min(first, len(rest) - (height - len(head))), 0)
        screen.erase()
        for at, (text, look) in enumerate((head + rest[first:])[:height]):
            # The last cell of the last line cannot be written without scrolling.
            screen.addnstr(at, 0, text, width - 1, looks[look])
        screen.refresh()
        key = screen.getch()
        if key in (ord("q"), ord("Q"), 27):
            return
        first += {curses.KEY_DOWN: 1, curses.KEY_UP: -1, curses.KEY_NPAGE: height // 2, curses.KEY_PPAGE: -height // 2}.get(
            key, 0
        )
