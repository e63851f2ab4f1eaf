"""A verb as a person starts it: the real command, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cli.forked import PATIENCE_S, Interpreter

ROOT = Path(__file__).parents[2]
_interpreters: list[Interpreter] = []


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """While this lasts, verbs are forked by one interpreter; see ``forked`` for what is the same then."""
    with Interpreter(ROOT, os.environ) as interpreter:
        _interpreters.append(interpreter)
        yield
        _interpreters.remove(interpreter)


def run(*arguments: str, cwd: Path | None = None, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Fails unless the exit status is ``check`` (None: any) and nothing was raised."""
    done = _run(arguments, cwd or ROOT)
    if check is not None:
        assert done.returncode == check, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def _run(arguments: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
    if _interpreters:
        done = _interpreters[-1].run(arguments, folder, os.environ)
        out, err = (text.decode().replace("\r\n", "\n") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)
    command = [sys.executable, "-m", "sensorlogd", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, timeout=PATIENCE_S)
