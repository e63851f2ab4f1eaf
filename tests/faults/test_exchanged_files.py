"""The database file is exchanged, removed, cut or copied over, under the daemon and while it is down."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from functools import partial
from pathlib import Path

import pytest

from sensorlogd.storage.maintenance import incidents
from tests.cli.running import run
from tests.faults.test_database_trouble import assert_whole, configuration, database, events, events_or_none, values
from tests.rig import Daemon, reading, until


def sound(path: Path) -> bool:
    with reading(path) as conn:
        return bool(conn.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def counted(path: Path) -> list[float | None]:
    try:
        return values(path)
    except sqlite3.Error:
        return []


@pytest.mark.parametrize("copy", ["backup", "cp"])
def test_a_backup_copied_over_after_a_kill_is_not_given_the_old_wal(tmp_path: Path, copy: str) -> None:
    """What the backup held is there, and nothing of the WAL that lay beside it: that is kept as an incident."""
    config, path, saved = configuration(tmp_path), database(tmp_path), tmp_path / "saved.db"
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        if copy == "backup":
            run("backup", str(saved), "--db", str(path))
        assert daemon.stop() == 0, daemon.log.read_text()
    if copy == "cp":
        shutil.copy(path, saved)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        before = len(counted(path))
        until(lambda: len(counted(path)) > before + 50, "more readings")
        daemon.kill()
    assert path.with_name("sensorlogd.db-wal").stat().st_size > 0
    held = values(saved)
    shutil.copy(saved, path)

    done = run("latest", "--db", str(path), check=None)
    assert done.returncode == 1
    assert "belongs to another file" in done.stderr

    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    assert sound(path)
    assert values(path)[: len(held)] == held
    assert len(values(path)) < len(held) + 10_000
    (incident,) = incidents.all_incidents(path)
    assert incident.wal is not None
    assert incident.main is None
    assert "foreign_wal" in events(path)


def test_a_set_that_was_copied_whole_to_a_new_card_is_one(tmp_path: Path) -> None:
    """``cp -a`` of file and WAL after a power cut: other inodes, the same log."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        daemon.kill()
    before = counted(path)
    for name in ("sensorlogd.db", "sensorlogd.db-wal"):
        shutil.copy2(path.with_name(name), tmp_path / name)
        (tmp_path / name).replace(path.with_name(name))
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    assert values(path)[: len(before)] == before
    assert incidents.all_incidents(path) == []


def test_a_backup_put_in_place_under_the_daemon_is_what_goes_on(tmp_path: Path) -> None:
    """The restored file goes on as it was; what was open is copied into an incident first, and not mixed in."""
    config, path, saved = configuration(tmp_path), database(tmp_path), tmp_path / "saved.db"
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        run("backup", str(saved), "--db", str(path))
        held = values(saved)
        until(lambda: len(counted(path)) > len(held) + 50, "more readings")
        seen = counted(path)
        shutil.copy(saved, tmp_path / "data" / "new.db")
        (tmp_path / "data" / "new.db").replace(path)
        until(lambda: "database_replaced" in events_or_none(path), "the event")
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    assert sound(path)
    now = values(path)
    assert now[: len(held)] == held
    assert not set(seen[len(held) :]) & set(now), "what was read between backup and restoring is not mixed in"
    (incident,) = incidents.all_incidents(path)
    assert incident.main is not None
    assert set(seen) <= set(values(incident.main))


@pytest.mark.parametrize("grown", [False, True])
def test_a_backup_copied_into_the_open_file_is_what_goes_on(tmp_path: Path, grown: bool) -> None:
    """``cp backup sensorlogd.db`` under the daemon, the way people restore: same inode, another log. It is not given the old WAL."""
    config, path, saved = configuration(tmp_path), database(tmp_path), tmp_path / "saved.db"
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        run("backup", str(saved), "--db", str(path))
        if grown:  # a backup of a log that held more
            with contextlib.closing(sqlite3.connect(saved)) as conn:
                conn.execute("INSERT INTO event(ts, kind, detail) SELECT 1, 'x', hex(zeroblob(2000)) FROM history LIMIT 100")
                conn.execute("INSERT INTO event(ts, kind, detail) SELECT 1, 'x', hex(zeroblob(4000)) FROM recent LIMIT 100")
                conn.commit()
        held = values(saved)
        until(lambda: len(counted(path)) > len(held) + 50, "more readings")
        subprocess.run(["cp", str(saved), str(path)], check=True)
        until(lambda: "foreign_wal" in events_or_none(path), "the event")
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    with reading(path) as conn:
        ((detail,),) = conn.execute("SELECT detail FROM event WHERE kind = 'foreign_wal'").fetchall()
    assert detail.count("another database was copied into") == 1
    assert sound(path)
    assert values(path)[: len(held)] == held
    assert "corrupt" not in events(path)


def test_a_log_that_is_cut_under_the_daemon_is_told_with_what_is_lost(tmp_path: Path) -> None:
    """The WAL truncated: what was not in the file yet is gone, and the event says of how long; logging goes on."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        os.truncate(path.with_name(f"{path.name}-wal"), 0)
        until(lambda: "corrupt" in events_or_none(path), "the incident")
        before = len(values(path))
        until(lambda: len(values(path)) > before, "readings to go on")
        assert daemon.stop() == 0, daemon.log.read_text()
    with reading(path) as conn:
        (detail,) = conn.execute("SELECT detail FROM event WHERE kind = 'corrupt'").fetchone()
    assert "was cut while running" in detail
    assert "is lost" in detail


def more_than(path: Path, count: int) -> bool:
    return len(values(path)) > count


def test_a_log_that_others_copy_and_empty_is_no_damage(tmp_path: Path) -> None:
    """A shell of SQLite, or a program that replicates, checkpoints with TRUNCATE while the daemon writes: all is as it was."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 20, "readings")
        for _ in range(20):
            with contextlib.closing(sqlite3.connect(path, timeout=10)) as conn:
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            before = len(values(path))
            until(partial(more_than, path, before), "readings to go on")
        assert daemon.stop() == 0, daemon.log.read_text()
    assert not {"corrupt", "foreign_wal", "salvaged"} & set(events(path))
    assert_whole(sorted(values(path), key=lambda value: value or 0))


def test_a_removed_database_comes_back_whole(tmp_path: Path) -> None:
    """rm under the daemon: all that was committed is in the new file in the end."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        seen = counted(path)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        until(lambda: "salvaged" in events_or_none(path), "the salvage")
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    assert set(seen) <= set(values(path))
    assert {"database_removed", "salvaged"} <= set(events(path))
    assert_whole(sorted(values(path), key=lambda value: value or 0))


def remove(folder: Path) -> None:
    """All of it, although a daemon may put a file there meanwhile."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def test_a_removed_folder_comes_back_whole_at_the_end(tmp_path: Path) -> None:
    """rm -rf of the data directory: it is waited for, as it may only have been moved for a moment; the end makes it anew."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        seen = counted(path)
        remove(path.parent)
        until(lambda: "was removed while running" in daemon.log.read_text(), "the daemon to notice")
        assert not path.parent.exists()
        assert daemon.stop() == 0, daemon.log.read_text()
    with Daemon(config, tmp_path / "data") as daemon:
        until(lambda: path.exists() and "salvaged" in events_or_none(path), "the salvage")
        assert daemon.stop() == 0, daemon.log.read_text()
    assert set(seen) <= set(values(path))
    assert "database_removed" in events(path)


def test_who_starts_in_a_folder_made_anew_is_its_only_writer(tmp_path: Path) -> None:
    """rm -rf of the data directory, and another start, while the first daemon is forgotten: that one waits, says for whom, and
    hands in what it held at its end."""
    config, path = configuration(tmp_path), database(tmp_path)
    other = tmp_path / "other.yaml"
    shutil.copy(config, other)
    with Daemon(config, tmp_path / "data") as first:
        first.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        remove(path.parent)
        until(lambda: "was removed while running" in first.log.read_text(), "the daemon to notice")
        with Daemon(other, tmp_path / "data") as second:
            second.wait_ready()
            taken = f"in use by the sensorlogd with pid {second.process.pid}"
            until(lambda: taken in first.log.read_text(), "the first to say who is in its place")
            until(lambda: len(counted(path)) > 100, "readings of the second")
            seen = counted(path)
            assert seen == [float(n) for n in range(len(seen))], "two write"
            assert first.stop() == 0
            assert "they are in" in first.log.read_text()
            assert second.stop() == 0
    with Daemon(other, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: "spill_taken_up" in events_or_none(path), "what the first had held")
        assert daemon.stop() == 0, daemon.log.read_text()


def test_a_folder_that_is_away_for_a_moment_costs_nothing(tmp_path: Path) -> None:
    """mv, and mv back: not a fresh file in between."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        path.parent.rename(tmp_path / "away")
        until(lambda: "was removed while running" in daemon.log.read_text(), "the daemon to notice")
        (tmp_path / "away").rename(path.parent)
        before = len(values(path))
        until(partial(more_than, path, before), "readings to go on")
        assert daemon.stop() == 0, daemon.log.read_text()
    assert not {"database_removed", "database_replaced", "salvaged", "corrupt"} & set(events(path))
    assert_whole(sorted(values(path), key=lambda value: value or 0))


@pytest.mark.parametrize("to", ["nothing", "half"])
def test_a_file_that_is_cut_under_the_daemon_is_damage(tmp_path: Path, to: str) -> None:
    """Noticed at the next commit, set aside with its WAL, salvaged; logging goes on at once."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        os.truncate(path, 0 if to == "nothing" else path.stat().st_size // 4096 * 2048)
        # Not looked into before it is set aside: SQLite deletes the WAL beside an empty file, whoever opens it.
        until(lambda: [incident for incident in incidents.all_incidents(path) if incident.is_whole], "the incident")
        until(lambda: {"corrupt", "salvaged"} <= set(events_or_none(path)), "the incident and its salvage")
        before = len(values(path))
        until(lambda: len(values(path)) > before, "readings to go on")
        assert daemon.stop() == 0, daemon.log.read_text()
    assert sound(path)
    (incident,) = incidents.all_incidents(path)
    assert {path.name, f"{path.name}-wal"} <= set(incident.files)


def test_two_data_directories_with_one_database_do_not_both_run(tmp_path: Path) -> None:
    """The second is refused with exit 1 and the pid of the first."""
    config, path = configuration(tmp_path), database(tmp_path)
    other = tmp_path / "other.yaml"
    whole = json.loads(config.read_text())
    whole["daemon"]["data_dir"] = str(tmp_path / "elsewhere")
    whole["storage"]["url"] = f"sqlite:///{path}"
    other.write_text(json.dumps(whole))
    with Daemon(config, tmp_path / "data") as first:
        first.wait_ready()
        with Daemon(other, tmp_path / "elsewhere") as second:
            assert second.process.wait(60) == 1
            assert str(first.process.pid) in second.log.read_text()
        assert first.stop() == 0


def spoil(path: Path, table: str) -> None:
    """The first page of a table is overwritten, as a failing card does."""
    with reading(path) as conn:
        (root,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = conn.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)


def test_damage_that_only_the_aggregator_reads_is_dealt_with(tmp_path: Path) -> None:
    """The writer never reads roll-ups of a series; who does finds the page, and the log is set aside and salvaged."""
    config, path = configuration(tmp_path, rollup_interval="1s"), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 50, "readings")
        assert daemon.stop() == 0, daemon.log.read_text()
    before = values(path)
    spoil(path, "stale")
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: [incident for incident in incidents.all_incidents(path) if incident.is_whole], "the incident")
        until(lambda: "salvaged" in events_or_none(path), "the salvage")
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    assert set(before) <= set(values(path))


def test_a_database_that_was_emptied_while_the_daemon_was_down_is_told(tmp_path: Path) -> None:
    """Zero bytes without a WAL: nothing can come back, and nobody is left to believe that there never was anything."""
    config, path = configuration(tmp_path), database(tmp_path)
    path.parent.mkdir()
    path.touch()
    for start in range(2):
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()
            daemon.commit()
            assert daemon.stop() == 0, daemon.log.read_text()
        assert ("corrupt" in events(path)) == (start == 1)
        os.truncate(path, 0)


@pytest.mark.parametrize("suffixes", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_a_log_that_is_removed_under_the_daemon_takes_nothing_along(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    """Commits into a removed WAL would succeed unseen, and be gone after a kill."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(counted(path)) > 20, "readings")
        before = set(values(path))
        for suffix in suffixes:
            path.with_name(path.name + suffix).unlink()
        until(lambda: "wal_removed" in events_or_none(path), "the event")
        until(lambda: len(set(counted(path)) - before) > 20, "more readings")
        seen = set(values(path))
        daemon.kill()
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0, daemon.log.read_text()
    assert before <= seen <= set(values(path))
    assert sound(path)
