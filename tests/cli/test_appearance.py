"""How output looks where it is shown: colours, widths and the channel's resolution, in real processes."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
from pathlib import Path

import pytest

from sensorlogd.cli.appearance import cells
from sensorlogd.notation import times
from tests.cli.test_hostile import PROGRAM, start

CLEAN = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}


def on_a_terminal(arguments: list[str], columns: int = 80, **environment: str) -> str:
    """What it writes to a terminal of that width."""
    leader, follower = pty.openpty()
    os.set_blocking(leader, True)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([*PROGRAM, *arguments], stdout=follower, stderr=subprocess.DEVNULL, env=CLEAN | environment)
    os.close(follower)
    output = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # its other end is closed
            break
        if not piece:
            break
        output += piece
    process.wait(60)
    os.close(leader)
    return output.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("verb", ["latest", "status"])
def test_colours_are_for_terminals_that_want_them(log: Path, verb: str) -> None:
    """--color decides, then NO_COLOR, then whether it is a terminal that has them."""
    asked = [verb, "--db", str(log)]
    plain = subprocess.run(
        [*PROGRAM, *asked, "--format", "table"], capture_output=True, text=True, env=CLEAN | {"TERM": "xterm"}, check=False
    )
    assert "\x1b[" not in plain.stdout
    assert "\x1b[" in on_a_terminal(asked, TERM="xterm")
    assert "\x1b[" not in on_a_terminal(asked, TERM="xterm", NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal(asked, TERM="dumb")
    assert "\x1b[" not in on_a_terminal([*asked, "--color", "never"], TERM="xterm")
    assert "\x1b[" in on_a_terminal([*asked, "--color", "always"], TERM="xterm", NO_COLOR="1")
    always = subprocess.run(
        [*PROGRAM, "--color", "always", *asked, "--format", "table"], capture_output=True, text=True, env=CLEAN, check=False
    )
    assert "\x1b[" in always.stdout


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(
    "arguments", [["latest"], ["status"], ["query", "lab.t", "--since", "-20s"], ["events"]], ids=lambda arguments: arguments[0]
)
def test_nothing_is_wider_than_the_terminal(log: Path, arguments: list[str], columns: int) -> None:
    conn = sqlite3.connect(log)
    detail = "no such port; plug the device in; 'sensorlogd ports' lists what is there " * 2
    conn.execute("INSERT INTO event(ts, kind, sensor, detail) VALUES (1, 'lost', 'a-sensor-with-a-long-name', ?)", (detail,))
    conn.commit()
    conn.close()
    output = on_a_terminal([*arguments, "--db", str(log)], columns, TERM="dumb")
    assert max(map(cells, output.splitlines())) <= columns


def test_a_pipe_gets_whole_lines_whatever_the_terminal(log: Path) -> None:
    """As wide as it takes, and the same for everybody."""
    done = subprocess.run(
        [*PROGRAM, "query", "lab.t", "--since", "-1h", "--format", "table", "--db", str(log)],
        capture_output=True,
        text=True,
        env=CLEAN,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) > 80 or all(len(line.split()) >= 5 for line in lines)
    assert lines[0].split()[:4] == ["time", "sensor", "channel", "value"]
    assert not any(line.startswith(" ") for line in lines)


def test_decimals_are_for_people_and_csv(log: Path) -> None:
    """Of readings, their minimum and their mean; JSON and export have every digit."""
    conn = sqlite3.connect(log)
    (series,) = conn.execute("SELECT id FROM series WHERE channel = 't'").fetchone()
    conn.execute("UPDATE recent SET value = value + 0.123456789 WHERE series_id = ?", (series,))
    conn.execute("DELETE FROM latest")
    conn.execute("DELETE FROM meta WHERE key = 'latest_written_us'")
    conn.execute("INSERT INTO meta(key, value) VALUES (?, '1')", (f"decimals_{series}",))
    conn.commit()
    conn.close()

    def values(arguments: list[str], column: str) -> list[str]:
        output = start(log.parent, [*arguments, "--db", str(log), "--format", "csv"])[1]
        return [row[column] for row in csv.DictReader(io.StringIO(output))]

    def places(texts: list[str]) -> int:
        assert texts
        return max(len(text.partition(".")[2]) for text in texts)

    assert places(values(["query", "lab.t"], "value")) == 1
    assert places(values(["query", "lab.t", "--every", "7s"], "min")) == 1
    assert places(values(["query", "lab.t", "--every", "7s"], "mean")) <= 3
    assert places(values(["query", "lab.t", "--every", "7s", "--agg", "p95"], "p95")) == 1
    assert places(values(["latest", "lab.t"], "value")) <= 1
    assert places(values(["export", "lab.t"], "value")) > 6
    exact = json.loads(start(log.parent, ["query", "lab.t", "--db", str(log), "--format", "json"])[1])
    assert set(exact[0]) == {"time", "sensor", "channel", "value", "unit", "quality"}
    assert places([repr(row["value"]) for row in exact]) > 6


def test_decimals_are_noted_and_forgotten_with_the_configuration(tmp_path: Path) -> None:
    from sensorlogd.storage.query.log_reader import LogReader
    from sensorlogd.storage.schema.check import ensure_schema
    from sensorlogd.storage.series import catalog
    from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec

    path = tmp_path / "log.db"
    ensure_schema(path)
    for decimals in (2, 0, None):
        conn = sqlite3.connect(path)
        catalog.sync(conn, [SensorSpec("a", "simulated", series=[SeriesSpec("t", decimals=decimals), SeriesSpec("u")])], 1)
        conn.commit()
        conn.close()
        with LogReader.open(path) as opened:
            assert [series.decimals for series in opened.series()] == [decimals, None]


def test_an_imported_log_says_what_it_is(tmp_path: Path) -> None:
    """It never had a daemon, so none has stopped; its sensors are there; a range without data names one with."""
    (tmp_path / "in.csv").write_text("t,v\n2026-01-01T00:00:00Z,1\n2026-01-02T00:00:00Z,2\n")
    assert start(tmp_path, ["import", "in.csv", "--time", "t", "--sensor", "shed", "--db", "log.db"])[0] == 0
    code, out, _ = start(tmp_path, ["status", "--db", "log.db"])
    assert code == 1
    assert out.startswith("This log was imported: 1 sensor")
    assert "ago" in out
    assert "stopped" not in out
    assert next(line for line in out.splitlines() if line.startswith("shed")).split()[1] == "imported"
    latest = start(tmp_path, ["latest", "--db", "log.db", "--format", "table"])[1]
    assert latest.splitlines()[1].split()[-1] == "history"
    code, _, said = start(tmp_path, ["query", "shed.v", "--db", "log.db"])
    assert code == 3
    proposed = said.partition("try --since ")[2].strip()
    code, out, _ = start(tmp_path, ["query", "shed.v", "--db", "log.db", "--since", proposed])
    assert (code, out.splitlines()[-1].split(",")[3]) == (0, "2")


@pytest.mark.parametrize(
    ("us", "words"),
    [
        (0, "just now"), (-900_000, "just now"), (9_400_000, "9 s ago"), (200_000_000, "3 min ago"), (7_200_000_000, "2 h ago"),
        (172_800_000_000, "2 days ago"), (90 * 86_400_000_000, "3 months ago"), (800 * 86_400_000_000, "2 years ago"),
        (-200_000_000, "in 3 min"),
    ],
)  # fmt: skip
def test_ages_are_words(us: int, words: str) -> None:
    assert times.format_ago(us) == words
