"""No verb hangs or throws on a damaged file: it does its work, or says what is wrong with the database and exits 1."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest

from tests.cli.running import run
from tests.cli.test_transfer import verb
from tests.connections import connect_writer

PAGE = 2048
WITHIN_S = 60
READING = {
    "status": ["status"],
    "latest": ["latest"],
    "events": ["events"],
    "query": ["query", "old.v", "--since", "2026-03-01", "--until", "2026-03-02"],
    "buckets": ["query", "old.v", "--since", "2026-03-01", "--until", "2026-03-02", "--every", "1h"],
    "export": ["export", "old.*"],
    "info": ["db", "info", "--count"],
    "check": ["db", "check"],
    "backup": ["backup", "{folder}/copy.db"],
    "mends": ["flag", "--list"],
}
WRITING = {
    "compact": ["db", "compact"],
    "rebuild": ["db", "rebuild-rollups"],
    "flag": ["flag", "old.v", "fail", "--since", "2026-03-01", "--yes"],
    "import": ["import", "{folder}/in.csv", "--time", "t", "--time-format", "epoch_us", "--sensor", "old"],
}
# The small tables, which whoever writes reads at opening.
TABLES = (
    "sensor",
    "series",
    "meta",
    "dirty",
    "latest",
    "mend",
    "event",
    "alembic_version",
    "daemon_status",
    "retention_cut",
    "stale",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small log and the file it was imported from."""
    folder = tmp_path_factory.mktemp("whole")
    begin = 1_772_323_200_000_000  # 2026-03-01
    (folder / "in.csv").write_text("t,v\n" + "".join(f"{begin + n * 60_000_000},{n}\n" for n in range(600)))
    run("import", str(folder / "in.csv"), "--db", str(folder / "log.db"), *WRITING["import"][2:])
    return folder


def root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as conn:
        return int(conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0])


def spoil(path: Path, begin: int, end: int) -> None:
    data = bytearray(path.read_bytes())
    data[begin:end] = b"\xa5" * (end - begin)
    path.write_bytes(data)


def damage_of(table: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        page = root_page(path, table)
        spoil(path, (page - 1) * PAGE, page * PAGE)

    return damage


FIRST_PAGE: dict[str, Callable[[Path], None]] = {
    "first page": lambda path: spoil(path, 0, PAGE),
    "first page but its header": lambda path: spoil(path, 100, PAGE),
    "header": lambda path: spoil(path, 0, 100),
}


@pytest.fixture
def alarm() -> Iterator[None]:
    """A verb that does not come back is a failure of its own."""

    def late(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"no end within {WITHIN_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(WITHIN_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def tried(whole: Path, folder: Path, damage: Callable[[Path], None], arguments: list[str]) -> int:
    path = folder / "log.db"
    path.write_bytes((whole / "log.db").read_bytes())
    damage(path)
    return verb(*(argument.format(folder=whole if "in.csv" in argument else folder) for argument in arguments), "--db", str(path))


@pytest.mark.parametrize("damage", [*FIRST_PAGE])
@pytest.mark.parametrize("name", [*READING, *WRITING])
@pytest.mark.usefixtures("alarm")
def test_without_its_first_page_nothing_can_be_done(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, name: str
) -> None:
    """Every verb names the database and exits 1; no file is touched."""
    assert tried(whole, tmp_path, FIRST_PAGE[damage], (READING | WRITING)[name]) == 1
    assert f"{tmp_path / 'log.db'} is a damaged database" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == ["log.db"]


@pytest.mark.parametrize("table", [*TABLES, "event_ts", "sqlite_autoindex_series_1"])  # indexes of them, too
@pytest.mark.parametrize("name", [*WRITING])
@pytest.mark.usefixtures("alarm")
def test_what_writes_does_not_begin_where_a_small_table_is_damaged(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, name: str
) -> None:
    """It says so and changes nothing: only the daemon sets a file aside."""
    assert tried(whole, tmp_path, damage_of(table), WRITING[name]) == 1
    assert f"{tmp_path / 'log.db'} is a damaged database" in capsys.readouterr().err
    intact = (whole / "log.db").read_bytes()
    after = (tmp_path / "log.db").read_bytes()
    changed = [page for page in range(len(intact) // PAGE) if intact[page * PAGE :][:PAGE] != after[page * PAGE :][:PAGE]]
    assert changed == [root_page(whole / "log.db", table) - 1]


@pytest.mark.parametrize("table", [*TABLES, "recent", "history", "rollup"])
@pytest.mark.parametrize("name", [*READING])
@pytest.mark.usefixtures("alarm")
def test_what_reads_does_its_work_or_says_why_not(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, name: str
) -> None:
    """A table that a verb does not need may be damaged; one that it needs ends it with 1, no traceback, no half truth."""
    sound = tried(whole, tmp_path, lambda path: None, READING[name])
    answer = capsys.readouterr().out
    (tmp_path / "copy.db").unlink(missing_ok=True)
    status = tried(whole, tmp_path, damage_of(table), READING[name])
    output = capsys.readouterr()
    if status == 1 and (sound != 1 or name == "check"):
        assert "database" in output.err
        return
    assert status == sound
    if name in ("query", "buckets", "export", "latest", "events"):
        assert output.out == answer


@pytest.mark.parametrize(("name", "table"), [("rebuild", "recent"), ("import", "history")])
def test_what_writes_gives_up_where_readings_are_damaged(whole: Path, tmp_path: Path, name: str, table: str) -> None:
    """The large tables are not looked through beforehand: what meets the damage gives up, and never waits for ever."""
    path = tmp_path / "log.db"
    path.write_bytes((whole / "log.db").read_bytes())
    damage_of(table)(path)
    began = time.monotonic()
    arguments = [argument.format(folder=whole) for argument in WRITING[name]]
    done = run(*arguments, "--db", str(path), check=1)
    assert "damaged" in done.stderr or "malformed" in done.stderr
    assert time.monotonic() - began < WITHIN_S + 5


def test_a_verb_that_writes_leaves_a_wal_without_its_database_alone(whole: Path, tmp_path: Path) -> None:
    """An empty file, or none, beside a WAL with content: to begin a log there would delete what is left of one."""
    path, side = tmp_path / "log.db", tmp_path / "log.db-wal"
    path.write_bytes((whole / "log.db").read_bytes())
    with closing(connect_writer(path)) as conn:
        conn.execute("INSERT INTO meta(key, value) VALUES ('x', 'y')")
        wal = side.read_bytes()
    arguments = [argument.format(folder=whole) for argument in WRITING["import"]]
    for begin in (lambda: path.write_bytes(b""), path.unlink):
        begin()
        side.write_bytes(wal)
        assert "the daemon sets both aside" in run(*arguments, "--db", str(path), check=1).stderr
        assert side.read_bytes() == wal
