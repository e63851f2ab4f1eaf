"""Whether the write-ahead log lacks what its index counts; never so for one that somebody emptied as SQLite does."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.storage.file.wal_watch import WalWatch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = WAL").fetchone()
        made.execute("PRAGMA wal_autocheckpoint = 0")
        made.execute("CREATE TABLE t(a)")
        yield made


@pytest.fixture
def watch(path: Path, conn: sqlite3.Connection) -> Iterator[WalWatch]:
    made = WalWatch(path)
    made.know_index()
    yield made
    conn.close()  # before: closing the watch drops SQLite's locks
    made.close()


def write(conn: sqlite3.Connection, rows: int = 20) -> None:
    conn.execute("BEGIN")
    conn.executemany("INSERT INTO t VALUES (randomblob(2000))", [()] * rows)
    conn.execute("COMMIT")


def of_another_process(path: Path, statement: str) -> None:
    code = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}, timeout=5); print(c.execute({statement!r}).fetchall()); c.commit()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("mode", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
def test_who_copies_it_into_the_file_cuts_nothing(path: Path, conn: sqlite3.Connection, watch: WalWatch, mode: str) -> None:
    """Also not by emptying it; before it is written on, and after."""
    for _ in range(3):
        write(conn)
        assert not watch.was_cut()
        of_another_process(path, f"PRAGMA wal_checkpoint({mode})")
        assert not watch.was_cut()
        write(conn, 3)
        assert not watch.was_cut()


def test_who_else_writes_cuts_nothing(path: Path, conn: sqlite3.Connection, watch: WalWatch) -> None:
    write(conn)
    for _ in range(3):
        of_another_process(path, "INSERT INTO t VALUES (1)")
        assert not watch.was_cut()


@pytest.mark.parametrize("kept", [0, 10, 32, 32 + 24 + 4096, 40_000, -1])
@pytest.mark.parametrize("written_on", [False, True])
def test_a_log_that_is_cut_is_known(path: Path, conn: sqlite3.Connection, watch: WalWatch, kept: int, written_on: bool) -> None:
    """Whatever is left of it, and also when it was written on meanwhile, which leaves a hole."""
    write(conn)
    assert not watch.was_cut()
    wal = path.with_name("log.db-wal")
    os.truncate(wal, kept if kept >= 0 else wal.stat().st_size - 1)
    if written_on and kept >= 0:
        with contextlib.suppress(sqlite3.DatabaseError):
            write(conn, 3)
    assert watch.was_cut()
    assert watch.was_cut()


@pytest.mark.parametrize("call", ["open", "pread"])
def test_a_log_that_cannot_be_read_is_not_taken_for_a_cut_one(
    conn: sqlite3.Connection, watch: WalWatch, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A sector that failed once, no descriptor left: an error, and nothing is known of the log until it can be read."""
    write(conn)
    if call == "pread":
        assert not watch.was_cut()
        write(conn)
    real = getattr(os, call)

    def failing(what: object, *args: object) -> object:
        if what in (watch._descriptor, watch.path):
            raise OSError(errno.EIO if call == "pread" else errno.EMFILE, "it fails")
        return real(what, *args)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        with pytest.raises(OSError, match="it fails"):
            watch.was_cut()
        assert watch.frames() >= 0
    assert not watch.was_cut()


@pytest.mark.parametrize("seed", range(5))
def test_it_tells_the_two_apart_in_any_order(path: Path, conn: sqlite3.Connection, watch: WalWatch, seed: int) -> None:
    """Ordinary life in a random order is never a cut; one cut at its end always is."""
    dice = random.Random(seed)
    for _ in range(40):
        act = dice.randrange(4)
        if act < 2:
            write(conn, dice.randint(1, 30))
        elif act == 2:
            conn.execute(f"PRAGMA wal_checkpoint({dice.choice(['PASSIVE', 'TRUNCATE', 'RESTART'])})").fetchone()
        else:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute(f"PRAGMA wal_checkpoint({dice.choice(['PASSIVE', 'TRUNCATE', 'RESTART'])})").fetchone()
        if dice.random() < 0.7:
            assert not watch.was_cut()
    write(conn)
    os.truncate(path.with_name("log.db-wal"), 0)
    assert watch.was_cut()
