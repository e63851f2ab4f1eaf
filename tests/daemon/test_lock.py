"""One daemon per data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sensorlogd.daemon.lock import NAME, DataDirLock, LockHeld

HOLD = """
import sys, time
from pathlib import Path
from sensorlogd.daemon.lock import DataDirLock
with DataDirLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        with pytest.raises(LockHeld, match=f"{tmp_path} is in use by the sensorlogd with pid {process.pid}; stop it") as refused:
            DataDirLock(tmp_path).acquire()
        assert refused.value.pid == process.pid


def test_a_killed_holder_leaves_nothing_but_a_file(tmp_path: Path) -> None:
    """The lock goes with the process; a number left behind, even one of a living process, means nothing."""
    with hold(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    (tmp_path / NAME).write_text(f"{os.getppid()}\n")
    with DataDirLock(tmp_path):
        assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"
    assert (tmp_path / NAME).read_text() == ""
    with DataDirLock(tmp_path):
        pass


def test_two_locks_in_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with DataDirLock(tmp_path):
        with pytest.raises(LockHeld) as refused:
            DataDirLock(tmp_path).acquire()
        assert refused.value.pid == os.getpid()


def test_a_holder_without_a_number_is_still_a_holder(tmp_path: Path) -> None:
    with DataDirLock(tmp_path):
        (tmp_path / NAME).write_text("garbage")
        with pytest.raises(LockHeld, match="by another process") as refused:
            DataDirLock(tmp_path).acquire()
        assert refused.value.pid == 0


def test_children_do_not_inherit_it(tmp_path: Path) -> None:
    """A child that outlives the daemon must not keep the data directory locked."""
    lock = DataDirLock(tmp_path)
    lock.acquire()
    code = "import sys; print('here', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdout is not None
        child.stdout.readline()  # a new process closes what it must not inherit a moment after it was begun
        lock.release()
        lock.release()
        with DataDirLock(tmp_path):
            pass


def test_a_full_disk_does_not_keep_the_daemon_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with DataDirLock(tmp_path), pytest.raises(LockHeld):
        DataDirLock(tmp_path).acquire()


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DataDirLock(tmp_path / "nowhere").acquire()
