"""A copy is whole and a database of its own, or not there; and what keeps it from being made is told as what it is."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.storage.maintenance import backup
from sensorlogd.storage.maintenance.backup import BackupError
from sensorlogd.storage.schema.check import ensure_schema
from tests import needs


@pytest.fixture
def source(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A reader's connection to a log of some hundred kilobytes."""
    path = tmp_path / "log.db"
    ensure_schema(path)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 4711")
        conn.execute(
            "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 20000)"
            " INSERT INTO recent(series_id, ts, value, quality) SELECT 1, v * 1000000, v, 1 FROM n"
        )
        conn.commit()
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as conn:
        yield conn


def epoch(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        return int(conn.execute("PRAGMA user_version").fetchone()[0])


def test_each_copy_has_an_epoch_of_its_own(source: sqlite3.Connection, tmp_path: Path) -> None:
    """Neither the source's nor another copy's, so that no WAL of one is ever applied to the other."""
    copies = [tmp_path / "one.db", tmp_path / "two.db"]
    for path in copies:
        assert backup.copy(source, path).readings == 20_000
    found = [4711, *map(epoch, copies)]
    assert len(set(found)) == 3
    assert all(0 < number < 1 << 31 for number in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.db", "one.db", "two.db"]


def test_an_epoch_is_never_the_same_nor_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter((4710, 0))
    monkeypatch.setattr("secrets.randbelow", lambda below: next(drawn))
    assert backup._other_epoch(4711) == 1


def test_a_target_that_fills_up_while_it_is_written(
    source: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk is full, not the database unreadable; nothing is left there, and the source is as it was."""
    needs.root()
    folder = tmp_path / "usb"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)], check=True)
    try:
        with pytest.raises(BackupError, match=f"{folder}: .* bytes are needed, .* are free; make room, or name another disk$"):
            backup.copy(source, folder / "copy.db")
        monkeypatch.setattr(backup, "_free_bytes", lambda path: 1 << 40)  # it was free when it was looked at
        with pytest.raises(BackupError, match=f"^{folder}: the disk is full; make room$"):
            backup.copy(source, folder / "copy.db")
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert source.execute("SELECT count(*) FROM recent").fetchone() == (20_000,)


def test_a_target_that_is_read_only(source: sqlite3.Connection, tmp_path: Path) -> None:
    needs.root()
    folder = tmp_path / "cd"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=True)
    try:
        with pytest.raises(BackupError, match="Read-only file system"):
            backup.copy(source, folder / "copy.db")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOSPC, errno.EROFS])
def test_what_the_system_refuses_is_told_in_its_words(
    source: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refused(path: Path, flags: int, mode: int = 0) -> int:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(BackupError, match=f"{os.strerror(code)}$"):
        backup.copy(source, tmp_path / "copy.db")


def test_a_target_that_is_a_folder(source: sqlite3.Connection, tmp_path: Path) -> None:
    """It stays, and no half copy beside it."""
    (tmp_path / "copy.db").mkdir()
    with pytest.raises(BackupError, match="Is a directory"):
        backup.copy(source, tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "log.db"]


def test_damage_of_the_source_is_not_the_targets_fault(source: sqlite3.Connection, tmp_path: Path) -> None:
    """It is copied page by page and found out when the copy is read."""
    (page,) = source.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event'").fetchone()
    data = bytearray((tmp_path / "log.db").read_bytes())
    data[(page - 1) * 2048 : page * 2048] = b"\xa5" * 2048
    (tmp_path / "log.db").write_bytes(data)
    with pytest.raises(BackupError, match=r"the copy is not sound .*: the database itself may be damaged"):
        backup.copy(source, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
