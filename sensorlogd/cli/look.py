"""How a terminal looks: its width, whether it shows colours, and text painted with them.

Written here rather than taken from a library: tables of numbers, five colours and a progress line are all that verbs need,
and a library for more costs an installation 13 MB and each call 50 ms, a quarter of a second on a small board.
"""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Callable
from typing import TextIO

import click

WHEN = ("auto", "always", "never")
NARROWEST = 20  # narrower than this is no terminal, but a mistake in COLUMNS
_CODES = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
_color_when = "auto"


def color(when: str) -> None:
    """From now on: auto, always or never."""
    global _color_when
    _color_when = when


def paints(stream: TextIO | None = None) -> bool:
    """Whether colours are shown: --color, else not with NO_COLOR, not into a pipe, not on a terminal that has none."""
    if _color_when != "auto":
        return _color_when == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    return (stream or sys.stdout).isatty()


def painted(text: str, look: str = "", stream: TextIO | None = None) -> str:
    """``look``: good, warn, bad, dim, bold; anything else leaves the text as it is."""
    code = _CODES.get(look)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() and paints(stream) else text


def echo(text: str, look: str = "") -> None:
    """A line to standard output; its colours are kept as they are."""
    click.echo(painted(text, look), color=True)


def width() -> int:
    """$COLUMNS, else the terminal's; 0: no limit (a pipe or a file)."""
    found = shutil.get_terminal_size((0, 0)).columns if sys.stdout.isatty() else _columns()
    return max(found, NARROWEST) if found > 0 else 0


def _columns() -> int:
    try:
        return int(os.environ.get("COLUMNS", ""))
    except ValueError:
        return 0


def cells(text: str) -> int:
    """How many columns of a terminal it takes: some signs take two, those that stand above another none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def wrapped(text: str, room: int, first: int | None = None) -> list[str]:
    """Lines no wider than ``room`` (the first one than ``first``), broken at blanks, within a word only if it is longer than a line."""
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
            cut = _fitting(word, room)
            lines.append(word[:cut])
            word = word[cut:]
    return [*lines, line]


def _fitting(word: str, room: int) -> int:
    return next((n for n in range(len(word), 1, -1) if cells(word[:n]) <= room), 1)


def add_color(command: click.Command) -> None:
    """--color of a verb and of those below it; listed once, with the verbs."""
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
