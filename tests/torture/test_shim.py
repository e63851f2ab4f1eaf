"""Each fault of the shim really arrives in a process that uses SQLite, and nothing arrives that was not asked for."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.torture import shim

CHILD = """
import json, os, sqlite3, sys, time
path = sys.argv[1]
answer = {"clock": time.time(), "monotonic": time.monotonic(), "boottime": time.clock_gettime(time.CLOCK_BOOTTIME)}
answer["free"] = os.statvfs(os.path.dirname(path)).f_bavail * os.statvfs(os.path.dirname(path)).f_frsize
answer["sqlite_clock"] = sqlite3.connect(":memory:").execute("SELECT strftime('%s', 'now')").fetchone()[0]
answer["errors"] = []
conn = sqlite3.connect(path, isolation_level=None)
conn.execute("SELECT count(*) FROM t").fetchone()  # makes the -shm, which a full disk would deny, too
print(json.dumps("ready"), flush=True)
sys.stdin.readline()
for n in range(int(sys.argv[2])):
    try:
        conn.execute("BEGIN")
        conn.execute("INSERT INTO t VALUES (?)", (bytes(20_000),))
        conn.execute("COMMIT")
        answer["errors"].append("ok")
    except sqlite3.Error as error:
        answer["errors"].append(error.sqlite_errorname)
        if conn.in_transaction:
            conn.execute("ROLLBACK")
for name, action in (
    ("write", lambda: os.write(os.open(path + ".other", os.O_CREAT | os.O_WRONLY), bytes(1000))),
    ("rename", lambda: os.rename(path + ".other", path + ".renamed")),
    ("unlink", lambda: os.unlink(path + ".renamed")),
):
    try:
        answer[name] = action()
    except OSError as error:
        answer[name] = error.strerror
print(json.dumps(answer))
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[shim.Machine]:
    needs.tool("gcc", "gcc libc6-dev")
    (tmp_path / "data").mkdir()
    with shim.Machine(tmp_path / "machine.plan", tmp_path / "data", seed=1) as machine:
        yield machine


def child(machine: shim.Machine, times: int = 1, faults: Sequence[shim.Fault] = ()) -> dict[str, Any]:
    """What a process sees that commits so many times; ``faults`` begin when it has opened its database."""
    path = machine.prefix / "t.db"
    if not path.exists():
        with contextlib.closing(sqlite3.connect(path)) as conn:
            conn.execute("PRAGMA journal_mode = WAL")
            conn.execute("CREATE TABLE t(x)")
    machine.set(faults=[])
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(times)],
        env=os.environ | machine.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == "ready"
        machine.set(faults=faults)
        answer: dict[str, Any] = json.loads(process.communicate("go\n", timeout=60)[0])
    return answer


def test_without_faults_nothing_changes(machine: shim.Machine) -> None:
    """The clock is right, all is stored, other calls do what they should."""
    answer = child(machine)
    assert abs(answer["clock"] - time.time()) < 60
    assert answer["errors"] == ["ok"]
    assert (answer["write"], answer["rename"], answer["unlink"]) == (1000, None, None)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (("pwrite", "ENOSPC", 1000), "SQLITE_FULL"),
        (("pwrite", "GROW", 1000), "SQLITE_FULL"),
        (("pwrite", "EIO", 1000), "SQLITE_IOERR_WRITE"),
        (("fdatasync", "EIO", 1000), "SQLITE_IOERR_FSYNC"),
    ],
)
def test_a_fault_arrives_as_sqlite_tells_it(machine: shim.Machine, fault: shim.Fault, expected: str) -> None:
    """ENOSPC is SQLITE_FULL, EIO is SQLITE_IOERR, for all calls of the kind."""
    assert child(machine, 2, [fault])["errors"] == [expected] * 2


def test_short_writes_are_completed_by_sqlite_and_seen_by_others(machine: shim.Machine) -> None:
    """SQLite writes the rest of a short write; a plain write() returns half."""
    answer = child(machine, faults=[("pwrite", "SHORT", 500), ("write", "SHORT", 1000)])
    assert answer["errors"] == ["ok"]
    assert answer["write"] == 500


@pytest.mark.parametrize(
    ("call", "message"),
    [("write", "No space left on device"), ("rename", "Input/output error"), ("unlink", "Input/output error")],
)
def test_other_calls_fail_too(machine: shim.Machine, call: str, message: str) -> None:
    assert child(machine, faults=[(call, "ENOSPC" if call == "write" else "EIO", 1000)])[call] == message


def test_chance_depends_on_seed_and_number_of_the_call_alone(machine: shim.Machine) -> None:
    """Two runs with one seed fail alike, another seed fails otherwise; some fail and some do not."""
    faults = [("pwrite", "ENOSPC", 30)]
    first, second = child(machine, 40, faults)["errors"], child(machine, 40, faults)["errors"]
    machine.seed = 2
    other = child(machine, 40, faults)["errors"]
    assert first == second != other
    assert {"ok", "SQLITE_FULL"} == set(first)


def test_free_space_is_told_for_these_files_alone(machine: shim.Machine) -> None:
    machine.set(free_bytes=8_192)
    assert child(machine)["free"] == 8_192
    machine.heal()
    assert child(machine)["free"] > 8_192


def test_only_the_wall_clock_is_off(machine: shim.Machine) -> None:
    """Python and SQLite see the shifted clock; monotonic and boot time do not."""
    right = child(machine)
    machine.set(clock_s=-86_400 * 365)
    wrong = child(machine)
    assert abs(wrong["clock"] - right["clock"] + 86_400 * 365) < 60
    assert abs(int(wrong["sqlite_clock"]) - wrong["clock"]) < 60
    assert 0 < wrong["monotonic"] - right["monotonic"] < 60
    assert 0 < wrong["boottime"] - right["boottime"] < 60


def test_a_change_is_seen_by_a_process_that_runs(machine: shim.Machine) -> None:
    """The plan is read live, in both directions."""
    program = "import sys, time\nfor _ in sys.stdin: print(int(time.time()), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | machine.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        seen = []
        for shift in (0, 1_000_000, 0):
            machine.set(clock_s=shift)
            process.stdin.write("now\n")
            process.stdin.flush()
            seen.append(int(process.stdout.readline()) - time.time())
        process.stdin.close()
    assert [round(each / 1_000_000) for each in seen] == [0, 1, 0]
