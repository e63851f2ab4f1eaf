"""The web process seen from the daemon: what cannot be started or does not end costs itself only, and no time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import sensorlogd
from sensorlogd.daemon import web_process
from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.web_process import WebProcess, WebState
from sensorlogd.processes import module_command
from sensorlogd.web.settings import Settings
from tests.daemon.control.test_control import descriptors_left
from tests.rig import until

SERVES = 'print(\'{"url": "http://here/"}\', flush=True)\n'
ASKED = "import sys\nsys.stdin.read()\n"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES + "signal.pause()\n"
STOPPED = "import os, signal\n" + SERVES + "os.kill(os.getpid(), signal.SIGSTOP)\n"


class Pages(WebProcess):
    """Hears its own events, and tries again at once."""

    def __init__(self, settings: Settings) -> None:
        self.events: list[tuple[str, str]] = []
        super().__init__(settings, lambda kind, _, detail: self.events.append((kind, detail)), Backoff(first_s=0, quick_s=0))

    def gone(self) -> bool:
        self.stop(0.0)
        return not self._killed


Make = Callable[[str], Pages]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A web process that runs that program in place of ours."""
    made: list[Pages] = []

    def make_pages(program: str) -> Pages:
        script = tmp_path / "program"
        script.write_text(f"#!{sys.executable}\n{program}")
        script.chmod(0o755)
        monkeypatch.setattr(module_command, "sys", SimpleNamespace(executable=str(script)))
        made.append(Pages(Settings(tmp_path / "log.db")))
        return made[-1]

    yield make_pages
    for process in made:
        until(process.gone, "its end")


def _serving(process: Pages) -> int:
    """Its pid, once it serves."""

    def serves() -> bool:
        process.tick()
        process.on_readable()
        return process.state is WebState.SERVING

    until(serves, "the process to serve")
    assert process.pid is not None
    return process.pid


def test_it_finds_the_package_where_the_daemon_has_found_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package need not be installed; it may lie in the folder that the daemon was started from."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    process = make(f"import json, os\nprint(json.dumps({{'url': os.environ.get('PYTHONPATH', '')}}), flush=True)\n{ASKED}")
    _serving(process)
    assert process.url == str(Path(sensorlogd.__file__).parents[1])


@pytest.mark.parametrize("program", [DEAF, STOPPED], ids=["deaf", "stopped"])
def test_stop_has_a_deadline_that_no_process_can_break(make: Make, program: str) -> None:
    """Asked in vain, it is killed in time to be reaped."""
    process = make(program)
    pid = _serving(process)
    if program == STOPPED:
        until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it to stop")
    began = time.monotonic()
    process.stop(0.8)
    assert time.monotonic() - began < 1.0
    assert not Path(f"/proc/{pid}").exists()
    process.tick()
    assert (process.pid, process.waitables()) == (None, [])


def test_one_that_is_asked_and_ends_is_not_waited_for(make: Make) -> None:
    """None of its deadline is used up."""
    process = make(SERVES + ASKED)
    _serving(process)
    began = time.monotonic()
    process.stop(60.0)
    assert time.monotonic() - began < 30.0


def test_one_that_is_killed_by_the_loop_is_not_waited_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reaped at a later turn; another one is started meanwhile."""
    process = make(STOPPED)
    pid = _serving(process)
    monkeypatch.setattr(web_process, "resident_bytes", lambda _: 10**12)
    process._check_at = 0.0
    began = time.monotonic()
    process.tick()
    assert time.monotonic() - began < 1.0
    assert process.state is WebState.DOWN
    monkeypatch.undo()
    process.stop(30.0)
    assert not Path(f"/proc/{pid}").exists()


def test_one_that_cannot_be_started_costs_itself_only_and_is_tried_again(make: Make) -> None:
    """Whichever descriptor is missing: told once, nothing left open, nothing raised."""
    process = make(SERVES + ASKED)
    for most in range(6):  # two pipes, and one through which the start itself tells of failure
        open_before = set(os.listdir("/proc/self/fd"))
        with descriptors_left(most):
            process.tick()
        assert process.state is WebState.DOWN
        assert set(os.listdir("/proc/self/fd")) == open_before
    assert process.events == [("web_down", "cannot be started: [Errno 24] Too many open files")]
    _serving(process)
    assert [kind for kind, _ in process.events] == ["web_down", "web_recovered"]


BEATS = "import time\n" + SERVES + "while True:\n    time.sleep(0.05)\n    print('{}', flush=True)\n"


def test_one_that_hangs_is_replaced(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has stopped to say that its loop runs: stopped by a signal, or blocked."""
    process = make(STOPPED)
    first = _serving(process)
    monkeypatch.setattr(web_process, "SILENT_FOR_S", 0.3)

    def replaced() -> bool:
        process.tick()
        process.on_readable()
        return process.pid not in (None, first)

    until(replaced, "another process")
    assert process.events[0] == ("web_down", "has hung for 0 s")


def test_what_else_is_printed_there_is_passed_over(make: Make) -> None:
    """By a library, for example: JSON that is no object, or nested without end."""
    process = make("print('5\\nnull\\n\"url\"\\n[{}]\\n' + '[' * 100_000, flush=True)\n" + SERVES + ASKED)
    _serving(process)
    assert process.url == "http://here/"
    assert process.events == []


def test_one_that_says_that_it_runs_is_left_alone(make: Make) -> None:
    """Whatever else it does; the time begins anew with each word."""
    process = make(BEATS)
    pid = _serving(process)
    process._heard_at = heard = 0.0

    def heard_again() -> bool:
        process.on_readable()
        return process._heard_at > heard

    until(heard_again, "a beat")
    process.tick()
    assert process.pid == pid
    assert process.events == []


def test_one_that_says_more_than_can_be_read_holds_up_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that prints without end, and without an end of line."""
    process = make(SERVES + ASKED)
    _serving(process)
    with monkeypatch.context() as patch:
        patch.setattr(os, "read", lambda descriptor, most: b"x" * most)
        for _ in range(3):
            process.on_readable()
    assert len(process._said) == web_process.LONGEST_LINE
