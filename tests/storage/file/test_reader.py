"""Opening read-only: what lies beside the file decides, and nothing is changed by looking."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.storage.file import reader
from sensorlogd.storage.file.reader import LogUnavailable, open_reader
from sensorlogd.storage.schema.check import ensure_schema
from tests import needs
from tests.connections import connect_writer

CUT_OFF = """
import os, sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("PRAGMA cache_size = 1")  # changed pages are written before the commit, the old ones stand in the journal
conn.execute("PRAGMA cache_spill = 1")
conn.execute("BEGIN")
conn.execute("DELETE FROM event")
conn.execute("UPDATE meta SET value = 'half'")
conn.execute("WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < 2000)"
             " INSERT INTO event(ts, kind, detail) SELECT v, 'started', hex(randomblob(500)) FROM n")
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An empty log that was closed cleanly: one file."""
    path = tmp_path / "log.db"
    ensure_schema(path)
    with closing(connect_writer(path)) as conn:
        conn.execute("INSERT INTO meta(key, value) VALUES ('x', 'whole')")
        conn.execute("PRAGMA journal_mode = DELETE").fetchone()
    return path


def in_wal(log: Path) -> tuple[bytes, bytes]:
    """(database, WAL) of a log whose last change is only in the WAL."""
    with closing(connect_writer(log)) as conn:
        conn.execute("INSERT INTO meta(key, value) VALUES ('y', 'in the WAL')")
        return log.read_bytes(), Path(f"{log}-wal").read_bytes()


def refusal(path: Path) -> str:
    with pytest.raises(LogUnavailable) as refused:
        open_reader(path).close()
    return str(refused.value)


def test_a_change_that_was_cut_off_is_not_taken_for_the_content(log: Path) -> None:
    """Half of it stands in the file: a reader says what to do, whoever may write undoes it, and all is there again."""
    subprocess.run([sys.executable, "-c", CUT_OFF, str(log)], check=False)
    assert reader.interrupted(log)
    half = log.read_bytes()
    assert "interrupted in the middle of a change; start the daemon, or run any verb that changes something" in refusal(log)
    assert log.read_bytes() == half  # a reader has changed nothing
    reader.undo_interrupted(log)
    assert not reader.interrupted(log)
    with closing(open_reader(log)) as conn:
        assert conn.execute("SELECT value FROM meta WHERE key = 'x'").fetchone() == ("whole",)
        assert conn.execute("SELECT count(*) FROM event").fetchone() == (0,)


@pytest.mark.parametrize("content", [None, b"", bytes(512)])
def test_a_journal_that_is_done_with_is_nothing(log: Path, content: bytes | None) -> None:
    """Removed, emptied, or its header overwritten with zeros: three ways in which SQLite leaves one."""
    if content is not None:
        Path(f"{log}-journal").write_bytes(content)
    assert not reader.interrupted(log)
    open_reader(log).close()


def test_an_empty_database_beside_a_wal_is_never_opened(log: Path) -> None:
    """SQLite would delete the WAL, and with it all that is left."""
    _, wal = in_wal(log)
    log.write_bytes(b"")
    side = Path(f"{log}-wal")
    side.write_bytes(wal)
    assert "is damaged: the database is empty or gone, its WAL beside it" in refusal(log)
    assert side.read_bytes() == wal
    log.unlink()
    assert "no such database" in refusal(log)
    with pytest.raises(LogUnavailable, match="is damaged"):
        reader.refuse_foreign_sides(log)
    side.unlink()
    reader.refuse_foreign_sides(log)
    log.touch()
    assert "is empty: not a sensorlogd database" in refusal(log)


def test_the_sides_are_those_of_the_file_that_links_lead_to(log: Path, tmp_path: Path) -> None:
    _, wal = in_wal(log)
    log.write_bytes(b"")
    Path(f"{log}-wal").write_bytes(wal)
    link = tmp_path / "link.db"
    link.symlink_to(log)
    assert "is damaged" in refusal(link)


READ = """
import os, sys
from pathlib import Path
from sensorlogd.storage.file.reader import LogUnavailable, open_reader
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print(open_reader(Path(sys.argv[1])).execute("SELECT count(*) FROM meta WHERE key = 'y'").fetchone()[0])
except LogUnavailable as error:
    print(error)
"""


def as_nobody(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    return done.stdout.strip()


@pytest.fixture
def anybodys(log: Path) -> Iterator[Path]:
    """The log in a folder that everybody may read and only its owner write."""
    needs.root()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copy(log, folder))


def test_a_folder_that_may_not_be_written_is_read_only_where_nothing_is_hidden(anybodys: Path) -> None:
    """Another user's log: in WAL mode without a WAL it is read as it is; not while a daemon has it, nor beside a WAL or a
    journal with content, each of which would be passed over in silence."""
    log = anybodys
    whole, wal = in_wal(log)
    for suffix in ("-wal", "-shm"):
        Path(f"{log}{suffix}").unlink(missing_ok=True)
    log.write_bytes(whole)
    assert as_nobody(log) == "0"
    with DatabaseLock(log, None):
        assert "run this as that user, or start the daemon" in as_nobody(log)
    Path(f"{log}-wal").write_bytes(wal)
    assert "run this as that user, or start the daemon" in as_nobody(log)
    Path(f"{log}-wal").unlink()
    Path(f"{log}-journal").write_bytes(b"\xd9\xd5\x05\xf9 some old pages")
    assert "interrupted in the middle of a change" in as_nobody(log)


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    assert "is not a file" in refusal(tmp_path)


def test_a_locked_database_is_told_as_such(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BUSY_WITHIN_S", 0.01)
    with closing(sqlite3.connect(log, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "another program has locked the database; try again" in refusal(log)


def test_damage_is_found_and_none_is_invented(log: Path) -> None:
    assert reader.found_damage(log) is None
    with closing(sqlite3.connect(log)) as conn:
        (page,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event'").fetchone()
    data = bytearray(log.read_bytes())
    data[(page - 1) * 2048 : page * 2048] = b"\xa5" * 2048
    log.write_bytes(data)
    assert reader.found_damage(log) is not None


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "sensorlogd.yaml",
            b"sensors:\n  a: {driver: line}\n" * 9,
            "; name the file that the daemon writes, e.g. sensorlogd.db (a config",
        ),
        ("driver.py", "# Größe\n".encode() * 600, "; name the file that the daemon writes, e.g. sensorlogd.db"),
        ("short", b"x", "; name the file that the daemon writes, e.g. sensorlogd.db"),
    ],
)
def test_a_text_file_is_no_damaged_database(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """A configuration given as --db: nothing of it can be salvaged."""
    path = tmp_path / name
    path.write_bytes(content)
    assert f"{name} is a text file, not a database{said}" in refusal(path)


@pytest.mark.parametrize("content", [bytes(8192), b"\xff\x00 noise" * 800])
def test_what_is_no_text_is_a_damaged_database(tmp_path: Path, content: bytes) -> None:
    """It may have been a log: the daemon looks what can be salvaged."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    with pytest.raises(reader.LogDamaged, match="is a damaged database"):
        open_reader(path)


def test_a_name_that_cannot_be_looked_at_says_what_to_check(tmp_path: Path) -> None:
    """A link that leads to itself."""
    (tmp_path / "log.db").symlink_to("log.db")
    assert "; check the name, and owner and mode of the folders that lead to it" in refusal(tmp_path / "log.db")
