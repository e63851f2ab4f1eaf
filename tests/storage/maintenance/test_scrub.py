"""Everything stored is read once in a while: a damaged page is found whichever it is."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest import events
from sensorlogd.storage.maintenance.scrub import Scrub
from sensorlogd.storage.series import catalog
from tests.connections import connect_writer
from tests.storage.salvage_rig import transaction

T0 = 1_800_000_000_000_000


@pytest.fixture(scope="module")
def filled(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with several pages of each large table."""
    path = Path(shutil.copy(fresh, tmp_path_factory.mktemp("filled") / "log.db"))
    with contextlib.closing(connect_writer(path)) as conn:
        with transaction(conn):
            specs = [catalog.SensorSpec(f"s{n}", "simulated", series=[catalog.SeriesSpec("x")]) for n in range(120)]
            catalog.sync(conn, specs, T0)
            for table in ("history", "recent"):
                conn.executemany(
                    f"INSERT INTO {table}(series_id, ts, value, quality) VALUES (?,?,1.5,1)",
                    [(n % 7, T0 + n) for n in range(900)],
                )
            for n in range(300):
                events.record(conn, T0 + n, OtherKind("noted"), None, "x" * 60)
        close_cleanly(conn)
    return path


def reader(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None))


def round_on(conn: sqlite3.Connection) -> None:
    scrub = Scrub()
    for _ in range(1_000):
        scrub.read_on(conn, 0.05)
        assert not conn.in_transaction
        if scrub.rounds:
            return
    raise AssertionError("never comes round")


def round_of(path: Path) -> None:
    """Until all of it has been read once."""
    with reader(path) as conn:
        round_on(conn)


def test_a_sound_log_is_read_to_its_end(filled: Path) -> None:
    round_of(filled)


def test_a_connection_that_has_read_it_before_reads_it_again(filled: Path, tmp_path: Path) -> None:
    """What it remembers of the pages is forgotten before each look; and no snapshot is held between looks."""
    path = Path(shutil.copy(filled, tmp_path / "read.db"))
    with reader(path) as conn, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        round_on(conn)
        (page,) = writer.execute("SELECT max(pageno) FROM dbstat WHERE name = 'event' AND pagetype = 'leaf'").fetchone()
        (size,) = writer.execute("PRAGMA page_size").fetchone()
        writer.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        writer.execute("BEGIN EXCLUSIVE")  # nobody reads
        writer.execute("ROLLBACK")
        writer.execute("PRAGMA locking_mode = NORMAL").fetchone()
        writer.execute("SELECT 1 FROM meta").fetchall()
        with path.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            round_on(conn)


def test_every_page_that_holds_something_is_read(filled: Path, tmp_path: Path) -> None:
    """Tables, their indexes, inner pages and leaves: whichever is overwritten, it is found."""
    with contextlib.closing(sqlite3.connect(filled)) as conn:
        pages = conn.execute("SELECT pageno, name FROM dbstat WHERE pagetype IN ('leaf', 'internal') AND pageno > 1").fetchall()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        empty = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")} - {
            "history",
            "recent",
            "event",
        }
    whole = filled.read_bytes()
    missed = []
    for page, name in pages:
        if name in empty and name in ("mended", "mend", "dirty", "stale", "latest", "rollup", "alarm_change", "notification"):
            continue  # nothing is in them here
        spoilt = tmp_path / "log.db"
        spoilt.write_bytes(whole[: (page - 1) * size] + b"\xff" * size + whole[page * size :])
        try:
            round_of(spoilt)
        except sqlite3.DatabaseError as error:
            assert error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        else:
            missed.append((page, name))
    assert missed == []


def test_it_goes_on_where_it_was(filled: Path) -> None:
    """A look of no time at all reads a little, the next one the following."""
    scrub = Scrub()
    looks = 0
    with reader(filled) as conn:
        while not scrub.rounds:
            scrub.read_on(conn, 1e-9)
            looks += 1
    assert looks > 5
