"""Telling a file that was never a database from what is left of one; a mistake to the one side moves a letter, to the other loses readings."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from sensorlogd.storage.file.content import holds_text, never_a_database
from sensorlogd.storage.file.identity import PAGE_SIZE

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40 + b"IEND\xaeB`\x82"


@pytest.fixture
def log(tmp_path: Path, fresh: Path) -> Path:
    """An empty log, whole."""
    path = tmp_path / "log.db"
    path.write_bytes(fresh.read_bytes())
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a", "a text file"),
        (b"sensors: {}\n" * 4096, "a text file"),  # as long as whole pages
        ("°C\n".encode() * 2**20, "a text file"),  # a sign of two bytes across the chunks that are read
        (PNG, "no file of SQLite: it begins with the bytes 89 50 4e 47 0d 0a 1a 0a"),
        (b"\0" * 1000, "no file of SQLite: it begins with the bytes 00 00 00 00 00 00 00 00"),
    ],
    ids=["a letter", "a configuration", "long", "a picture", "zeros"],
)
def test_what_was_never_a_database(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(content)
    assert never_a_database(path) == words
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert never_a_database(link) == words


@pytest.mark.parametrize("side", ["-wal", "-shm", "-journal"])
def test_a_file_of_sqlite_beside_it_speaks_for_a_database(tmp_path: Path, side: str) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(PNG)
    (tmp_path / f"log.db{side}").write_bytes(b"")
    assert never_a_database(path) is None


@pytest.mark.parametrize(
    "first",
    [b"\0" * PAGE_SIZE, b"\xff" * PAGE_SIZE, b"garbage " * (PAGE_SIZE // 8), b"garbage " * (PAGE_SIZE // 4)],
    ids=["zeros", "ones", "a page of text", "two pages of text"],
)
def test_a_log_whose_first_pages_are_gone_is_one(log: Path, first: bytes) -> None:
    """Text in the first pages, too: what follows is none."""
    with log.open("r+b") as file:
        file.write(first)
    assert never_a_database(log) is None


def test_any_database_that_has_its_header_is_one(log: Path) -> None:
    """Whole, cut in the middle of a page, of another program."""
    assert never_a_database(log) is None
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 777)
    assert never_a_database(log) is None
    with contextlib.closing(sqlite3.connect(log.with_name("other.db"))) as conn:
        conn.execute("CREATE TABLE a(b)")
    assert never_a_database(log.with_name("other.db")) is None


def test_nothing_is_not_judged(tmp_path: Path) -> None:
    """Neither a file that is missing, nor an empty one, nor what is no file."""
    assert never_a_database(tmp_path / "log.db") is None
    (tmp_path / "log.db").touch()
    assert never_a_database(tmp_path / "log.db") is None
    assert not holds_text(tmp_path / "log.db")
    assert never_a_database(tmp_path) is None
