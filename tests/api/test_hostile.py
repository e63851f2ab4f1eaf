"""Whatever is wrong with the place, the file or its surroundings: a clear exception that says where and what to do, or an answer."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import sensorlogd
from sensorlogd.api import LogClosed, LogDamaged, LogError, LogUnavailable, UnknownSeries
from sensorlogd.storage.maintenance import compact
from tests.api.rig import T0, S


def test_importing_the_package_costs_nothing(path: Path) -> None:
    """And opening a log needs neither pandas nor what the daemon needs."""
    code = (
        "import sys; before = set(sys.modules); import sensorlogd; new = set(sys.modules) - before;"
        "print(sorted(name for name in new if name.partition('.')[0] not in sys.stdlib_module_names));"
        f"log = sensorlogd.open({str(path)!r}); assert log.latest('lab.t')[0].value == 71.9;"
        f"assert next(log.query('lab.t', {T0}, every='1h').__iter__())['count'];"
        "heavy = {'pandas', 'numpy', 'pint', 'sqlalchemy', 'alembic', 'pydantic', 'click', 'starlette'};"
        "print(sorted(heavy & set(sys.modules))); log.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["['sensorlogd']", "[]"], done.stderr


# ---- which log is meant ------------------------------------------------------------------------------------------------


def test_the_configuration_leads_to_its_database_and_zone(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, found by the variable, or lying where the shell looks; a database by itself has the zone of its days."""
    folder = tmp_path / "sensorlogd-data"
    folder.mkdir()
    shutil.copy(path, folder / "sensorlogd.db")
    (tmp_path / "sensorlogd.yaml").write_text("daemon: {timezone: Asia/Kathmandu}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SENSORLOGD_CONFIG", raising=False)
    with sensorlogd.open() as log:
        assert (log.path, log.tz) == (folder / "sensorlogd.db", "Asia/Kathmandu")
        assert log.time(T0).isoformat() == "2026-03-29T05:45:00+05:45"
    with sensorlogd.open("sensorlogd.yaml", tz="UTC") as log:
        assert log.tz == "UTC"
    monkeypatch.setenv("SENSORLOGD_CONFIG", str(tmp_path / "sensorlogd.yaml"))
    monkeypatch.chdir("/")
    with sensorlogd.open() as log:
        assert log.path == folder / "sensorlogd.db"
    for place in (path, str(path), f"sqlite:///{path}"):
        with sensorlogd.open(place) as log:
            assert log.tz == "UTC"
    monkeypatch.setenv("HOME", str(path.parent))
    with sensorlogd.open(f"~/{path.name}") as log:
        assert "log.db" in repr(log)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("none.db", r"none\.db: no such database; is the name right, and has the daemon run"),
        ("none.yaml", r"none\.yaml: no such configuration file; name one that is there, or the database itself"),
        ("", "empty name"),
        (".", r"is a folder; name the database file in it, e\.g\. sensorlogd\.db"),
        ("notes.txt", "is a text file, not a database; name the file that the daemon writes"),
        ("other.db", r"other\.db is not a sensorlogd database \(application_id 0x0\)"),
        ("empty.db", "is empty: not a sensorlogd database, or not one yet"),
        ("pipe", "is not a file"),
        ("folder.yaml", "is a folder, not a configuration"),
        ("noone.yaml", "~"),
        (
            None,
            r"no configuration found \(looked at \$SENSORLOGD_CONFIG, .*\); name it, or the database itself: sensorlogd\.open",
        ),
    ],
)
def test_a_place_without_a_log_says_what_to_name(
    place: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A LogUnavailable each, and nothing is made or left open."""
    from sensorlogd.config import light

    monkeypatch.setattr(light, "CANDIDATES", (Path("sensorlogd.yaml"),))
    monkeypatch.delenv("SENSORLOGD_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("to whom it may concern\n" * 100)
    Path("empty.db").touch()
    Path("folder.yaml").mkdir()
    Path("noone.yaml").write_text("daemon: {data_dir: ~nobody-of-that-name/data}\n")
    os.mkfifo("pipe")
    with closing(sqlite3.connect("other.db")) as conn:
        conn.execute("CREATE TABLE t(x)")
    before = sorted(os.listdir())
    with pytest.raises(LogUnavailable, match=message):
        sensorlogd.open(place)
    assert sorted(os.listdir()) == before


def test_an_unknown_series_has_a_hint_to_the_nearest(path: Path) -> None:
    with sensorlogd.open(path) as log:
        for ask in (log.series, log.latest, log.readings, log.query, log.frame, log.tail, log.span):
            with pytest.raises(UnknownSeries, match=r"no series matches 'lab\.tt'; did you mean lab\.t") as raised:
                ask("lab.tt")
            assert "lab.t" in raised.value.nearest
            assert isinstance(raised.value, LogError)


# ---- trouble with the file while it is open ----------------------------------------------------------------------------


def test_a_damaged_page_is_told_as_damage(path: Path) -> None:
    """Of whatever reads it: rows, frames, the newest."""
    with closing(sqlite3.connect(path)) as conn:
        roots = dict(conn.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
        (size,) = conn.execute("PRAGMA page_size").fetchone()
    with sensorlogd.open(path) as log:
        with open(path, "r+b") as file:
            for table in ("recent", "history", "latest"):
                file.seek((roots[table] - 1) * size)
                file.write(b"\xa5" * size)
        for ask in (
            lambda: list(log.readings("lab.t", T0, T0 + 7200 * S)),
            lambda: list(log.query("lab.t", T0, T0 + 7200 * S, every="7s")),
            lambda: log.frame("lab.t", T0, T0 + 7200 * S),
            lambda: log.latest("lab.t"),
            lambda: next(log.tail("lab.t", T0)),
        ):
            with pytest.raises(LogDamaged, match=r"log\.db is a damaged database .*restart the daemon"):
                ask()


def test_a_file_that_is_exchanged_is_read_anew_and_an_answer_under_way_ends_with_the_old(path: Path, fresh: Path) -> None:
    with sensorlogd.open(path) as log:
        reading = log.readings("lab.t", T0, T0 + 7200 * S)
        first = next(reading)
        shutil.copy(fresh, path.with_name("new"))
        path.with_name("new").replace(path)
        assert log.series() == []
        assert [first, *reading][-1].value == 71.9
        path.unlink()
        with pytest.raises(LogUnavailable, match="no such database"):
            log.series()
        shutil.copy(fresh, path)
        assert log.latest() == []


def test_a_log_is_read_while_it_is_compacted(path: Path) -> None:
    """The one who compacts succeeds or is told that it is in use; what is read is what was there."""
    with sensorlogd.open(path) as log:
        readings = log.readings("lab.t", T0, T0 + 7200 * S)
        next(readings)
        with contextlib.suppress(sqlite3.OperationalError):
            compact.vacuum(path)
        assert sum(1 for _ in readings) == 659
        with contextlib.suppress(sqlite3.OperationalError):
            compact.vacuum(path)
        assert sum(1 for _ in log.readings("lab.t", T0, T0 + 7200 * S)) == 660
    compact.vacuum(path)
    with sensorlogd.open(path) as log:
        assert sum(1 for _ in log.readings("lab.t", T0, T0 + 7200 * S)) == 660


# ---- threads, and the end ----------------------------------------------------------------------------------------------


def test_answers_nest_and_threads_share_a_log(path: Path) -> None:
    with sensorlogd.open(path) as log:
        for reading in log.readings("lab.n", T0, T0 + 3600 * S):
            (row,) = (
                log.query("lab.t", reading.ts_us, reading.ts_us + 1, every="1h") if (reading.value or 0) < 20 else ({"count": 1},)
            )
            assert row["count"] == 1
        with ThreadPoolExecutor(4) as pool:
            counts = set(pool.map(lambda _: sum(1 for _ in log.readings("lab.*", T0, T0 + 7200 * S)), range(16)))
        assert counts == {780}


def test_a_closed_log_says_so_even_in_the_middle_of_an_answer(path: Path) -> None:
    log = sensorlogd.open(path)
    rows = iter(log.query("lab.*", T0, T0 + 7200 * S, every="7s"))
    next(rows)
    log.close()
    log.close()
    with pytest.raises(LogClosed, match=r"log\.db: this log has been closed; open it again with sensorlogd\.open"):
        list(rows)
    with pytest.raises(LogClosed):
        log.series()


def test_closing_interrupts_another_thread(path: Path) -> None:
    """It ends with LogClosed, and close() does not wait for the whole answer."""
    log = sensorlogd.open(path)
    begun, ended = threading.Event(), []

    def read() -> None:
        try:
            while True:
                for _ in log.readings("lab.*", T0, T0 + 7200 * S):
                    begun.set()
        except LogClosed as error:
            ended.append(error)

    thread = threading.Thread(target=read, name="reads")
    thread.start()
    assert begun.wait(60)
    log.close()
    thread.join(60)
    assert len(ended) == 1
