"""Whose WAL it is: a foreign one is recognised before SQLite sees it, and whatever a kill leaves is whole."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage.file import epoch, wal_file
from sensorlogd.storage.file.epoch import FoundFile, examine
from sensorlogd.storage.file.wal_watch import holders
from sensorlogd.storage.maintenance import backup
from sensorlogd.storage.open_database import OpenDatabase
from tests.connections import connect_writer
from tests.storage.test_open_database import SUFFIXES, add, checkpoint, count, frames_of, killed, open_it, side


@pytest.fixture
def db(path: Path) -> Iterator[OpenDatabase]:
    opened = open_it(path)
    yield opened
    opened.let_go()


def test_a_backup_over_a_killed_database_does_not_get_its_wal(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    add(db, 5)
    with contextlib.closing(sqlite3.connect(path)) as source:
        backup.copy(source, tmp_path / "backup.db")
    add(db, 7)
    left = killed(path, tmp_path / "left")
    assert examine(left) is FoundFile.USABLE
    shutil.copy(tmp_path / "backup.db", left)
    assert examine(left) is FoundFile.FOREIGN_WAL


def test_a_copy_of_a_stopped_file_does_not_get_the_wal_of_a_later_run(path: Path, tmp_path: Path) -> None:
    first = open_it(path)
    add(first, 5)
    first.close_cleanly()
    shutil.copy(path, tmp_path / "copy.db")
    second = open_it(path)
    add(second, 7)
    left = killed(path, tmp_path / "left")
    second.let_go()
    shutil.copy(tmp_path / "copy.db", left)
    assert examine(left) is FoundFile.FOREIGN_WAL


def test_a_copy_of_the_whole_set_is_no_other_file(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """A new card: other inodes, the same files."""
    add(db, 5)
    db.checkpoint()
    add(db, 7)
    left = killed(path, tmp_path / "left")
    assert examine(left) is FoundFile.USABLE
    assert count(left) == 12


def test_a_file_of_an_older_release_is_trusted(path: Path, tmp_path: Path) -> None:
    """It names no epoch, so nothing can be said against its WAL; the first start gives it one."""
    with contextlib.closing(connect_writer(path)) as conn:
        conn.execute("PRAGMA user_version = 0")
        conn.execute("INSERT INTO event(ts, kind, detail) VALUES (1, 'noted', '')")
        left = killed(path, tmp_path / "left")
    assert examine(left) is FoundFile.USABLE
    upgraded = open_it(left)
    try:
        assert upgraded.epoch > 0
        assert count(left) == 1
        again = killed(left, tmp_path / "again")
    finally:
        upgraded.let_go()
    page = wal_file.first_page_one(side(again, "-wal"))
    assert page is not None
    assert int.from_bytes(page[60:64], "big") == upgraded.epoch


def test_a_wal_of_an_epoch_beside_a_file_without_one_is_not_called_foreign(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """Of a file that an older release wrote nothing is known."""
    add(db)
    left = killed(path, tmp_path / "left")
    data = bytearray(left.read_bytes())
    data[60:64] = bytes(4)
    left.write_bytes(data)
    assert examine(left) is FoundFile.USABLE


@pytest.mark.parametrize("content", [None, b""])
def test_a_file_that_was_emptied_beside_its_wal(db: OpenDatabase, path: Path, tmp_path: Path, content: bytes | None) -> None:
    """SQLite would delete the WAL, and with it all that is left."""
    add(db)
    left = killed(path, tmp_path / "left")
    left.unlink()
    if content is not None:
        left.write_bytes(content)
    assert examine(left) is FoundFile.EMPTIED
    side(left, "-wal").unlink()
    assert examine(left) is (FoundFile.NOTHING if content is None else FoundFile.EMPTY)


def test_each_start_is_a_new_epoch_unless_somebody_reads(path: Path) -> None:
    first = open_it(path)
    first.close_cleanly()
    second = open_it(path)
    assert second.epoch != first.epoch
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        second.let_go()
        third = open_it(path)
        assert third.epoch == second.epoch
        third.let_go()


START_AND_STOP = """
import os, sqlite3, sys
from pathlib import Path
from sensorlogd.storage.file import epoch
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for _ in range(2):
    print(epoch.examine(Path(sys.argv[1])).value)
    conn = sqlite3.connect(sys.argv[1], isolation_level=None)
    known = epoch.renew(conn)
    conn.execute("PRAGMA journal_mode = WAL")
    epoch.repeat(conn, known)
    conn.execute("INSERT INTO t VALUES (1)")
    conn.close()
print(epoch.examine(Path(sys.argv[1])).value)
"""


def test_in_a_folder_that_takes_no_change_the_log_stays_that_of_its_file(tmp_path: Path) -> None:
    """After a kill: SQLite says that the WAL is gone, and cannot remove it. A new epoch would make the log a foreign one."""
    path, folder = tmp_path / "log.db", tmp_path / "left"
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        known = epoch.renew(conn)
        conn.execute("PRAGMA journal_mode = WAL")
        epoch.repeat(conn, known)
        conn.execute("CREATE TABLE t (a)")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(side(path, suffix), side(folder / "log.db", suffix))
            side(folder / "log.db", suffix).chmod(0o666)
    for above in (tmp_path, *tmp_path.parents):
        if above.name.startswith(("pytest", "popen")) or above == tmp_path:
            above.chmod(0o755)
    folder.chmod(0o555)
    try:
        command = [sys.executable, "-c", START_AND_STOP, str(folder / "log.db")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    finally:
        folder.chmod(0o755)
    assert done.stdout.split() == ["usable"] * 3
    with contextlib.closing(sqlite3.connect(folder / "log.db")) as conn:
        assert conn.execute("SELECT count(*) FROM t").fetchone() == (2,)


@pytest.mark.parametrize("is_link", [False, True])
def test_a_database_behind_a_link_has_its_wal_beside_itself(path: Path, tmp_path: Path, is_link: bool) -> None:
    """SQLite follows the link; whoever looks for the WAL must, too, or it is never checkpointed and never recognised."""
    named = path
    if is_link:
        (tmp_path / "there").mkdir()
        path = path.rename(tmp_path / "there" / "real.db")
        named.symlink_to(path)
    db = open_it(named)
    try:
        add(db, 50, 3_000)
        assert db.wal.frames() > 50
        assert db.wal.file_bytes() > 100_000
        assert len(holders(named)) == 0
        with contextlib.closing(sqlite3.connect(path)) as source:
            backup.copy(source, tmp_path / "backup.db")
        shutil.copy(side(path, "-wal"), tmp_path / "kept-wal")
    finally:
        db.close_cleanly()
    shutil.copy(tmp_path / "backup.db", path)
    shutil.copy(tmp_path / "kept-wal", side(path, "-wal"))
    assert examine(named) is FoundFile.FOREIGN_WAL
    path.write_bytes(b"")
    assert examine(named) is FoundFile.EMPTIED


def test_somebody_elses_checkpoint_does_not_take_page_one_out_of_the_wal(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """Another program copied the WAL into the file: the next commit begins it anew, and whose it is stands in it all the same."""
    add(db, 20)
    frames, copied = checkpoint(path)
    assert frames == copied > 0
    add(db, 1)
    db.checkpoint_if_due()
    left = killed(path, tmp_path / "left")
    page = wal_file.first_page_one(side(left, "-wal"))
    assert page is not None
    assert int.from_bytes(page[60:64], "big") == db.epoch


def test_page_one_comes_later_if_it_cannot_be_written_at_once(
    db: OpenDatabase, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked by somebody at that very moment: it is made good at the next look."""
    add(db, 20)
    with monkeypatch.context() as patch:

        def locked(conn: sqlite3.Connection, number: int) -> None:
            raise sqlite3.OperationalError("database is locked")

        patch.setattr(epoch, "repeat", locked)
        with pytest.raises(sqlite3.OperationalError):
            db.checkpoint()
    add(db, 1)
    db.checkpoint_if_due()
    assert wal_file.first_page_one(side(killed(path, tmp_path / "left"), "-wal")) is not None


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 30), st.integers(1, 2_500)),
        st.tuples(st.just("commit"), st.integers(1, 30), st.integers(1, 2_500)),
        st.tuples(st.just("checkpoint")),
        st.tuples(st.just("look")),
        st.tuples(st.just("others"), st.just("checkpoint")),
        st.tuples(st.just("reader"), st.sampled_from(["come", "go"])),
        st.tuples(st.just("kill")),
    ),
    min_size=3,
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_killed_at_any_time_it_is_usable_and_whole(steps: list[tuple[Any, ...]], fresh: Path) -> None:
    """Commits, checkpoints of ours and of others, readers that come and go. At any moment the files hold every committed row;
    with the main file of a backup in its place the WAL is recognised as foreign, wherever it holds anything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = Path(shutil.copy(fresh, folder / "log.db"))
        shutil.copy(fresh, folder / "other.db")
        with contextlib.closing(sqlite3.connect(folder / "other.db")) as conn:
            conn.execute(f"PRAGMA user_version = {epoch.new()}")
        db = open_it(path)
        db.conn.execute("PRAGMA synchronous = OFF")  # no power fails here
        try:
            _walk(db, path, folder, [*steps, ("kill",)])
        finally:
            db.let_go()


def _walk(db: OpenDatabase, path: Path, folder: Path, steps: list[tuple[Any, ...]]) -> None:
    readers: list[sqlite3.Connection] = []
    committed = 0
    for step in steps:
        if step[0] == "commit":
            _, rows, size = step
            add(db, rows, size)
            committed += rows
            db.checkpoint_if_due()  # as the writer does at each turn
            assert db.wal.frames() == frames_of(path)
        elif step[0] == "checkpoint":
            db.checkpoint()
        elif step[0] == "look":
            db.checkpoint_if_due()
        elif step[0] == "others":
            checkpoint(path)
        elif step[0] == "reader":
            if step[1] == "come":
                reader = sqlite3.connect(path, isolation_level=None)
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM event").fetchone()
                readers.append(reader)
            elif readers:
                readers.pop(0).close()
        else:
            _judge(db, path, folder, committed)
    for reader in readers:
        reader.close()


def _judge(db: OpenDatabase, path: Path, folder: Path, committed: int) -> None:
    left = killed(path, folder / "left")
    assert examine(left) is FoundFile.USABLE
    shutil.copy(left, folder / "main")
    has_rows = next(wal_file.frames(side(left, "-wal")), None) is not None
    if has_rows:
        shutil.copy(folder / "other.db", left)
        assert examine(left) is FoundFile.FOREIGN_WAL
        shutil.copy(folder / "main", left)
    assert count(left) == committed
    for suffix in SUFFIXES:
        side(left, suffix).unlink(missing_ok=True)
