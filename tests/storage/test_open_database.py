"""One opened file: which WAL belongs to it, how long that is, and how it is let go of."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.commits.commit import Commit
from sensorlogd.daemon.writing.totals import Totals
from sensorlogd.notation.microseconds import DAY_US, MINUTE_US
from sensorlogd.storage import meta, open_database
from sensorlogd.storage.file import file_watch, opened_file
from sensorlogd.storage.file.file_watch import FileCut, FileGone, FileMoves, WalGone
from sensorlogd.storage.file.wal_watch import WalWatch
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec

NOW = 1_800_000_000_000_000
SUFFIXES = ("", "-wal", "-shm")


def open_it(path: Path) -> OpenDatabase:
    return open_database.open_file(path, lambda: Upkeep(Mover(), Retention("UTC")), lambda conn: NOW)


@pytest.fixture
def db(path: Path) -> Iterator[OpenDatabase]:
    database = open_it(path)
    yield database
    database.let_go()


def add(db: OpenDatabase, rows: int = 1, size: int = 10) -> None:
    """``rows`` events, one transaction."""
    with db.transaction() as conn:
        conn.executemany("INSERT INTO event(ts, kind, detail) VALUES (?, 'noted', ?)", [(n, "x" * size) for n in range(rows)])


def count(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA integrity_check").fetchone()
        return int(conn.execute("SELECT count(*) FROM event").fetchone()[0])


def side(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def killed(path: Path, to: Path) -> Path:
    """What a kill leaves of ``path``: its files as they are now, in ``to``. The -shm means nothing without its process."""
    to.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        if side(path, suffix).exists():
            shutil.copy(side(path, suffix), to / (path.name + suffix))
    return to / path.name


def checkpoint(path: Path) -> tuple[int, int]:
    """(frames, copied), as another program that checkpoints is told."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        _, frames, copied = conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return frames, copied


def frames_of(path: Path) -> int:
    """As SQLite itself counts them."""
    return checkpoint(path)[0]


# ---- how long the WAL is -----------------------------------------------------------------------------------------------


def test_frames_are_those_that_sqlite_counts(db: OpenDatabase, path: Path) -> None:
    """Through commits of all sizes, restarts of the WAL, and a WAL that is longer than what counts of it."""
    for rows in (1, 100, 3, 1000, 1, 1, 40):
        add(db, rows, 500)
        assert db.wal.frames() == frames_of(path)
        add(db, 1)
        assert db.wal.frames() == frames_of(path)
        db.checkpoint()
        assert db.wal.frames() == frames_of(path) == 1  # page 1
    fresh_look = WalWatch(path)
    assert fresh_look.frames() == 1
    fresh_look.close()
    fresh_look.close()


def test_a_wal_that_is_not_there_has_no_frames(tmp_path: Path) -> None:
    watch = WalWatch(tmp_path / "none.db")
    assert watch.frames() == 0
    assert watch.file_bytes() == 0
    watch.path.write_bytes(b"too short")
    assert watch.frames() == 0
    watch.close()


def test_a_long_wal_is_copied_and_begins_anew(db: OpenDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened_file, "CHECKPOINT_FRAMES", 50)
    add(db, 10)
    before = db.wal.frames()
    db.checkpoint_if_due()
    assert db.wal.frames() == before
    add(db, 100, 1_500)
    db.checkpoint_if_due()
    assert not db.wal_is_held
    assert db.wal.frames() == 1


def test_a_reader_that_stays_holds_the_wal_and_costs_no_checkpoint_a_turn(
    db: OpenDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it needs cannot be copied; that is known, and ends with the reader. Meanwhile the card is not worn by page 1."""
    monkeypatch.setattr(opened_file, "CHECKPOINT_FRAMES", 50)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event").fetchone()
        add(db, 100, 1_500)
        db.checkpoint_if_due()
        assert db.wal_is_held
        reader.execute("ROLLBACK")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event").fetchone()
        frames = db.wal.frames()
        for _ in range(30):  # all but page 1 can be copied now, and yet the WAL cannot begin anew
            db.checkpoint_if_due()
        assert db.wal.frames() <= frames + 2
    for _ in range(3):
        add(db, 100, 1_500)
        db.checkpoint_if_due()
    assert not db.wal_is_held
    assert db.wal.frames() < 50


# ---- the file under the connection -------------------------------------------------------------------------------------


def test_a_file_that_is_removed_or_replaced_is_noticed(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    db.check_file()
    path.rename(tmp_path / "away.db")
    with pytest.raises(FileGone) as gone:
        db.check_file()
    assert gone.value.removed
    shutil.copy(tmp_path / "away.db", path)
    with pytest.raises(FileGone) as gone:
        db.check_file()
    assert not gone.value.removed


def test_a_file_that_is_cut_is_noticed_and_one_that_shrinks_is_not_damage(
    db: OpenDatabase, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once it may be a copy that is under way; at rest it is damage."""
    add(db, 200, 2_000)
    db.checkpoint()
    db.check_file()
    with db.transaction() as conn:
        conn.execute("DELETE FROM event")
    db.conn.execute("PRAGMA incremental_vacuum").fetchall()
    db.checkpoint()
    db.check_file()
    add(db, 200, 2_000)
    db.checkpoint()
    db.check_file()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(FileMoves):
        db.check_file()
    monkeypatch.setattr(file_watch, "AT_REST_S", 0.0)
    with pytest.raises(FileCut, match="was cut from"):
        db.check_file()


def test_letting_go_touches_nothing_that_lies_at_the_path(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """The files were moved and others put there: closing the last connections deletes no WAL by name, and moved ones stay whole."""
    add(db, 9)
    (tmp_path / "aside").mkdir()
    for suffix in SUFFIXES:
        side(path, suffix).rename(tmp_path / "aside" / (path.name + suffix))
    for suffix in SUFFIXES:
        side(path, suffix).write_bytes(b"of somebody else" + suffix.encode())
    db.let_go()
    db.let_go()
    for suffix in SUFFIXES:
        assert side(path, suffix).read_bytes() == b"of somebody else" + suffix.encode()
    assert count(tmp_path / "aside" / path.name) == 9


def test_letting_go_keeps_the_wal_as_it_is(db: OpenDatabase, path: Path) -> None:
    add(db, 9)
    before = side(path, "-wal").read_bytes()
    db.let_go()
    assert side(path, "-wal").read_bytes() == before
    assert count(path) == 9


def test_a_clean_close_leaves_one_file(db: OpenDatabase, path: Path) -> None:
    add(db, 3)
    db.close_cleanly()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert count(path) == 3
    db.let_go()


def test_a_reader_keeps_the_wal_at_a_clean_close(db: OpenDatabase, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event").fetchone()
        add(db, 3)
        db.close_cleanly()
    assert count(path) == 3


@pytest.mark.parametrize("fault", [ValueError, sqlite3.OperationalError])
def test_a_transaction_is_all_or_nothing(db: OpenDatabase, path: Path, fault: Callable[[str], Exception]) -> None:
    def half() -> None:
        with db.transaction() as conn:
            meta.put(conn, "half", "1")
            raise fault("in the middle")

    with pytest.raises(fault("").__class__):
        half()
    assert not db.conn.in_transaction
    assert meta.get(db.conn, "half") is None


def test_an_opening_that_fails_leaves_nothing_open(path: Path) -> None:
    """Descriptors and locks: the next one gets the file as if nothing had been. (Leaks fail every test here.)"""

    def broken() -> Upkeep:
        raise KeyError("upkeep")

    def clockless(conn: sqlite3.Connection) -> int:
        raise OSError("no clock")

    with pytest.raises(KeyError):
        open_database.open_file(path, broken, lambda conn: NOW)
    with pytest.raises(OSError, match="no clock"):
        open_database.open_file(path, lambda: Upkeep(Mover(), Retention("UTC")), clockless)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN EXCLUSIVE")


def test_what_is_known_of_an_open_database_is_replaced_by_name_only(db: OpenDatabase) -> None:
    """It is whole from its opening on, and nobody assigns to it."""
    assert db.sides()
    db.check_file()
    assert db.frontier.edge_us
    db.replace_newest({1: (NOW, 1.0, 1)})
    assert db.newest == {1: (NOW, 1.0, 1)}
    for name in ("newest", "catalog"):
        with pytest.raises(AttributeError):
            setattr(db, name, {})


def test_what_a_kill_left_unsaved_is_known_and_saved_with_the_next(path: Path) -> None:
    """A slow sensor speaks once a day: its reading was committed, ``latest`` was not, and then others are saved again and
    again."""
    specs = [SensorSpec("s", "simulated", series=[SeriesSpec("slow"), SeriesSpec("fast")])]

    def opened(now_us: int) -> OpenDatabase:
        found = open_database.open_file(path, lambda: Upkeep(Mover(), Retention("UTC")), lambda conn: now_us)
        found.use_specs(specs, now_us)
        return found

    def commit(db: OpenDatabase, channel: str, at_us: int, value: float, *, due: bool) -> None:
        written = Commit([Block("s", [Column(channel, [at_us], [value], 1)])], latest_is_due=due).write(
            db, Totals(), lambda: at_us
        )
        db.conn.execute("COMMIT")
        db.replace_newest(written.newest)

    db = opened(NOW)
    commit(db, "slow", NOW, 10.0, due=True)
    commit(db, "slow", NOW + DAY_US, 11.0, due=False)
    slow = db.catalog.ids["s", "slow"]
    db.let_go()
    later_us = NOW + DAY_US + MINUTE_US
    db = opened(later_us)
    try:
        assert db.newest == {slow: (NOW + DAY_US, 11.0, 1)}
        commit(db, "fast", later_us, 1.0, due=True)
        assert db.newest == {}
        assert latest.newest(db.conn, later_us)[slow] == (NOW + DAY_US, 11.0, 1)
    finally:
        db.let_go()


def test_meta_keeps_what_it_is_told(path: Path) -> None:
    """A key at a time; prefixes are letters, not patterns."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        meta.put(conn, "a_1", "x")
        meta.put(conn, "a_1", "y")
        meta.put(conn, "ab1", "7")
        assert meta.get(conn, "a_1") == "y"
        assert meta.get(conn, "none") is None
        assert meta.get_int(conn, "ab1") == 7
        assert meta.get_int(conn, "none") == 0
        assert meta.keys(conn, "a_") == ["a_1"]
        assert meta.entries(conn, "a_") == [("a_1", "y")]
        meta.remove(conn, ["a_1", "none"])
        assert meta.keys(conn, "a") == ["ab1"]


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("successor", [False, True])
def test_a_side_file_that_is_removed_or_replaced_costs_nothing_that_was_committed(
    db: OpenDatabase, path: Path, tmp_path: Path, suffix: str, successor: bool
) -> None:
    """What is committed into a log without a name is seen by nobody: it is in the file itself before that is let go of."""
    add(db, 50)
    db.check_file()
    side(path, suffix).rename(tmp_path / "away")
    if successor:
        side(path, suffix).touch()
    add(db, 7)
    with pytest.raises(WalGone) as gone:
        db.check_file()
    assert gone.value.is_saved
    db.let_go()
    assert count(killed(path, tmp_path / "after")) == 57
    anew = open_it(path)
    anew.check_file()
    anew.let_go()


def test_a_log_without_a_name_is_held_on_to_while_a_reader_needs_it(db: OpenDatabase, path: Path) -> None:
    """Half of it copied is not all of it."""
    add(db, 50)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event").fetchone()
        add(db, 50)
        side(path, "-wal").unlink()
        with pytest.raises(WalGone) as gone:
            db.check_file()
        assert not gone.value.is_saved
    with pytest.raises(WalGone) as gone:
        db.check_file()
    assert gone.value.is_saved


# ---- the locks on the WAL index ----------------------------------------------------------------------------------------

# Whoever opens a database and finds no lock on this byte of its -shm cuts that file, and a process that has it mapped ends by SIGBUS.
LOCKED = """
import fcntl, os, struct, sys
lock = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 128, 1, 0)
descriptor = os.open(sys.argv[1], os.O_RDWR)
print(struct.unpack("hhqqi", fcntl.fcntl(descriptor, fcntl.F_GETLK, lock))[4])
"""


def holder_of_index(path: Path) -> int:
    """The pid of who holds that lock; 0: nobody."""
    done = subprocess.run([sys.executable, "-c", LOCKED, str(side(path, "-shm"))], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_check_for_damage_does_not_drop_the_locks_of_the_open_file(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """Neither as it is nor while another file lies at the path, beside the index of the open one."""
    add(db, 10)
    shutil.copy(killed(path, tmp_path / "copy"), tmp_path / "other.db")
    for _ in ("as it is", "replaced"):
        assert holder_of_index(path) == os.getpid()
        db.check_for_damage(0.01)
        assert holder_of_index(path) == os.getpid()
        if (tmp_path / "other.db").exists():
            (tmp_path / "other.db").replace(path)
    with pytest.raises(FileGone):
        db.check_file()
    assert holder_of_index(path) == os.getpid()


def test_the_count_of_an_index_of_another_generation_is_not_taken(tmp_path: Path) -> None:
    """It belongs to a log that began anew, or is about to: what stands in the file is counted."""
    (tmp_path / "other").mkdir()
    path = tmp_path / "log.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("CREATE TABLE t (x)")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{path}{suffix}", tmp_path / "other")
    copied = tmp_path / "other" / "log.db"
    index = bytearray(Path(f"{copied}-shm").read_bytes())
    for head in (0, 48):  # two copies: the last frame that counts, and the salts
        index[head + 16 : head + 20] = (1_000).to_bytes(4, sys.byteorder)
        index[head + 32 : head + 40] = b"another!"
    Path(f"{copied}-shm").write_bytes(index)
    watch = WalWatch(copied)
    watch.know_index()
    try:
        assert watch.frames() == (os.stat(f"{copied}-wal").st_size - 32) // (24 + 4096) > 0
    finally:
        watch.close()


def test_a_log_that_cannot_be_read_once_is_no_reason_to_set_the_file_aside(
    db: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(db)
    real = os.pread

    def failing(descriptor: int, size: int, at: int) -> bytes:
        if descriptor == db.wal._descriptor:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, size, at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", failing)
        with pytest.raises(OSError, match="Input/output error"):
            db.check_file()
    db.check_file()


def test_a_log_that_is_removed_before_it_was_ever_read_is_copied_into_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor was left when the file was opened; what is in the log is saved as if it had been read."""
    with monkeypatch.context() as patch:
        patch.setattr(WalWatch, "frames", lambda watch: 0)
        db = open_it(path)
    try:
        add(db)
        side(path, "-wal").unlink()
        with pytest.raises(WalGone) as found:
            db.check_file()
        assert found.value.is_saved
    finally:
        db.let_go()
