"""Opening: what is ours is created and upgraded, what is not is told apart and left alone."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateTable

from sensorlogd.notation.microseconds import BEGINNING_US
from sensorlogd.storage import migrations
from sensorlogd.storage.file.connecting import CHECKPOINT_PAGES, close_cleanly, connect_as_writer, use_wal
from sensorlogd.storage.file.errors import DatabaseCorrupt, DatabaseUnavailable, Failure, ForeignDatabase, NewerSchema, classify
from sensorlogd.storage.file.identity import APPLICATION_ID, PAGE_SIZE, REVISION, file_identity
from sensorlogd.storage.migrations import tables
from sensorlogd.storage.migrations.upgrade import upgrade
from sensorlogd.storage.migrations.views import VIEWS
from sensorlogd.storage.schema import check, creation
from sensorlogd.storage.schema.check import ensure_schema
from tests.connections import connect_writer


def objects(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as conn:
        return dict(conn.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall())


def test_a_missing_file_becomes_a_database_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creation is quick, starts no process, and sets what can only be set before the first table."""
    path = tmp_path / "log.db"
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    ensure_schema(path)
    with closing(sqlite3.connect(path)) as conn:
        pragma = {
            name: conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "page_size", "auto_vacuum", "journal_mode")
        }
        assert pragma == {"application_id": 0x534C4F47, "page_size": 2048, "auto_vacuum": 2, "journal_mode": "delete"}
        strict = dict(conn.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table' AND schema = 'main'"))
    assert {name for name, is_strict in strict.items() if not is_strict} == {"alembic_version", "sqlite_schema"}


def test_an_empty_file_counts_as_missing(tmp_path: Path) -> None:
    """Power may fail between creating the file and the first page."""
    path = tmp_path / "log.db"
    path.touch()
    ensure_schema(path)
    assert "readings" in objects(path)


def test_the_second_opening_changes_nothing_and_starts_no_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An up-to-date database costs two queries."""
    before = path.read_bytes()
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    ensure_schema(path)
    assert path.read_bytes() == before


def test_names_with_odd_characters_work(tmp_path: Path) -> None:
    """Percent signs, question marks, spaces and umlauts in a path mean themselves."""
    path = tmp_path / "50% off?#" / "Fühler 1.db"
    path.parent.mkdir()
    ensure_schema(path)
    connect_writer(path).close()
    assert [entry.name for entry in path.parent.iterdir()] == ["Fühler 1.db"]


def test_a_folder_called_alembic_in_the_current_one_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child that upgrades imports the installed packages, whatever lies where the user happens to be."""
    upgrade(tmp_path / "log.db", "0001")
    (tmp_path / "sqlalchemy").mkdir()
    (tmp_path / "sqlalchemy" / "__init__.py").write_text("raise SystemExit('the wrong sqlalchemy')")
    monkeypatch.chdir(tmp_path)
    ensure_schema(tmp_path / "log.db")
    with closing(sqlite3.connect(tmp_path / "log.db")) as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]


def test_a_fresh_database_is_what_the_migrations_make(tmp_path: Path, path: Path) -> None:
    """``fresh.sql`` is up to date: make it anew with ``python -m sensorlogd.storage.schema.creation``."""
    assert creation.FRESH.read_text() == creation.script()
    migrated = tmp_path / "migrated.db"
    upgrade(migrated)
    with closing(sqlite3.connect(path)) as made, closing(sqlite3.connect(migrated)) as conn:
        assert list(made.iterdump()) == list(conn.iterdump())
        for name in ("application_id", "page_size", "auto_vacuum", "user_version", "encoding", "journal_mode"):
            assert made.execute(f"PRAGMA {name}").fetchall() == conn.execute(f"PRAGMA {name}").fetchall(), name


def test_making_it_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that fails leaves a file with nothing in it, which the next start takes for missing; nobody's is overwritten."""
    path, broken = tmp_path / "log.db", tmp_path / "broken.sql"
    broken.write_text(creation.FRESH.read_text().replace("CREATE TABLE event", "CREATE TABEL event"))
    with monkeypatch.context() as patch:
        patch.setattr(creation, "FRESH", broken)
        with pytest.raises(DatabaseUnavailable):
            ensure_schema(path)
    assert objects(path) == {}
    ensure_schema(path)
    assert "readings" in objects(path)
    assert not creation.create(path, PAGE_SIZE)


def test_description_and_migrations_agree(path: Path) -> None:
    """tables.py describes what the migrations build: columns, keys, defaults, STRICT and WITHOUT ROWID."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as conn:
        found = compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), tables.metadata)
    assert found == []
    built = objects(path)
    for table in tables.metadata.tables.values():
        with closing(sqlite3.connect(":memory:")) as conn, closing(sqlite3.connect(":memory:")) as described:
            described.execute(str(CreateTable(table).compile(engine)))
            conn.execute(re.sub(r" REFERENCES \w+\(\w+\)", "", built[table.name]))
            for query in (f"PRAGMA table_info({table.name})", f"SELECT wr, strict FROM pragma_table_list('{table.name}')"):
                assert described.execute(query).fetchall() == conn.execute(query).fetchall(), table.name
    assert set(VIEWS) <= set(built)


def test_the_newest_revision_is_the_one_the_daemon_knows() -> None:
    """REVISION is written down in plain Python so that the daemon need not import Alembic; it must not fall behind."""
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == REVISION


def test_counters_of_an_older_schema_are_rolled_up_anew(tmp_path: Path) -> None:
    """Their rows do not know their second value; those of others stay as they are, and so does what has expired."""
    old = tmp_path / "old.db"
    upgrade(old, "0004")
    with closing(sqlite3.connect(old)) as conn, conn:
        conn.execute("INSERT INTO sensor(id, name, driver, created_us) VALUES (1, 's', 'serial', 0)")
        for identity, kind in enumerate(("gauge", "counter", "counter")):
            conn.execute(
                "INSERT INTO series(id, sensor_id, channel, kind, heartbeat_us, created_us) VALUES (?,1,?,?,1,0)",
                (identity, f"c{identity}", kind),
            )
        conn.execute("INSERT INTO retention_cut VALUES (2, 0, 7200000005)")
        conn.execute("INSERT INTO calibration VALUES (0, 1, 2.0, 3.0)")
    ensure_schema(old)
    with closing(sqlite3.connect(old)) as conn:
        assert conn.execute("SELECT series_id, tier, from_us FROM stale ORDER BY series_id").fetchall() == [
            (1, 60, BEGINNING_US), (2, 60, 7_200_000_000),
        ]  # fmt: skip
        assert conn.execute("SELECT * FROM calibration").fetchall() == [(0, 1, 2.0, 3.0, None)]


def test_a_newer_schema_is_refused_with_the_release_that_wrote_it(path: Path) -> None:
    """A downgrade must neither damage the data nor leave the reader guessing."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
        conn.execute("INSERT INTO daemon_status VALUES ('version', '\"7.5.1\"')")
    before = path.read_bytes()
    with pytest.raises(NewerSchema, match=r"9999.*0007.*install sensorlogd 7\.5\.1"):
        ensure_schema(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("application", [0, 0x1234])
def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path, application: int) -> None:
    """Whoever mistypes storage.url must not lose the address book of their mail program."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(f"PRAGMA application_id = {application}")
        conn.execute("CREATE TABLE addresses(x)")
    before = path.read_bytes()
    with pytest.raises(ForeignDatabase, match="addresses"):
        ensure_schema(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"a letter to my aunt\n" * 500, b"\0" * 8192, os.urandom(3000)], ids=["a letter", "zeros", "noise"]
)
def test_what_is_no_database_is_reported_as_damaged(tmp_path: Path, content: bytes) -> None:
    """The writer sets such a file aside and starts a fresh one."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseCorrupt):
        ensure_schema(path)
    assert path.read_bytes() == content


def test_a_file_cut_off_in_its_first_page_is_reported_as_damaged(path: Path) -> None:
    """A header that is right does not make a database."""
    os.truncate(path, 100)
    with pytest.raises(DatabaseCorrupt):
        ensure_schema(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _no_parent(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    ("prepare", "hint"), [(_folder, "not a file"), (_pipe, "not a file"), (_no_parent, "does not exist; create it")]
)
def test_what_cannot_be_opened_says_what_to_do(path: Path, prepare: Callable[[Path], None], hint: str) -> None:
    """No such folder, a folder or a pipe where the file should be."""
    prepare(path)
    with pytest.raises(DatabaseUnavailable, match=hint):
        ensure_schema(path)


def test_a_locked_database_is_unavailable_not_damaged(path: Path) -> None:
    """Somebody else's lock passes; nothing may be moved aside because of it."""
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseUnavailable, match="another program holds it"):
            ensure_schema(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """All migrations are one transaction; the reason comes back from the child in one line."""
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute("CREATE TABLE alembic_version(version_num VARCHAR(32) NOT NULL)")
        conn.execute("INSERT INTO alembic_version VALUES ('0000')")
    before = path.read_bytes()
    with pytest.raises(DatabaseUnavailable, match=r"could not be created or upgraded: .*0000") as caught:
        ensure_schema(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_errors_are_told_apart_by_code(path: Path, tmp_path: Path) -> None:
    """Real failures of a real SQLite, extended codes included."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as conn:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert _failure(conn, "BEGIN IMMEDIATE") is Failure.BUSY
        assert _failure(conn, "INSERT INTO meta VALUES ('a', NULL)") is Failure.CONSTRAINT
        assert _failure(conn, "INSERT INTO recent VALUES (1, 1, 'text', 1)") is Failure.CONSTRAINT
        assert _failure(conn, "SELECT no_such_column") is Failure.OTHER
        conn.execute(f"PRAGMA max_page_count = {conn.execute('PRAGMA page_count').fetchone()[0]}")
        assert _failure(conn, "INSERT INTO meta VALUES ('long', hex(zeroblob(100000)))") is Failure.FULL
        conn.execute("PRAGMA query_only = ON")
        assert _failure(conn, "INSERT INTO meta VALUES ('b', '')") is Failure.READONLY
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"no database at all" * 100)
    with closing(sqlite3.connect(garbage)) as conn:
        assert _failure(conn, "SELECT * FROM sqlite_schema") is Failure.NOTADB
    assert classify(sqlite3.Error("made by hand")) is Failure.OTHER


def _failure(conn: sqlite3.Connection, sql: str) -> Failure:
    with pytest.raises(sqlite3.Error) as caught:
        conn.execute(sql)
    return classify(caught.value)


def test_the_writer_connection_is_durable_and_frugal(path: Path) -> None:
    """WAL and FULL are the promise; the rest keeps memory and wear down."""
    names = ("journal_mode", "synchronous", "mmap_size", "temp_store", "foreign_keys", "journal_size_limit")
    with closing(connect_as_writer(path)) as conn:  # that of the daemon: those of the tests wait for no disk
        use_wal(conn)
        found = {name: conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    limit = 2 * CHECKPOINT_PAGES * PAGE_SIZE
    assert list(found.values()) == ["wal", 2, 0, 2, 1, limit]


def test_a_clean_close_leaves_one_file(path: Path) -> None:
    """Readers without write access to the folder can open it then."""
    conn = connect_writer(path)
    conn.execute("INSERT INTO meta VALUES ('a', 'b')")
    close_cleanly(conn)
    assert [entry.name for entry in path.parent.iterdir()] == ["log.db"]


def test_a_reader_does_not_hinder_a_clean_close(path: Path) -> None:
    """The WAL then stays, with everything committed in it."""
    conn = connect_writer(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        conn.execute("INSERT INTO meta VALUES ('a', 'b')")
        close_cleanly(conn)
        assert reader.execute("SELECT * FROM meta").fetchall() == []
        reader.execute("COMMIT")
        assert reader.execute("SELECT * FROM meta").fetchall() == [("a", "b")]


def test_a_replaced_file_has_another_identity(path: Path, fresh: Path) -> None:
    """How the writer notices that somebody removed or swapped the file."""
    before = file_identity(path)
    other = path.with_name("other")
    shutil.copy(fresh, other)
    other.replace(path)
    assert file_identity(path) != before


def test_an_upgrade_that_takes_long_shows_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog would else end the daemon, and every start would begin the upgrade anew."""
    old = tmp_path / "old.db"
    upgrade(old, "0004")
    beats: list[int] = []
    monkeypatch.setattr(check, "BEAT_EVERY_S", 0.001)
    ensure_schema(old, lambda: beats.append(1))
    assert beats
    with closing(sqlite3.connect(old)) as conn:
        assert conn.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISION,)
