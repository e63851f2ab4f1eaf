"""A main file that is empty, missing, cut or headless: what it and its WAL hold comes back, and neither is changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sensorlogd.storage import work
from sensorlogd.storage.file import wal_file
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.salvage import rebuilding
from sensorlogd.storage.series import catalog
from tests.connections import connect_writer
from tests.storage import salvage_rig as rig
from tests.storage.file.test_wal_file import sealed

READINGS = 5_000


@pytest.fixture(params=["young", "with a checkpoint"])
def crashed(request: pytest.FixtureRequest, fresh: Path, tmp_path: Path) -> Path:
    """A log as a power cut leaves it: the newest commits, or all of them, are in the WAL only."""
    live, path = Path(shutil.copy(fresh, tmp_path / "live.db")), tmp_path / "log.db"
    with contextlib.closing(connect_writer(live, checkpoint_pages=0)) as conn:
        with rig.transaction(conn):
            catalog.sync(conn, rig.SPECS, rig.NOW - rig.DAY)
        for n in range(READINGS // 100):
            with rig.transaction(conn):
                rows = [(rig.NOW - rig.DAY + (100 * n + at) * rig.SECOND, 1, at / 7, 1) for at in range(100)]
                conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", rows)
            if n == 30 and request.param != "young":
                conn.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        for suffix in ("", "-wal"):
            shutil.copy(f"{live}{suffix}", f"{path}{suffix}")
    for suffix in ("", "-wal", "-shm"):
        live.with_name(f"live.db{suffix}").unlink(missing_ok=True)
    return path


def read_back(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return int(conn.execute("SELECT count(DISTINCT ts) FROM readings WHERE sensor = 'one' AND channel = 'a'").fetchone()[0])


def salvage(path: Path, fresh: Path) -> incidents.Incident:
    incident = incidents.set_aside(path, rig.NOW, "test")
    before = {name: (incident.folder / name).read_bytes() for name in incident.files}
    rig.begin(path, fresh)
    assert rig.run(path, fresh)
    assert {name: (incident.folder / name).read_bytes() for name in incident.files if not name.endswith("-shm")} == before
    assert not list(incident.folder.glob("*rebuilt*")) + list(incident.folder.glob("template*"))
    return incident


def first_page_gone(path: Path) -> None:
    rig.spoil(path, {1: bytes(rig.PAGE)})


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3 * rig.PAGE - 100)


def other_page_size(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(16)
        file.write((4096).to_bytes(2, "big"))


@pytest.mark.parametrize("harm", [lambda path: os.truncate(path, 0), Path.unlink], ids=["empty", "missing"])
def test_an_empty_or_missing_main_file_gives_what_is_in_its_wal(
    crashed: Path, fresh: Path, harm: Callable[[Path], None], request: pytest.FixtureRequest
) -> None:
    """A young log is all there. An older one gives what was written since the last restart of the WAL."""
    harm(crashed)
    salvage(crashed, fresh)
    back = read_back(crashed)
    if "young" in request.node.name:
        assert back == READINGS
    assert rig.outcome(crashed).state in (work.State.DONE, work.State.FAILED)


@pytest.mark.parametrize(
    "harm", [lambda path: None, first_page_gone, other_page_size], ids=["none", "no first page", "page size"]
)
def test_a_headless_main_file_gives_everything(crashed: Path, fresh: Path, harm: Callable[[Path], None]) -> None:
    """Its first page is gone, or is not that of its WAL: the WAL's, or the template's, stands in."""
    harm(crashed)
    salvage(crashed, fresh)
    assert read_back(crashed) == READINGS
    assert rig.outcome(crashed).state is work.State.DONE


def test_a_cut_main_file_gives_what_it_reaches_to(crashed: Path, fresh: Path, request: pytest.FixtureRequest) -> None:
    """Shorter than its header says; the WAL holds what is newest."""
    cut(crashed)
    salvage(crashed, fresh)
    assert read_back(crashed) >= READINGS - 600


@pytest.mark.parametrize("content", [b"", b"no database " * 1000, b"\0" * 100_000])
def test_what_is_no_database_says_so(tmp_path: Path, fresh: Path, content: bytes) -> None:
    """Nothing comes back, nothing is raised, an event tells; the file stays."""
    path = tmp_path / "log.db"
    path.write_bytes(content)
    incident = salvage(path, fresh)
    assert read_back(path) == 0
    assert incidents.find(path, incident.name) is not None


def test_a_wal_of_another_format_is_left_out(crashed: Path, fresh: Path) -> None:
    """SQLite would not open the two; the main file alone it does."""
    wal = crashed.with_name("log.db-wal")
    sealed(wal, int.from_bytes(wal.read_bytes()[:4], "big"), wal_file.FORMAT + 1_000)
    alone = Path(shutil.copy(crashed, crashed.with_name("alone.db")))
    in_main = read_back(alone) if alone.stat().st_size else 0
    salvage(crashed, fresh)
    assert read_back(crashed) == in_main
    assert rig.outcome(crashed).state is work.State.DONE


def test_rebuilding_is_done_once_and_can_be_stopped(crashed: Path, fresh: Path) -> None:
    """Half a file is never taken for a whole one."""
    os.truncate(crashed, 0)
    incident = incidents.set_aside(crashed, rig.NOW, "test")
    with pytest.raises(rebuilding.RebuildingStopped):
        rebuilding.rebuilt(incident, fresh, enough=lambda: True)
    made = rebuilding.rebuilt(incident, fresh)
    written = made.stat().st_mtime_ns
    assert rebuilding.rebuilt(incident, fresh).stat().st_mtime_ns == written
    assert incident.wal is not None
    assert wal_file.has_commits(incident.wal)


def test_without_room_nothing_is_rebuilt(crashed: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what it needs."""
    os.truncate(crashed, 0)
    incident = incidents.set_aside(crashed, rig.NOW, "test")
    real = os.statvfs(crashed.parent)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((*real[:4], 0, *real[5:])))
    with pytest.raises(OSError, match="bytes are needed"):
        rebuilding.rebuilt(incident, fresh)
