"""Finds out how wide a terminal is and whether it shows colours, and paints text with them.

Written here rather than taken from a library: tables of numbers, five colours and a progress line are all that verbs need,
and a library for more costs an installation 13 MB and each call 50 ms, a quarter of a second on a small board.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable
from typing import TextIO

import click

WHEN = ("auto", "always", "never")
MIN_TERMINAL_COLUMNS = 20  # a narrower terminal is taken for a mistake in COLUMNS
_CODES = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
_color_when = "auto"


def color(when: str) -> None:
    """Set when colours are used: auto, always or never."""
    global _color_when
    _color_when = when


def paints(stream: TextIO | None = None) -> bool:
    """Whether to use colours: as --color says; else not with NO_COLOR, into a pipe, or on a terminal that has none."""
    if _color_when != "auto":
        return _color_when == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    return (stream or sys.stdout).isatty()


def painted(text: str, look: str = "", stream: TextIO | None = None) -> str:
    """``text`` in the colours of ``look``: good, warn, bad, dim, bold; any other leaves it unchanged."""
    code = _CODES.get(look)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() and paints(stream) else text


def echo(text: str, look: str = "") -> None:
    """Print a line to standard output, with its colours."""
    click.echo(painted(text, look), color=True)


def width() -> int:
    """The width: $COLUMNS, else the terminal's; 0 for no limit (a pipe or a file)."""
    import shutil

    found = shutil.get_terminal_size((0, 0)).columns if sys.stdout.isatty() else _columns_said()
    return max(found, MIN_TERMINAL_COLUMNS) if found > 0 else 0


def _columns_said() -> int:
    try:
        return int(os.environ.get("COLUMNS", ""))
    except ValueError:
        return 0


def cells(text: str) -> int:
    """How many columns of a terminal ``text`` takes: some characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def wrapped(text: str, room: int, first: int | None = None) -> list[str]:
    """``text`` in lines no wider than ``room`` (the first no wider than ``first``), broken at blanks; within a word only if that is
    longer than a line."""
    lines, line, at_most = [], "", room if first is None else first
    for word in text.split(" "):
        while True:
            joined = f"{line} {word}" if line else word
            if cells(joined) <= at_most:
                line = joined
                break
            if line or at_most < room:
                lines.append(line)
                line, at_most = "", room
                continue
            cut = _signs_that_fit(word, room)
            lines.append(word[:cut])
            word = word[cut:]
    return [*lines, line]


def _signs_that_fit(word: str, room: int) -> int:
    return next((n for n in range(len(word), 1, -1) if cells(word[:n]) <= room), 1)


def add_color(command: click.Command) -> None:
    """Add --color to a verb and to those below it; hidden there, since the help of the program lists it."""
    if not any(parameter.name == "color" for parameter in command.params):
        command.params.append(color_option(hidden=True))
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            add_color(verb)


def color_option(*, hidden: bool = False) -> click.Option:
    choose: Callable[[click.Context, click.Parameter, str | None], None] = lambda _, __, when: color(when) if when else None  # noqa: E731
    return click.Option(
        ["--color"], type=click.Choice(WHEN), hidden=hidden, expose_value=False, callback=choose,
        help="colours: auto (default: on a terminal, without NO_COLOR), always, never",
    )  # fmt: skip
