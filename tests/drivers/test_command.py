"""Programs as sensors, with real processes: what they print is read, and nothing of them is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.drivers.contract import DriverError
from tests.drivers.lending import WatchedContext, read_some, rows_of, values_of
from tests.rig import until

LINE = "format: {type: csv, fields: [a, b]}"


@pytest.fixture
def lent() -> Iterator[WatchedContext]:
    made = WatchedContext()
    yield made
    made.close()


def program(lent: WatchedContext, folder: Path, text: str, more: str = LINE, language: str = "/bin/sh") -> Any:
    """The driver of a script."""
    path = folder / "program"
    path.write_text(f"#!{language}\n{text}")
    path.chmod(0o755)
    return lent.driver(folder, f"driver: command, command: ./program, {more}")


def reads(made: Any, error: str, deadline_s: float = 60.0) -> list[dict[str, float]]:
    """All values until a DriverError that matches."""
    found: list[dict[str, float]] = []
    with pytest.raises(DriverError, match=error):
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            found += [dict(values) for _, values in rows_of(made.read(0.2))]
    return found


def alive(pid: int) -> bool:
    """Runs, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_that_runs_on_is_read_as_it_prints(lent: WatchedContext, tmp_path: Path) -> None:
    """Line by line; a bad line is counted."""
    made = program(lent, tmp_path, "echo 1,2; echo nonsense; echo 3,4; exec sleep 1000")
    made.open()
    assert values_of(read_some(made, 2)) == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert lent.counts == {"bad_lines": 1}
    assert rows_of(made.read(0.01)) == []
    made.close()


def test_with_an_interval_it_is_run_again_and_again(lent: WatchedContext, tmp_path: Path) -> None:
    """Read to its end each time; the last line needs no line end, and is never the head of the next run's first."""
    made = program(lent, tmp_path, "printf '%s,0\\n7,' $$; printf 8", f"interval: 20ms, {LINE}")
    made.open()
    rows = values_of(read_some(made, 6))
    assert [row["b"] for row in rows[:6]] == [0, 8] * 3
    assert len({row["a"] for row in rows[0:6:2]}) == 3
    made.close()
    assert lent.counts == {}


def test_the_interval_is_kept(lent: WatchedContext, tmp_path: Path) -> None:
    """Not run before its time, however often it is read."""
    made = program(lent, tmp_path, "echo 1,2", f"interval: 1h, {LINE}")
    made.open()
    assert len(read_some(made, 1)) == 1
    for _ in range(20):
        assert rows_of(made.read(0.01)) == []
    made.close()


def test_an_end_without_an_interval_is_an_error_after_everything_was_read(lent: WatchedContext, tmp_path: Path) -> None:
    """With the exit status and what the program said last; half a line of a failed program is none."""
    made = program(lent, tmp_path, "echo 1,2; echo 'first' >&2; echo 'no such sensor' >&2; printf 3,4; exit 7")
    made.open()
    assert reads(made, "program: ended with exit status 7; it said: no such sensor$") == [{"a": 1, "b": 2}]
    assert lent.counts == {"unfinished_lines": 1}
    made.close()
    made = program(lent, tmp_path, "echo 1,2; printf 3,4")
    made.open()
    assert reads(made, "program: ended$") == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    made.close()


def test_a_failed_run_is_counted_with_its_status(lent: WatchedContext, tmp_path: Path) -> None:
    """And the next one is tried all the same; what it printed counts."""
    made = program(lent, tmp_path, "echo 1,2; echo oops >&2; kill -SEGV $$", f"interval: 20ms, {LINE}")
    made.open()
    read_some(made, 3)
    assert lent.counts["failed_runs"] >= 2
    assert lent.examples["failed_runs"] == "SIGSEGV; it said: oops"
    made.close()


def test_a_run_that_takes_too_long_is_ended(lent: WatchedContext, tmp_path: Path) -> None:
    """With everything it started, though that ignores being asked; half of its line is not the head of the next."""
    child = "trap '' TERM; echo $$ > pid; while :; do sleep 1; done"
    made = program(
        lent,
        tmp_path,
        f'sh -c "{child.replace("$", chr(92) + "$")}" & printf 9,9; wait',
        f"interval: 10ms, timeout: 500ms, directory: {tmp_path}, {LINE}",
    )
    made.open()
    seen = set()

    def twice() -> bool:
        assert rows_of(made.read(0.2)) == []
        if (tmp_path / "pid").exists() and (text := (tmp_path / "pid").read_text()).strip():
            seen.add(int(text))
        return lent.counts.get("timeouts", 0) >= 2

    until(twice, "two runs to be ended")
    assert lent.examples["timeouts"].startswith(str(tmp_path)[:60])
    made.close()
    assert len(seen) >= 2
    until(lambda: not any(alive(pid) for pid in seen), "the children to be gone")


ESCAPES = {
    "a process group of its own": "timeout 1000 sleep {}",
    "a session of its own": "setsid sleep {}",
    "a session, and parents that have ended": "(setsid sh -c 'sleep {} & exit' &)",
    "a session and no environment": "setsid env -i sleep {}",
    "no ear for SIGTERM": "setsid sh -c 'trap \"\" TERM; sleep {}'",
    "one child after the other": "setsid sh -c 'trap \"\" TERM; while :; do sleep {}; done'",
}


def sleeping(mark: str) -> list[int]:
    """Living ``sleep``s for so long, whoever started them."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"sleep") and words[1:2] == [mark.encode()] and alive(int(cmdline.parent.name)):
            found.append(int(cmdline.parent.name))
    return found


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("ending", ["timeout", "end", "stop"])
def test_nothing_is_left_whatever_it_made_for_itself(lent: WatchedContext, tmp_path: Path, escape: str, ending: str) -> None:
    """After a run that took too long, one that ended by itself, and one whose sensor is stopped."""
    mark = f"98.{os.getpid()}{time.time_ns() % 10**9:09}"
    wait = "until [ -e go ]; do sleep 0.01; done; exit" if ending == "end" else "wait"
    text = f"{ESCAPES[escape].format(mark)} >/dev/null 2>&1 &\necho 1,2\n{wait}"
    more = f"directory: {tmp_path}, {LINE}"
    made = program(lent, tmp_path, text, more if ending == "stop" else f"interval: 1h, timeout: 3s, {more}")
    made.open()
    read_some(made, 1)
    if ending != "timeout":
        until(lambda: sleeping(mark), "the child")
    (tmp_path / "go").touch()
    try:
        if ending == "stop":
            made.close()
        else:
            until(lambda: rows_of(made.read(0.05)) or made._run is None, "the end of the run")
        expected = escape == "a session and no environment" and ending == "end"
        assert bool(sleeping(mark)) is expected  # the one way out there is, and it is documented
    finally:
        made.close()
        for pid in sleeping(mark):
            os.kill(pid, signal.SIGKILL)


def test_nobody_elses_process_is_ended(lent: WatchedContext, tmp_path: Path) -> None:
    """A process of the test's own, and another run of the same program, live on."""
    other = subprocess.Popen(["sleep", "1000"])
    first = program(lent, tmp_path, "echo $$,2; exec sleep 1000")
    second = program(lent, tmp_path, "echo $$,2; exec sleep 1000")
    first.open()
    second.open()
    try:
        read_some(first, 1)
        pid = int(values_of(read_some(second, 1))[0]["a"])
        first.close()
        assert alive(pid)
        assert other.poll() is None
    finally:
        first.close()
        second.close()
        other.kill()
        other.wait()


def test_children_that_hold_the_output_do_not_hold_the_run(lent: WatchedContext, tmp_path: Path) -> None:
    """The program has ended: so has the run, and its child."""
    made = program(lent, tmp_path, "sleep 1000 & echo 1,$!", f"interval: 20ms, {LINE}")
    made.open()
    rows = values_of(read_some(made, 3))
    made.close()
    until(lambda: not any(alive(int(row["b"])) for row in rows), "the children to be gone")
    assert lent.counts == {}


def test_a_stop_wakes_it_and_ends_the_whole_group(lent: WatchedContext, tmp_path: Path) -> None:
    """A program that ignores SIGTERM included, within moments."""
    made = program(lent, tmp_path, "trap '' TERM\nsleep 1000 &\necho $$,$!\nwhile :; do wait; done")
    made.open()
    pids = [int(value) for value in values_of(read_some(made, 1))[0].values()]
    timer = threading.Timer(0.05, lent.wake)
    timer.start()
    began = time.monotonic()
    assert rows_of(made.read(3000.0)) == []
    made.close()
    assert time.monotonic() - began < 60
    timer.join()
    assert not alive(pids[0])
    until(lambda: not alive(pids[1]), "the child to be gone")


def test_a_program_that_stays_alive_without_output_is_told_of(lent: WatchedContext, tmp_path: Path) -> None:
    """It has closed its output; and a closed standard error alone is no reason to spin."""
    made = program(lent, tmp_path, "exec 2>&-; echo 1,2; exec >&-; sleep 1000")
    made.open()
    assert reads(made, "closed its output and went on") == [{"a": 1, "b": 2}]
    made.close()
    made = program(lent, tmp_path, "exec 2>&-; echo 1,2; exec sleep 1000")
    made.open()
    read_some(made, 1)
    began, used = time.monotonic(), time.process_time()
    while time.monotonic() - began < 0.3:
        assert rows_of(made.read(0.3)) == []
    assert time.process_time() - used < 0.2
    made.close()


def test_a_flood_is_read_in_bounded_pieces(lent: WatchedContext, tmp_path: Path) -> None:
    """Of output and of errors: nothing of it is kept, the order stays."""
    text = "import sys\nfor n in range(200000):\n    print(n, 0, sep=',')\n    if n % 20 == 0: print('x' * 200, file=sys.stderr)\nsys.exit(3)"
    made = program(lent, tmp_path, text, language=sys.executable)
    made.open()
    found = reads(made, "exit status 3; it said: xxx")
    assert [row["a"] for row in found] == list(range(200000))
    made.close()


def test_the_environment_and_the_directory_are_those_asked_for(lent: WatchedContext, tmp_path: Path) -> None:
    """Added to the daemon's own."""
    (tmp_path / "there").mkdir()
    made = program(
        lent,
        tmp_path,
        "basename $PWD >&2; echo $LEVEL,${#HOME}; exit 1",
        f"directory: there, environment: {{LEVEL: '5'}}, {LINE}",
    )
    made.open()
    assert reads(made, "it said: there") == [{"a": 5, "b": len(os.environ.get("HOME", ""))}]
    made.close()


def test_frames_and_words_work_as_on_a_port(lent: WatchedContext, tmp_path: Path) -> None:
    """Any format of the serial driver; a command as a list is taken word by word."""
    keys = {
        "driver": "command", "command": ["printf", r"\001\002\003\004"], "interval": "20ms",
        "format": {"type": "frame", "header": "01", "length": 4, "fields": {"n": {"at": 1, "type": "u16"}}},
    }  # fmt: skip
    made = lent.driver(tmp_path, json.dumps(keys)[1:-1])
    made.open()
    assert values_of(read_some(made, 2))[:2] == [{"n": 0x0203}] * 2
    made.close()


@pytest.mark.parametrize(
    ("command", "error", "hint"),
    [
        ("no-such-program-at-all", "no-such-program-at-all: no such program", "full path"),
        ("./plain", "permission denied", "chmod"),
        ("./binary", "Exec format error", "#!/bin/sh"),
        ("./orphan", "no such program", "full path"),
    ],
)
@pytest.mark.parametrize("interval", ["", "interval: 1s, "])
def test_what_cannot_be_run_says_why(
    lent: WatchedContext, tmp_path: Path, command: str, error: str, hint: str, interval: str
) -> None:
    """At the opening, or at the first run at the latest."""
    (tmp_path / "plain").write_text("x")
    (tmp_path / "binary").write_bytes(b"\x00\x01")
    (tmp_path / "binary").chmod(0o755)
    (tmp_path / "orphan").write_text("#!/no/such/interpreter\n")
    (tmp_path / "orphan").chmod(0o755)
    made = lent.driver(tmp_path, f"driver: command, command: {command}, {interval}{LINE}")
    with pytest.raises(DriverError) as caught:
        made.open()
        made.read(0.1)
    if not (interval and command == "./plain"):
        assert error in str(caught.value)
        assert hint in caught.value.hint
    made.close()


def test_many_runs_leak_nothing(lent: WatchedContext, tmp_path: Path) -> None:
    """No descriptor and no zombie after a hundred of them."""
    made = program(lent, tmp_path, "echo 1,2", f"interval: 1ms, {LINE}")
    made.open()
    read_some(made, 3)
    before = len(os.listdir("/proc/self/fd"))
    read_some(made, 100)
    made.close()
    assert len(os.listdir("/proc/self/fd")) <= before
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    assert not [pid for pid in children if not alive(int(pid))]
