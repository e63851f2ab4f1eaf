"""db, backup, flag, recalibrate, plot and the live screen: as a person uses them, with a daemon and without."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.cli.running import run
from tests.connections import connect_writer
from tests.rig import Daemon, reading, until


def write_config(tmp_path: Path, interval: str = "20ms") -> Path:
    config = tmp_path / "sensorlogd.yaml"
    channels = {"x": {"unit": "°C", "signal": {"sine": {"period": "10s", "amplitude": 5, "offset": 20}}}}
    config.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(tmp_path / "data")},
                "storage": {"commit_interval": "20ms", "min_free": "0B", "rollup_interval": "1s"},
                "sensors": {"s": {"driver": "simulated", "interval": interval, "channels": channels}},
            }
        )
    )
    return config


@pytest.fixture(scope="session")
def rolled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of ``rolled``, to be copied."""
    folder = tmp_path_factory.mktemp("rolled")
    file, path = folder / "in.csv", folder / "log.db"
    file.write_text(
        "t,x\n" + "".join(f"2026-03-{day:02}T{n // 60:02}:{n % 60:02}:00,{n}\n" for day in (1, 2) for n in range(1440))
    )
    run("import", str(file), "--db", str(path), "--time", "t", "--column", "x=s.x:°C", "--quality", "good")
    written = [file.name for file in folder.iterdir() if file.stat().st_size and file.suffix != ".lock"]
    assert sorted(written) == ["in.csv", "log.db"], "all is in the file"
    return path


@pytest.fixture
def rolled(rolled_once: Path, tmp_path: Path) -> Path:
    """Two days of readings, rolled up, in a database without a daemon; the file that they came from stands beside it."""
    shutil.copy(rolled_once.with_name("in.csv"), tmp_path)
    return Path(shutil.copy(rolled_once, tmp_path))


def values(path: Path) -> list[tuple[int, float, int]]:
    conn = sqlite3.connect(path)
    rows = conn.execute(
        "SELECT ts, value, quality FROM (SELECT ts, value, quality FROM history UNION SELECT ts, value, quality FROM recent) ORDER BY ts"
    ).fetchall()
    conn.close()
    return rows


def hourly(path: Path) -> list[list[str]]:
    done = run(
        "query",
        "s.x",
        "--db",
        str(path),
        "--since",
        "2026-03-01",
        "--until",
        "2026-03-03",
        "--every",
        "1h",
        "--agg",
        "mean,count,fail",
    )
    return [line.split(",") for line in done.stdout.splitlines()[1:]]


# ---- db ----------------------------------------------------------------------------------------------------------------


def test_info_tells_how_it_is(rolled: Path) -> None:
    """Size, span and progress, for people and programs."""
    facts = json.loads(run("db", "info", "--db", str(rolled), "--count", "--format", "json").stdout)
    assert facts["rows"]["readings"] == 2880
    assert facts["rows"]["roll-ups of 1h"] == 48
    assert facts["dirty_minutes"] == 0
    assert facts["file_bytes"] == rolled.stat().st_size
    text = run("db", "info", "--db", str(rolled)).stdout
    assert "from 2026-03-01T00:00:00Z to 2026-03-02T23:59:00Z" in text
    assert re.search(r"^roll-ups outdated +0 minutes, 0 series$", text, re.MULTILINE)


def test_check_finds_wrong_rollups_and_rebuild_mends_them(rolled: Path) -> None:
    """A roll-up that somebody changed is told with its series; after a rebuild all is well again."""
    assert "roll-ups compared with their readings" in run("db", "check", "--db", str(rolled)).stdout
    conn = sqlite3.connect(rolled)
    conn.execute("UPDATE rollup SET mean = mean + 1 WHERE resolution = 3600")
    conn.commit()
    conn.close()
    done = run("db", "check", "--db", str(rolled), check=1)
    assert "wrong: s.x: the 1h roll-up" in done.stdout
    assert "db rebuild-rollups --series 's.x'" in done.stderr
    run("db", "rebuild-rollups", "--db", str(rolled), "--series", "s.*")
    run("db", "check", "--db", str(rolled))


def test_check_finds_a_damaged_file(rolled: Path) -> None:
    """Bytes that are not SQLite's any more: told, exit 1, what to do."""
    data = bytearray(rolled.read_bytes())
    data[20 * 2048 : 24 * 2048] = os.urandom(4 * 2048)
    rolled.write_bytes(data)
    done = run("db", "check", "--db", str(rolled), check=1)
    assert "restart the daemon" in done.stderr or "the database cannot be read" in done.stderr


def test_compact_gives_space_back(rolled: Path) -> None:
    """What was deleted leaves the file."""
    conn = sqlite3.connect(rolled)
    conn.execute("DELETE FROM rollup")
    conn.commit()
    conn.close()
    before = rolled.stat().st_size
    assert "before" in run("db", "compact", "--db", str(rolled)).stdout
    assert rolled.stat().st_size < before * 0.8


def test_compact_and_rebuild_with_the_daemon(fresh: Path, tmp_path: Path) -> None:
    """Through the daemon, which goes on logging."""
    config = write_config(tmp_path)
    db = tmp_path / "data" / "sensorlogd.db"
    database_of_old = tmp_path / "data"
    database_of_old.mkdir()
    shutil.copy(fresh, db)
    conn = connect_writer(db)
    conn.execute("CREATE TABLE ballast(x)")
    conn.execute(
        "INSERT INTO ballast SELECT randomblob(1000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) SELECT i FROM n)"
    )
    conn.execute("DROP TABLE ballast")
    conn.close()
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        done = run("db", "compact", "-c", str(config))
        assert int(re.findall(r"([\d,]+) pages given back", done.stderr)[0].replace(",", "")) > 1000
        with reading(db) as conn:
            assert conn.execute("PRAGMA freelist_count").fetchone()[0] < 100
        assert "the daemon makes the roll-ups of 1 series anew" in run("db", "rebuild-rollups", "-c", str(config)).stdout

        def settled() -> bool:
            with reading(db) as conn:
                return bool(conn.execute("SELECT count(*) FROM stale").fetchone() == (0,))

        until(settled, "the roll-ups")


# ---- backup ------------------------------------------------------------------------------------------------------------


def test_a_backup_is_whole_and_restores(tmp_path: Path) -> None:
    """Taken while the daemon writes, which is then killed: the copy holds all that was committed before it began, passes
    every check, and a daemon goes on with it."""
    config = write_config(tmp_path, "5ms")
    data = tmp_path / "data"
    db, copy = data / "sensorlogd.db", tmp_path / "copy.db"
    with Daemon(config, data) as daemon:
        daemon.wait_ready()
        until(lambda: db.exists() and len(values(db)) > 200, "some readings")
        before = values(db)
        done = run("backup", str(copy), "-c", str(config))
        assert "verified" in done.stdout
        assert run("backup", str(copy), "-c", str(config), check=2).stderr.endswith("or say --force\n")
        run("backup", str(copy), "-c", str(config), "--force")
        daemon.process.kill()
        daemon.process.wait()
    kept = values(copy)
    assert kept[: len(before)] == before
    run("db", "check", "--db", str(copy))
    assert not copy.with_name("copy.db-wal").exists()
    assert not list(tmp_path.glob(".*.part"))
    for path in data.glob("sensorlogd.db*"):
        path.unlink()
    db.write_bytes(copy.read_bytes())
    with Daemon(config, data) as daemon:
        daemon.wait_ready()
        until(lambda: len(values(db)) > len(kept), "new readings")
    assert values(db)[: len(kept)] == kept


def test_a_backup_never_overwrites_the_log(rolled: Path, tmp_path: Path) -> None:
    """Not even with --force; and a folder that is not there is told."""
    before = rolled.read_bytes()
    run("backup", str(rolled), "--db", str(rolled), "--force", check=2)
    assert rolled.read_bytes() == before
    assert "no such folder" in run("backup", str(tmp_path / "no" / "x.db"), "--db", str(rolled), check=2).stderr


def test_a_backup_into_a_pipe(rolled: Path, tmp_path: Path) -> None:
    """There is nothing in it that --force would have to be said for."""
    pipe, got = tmp_path / "pipe.db", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    run("backup", str(pipe), "--db", str(rolled))
    reader.join(30)
    assert pipe.is_fifo()
    assert got[0].startswith(b"SQLite format 3\0")


# ---- flag, recalibrate -------------------------------------------------------------------------------------------------


def test_flag_and_take_back(rolled: Path) -> None:
    """See first; then the hour's readings are out of the mean and counted; then everything is as it was."""
    stored, hours = values(rolled), hourly(rolled)
    span = ["--since", "2026-03-01T05:00", "--until", "2026-03-01T06:00", "--db", str(rolled)]
    done = run("flag", "s.x", "fail", *span, "--dry-run")
    assert "s.x: 60 readings (60 good)" in done.stdout
    assert "nothing was changed" in done.stdout
    assert sorted(values(rolled)) == sorted(stored)
    assert "Say --yes" in run("flag", "s.x", "fail", *span, check=2).stderr
    run("flag", "s.x", "fail", *span, "--yes", "--note", "in the sun")
    rows = hourly(rolled)
    assert next(row for row in rows if row[0] == "2026-03-01T05:00:00Z")[3:6] == ["", "0", "60"]
    assert [row for row in rows if row[0] != "2026-03-01T05:00:00Z"] == [row for row in hours if row[0] != "2026-03-01T05:00:00Z"]
    assert "in the sun" in run("flag", "--list", "--db", str(rolled)).stdout
    assert "temperature" not in run("events", "--db", str(rolled)).stdout
    assert "mend 1, flagged fail: in the sun" in run("events", "--db", str(rolled)).stdout
    run("flag", "--undo", "1", "--db", str(rolled))
    assert sorted(values(rolled)) == sorted(stored)
    assert hourly(rolled) == hours
    assert "taken back already" in run("flag", "--undo", "1", "--db", str(rolled), check=2).stderr


def test_recalibrate(rolled: Path) -> None:
    """Values, roll-ups and the preview agree; nonsense is refused with a word."""
    hours = hourly(rolled)
    span = ["--since", "2026-03-01T05:00", "--until", "2026-03-01T06:00", "--db", str(rolled)]
    done = run("recalibrate", "s.x", "--scale", "2", "--offset", "-1", *span, "--dry-run")
    assert "from 300 ... 359 °C to 599 ... 717 °C" in done.stdout
    run("recalibrate", "s.x", "--scale", "2", "--offset", "-1", *span, "--yes")
    changed = [row for row in hourly(rolled) if row not in hours]
    assert [row[3] for row in changed] == ["658"]
    table = ["--table", "0:0, 1000:100", "--offset", "1"]
    assert "from 599 ... 717 °C to 60.9 ... 72.7 °C" in run("recalibrate", "s.x", *table, *span, "--dry-run").stdout
    for arguments, message in (
        (["s.x", "--table", "0:0"], "2 to 1000 points"),
        (["s.x", "--table", "0;0,1;1"], "write e.g. --table"),
        (["s.x", "--polynomial", "1"], "2 to 20 terms"),
        (["s.x", "--polynomial", "1,2", "--table", "0:0,1:1"], "exclude each other"),
        (["s.x", "--scale", "0"], "the scale not 0"),
        (["s.x", "--scale", "nan"], "finite numbers"),
        (["s.x"], "changes nothing"),
        (["s.y", "--scale", "2"], "no series matches 's.y'"),
        (["s.x", "--scale", "1e308", "--offset", "1e308"], "is no number that can be stored"),
    ):
        assert message in run("recalibrate", *arguments, *span, check=2).stderr
    assert (
        "no readings in this range; stored are "
        in run("recalibrate", "s.x", "--scale", "2", "--since", "2020", "--until", "2021", "--db", str(rolled), check=3).stderr
    )


def test_a_counter_that_falls_is_told_of_before_it_is_recalibrated(rolled: Path) -> None:
    """Its wrap and offset stay. Where it only rises nothing is said."""
    with sqlite3.connect(rolled) as conn:
        conn.execute("UPDATE series SET kind = 'counter'")
    conn.close()
    rises = run(
        "recalibrate", "s.x", "--scale", "2", "--since", "2026-03-01", "--until", "2026-03-02", "--db", str(rolled), "--dry-run"
    )
    assert "falls" not in rises.stdout
    both = run(
        "recalibrate", "s.x", "--scale", "2", "--since", "2026-03-01", "--until", "2026-03-03", "--db", str(rolled), "--dry-run"
    )
    assert "it falls in this range (1 time)" in both.stdout


def test_mending_through_the_daemon(tmp_path: Path) -> None:
    """The daemon does it between its commits; newest values follow."""
    config = write_config(tmp_path)
    db = tmp_path / "data" / "sensorlogd.db"
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(values(db)) > 20, "readings")
        done = run("recalibrate", "s.x", "--offset", "1000", "--since", "-1h", "--yes", "-c", str(config))
        assert "through the daemon" in done.stderr
        assert min(value for _, value, _ in values(db)[:20]) > 1000
        run("recalibrate", "--undo", "1", "-c", str(config))
        assert max(value for _, value, _ in values(db)) < 100


def test_what_an_import_replaced_is_taken_back(rolled: Path) -> None:
    """It is listed with its file, stands on what was mended before, and goes back to the bit."""
    stored, hours = values(rolled), hourly(rolled)
    span = ["--since", "2026-03-01T05:00", "--until", "2026-03-01T06:00", "--db", str(rolled)]
    run("recalibrate", "s.x", "--offset", "1", *span, "--yes")
    file = rolled.parent / "better.csv"
    file.write_text("t,x\n" + "".join(f"2026-03-01T05:{n:02}:00,{n}\n" for n in range(50, 60)) + "2026-03-04,1\n")
    arguments = ["--db", str(rolled), "--time", "t", "--column", "x=s.x:°C", "--quality", "good", "--replace"]
    done = run("import", str(file), *arguments)
    assert "1 new, 0 there already, 10 replaced (take it back with: sensorlogd flag --undo 2)" in done.stdout
    [row] = [line for line in run("flag", "--list", "--db", str(rolled)).stdout.splitlines() if "replaced by an import" in line]
    assert "better.csv" in row
    assert "10" in row
    refused = run("recalibrate", "--undo", "1", "--db", str(rolled), check=2).stderr
    assert "changed the same readings after mend 1; take mend 2 back first" in refused
    for identity in ("2", "1"):
        run("flag", "--undo", identity, "--db", str(rolled))
    assert values(rolled)[:-1] == stored
    assert hourly(rolled)[:-1] == hours[:-1]  # the last hour has a successor now


def test_the_advised_commands_take_back_every_replaced_series(rolled: Path) -> None:
    """A command for each mend, the newest first."""
    first = rolled.parent / "two.csv"
    first.write_text("t,x,y\n2026-03-01T05:50:00,350,350\n")
    columns = ["--db", str(rolled), "--time", "t", "--column", "x=s.x:°C", "--column", "y=s.y:°C", "--quality", "good"]
    run("import", str(first), *columns)
    stored = values(rolled)
    first.write_text("t,x,y\n2026-03-01T05:50:00,1,2\n")
    done = run("import", str(first), *columns, "--replace")
    advised = re.search(r"2 replaced \(take it back with: (.*?)\)", done.stdout)
    assert advised is not None
    assert advised[1] == "sensorlogd flag --undo 2 && sensorlogd flag --undo 1"
    for command in advised[1].split(" && "):
        run(*command.split()[1:], "--db", str(rolled))
    assert sorted(values(rolled)) == sorted(stored)


def test_a_mend_that_is_not_there(rolled: Path) -> None:
    assert "there is no mend 7; --list shows all" in run("flag", "--undo", "7", "--db", str(rolled), check=2).stderr


@pytest.mark.parametrize("with_daemon", [True, False])
def test_a_verb_that_is_killed_loses_nothing(tmp_path: Path, with_daemon: bool) -> None:
    """What was ordered is done all the same: by the daemon, or by the next who may write; one mend after the other."""
    config, db = write_config(tmp_path), tmp_path / "data" / "sensorlogd.db"
    file, count = tmp_path / "in.csv", 60_000
    file.write_text("t,v\n" + "".join(f"{1_772_000_000 + n},{n % 97}\n" for n in range(count)))
    run("import", str(file), "-c", str(config), "--time", "t", "--time-format", "epoch", "--sensor", "old")
    arguments = ["old.v", "--since", "2026-01-01", "--yes", "-c", str(config)]

    def mended() -> tuple[Any, ...]:
        with reading(db) as conn:
            return tuple(conn.execute("SELECT state, done FROM work ORDER BY id").fetchall())

    with Daemon(config, tmp_path / "data") if with_daemon else contextlib.nullcontext() as daemon:
        if daemon is not None:
            daemon.wait_ready()
        process = subprocess.Popen([sys.executable, "-m", "sensorlogd", "recalibrate", *arguments, "--scale", "2"])
        until(lambda: mended() != (), "the order")
        process.kill()
        process.wait()
        if daemon is not None:
            until(lambda: mended() == (("done", count),), "the mend")
        run("recalibrate", *arguments, "--offset", "1")
        assert mended() == (("done", count), ("done", count))
        run("recalibrate", "--resume", "1", "-c", str(config), check=2)
        with reading(db) as conn:
            query = "SELECT value FROM readings WHERE sensor = 'old' ORDER BY ts"
            assert [value for (value,) in conn.execute(query)] == [2.0 * (n % 97) + 1 for n in range(count)]


def test_a_unit_is_converted_while_the_daemon_logs(tmp_path: Path) -> None:
    """The channel goes on in the new unit; its history is in the new unit, too, when all is done."""
    config, db = write_config(tmp_path), tmp_path / "data" / "sensorlogd.db"
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: db.exists() and len(values(db)) > 50, "readings")
    before = values(db)
    whole = json.loads(config.read_text())
    whole["sensors"]["s"]["channels"]["x"] |= {"unit": "°F", "unit_change": "convert"}
    config.write_text(json.dumps(whole))

    def channels() -> list[tuple[str, str]]:
        with reading(db) as conn:
            return conn.execute("SELECT channel, unit FROM series").fetchall()

    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: channels() == [("x", "°F")], "the conversion")
        until(lambda: len(values(db)) > len(before) + 20, "new readings")
    after = values(db)
    assert after[: len(before)] == [(ts, value * 1.8 + 32.0, code) for ts, value, code in before]
    assert "convert from '°C' to '°F'" in run("events", "-c", str(config)).stdout
    run("db", "check", "-c", str(config))


# ---- one writer --------------------------------------------------------------------------------------------------------


def test_a_file_that_somebody_else_has_open_is_left_alone(rolled: Path) -> None:
    """Another program's lock, or a daemon under another data directory: told, nothing done."""
    conn = connect_writer(rolled)
    try:
        before = list(conn.iterdump())
        done = run("db", "rebuild-rollups", "--db", str(rolled), check=1)
        assert "another program has it open" in done.stderr
        assert list(conn.iterdump()) == before
    finally:
        conn.close()


def test_a_damaged_database_is_left_to_the_daemon(rolled: Path) -> None:
    """A verb that meets damage says so and moves nothing: only the daemon sets files aside, and salvages them."""
    size = rolled.stat().st_size
    pages = bytearray(rolled.read_bytes())
    for page in range(3, size // 2048):
        pages[page * 2048 : page * 2048 + 8] = b"\xff" * 8
    rolled.write_bytes(pages)
    done = run("import", str(rolled.parent / "in.csv"), "--db", str(rolled), "--time", "t", "--sensor", "other", check=1)
    assert "damaged" in done.stderr or "malformed" in done.stderr
    assert rolled.stat().st_size >= size
    assert list(rolled.parent.glob("*.corrupt-*")) == []


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Only import begins a log."""
    for arguments in (
        ["latest"],
        ["db", "compact"],
        ["db", "rebuild-rollups"],
        ["flag", "s.x", "fail", "--since", "-1h", "--yes"],
    ):
        assert "no such database; is the name right" in run(*arguments, "--db", str(tmp_path / "no.db"), check=1).stderr
    assert not (tmp_path / "no.db").exists()


def test_the_database_of_another_user_is_left_alone(rolled: Path) -> None:
    """What would be written beside it (a WAL) could lock the daemon out: told whom to become."""
    needs.root()
    os.chown(rolled, 65534, -1)
    done = run("db", "rebuild-rollups", "--db", str(rolled), check=1)
    assert "belongs to nobody" in done.stderr
    assert "sudo -u 'nobody'" in done.stderr


# ---- pictures, the live screen -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "head"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml"), ("p.pdf", b"%PDF")])
def test_pictures(rolled: Path, tmp_path: Path, name: str, head: bytes) -> None:
    """A file of the kind that its name says; complete or not there."""
    run("plot", "s.x", "--db", str(rolled), "--since", "2026-03-01", "--until", "2026-03-03", "-o", str(tmp_path / name))
    assert (tmp_path / name).read_bytes().startswith(head)
    assert run("plot", "s.x", "--db", str(rolled), "-o", str(tmp_path / "p.gif"), check=2).stderr.endswith(
        "name a .png, .svg or .pdf file\n"
    )
    assert "no data" in run("plot", "s.x", "--db", str(rolled), "--since", "2020", "--until", "2021", check=3).stderr


def test_a_plot_in_the_terminal_shows_gaps(tmp_path: Path) -> None:
    """An empty stretch in the middle stays empty, and the line fits the width."""
    file, path = tmp_path / "in.csv", tmp_path / "log.db"
    file.write_text("t,x\n" + "".join(f"2026-03-01T{n // 60:02}:{n % 60:02}:00,5\n" for n in range(1440) if not 480 <= n < 960))
    run("import", str(file), "--db", str(path), "--time", "t", "--sensor", "s")
    done = run(
        "plot", "s.x", "--db", str(path), "--since", "2026-03-01", "--until", "2026-03-02", "--width", "94", "--height", "8"
    )
    [line] = [line for line in done.stdout.splitlines() if any("\u2801" <= char <= "\u28ff" for char in line)]
    drawn = line.partition("| ")[2]
    assert set(drawn[26:46]) == {"\u2800"}
    assert all(char != "\u2800" for char in drawn[4:22] + drawn[52:68])
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Any]:
    """``status --watch`` in a terminal of 100 by 12: (process, what it has written so far)."""
    config = write_config(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        leader, follower = pty.openpty()
        ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 100, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "sensorlogd", "status", "--watch", "-c", str(config)],
            stdin=follower, stdout=follower, stderr=follower, env=os.environ | {"TERM": "xterm"}, start_new_session=True,
        )  # fmt: skip
        os.close(follower)
        written = bytearray()

        def look() -> str:
            while select.select([leader], [], [], 0.05)[0]:
                try:
                    written.extend(os.read(leader, 65536))
                except OSError:
                    break
            return written.decode(errors="replace")

        yield process, look, leader
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(leader)


@pytest.mark.parametrize("how", ["q", "interrupt"])
def test_the_live_screen(screen: Any, how: str) -> None:
    """It shows daemon, inbox and sensors, survives a resize, and ends with q or Ctrl-C with status 0."""
    process, look, leader = screen
    until(lambda: "running" in look() and "reading" in look(), "the screen")
    assert "inbox" in look()
    ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 40, 0, 0))
    os.kill(process.pid, signal.SIGWINCH)
    if how == "q":
        os.write(leader, b"q")
    else:
        os.kill(process.pid, signal.SIGINT)
    until(lambda: look() is not None and process.poll() is not None, "its end")
    assert process.returncode == 0
    assert "Traceback" not in look()


def test_the_live_screen_needs_a_terminal(rolled: Path) -> None:
    """In a pipe it says so."""
    assert "--watch is a screen" in run("status", "--watch", "--db", str(rolled), check=2).stderr


# ---- the demo ----------------------------------------------------------------------------------------------------------


def test_the_demo_has_a_past_and_a_dashboard(tmp_path: Path) -> None:
    """One command: history in seconds, exact roll-ups, the address, and Ctrl-C ends it cleanly; the second start goes on."""
    for start in range(2):
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "sensorlogd", "demo", "--data", str(tmp_path / "demo"), "--days", "3", "--no-browser"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        output = ""
        while "dashboard" not in output:
            line = process.stdout.readline()
            assert line, output
            output += line
        address = re.findall(r"http://\S+", output)[0]
        import httpx

        found = httpx.get(f"{address}api/v1/buckets?series=greenhouse.temperature&since=-2d&every=1h", trust_env=False).json()
        assert len(found["series"][0]["rows"]) >= 47
        assert ("readings of 3 days were made" in output) == (start == 0)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
        assert process.returncode == 0, rest
    run("db", "check", "--db", str(tmp_path / "demo" / "sensorlogd.db"))
