"""What a WAL holds, read from its bytes, is what SQLite itself takes from it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage.file import wal_file

# (table, how many rows, how long a row, checkpoint or roll back afterwards)
Act = tuple[int, int, int, str]
ACTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(1, 60),
        st.integers(1, 3000),
        st.sampled_from(("", "", "", "rollback", "passive", "restart")),
    ),
    min_size=1,
    max_size=12,
)


def written(folder: Path, acts: Sequence[Act], size: int) -> Path:
    """A copy, main file and WAL, of a database after these transactions, taken while it was open."""
    live, copy = folder / "live.db", folder / "copy.db"
    for path in folder.glob("*.db*"):
        path.unlink()
    with contextlib.closing(sqlite3.connect(live, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA page_size = {size}")
        conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        conn.execute("PRAGMA cache_size = 5")  # so that frames of transactions that are rolled back are written, too
        for table in range(3):
            conn.execute(f"CREATE TABLE t{table}(a)")
        for table, rows, length, then in acts:
            conn.execute("BEGIN")
            conn.executemany(f"INSERT INTO t{table} VALUES (randomblob(?))", [(length,)] * rows)
            if then == "rollback":
                conn.execute("ROLLBACK")
                continue
            conn.execute("COMMIT")
            if rows > 40:
                conn.execute(f"DELETE FROM t{(table + 1) % 3} WHERE rowid % 2")
            if then:
                conn.execute(f"PRAGMA wal_checkpoint({then})").fetchone()
        for suffix in ("", "-wal"):
            shutil.copy(f"{live}{suffix}", f"{copy}{suffix}")
    return copy


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def applied(path: Path) -> bytes:
    """The main file with the committed frames laid over it."""
    content = bytearray(path.read_bytes())
    size = wal_file.page_size(wal_of(path)) or 0
    pages = 0
    for frame in wal_file.frames(wal_of(path)):
        at = (frame.page_number - 1) * size
        content.extend(bytes(max(at + size - len(content), 0)))
        content[at : at + size] = frame.page
        pages = frame.commit_size or pages
    if pages:
        del content[pages * size :]
    return bytes(content)


def by_sqlite(path: Path) -> bytes:
    """What SQLite makes of the two."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return path.read_bytes()


def turned(wal: Path) -> None:
    """The same WAL as a machine of the other byte order would have written it."""
    magic, version, *_ = wal_file.HEADER.unpack(wal.read_bytes()[:32])
    assert version == wal_file.FORMAT == 3_007_000
    sealed(wal, magic ^ 1, version)


def sealed(wal: Path, magic: int, version: int) -> None:
    """With these in its header, and every checksum right."""
    raw = bytearray(wal.read_bytes())
    raw[:8] = magic.to_bytes(4, "big") + version.to_bytes(4, "big")
    size, salts, order = int.from_bytes(raw[8:12], "big"), bytes(raw[16:24]), ">" if magic & 1 else "<"
    running = wal_file.checksum(bytes(raw[:24]), order)
    raw[24:32] = b"".join(word.to_bytes(4, "big") for word in running)
    at = 32
    while at < len(raw) and raw[at + 8 : at + 16] == salts:
        running = wal_file.checksum(bytes(raw[at : at + 8]) + bytes(raw[at + 24 : at + 24 + size]), order, running)
        raw[at + 16 : at + 24] = b"".join(word.to_bytes(4, "big") for word in running)
        at += 24 + size
    wal.write_bytes(raw)


@given(ACTS, st.sampled_from((512, 2048, 65536)), st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_committed_frames_are_those_that_sqlite_takes(tmp_path: Path, acts: list[Act], size: int, turn: bool) -> None:
    """After commits, roll-backs, checkpoints and restarts, in both byte orders: byte for byte the same database."""
    path = written(tmp_path, acts, size)
    if turn:
        turned(wal_of(path))
    ours = applied(path)
    pages_one = [frame.page for frame in wal_file.frames(wal_of(path)) if frame.page_number == 1]
    first_page = wal_file.first_page_one(wal_of(path))
    theirs = by_sqlite(path)
    assert ours == theirs
    assert first_page == (pages_one[0] if pages_one else None)
    assert not pages_one or pages_one[-1] == theirs[:size]


@given(ACTS, st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_wal_that_is_cut_or_spoilt_gives_what_sqlite_still_takes(tmp_path: Path, acts: list[Act], data: st.DataObject) -> None:
    """A bit turned anywhere, or an end missing: up to the last commit before it, and no further."""
    path = written(tmp_path, acts, 512)
    wal = wal_of(path)
    raw = bytearray(wal.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw = raw[:at]
    else:
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    wal.write_bytes(raw)
    # SQLite does not open a WAL whose format number is another one; here it is one that holds nothing.
    if len(raw) >= 32 and int.from_bytes(raw[4:8], "big") != wal_file.FORMAT:
        assert list(wal_file.frames(wal)) == []
        return
    ours = applied(path)
    try:
        theirs = by_sqlite(path)
    except sqlite3.DatabaseError:  # commits of before over a file into which later ones were copied: no database to SQLite
        return
    assert ours == theirs


def test_frames_of_before_a_restart_do_not_count(tmp_path: Path) -> None:
    """A WAL that begins again at its start keeps its length: what follows has the salts of before."""
    path = written(tmp_path, [(0, 60, 3000, "restart"), (1, 1, 10, "")], 512)
    frames = list(wal_file.frames(wal_of(path)))
    assert 0 < len(frames) < 20
    assert wal_of(path).stat().st_size > 300 * 512


@pytest.mark.parametrize("content", [None, b"", b"\0" * 32, b"\x37\x7f\x06\x82" * 100])
def test_what_is_no_wal_holds_nothing(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, zeroes, nonsense."""
    wal = tmp_path / "log.db-wal"
    if content is not None:
        wal.write_bytes(content)
    assert (list(wal_file.frames(wal)), wal_file.first_page_one(wal), wal_file.page_size(wal)) == ([], None, None)
