"""Questions to whoever sits at the terminal; without one, what would have been asked is an option that is missing."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import click

from sensorlogd.cli import exits
from sensorlogd.cli.reading import fail

LOOKS_EVERY_S = 0.2

Check = Callable[[str], str | None]  # what is wrong with an answer, or None


class Stopped(Exception):
    """Ctrl-C or Ctrl-D at a question."""


class Talk:
    """``yes``: nothing is asked, and whatever is suggested is taken."""

    def __init__(self, *, yes: bool) -> None:
        self.yes = yes
        self.possible = not yes and sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, line: str = "") -> None:
        click.echo(line, err=True)

    def ask(self, question: str, default: str, check: Check = lambda _: None) -> str:
        """Until the answer is one; Enter alone is ``default``. Only where it is ``possible``. Raises Stopped."""
        shown = f" [{default}]" if default else ""
        while True:
            answer = self._answer(f"{question}{shown}: ") or default
            wrong = check(answer)
            if wrong is None:
                return answer
            self.say(f"  {wrong}")

    def agreed(self, question: str, *, default: bool = True) -> bool:
        """Raises Stopped."""
        while True:
            answer = self._answer(f"{question} [{'Y/n' if default else 'y/N'}]: ").lower()
            if answer in ("", "y", "yes", "n", "no"):
                return answer.startswith("y") if answer else default
            self.say("  y or n, please")

    def _answer(self, prompt: str) -> str:
        """A line that is typed. Raises Stopped.

        Not by ``input``: it does not look for a Ctrl-C that came just before it began to wait, and would wait on.
        """
        click.echo(prompt, nl=False, err=True)
        try:
            while not select.select([sys.stdin], [], [], LOOKS_EVERY_S)[0]:
                pass
            typed = os.read(sys.stdin.fileno(), 4096)  # a terminal hands over a line at a time
        except KeyboardInterrupt:
            self.say()
            raise Stopped from None
        if not typed:
            self.say()
            raise Stopped
        return typed.decode(sys.stdin.encoding or "utf-8", "replace").strip()

    @contextlib.contextmanager
    def unseen_keys(self) -> Iterator[None]:
        """What is typed does not show: it would get between lines that are painted."""
        if not self.possible:
            yield
            return
        before = termios.tcgetattr(sys.stdin)
        quiet = termios.tcgetattr(sys.stdin)
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def entered(self) -> bool:
        """Whether a line was typed since it was asked for last; does not wait. Raises Stopped at the end of all input."""
        if not self.possible or not select.select([sys.stdin], [], [], 0)[0]:
            return False
        if not os.read(sys.stdin.fileno(), 4096):
            raise Stopped
        return True

    def choose(self, question: str, lines: Sequence[str]) -> int:
        """The index of one of several, the first by default. Raises Stopped."""

        def check(answer: str) -> str | None:
            return None if answer.isdecimal() and 1 <= int(answer) <= len(lines) else f"a number from 1 to {len(lines)}, please"

        for number, line in enumerate(lines, 1):
            self.say(f"  {number}) {line}")
        return int(self.ask(question, "1", check)) - 1


def missing(what: str) -> NoReturn:
    """The option that would have answered. Exits."""
    fail(f"there is no terminal to ask at: {what}", exits.USAGE)
