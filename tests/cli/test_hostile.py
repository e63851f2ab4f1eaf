"""No verb ends with a traceback, whatever it is started in: it works, or says in a few plain lines what is wrong and fails.

Each verb is driven against a table of hostile surroundings, as a real process.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.cli.main import VERBS
from tests.cli.forked import Interpreter

PROGRAM = (sys.executable, "-m", "sensorlogd")
AS_NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
CONFIG = """\
daemon: {data_dir: .}
web: {enabled: false}
sensors:
  lab: {driver: simulated, channels: {t: {unit: °C, signal: {sine: {period: 10s, amplitude: 5}}}}}
"""
# Every verb that ends by itself, with arguments that make it write something.
READING: dict[str, list[str]] = {
    "latest": ["latest"],
    "query": ["query", "lab.*"],
    "tail": ["tail", "--since", "-1h", "--for", "100ms"],
    "events": ["events"],
    "gaps": ["gaps", "lab.*"],
    "alarms": ["alarms", "list", "--all"],
    "status": ["status"],
    "plot": ["plot", "lab.*"],
    "export": ["export", "lab.*"],
    "flag": ["flag", "lab.t", "fail", "--since", "-1h", "--dry-run"],
    "recalibrate": ["recalibrate", "lab.t", "--since", "-1h", "--scale", "2", "--dry-run"],
    "db": ["db", "info"],
    "backup": ["backup", "copy.db", "--force"],
    "clock": ["clock"],
    "web": ["web", "token"],
}
OTHERS: dict[str, list[str]] = {
    "note": ["note", "lab", "the lid was open"],
    "check": ["check"],
    "schema": ["schema"],
    "init": ["init", "new.yaml"],
    "try": ["try", "lab", "--for", "200ms"],
    "ports": ["ports"],
    "sources": ["sources"],
    "probe": ["probe", "no-such-port", "--for", "100ms"],
    "listen": ["listen", "./no-such-port", "--for", "100ms"],
    "profiles": ["profiles"],
    "import": ["import", "in.csv", "--time", "t", "--sensor", "s", "--dry-run"],
    "simulate": ["simulate", "nmea", "--for", "200ms"],
    "version": ["version"],
    "add": ["add", "./no-such-port", "--yes"],
    "recompute": ["recompute", "no-such", "--since", "-1h", "--yes"],
    "remove": ["remove", "lab", "--yes"],
    "rename": ["rename", "lab", "no.name"],
}
NOT_ENDING = {"run", "demo"}
ALL = {**READING, **OTHERS}


@pytest.fixture
def folder(log: Path) -> Path:
    """A configuration and its log, and something to import."""
    found = log.parent
    log.rename(found / "sensorlogd.db")
    for left in found.glob("log.db-*"):
        left.rename(found / left.name.replace("log.db", "sensorlogd.db"))
    (found / "sensorlogd.yaml").write_text(CONFIG)
    (found / "in.csv").write_text("t,v\n2026-01-01T00:00:00Z,1\n")
    return found


def start(folder: Path, arguments: list[str], prefix: tuple[str, ...] = (), **more: Any) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    env = {**os.environ, **more.pop("env", {})}
    taken: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "cwd": folder,
    } | more
    done = subprocess.run([*prefix, *PROGRAM, *arguments], env=env, timeout=120, check=False, **taken)
    out, err = (b"" if text is None else text for text in (done.stdout, done.stderr))
    return done.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def is_plain(error: str) -> bool:
    return not any(word in error for word in ("Traceback", "Exception ignored", "Errno", 'File "'))


def jargon_in(ended: dict[str, tuple[int, str, str]]) -> list[str]:
    """Those that were not plain, with the end of what they said."""
    return [f"{name}: exit {code}: {error[-300:]}" for name, (code, _, error) in ended.items() if not is_plain(error)]


def each(
    folder: Path,
    verbs: dict[str, list[str]],
    prefix: tuple[str, ...] = (),
    env: dict[str, str] | None = None,
    stdout: int | None = None,
) -> dict[str, tuple[int, str, str]]:
    """Those of ``start``, by one interpreter that was started in these surroundings."""
    found = {}
    with Interpreter(folder, os.environ | (env or {}), prefix) as interpreter:
        for name, arguments in verbs.items():
            done = interpreter.run(arguments, stdout=stdout)
            found[name] = (done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
    return found


def test_every_verb_is_driven() -> None:
    """A new verb gets its line in the tables above."""
    missing = set(VERBS) - {"reload"} - set(ALL) - NOT_ENDING
    assert not missing, f"{missing}: give each a line in READING, OTHERS or NOT_ENDING at the top of this file"


def test_a_full_device_is_named_and_fails(folder: Path) -> None:
    """What could not be written was not said: no verb claims success."""
    with open("/dev/full", "wb") as full:
        ended = each(
            folder,
            {name: line for name, line in ALL.items() if name not in ("simulate", "probe", "listen", "add", "remove")},
            stdout=full.fileno(),
        )
    assert not jargon_in(ended)
    for name, (code, _, error) in ended.items():
        assert code != 0, name if name not in ("tail", "web") else error
        assert "no space left" in error or "No space left" in error or code in (2, 3, 4, 78), (name, code, error)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_descriptors(folder: Path, closed: str) -> None:
    """The database is never opened as descriptor 1, where a stray line would land in it."""
    words = " ".join(f"'{word}'" for word in PROGRAM)
    for line in (["latest"], ["db", "compact"], ["export", "lab.*"]):
        arguments = " ".join(f"'{word}'" for word in line)
        done = subprocess.run(
            ["sh", "-c", f"{words} {arguments} {closed}"], cwd=folder, capture_output=True, text=True, check=False
        )
        assert is_plain(done.stderr), done.stderr
        assert done.returncode == 0, (line, done.stderr)
    assert start(folder, ["db", "check"])[0] == 0


ENCODINGS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
    "C": {"LC_ALL": "C", "LANG": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no home": {"HOME": "", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "MPLCONFIGDIR": ""},
    "home that is not there": {"HOME": "/nonexistent"},
    "odd terminal": {"TERM": "no-such-terminal", "COLUMNS": "0", "LINES": "-3"},
    "unknown zone": {"TZ": "Nowhere/Land"},
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings_and_surroundings(folder: Path, name: str) -> None:
    """All characters find their way out, or one that stands for them does; the status is as anywhere else."""
    ended = each(folder, ALL, env=ENCODINGS[name])
    assert not jargon_in(ended)
    assert ended["latest"][0] in (0, 4)  # 4: a busy machine took longer than the heartbeat
    assert ended["export"][0] == 0


def test_what_an_encoding_lacks_is_never_lost_in_data(folder: Path) -> None:
    """JSON says it with its own escapes; a table with what reads like it."""
    env = {"PYTHONIOENCODING": "iso8859-2:strict"}
    (folder / "in.csv").write_text("t,v\n2026-01-01T00:00:00Z,1\n")
    assert start(folder, ["import", "in.csv", "--time", "t", "--column", "v=s.v:µΩ"])[0] == 0
    line = ["query", "s.v", "--since", "2025", "--format"]
    assert '"\\u00b5\\u03a9"' in start(folder, [*line, "ndjson"], env=env)[1]
    assert "uOhm" in start(folder, [*line, "table"], env=env)[1]
    assert "\\xb5\\u03a9" in start(folder, [*line, "csv"], env=env)[1]


@pytest.mark.parametrize("verb", ["export", "query"])
def test_a_reader_that_leaves_ends_it_quietly(folder: Path, verb: str) -> None:
    """``sensorlogd export ... | head -1``: nothing on standard error, the status of SIGPIPE."""
    process = subprocess.Popen(
        [*PROGRAM, verb, "lab.*", *(["--since", "-1h"] if verb == "query" else [])],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), error) == (141, b"")


@pytest.mark.parametrize("term", ["dumb", "no-such-terminal", ""])
def test_a_live_screen_on_a_terminal_that_is_none(folder: Path, term: str) -> None:
    """Plain lines one below the other, until Ctrl-C."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "status", "--watch"],
        cwd=folder,
        stdin=side,
        stdout=side,
        stderr=side,
        env={**os.environ, "TERM": term},
        start_new_session=True,
    )
    os.close(side)
    seen, end = b"", time.monotonic() + 60
    try:
        while b"daemon" not in seen and time.monotonic() < end and process.poll() is None:
            if select.select([main], [], [], 0.2)[0]:
                seen += os.read(main, 4096)
    finally:
        process.send_signal(2)
        code = process.wait(30)
        os.close(main)
    assert b"Traceback" not in seen
    assert b"daemon" in seen
    assert code == 0


CONFIGURED = {**READING, "run": ["run"], "check": ["check"], "try": ["try"], "listen": ["listen", "lab"]}


@pytest.mark.parametrize("what", ["missing", "a folder", "empty", "not text", "behind a file"])
def test_a_configuration_that_is_none(folder: Path, what: str) -> None:
    """Named, with a status that is not success; no other database is guessed for one that is not there."""
    named = folder / "other" / "there.yaml"
    named.parent.mkdir()
    if what == "a folder":
        named.mkdir()
    elif what in ("empty", "not text"):
        named.write_bytes(b"" if what == "empty" else os.urandom(300))
    elif what == "behind a file":
        named = folder / "in.csv" / "there.yaml"
    ended = each(folder, CONFIGURED, env={"SENSORLOGD_CONFIG": str(named)})
    assert not jargon_in(ended)
    for name, (code, _, error) in ended.items():
        assert code != 0, name
        if what in ("missing", "a folder", "behind a file"):
            assert "there.yaml" in error, (name, error)


@pytest.fixture
def nobody(folder: Path) -> Iterator[tuple[str, ...]]:
    """What a program is started with to be a user who may do nothing here; as such a user, nothing."""
    if os.geteuid() != 0:
        yield ()
        return
    if (
        shutil.which("setpriv") is None
        or subprocess.run([*AS_NOBODY, *PROGRAM, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("nobody cannot run this program here")
    above = [parent for parent in folder.parents if parent.stat().st_uid == 0 and parent.stat().st_mode & 0o001 == 0]
    for parent in above:
        parent.chmod(0o711)
    folder.chmod(0o755)
    yield AS_NOBODY
    for parent in above:
        parent.chmod(0o700)


@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_a_configuration_that_may_not_be_read(folder: Path, nobody: tuple[str, ...], what: str) -> None:
    """One plain line that names it and whose it is."""
    closed = folder / "closed"
    closed.mkdir()
    named = closed / "mine.yaml"
    named.write_text(CONFIG)
    hidden = named if what == "the file" else closed
    hidden.chmod(0)
    try:
        ended = each(folder, CONFIGURED, nobody, env={"SENSORLOGD_CONFIG": str(named)})
    finally:
        closed.chmod(0o700)
        named.chmod(0o600)
    assert not jargon_in(ended)
    for name, (code, _, error) in ended.items():
        assert code != 0, name
        assert "mine.yaml" in error, (name, error)
        assert len(error.splitlines()) <= 3, (name, error)


def test_a_folder_that_may_not_be_written(folder: Path, nobody: tuple[str, ...]) -> None:
    """Reading works; what would write says so."""
    for file in folder.iterdir():
        file.chmod(0o644)
    folder.chmod(0o555)
    try:
        lines = {**ALL, "import": OTHERS["import"][:-1], "compact": ["db", "compact"], "plot": ["plot", "lab.t", "-o", "new.png"],
                 "write": ["export", "lab.*", "-o", "new.csv"], "run": ["run"]}  # fmt: skip
        ended = each(folder, lines, nobody)
    finally:
        folder.chmod(0o755)
    assert not jargon_in(ended)
    for name in ("import", "compact", "write", "backup", "init", "run"):
        assert ended[name][0] != 0, name


@pytest.mark.parametrize("what", ["missing", "empty", "garbage", "foreign", "folder", "device"])
def test_a_database_that_is_none(folder: Path, what: str) -> None:
    """--db is taken as it is meant: told what it is, left as it is."""
    named = folder / "other.db"
    if what == "empty":
        named.touch()
    elif what == "garbage":
        named.write_bytes(os.urandom(5000))
    elif what == "foreign":
        subprocess.run(
            [sys.executable, "-c", "import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE t (a)')", named],
            check=True,
        )
    elif what == "folder":
        named.mkdir()
    elif what == "device":
        named = Path("/dev/null")
    before = named.read_bytes() if named.is_file() else None
    lines = {name: [*line, "--db", str(named)] for name, line in READING.items() if name != "web"}
    lines |= {"serve": ["web", "--db", str(named), "--listen", "127.0.0.1:0"], "compact": ["db", "compact", "--db", str(named)]}
    ended = each(folder, lines)
    assert not jargon_in(ended)
    for name, (code, _, error) in ended.items():
        assert code != 0, name
        assert error, name
    assert before is None or named.read_bytes() == before


def test_a_folder_where_a_file_is_meant(folder: Path) -> None:
    """Wherever a verb takes a file to write."""
    (folder / "d").mkdir()
    (folder / "d.png").mkdir()
    lines = {
        "export": ["export", "lab.*", "-o", "d"], "plot": ["plot", "lab.*", "-o", "d.png"], "import": ["import", "d"], "init": ["init", "d"],
        "backup": ["backup", "d/d/d"], "run": ["run", "-c", "d"], "check": ["check", "d"], "simulate": ["simulate", "nmea", "--truth", "d"],
    }  # fmt: skip
    ended = each(folder, lines)
    assert not jargon_in(ended)
    assert all(code != 0 for code, _, _ in ended.values())


def test_the_folder_one_is_in_is_gone(folder: Path) -> None:
    """cd'ed into a folder that somebody removed."""
    gone = folder / "gone"
    words = " ".join(f"'{word}'" for word in PROGRAM)
    for line in (
        "latest",
        "status",
        "init",
        "run",
        "check",
        "version",
        f"latest --db {folder / 'sensorlogd.db'}",
        "export lab.* -o x.csv",
    ):
        gone.mkdir()
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(
            ["sh", "-c", f"cd '{gone}' && rmdir '{gone}' && {words} {line}"], capture_output=True, text=True, check=False, env=env
        )
        assert is_plain(done.stderr), (line, done.stderr)


def test_debug_shows_the_trace(folder: Path) -> None:
    """With --debug anywhere behind the verb, before it, or the environment variable."""
    with open("/dev/full", "wb") as full:
        for line, env in (
            (["--debug", "latest"], {}),
            (["latest", "--debug"], {}),
            (["db", "info", "--debug"], {}),
            (["latest"], {"SENSORLOGD_DEBUG": "1"}),
        ):
            code, _, error = start(folder, line, stdout=full, env=env)
            assert code == 1
            assert error.startswith("sensorlogd: standard output: no space left"), error
            assert "Traceback" in error
