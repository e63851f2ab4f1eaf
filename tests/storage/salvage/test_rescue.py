"""The file was taken away under the open database: what was open is kept, and the newcomer is left as it was put there."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.storage.maintenance import backup, incidents
from sensorlogd.storage.maintenance.incidents import Incident
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.salvage import rescue
from tests.storage.test_open_database import NOW, SUFFIXES, add, count, open_it, side


@pytest.fixture
def db(path: Path) -> Iterator[OpenDatabase]:
    """With seven events, some in the file and some in the WAL only."""
    opened = open_it(path)
    add(opened, 3)
    opened.checkpoint()
    add(opened, 4)
    yield opened
    opened.let_go()


def only_incident(path: Path) -> Incident:
    (incident,) = incidents.all_incidents(path)
    assert incident.is_whole
    return incident


def kept_count(path: Path) -> int:
    incident = only_incident(path)
    assert incident.main is not None
    return count(incident.main)


def test_a_removed_file_is_kept_and_wanted_back(db: OpenDatabase, path: Path) -> None:
    """All that was committed, in a file of its own; its WAL does not wait for whatever comes next."""
    path.unlink()
    beats: list[int] = []
    sentence = rescue.rescue(db, NOW, removed=True, min_free=0, beat=lambda: beats.append(1))
    assert beats, "the watchdog learns that it goes on"
    db.let_go()
    assert kept_count(path) == 7
    assert only_incident(path).is_wanted
    assert "comes back" in sentence
    assert not any(side(path, suffix).exists() for suffix in SUFFIXES)


def test_a_backup_put_in_its_place_is_left_as_it_is(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """Byte by byte, and without the WAL of the other."""
    with contextlib.closing(sqlite3.connect(path)) as source:
        backup.copy(source, tmp_path / "backup.db")
    add(db, 2)
    (tmp_path / "backup.db").replace(path)
    before = path.read_bytes()
    sentence = rescue.rescue(db, NOW, removed=False, min_free=0)
    db.let_go()
    assert path.read_bytes() == before
    assert count(path) == 7
    assert kept_count(path) == 9
    assert not only_incident(path).is_wanted  # who put the backup there meant that one
    assert "comes back" not in sentence


def test_a_newcomer_that_brought_its_own_wal_keeps_it(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """Unpacked from an archive of a whole set: every file is another one, and its WAL holds what its main file does not."""
    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    with contextlib.closing(sqlite3.connect(other, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
        conn.execute("CREATE TABLE event(id INTEGER PRIMARY KEY)")
        conn.execute("INSERT INTO event VALUES (1), (2)")
        for suffix in ("", "-wal"):
            shutil.copy(side(other, suffix), tmp_path / f"set{suffix}")
    before = {suffix: (tmp_path / f"set{suffix}").read_bytes() for suffix in ("", "-wal")}
    for suffix in ("-wal", ""):
        (tmp_path / f"set{suffix}").replace(side(path, suffix))
    rescue.rescue(db, NOW, removed=False, min_free=0)
    db.let_go()
    assert {suffix: side(path, suffix).read_bytes() for suffix in ("", "-wal")} == before
    assert count(path) == 2
    assert kept_count(path) == 7


def test_a_foreign_database_in_its_place_is_left_as_it_is(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with contextlib.closing(sqlite3.connect(foreign)) as conn:
        conn.execute("CREATE TABLE songs(title)")
    before = foreign.read_bytes()
    foreign.replace(path)
    rescue.rescue(db, NOW, removed=False, min_free=0)
    db.let_go()
    assert path.read_bytes() == before
    assert not side(path, "-wal").exists()
    assert kept_count(path) == 7


@pytest.mark.parametrize("removed", [True, False])
def test_without_room_the_wal_is_kept_and_moved_away(db: OpenDatabase, path: Path, tmp_path: Path, removed: bool) -> None:
    """The copy is not possible; what is certain is that the newcomer does not get the other's WAL."""
    if removed:
        path.unlink()
    else:
        shutil.copy(path, tmp_path / "other.db")
        (tmp_path / "other.db").replace(path)
    before = None if removed else path.read_bytes()
    wal = side(path, "-wal").read_bytes()
    with pytest.raises(rescue.NoRescue, match="bytes are needed") as refused:
        rescue.rescue(db, NOW, removed=removed, min_free=1 << 60)
    assert side(path, "-wal").exists(), "nothing is changed while there is hope"
    sentence = rescue.give_up(db, NOW, refused.value, removed=removed)
    db.let_go()
    assert "only its write-ahead log is kept" in sentence
    assert not side(path, "-wal").exists()
    assert (only_incident(path).folder / f"{path.name}-wal").read_bytes().startswith(wal[:32])
    assert before is None or path.read_bytes() == before


def test_a_copy_that_fails_half_way_leaves_no_half(db: OpenDatabase, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(conn: sqlite3.Connection, target: Path, *more: object) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rescue, "_copy_database", half)
    path.unlink()
    with pytest.raises(rescue.NoRescue, match="No space"):
        rescue.rescue(db, NOW, removed=True, min_free=0)
    assert incidents.all_incidents(path) == []
    assert list((path.parent / "damaged").iterdir()) == []


def test_a_file_that_only_got_another_name_is_whole(db: OpenDatabase, path: Path, tmp_path: Path) -> None:
    """Moved away by hand, its WAL forgotten: what was committed is in it."""
    path.rename(tmp_path / "moved.db")
    rescue.rescue(db, NOW, removed=True, min_free=0)
    db.let_go()
    assert count(tmp_path / "moved.db") == 7


def test_nothing_can_be_written_at_all(db: OpenDatabase, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as what it is; everything is still open and where it was, for the next try."""

    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", full)
        path.unlink()
        with pytest.raises(rescue.NoRescue, match="No space"):
            rescue.rescue(db, NOW, removed=True, min_free=0)
    assert side(path, "-wal").exists()
    rescue.rescue(db, NOW, removed=True, min_free=0)
    assert kept_count(path) == 7
