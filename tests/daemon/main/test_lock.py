"""One daemon per data directory, one writer per database; and looking, which disturbs neither."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sensorlogd.daemon.main.process import lock as lock_module
from sensorlogd.daemon.main.process.lock import NAME, DatabaseLock, DataDirLock, Holder, LockHeld, holder, lock_path
from sensorlogd.storage.file.holder import parse, render

HOLD = """
import sys
from pathlib import Path
from sensorlogd.daemon.main.process.lock import DatabaseLock, DataDirLock
path = Path(sys.argv[1])
with DataDirLock(path) if path.is_dir() else DatabaseLock(path, path.with_name("control.sock")):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(what: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(what)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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


@pytest.mark.parametrize("which", ["directory", "database"])
def test_a_full_disk_does_not_keep_the_daemon_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(28, "No space left on device")

    def lock() -> DataDirLock | DatabaseLock:
        return DataDirLock(tmp_path) if which == "directory" else DatabaseLock(tmp_path / "log.db", None)

    monkeypatch.setattr(os, "pwrite", full)
    with lock():
        with pytest.raises(LockHeld):
            lock().acquire()
        assert holder(tmp_path / "log.db") == (Holder(0, None) if which == "database" else None)


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        DataDirLock(tmp_path / "nowhere").acquire()


# ---- the lock of a database --------------------------------------------------------------------------------------------


def test_a_database_has_one_holder_whichever_link_leads_to_it(tmp_path: Path) -> None:
    """Two data directories whose databases are one file cannot both write it."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    database, link = first / "log.db", second / "other.db"
    database.touch()
    link.symlink_to(database)
    with hold(database) as process:
        assert lock_path(link) == lock_path(database) == first / "log.db.lock"
        with pytest.raises(LockHeld, match=f"{link} is in use by the sensorlogd with pid {process.pid}; stop it") as refused:
            DatabaseLock(link, None).acquire()
        assert refused.value.pid == process.pid
        assert holder(link) == Holder(process.pid, first / "control.sock")


def test_a_lock_file_left_behind_means_nothing(tmp_path: Path) -> None:
    """Neither before there was any holder, nor after a kill, nor after a clean end is anybody told."""
    database = tmp_path / "log.db"
    assert holder(database) is None
    with hold(database) as process:
        assert holder(database) is not None
        process.send_signal(signal.SIGKILL)
    assert lock_path(database).read_text().startswith(f"{process.pid}\n")
    assert holder(database) is None
    with DatabaseLock(database, None):
        assert holder(database) == Holder(os.getpid(), None)
    assert holder(database) is None


def test_looking_does_not_keep_a_daemon_from_starting(tmp_path: Path) -> None:
    """A shared lock that is gone soon is waited for; acquiring raises only for an exclusive one."""
    database = tmp_path / "log.db"
    descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    tried = threading.Event()
    begin = lock_module._flocked

    def watched_flock(which: int, how: int) -> bool:
        if how == fcntl.LOCK_SH:
            tried.set()
        return begin(which, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock_module, "_flocked", watched_flock)

        def let_go() -> None:
            tried.wait(10)
            os.close(descriptor)

        waiter = threading.Thread(target=let_go)
        waiter.start()
        with DatabaseLock(database, None):
            assert tried.is_set()
        waiter.join()


def test_one_that_never_lets_go_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "PATIENCE_S", 0.02)
    database = tmp_path / "log.db"
    descriptor = os.open(lock_path(database), os.O_RDONLY | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    with pytest.raises(LockHeld, match="in use by another process"):
        DatabaseLock(database, None).acquire()
    os.close(descriptor)


def test_a_lock_file_that_was_removed_meanwhile_guards_nothing_and_is_made_anew(tmp_path: Path) -> None:
    database = tmp_path / "log.db"
    path = lock_path(database)
    begin = lock_module._flocked
    removed: list[Path] = []

    def unlinking(which: int, how: int) -> bool:
        if not removed:
            removed.append(path)
            path.unlink()
        return begin(which, how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock_module, "_flocked", unlinking)
        with DatabaseLock(database, None):
            assert holder(database) == Holder(os.getpid(), None)


def test_a_lock_whose_file_went_is_taken_anew_and_remembers(tmp_path: Path) -> None:
    """Before a database is opened again: the folder was removed, or another one put in its place."""
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "log.db"
    with DatabaseLock(path, None) as lock:
        assert lock.hold() is False
        lock.note_opened()
        lock.note_lost(7)
        lock.note_time({"believed_us": "1800000000000000", "believed_boot": "b"})
        shutil.rmtree(folder)
        with pytest.raises(FileNotFoundError):
            lock.hold()
        folder.mkdir()
        assert lock.hold() is True
        assert holder(path) == Holder(os.getpid(), None)
        with pytest.raises(LockHeld):
            DatabaseLock(path, None).acquire()
        assert lock.hold() is False
    with DatabaseLock(path, None) as after:
        assert (after.lost, after.was_opened) == (7, True)
        assert after.believed == {"believed_us": "1800000000000000", "believed_boot": "b"}


def test_a_lock_whose_file_went_is_not_taken_from_another(tmp_path: Path) -> None:
    """Who came meanwhile keeps it; once that has ended it is there for the first again."""
    path = tmp_path / "log.db"
    with DatabaseLock(path, None) as lock:
        lock_path(path).unlink()
        with DatabaseLock(path, None):
            for _ in range(2):
                with pytest.raises(LockHeld, match=f"pid {os.getpid()}"):
                    lock.hold()
        assert lock.hold() is True
        assert holder(path) == Holder(os.getpid(), None)


def test_looking_needs_no_right_to_write(tmp_path: Path) -> None:
    database = tmp_path / "log.db"
    with DatabaseLock(database, None):
        lock_path(database).chmod(0o444)
        tmp_path.chmod(0o555)
        try:
            assert holder(database) == Holder(os.getpid(), None)
        finally:
            tmp_path.chmod(0o755)


def test_where_the_lock_file_cannot_be_read_the_kernel_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's file: who holds it is told without its content; where that is not known, nothing is claimed."""
    database = tmp_path / "log.db"
    real = os.open

    def forbidden(path: Path, flags: int, *mode: int) -> int:
        raise PermissionError(13, "Permission denied")

    with DatabaseLock(database, None):
        monkeypatch.setattr(os, "open", forbidden)
        assert holder(database) == Holder(os.getpid(), None)
        monkeypatch.setattr(os, "open", real)
    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(PermissionError):
        holder(database)


@pytest.mark.parametrize("control", [None, Path("/run/sensorlogd/control.sock"), Path(os.fsdecode(b"/d\xe4ta/control.sock"))])
def test_what_is_written_is_read_back(control: Path | None) -> None:
    assert parse(render(Holder(4711, control))) == Holder(4711, control)


@pytest.mark.parametrize("content", [b"", b"\n", b"x\n/\0", b"-1\nrelative", b"9" * 5000, b"\xff\xfe", b"1.5\n\n/x\n"])
def test_garbage_in_the_file_is_nobody_in_particular(content: bytes) -> None:
    assert parse(content) == Holder(0, None)
