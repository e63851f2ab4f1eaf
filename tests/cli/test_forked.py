"""A verb that is forked does what it does when it is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.forked import Interpreter


@pytest.mark.parametrize("surroundings", [{}, {"PYTHONIOENCODING": "ascii", "TZ": "Asia/Kathmandu"}, {"COLUMNS": "50"}])
def test_all_that_is_seen_of_a_verb_is_the_same(log: Path, surroundings: dict[str, str]) -> None:
    """Both outputs to the byte, and the status."""
    env = os.environ | surroundings
    verbs = [
        ["--help"],
        ["version"],
        ["query", "lab.*", "--db", log.name, "--tz", "local"],
        ["profiles"],
        ["no-such-verb"],
        ["check", "none.yaml"],
    ]
    with Interpreter(log.parent, env) as interpreter:
        for arguments in verbs:
            command = [sys.executable, "-m", "sensorlogd", *arguments]
            started = subprocess.run(command, cwd=log.parent, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            forked = interpreter.run(arguments)
            assert (forked.returncode, forked.stderr) == (started.returncode, started.stderr)
            assert forked.stdout == started.stdout


def test_where_it_writes_and_where_it_is(log: Path, tmp_path: Path) -> None:
    """A full device is met by the verb itself; each verb has its own folder and environment."""
    other = tmp_path / "other"
    other.mkdir()
    with Interpreter(log.parent, os.environ) as interpreter, open("/dev/full", "wb") as full:
        failed = interpreter.run(["export", "lab.*", "--db", log.name], stdout=full.fileno())
        assert (failed.returncode, failed.stdout) == (1, b"")
        assert b"no space left" in failed.stderr
        assert interpreter.run(["init", "new.yaml"], other).returncode == 0
        assert (other / "new.yaml").exists()
        named = interpreter.run(["check"], env=os.environ | {"SENSORLOGD_CONFIG": "named.yaml"})
        assert b"named.yaml" in named.stderr
        assert interpreter.run(["latest", "--db", log.name]).returncode in (0, 4)
