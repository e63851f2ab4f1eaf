"""What the pages show of ``latest``, ``query``, ``status`` and the live screen is what the demo shows, but for its numbers."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "sensorlogd"]
PATIENCE_S = 240
# What is so of this machine only: where the file lies and how the clock is kept decide how these lines break, or whether they are there.
OF_THE_MACHINE = ("database", "clock", "pages")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a demo that runs, with a little history."""
    folder = tmp_path_factory.mktemp("demo")
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [*PROGRAM, "demo", "--data", str(folder), "--days", "1", "--no-browser", "--listen", "127.0.0.1:0"],
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + PATIENCE_S
            while not runs(folder):
                assert time.monotonic() < until, "no daemon runs"
                assert process.poll() is None
            yield folder
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def runs(folder: Path) -> bool:
    """By its words: its exit status speaks of the sensors, one of which is never there."""
    asked = [*PROGRAM, "status", "-c", str(folder / "demo.yaml"), "--format", "table"]
    return "running (pid" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def shape(text: str) -> list[str]:
    """Without numbers, runs of blanks, and lines that are of the machine."""
    found, skips = [], False
    for line in text.splitlines():
        skips = line.startswith(OF_THE_MACHINE) or (skips and line.startswith(" " * 10) and not line.startswith(" " * 20))
        if skips:
            continue
        ages = re.sub(r"just now|\d+ (s|min|h) ago", "9 s ago", line)
        found.append(re.sub(r"\s+", " ", re.sub(r"\d+min\d*s?|\d+s\b|[\d.,:]*\d[\d.]*", "9", ages)).strip())
    return found


def captured(page: str, command: str) -> str:
    """What a page shows below that command line."""
    blocks = re.findall(r"^```\n(\$ .*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    shown = [part.partition("\n") for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)]
    (found,) = [text for head, _, text in shown if head == command]
    return found.rstrip("\n") + "\n"


def becomes(look: Callable[[], str], wanted: str) -> None:
    """The daemon is starting, sensors are heard one after another: until it looks so, or patience ends."""
    until = time.monotonic() + PATIENCE_S
    while shape(shown := look()) != shape(wanted):
        assert time.monotonic() < until, (shape(shown), shape(wanted))
        time.sleep(0.3)


@pytest.mark.parametrize("command", ["sensorlogd latest", "sensorlogd status"])
def test_the_page_shows_what_is_shown(demo: Path, command: str) -> None:
    verb = command.split()[1:]

    def look() -> str:
        asked = [*PROGRAM, *verb, "-c", str(demo / "demo.yaml"), "--format", "table"]
        return subprocess.run(asked, capture_output=True, text=True, env=os.environ | {"COLUMNS": "80"}, check=False).stdout

    becomes(look, captured("cli.md", command))


def test_the_page_shows_the_columns_of_a_query(demo: Path) -> None:
    """Their names, what is said once above them, and a row."""
    shown = captured("cli.md", "sensorlogd query 'greenhouse.*' --since -3h --every 1h")

    def look() -> str:
        asked = [*PROGRAM, "query", "greenhouse.*", "--since", "-3h", "--every", "1h", "--format", "table"]
        done = subprocess.run(
            [*asked, "-c", str(demo / "demo.yaml")],
            capture_output=True,
            text=True,
            env=os.environ | {"COLUMNS": "80"},
            check=False,
        )
        return "".join(done.stdout.splitlines(keepends=True)[:3])

    def first(text: str) -> str:
        """Around midnight there are two dates, and they stay in their column."""
        return re.sub(r"\d{4}-\d\d-\d\dT", "", text.replace("greenhouse, 2026-11-26\n", "greenhouse\n"))

    wanted = first("".join(shown.splitlines(keepends=True)[:3]))
    becomes(lambda: re.sub(r"^greenhouse, .*", "greenhouse", first(look())), wanted)


def test_the_page_shows_the_live_screen(demo: Path) -> None:
    """As plain lines, on a terminal without a screen: the same lines."""
    leader, follower = pty.openpty()
    ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [*PROGRAM, "status", "--watch", "-c", str(demo / "demo.yaml")],
        stdin=follower, stdout=follower, stderr=subprocess.DEVNULL, env=clean | {"TERM": "dumb"},
    )  # fmt: skip
    os.close(follower)
    output = ""

    def look() -> str:
        nonlocal output
        while select.select([leader], [], [], 0)[0]:
            output += os.read(leader, 65536).decode().replace("\r\n", "\n")
        screens = re.split(r"^(?=\d{4}-\d\d-\d\dT)", output, flags=re.MULTILINE)
        return screens[-2].rstrip("\n") if len(screens) > 2 else ""

    try:
        becomes(look, captured("looking-after.md", "sensorlogd status --watch").replace("   q ends", ""))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
        os.close(leader)
