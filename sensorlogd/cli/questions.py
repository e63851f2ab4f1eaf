"""Asks questions at the terminal; without a terminal a question becomes a missing option."""

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
from sensorlogd.cli.common import fail

CHECKED_EVERY_S = 0.2

Check = Callable[[str], str | None]  # what is wrong with an answer, or None


class Stopped(Exception):
    """Ctrl-C or Ctrl-D at a question."""


class Dialogue:
    """Asks questions. ``yes``: nothing is asked, and every suggestion is accepted."""

    def __init__(self, *, yes: bool) -> None:
        self.yes = yes
        self.possible = not yes and sys.stdin.isatty() and sys.stderr.isatty()

    def say(self, line: str = "") -> None:
        click.echo(line, err=True)

    def ask(self, question: str, default: str, check: Check = lambda _: None) -> str:
        """Ask until ``check`` accepts the answer; Enter alone is ``default``. Only if asking is ``possible``. Raises Stopped."""
        shown = f" [{default}]" if default else ""
        while True:
            answer = self._answer(f"{question}{shown}: ") or default
            wrong = check(answer)
            if wrong is None:
                return answer
            self.say(f"  {wrong}")

    def agreed(self, question: str, *, default: bool = True) -> bool:
        """The answer to a question with yes or no. Raises Stopped."""
        while True:
            answer = self._answer(f"{question} [{'Y/n' if default else 'y/N'}]: ").lower()
            if answer in ("", "y", "yes", "n", "no"):
                return answer.startswith("y") if answer else default
            self.say("  y or n, please")

    def _answer(self, prompt: str) -> str:
        """Read a line. Raises Stopped.

        ``input`` would miss a Ctrl-C that came just before it began to wait, and go on waiting.
        """
        click.echo(prompt, nl=False, err=True)
        try:
            while not select.select([sys.stdin], [], [], CHECKED_EVERY_S)[0]:
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
        """Hide what is typed, which would get between lines that are painted."""
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
        """Whether a line was typed since the last call; does not wait. Raises Stopped at the end of all input."""
        if not self.possible or not select.select([sys.stdin], [], [], 0)[0]:
            return False
        if not os.read(sys.stdin.fileno(), 4096):
            raise Stopped
        return True

    def choose(self, question: str, lines: Sequence[str]) -> int:
        """Ask for a choice among ``lines``. Returns its index; Enter alone is the first. Raises Stopped."""

        def check(answer: str) -> str | None:
            return None if answer.isdecimal() and 1 <= int(answer) <= len(lines) else f"a number from 1 to {len(lines)}, please"

        for number, line in enumerate(lines, 1):
            self.say(f"  {number}) {line}")
        return int(self.ask(question, "1", check)) - 1


def missing(what: str) -> NoReturn:
    """Exit with a usage error that names the option that would have answered."""
    fail(f"there is no terminal to ask at: {what}", exits.USAGE)
