"""Ctrl-C: the exit status, and no traceback for people at any moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sensorlogd.daemon.rollups import child_process as rollups
from sensorlogd.processes import interrupts

PROGRAM = [sys.executable, "-m", "sensorlogd"]
PATIENCE_S = 60


def interrupted(arguments: Sequence[str], tmp_path: Path, says: str) -> tuple[int, str]:
    """Start a verb, interrupt it once its output has ``says``. Returns (exit status, all its output)."""
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        while says not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        os.killpg(process.pid, signal.SIGINT)
        said += process.communicate(timeout=PATIENCE_S)[0]
        return process.returncode, said
    finally:
        process.kill()
        process.wait()


def test_a_verb_that_was_not_done(tmp_path: Path) -> None:
    """130 without a word, as of a command that is waited for."""
    (tmp_path / "x.yaml").write_text(
        "sensors: {a: {driver: simulated, channels: {t: {signal: noise}}}}\n"
        "notify: {slow: {command: [sh, -c, 'touch began; sleep 60']}}\n"
    )
    process = subprocess.Popen(
        [*PROGRAM, "alarms", "test", "slow", "-c", "x.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
    )
    until = time.monotonic() + PATIENCE_S
    while not (tmp_path / "began").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Aborted" in said, "Traceback" in said) == (130, False, False), said


def test_try_that_was_not_done(tmp_path: Path) -> None:
    """It goes on to no other sensor, and has found nothing out about this one."""
    (tmp_path / "x.yaml").write_text("sensors: {a: {driver: simulated, interval: 50ms, channels: {t: {signal: noise}}}}\n")
    status, said = interrupted(["try", "a", "-c", "x.yaml", "--for", "1min", "--limit", "1000"], tmp_path, "t=")
    assert (status, "Traceback" in said) == (130, False), said


def test_a_verb_whose_end_is_the_interrupt(tmp_path: Path) -> None:
    """0: it goes on until then."""
    status, said = interrupted(["simulate", "csv"], tmp_path, "to log it")
    assert status == 0, said
    assert "sent 0 intact" in said


@pytest.mark.parametrize("module", ["click", "sqlite3"])
def test_while_modules_are_loaded(tmp_path: Path, module: str) -> None:
    """Those of the command, and those of a verb."""
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\nraise ImportError\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(interrupts.__file__).parents[2]}"}
    done = subprocess.run([*PROGRAM, "latest"], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_one_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As a shell does for commands in the background."""
    code = (
        "import os, signal\nfrom sensorlogd.processes import interrupts\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "interrupts.end_at_once()\nos.kill(os.getpid(), signal.SIGINT)\ninterrupts.raise_again()\n"
        "os.kill(os.getpid(), signal.SIGINT)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE_S, check=False).returncode == 0


def blocks_interrupts(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def test_children_never_get_it() -> None:
    """From their first moment on; this process is as before."""
    with interrupts.blocked():
        process = subprocess.Popen(["sleep", str(PATIENCE_S)])
    computing = rollups.start("tests.daemon.rollups.half_a_message", "wait")
    try:
        assert blocks_interrupts(process.pid)
        assert blocks_interrupts(computing.pid)
        assert not blocks_interrupts(os.getpid())
    finally:
        process.kill()
        process.wait()
        computing.kill()
        assert computing.wait(PATIENCE_S)
