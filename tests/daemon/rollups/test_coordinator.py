"""The edge protocol from the main thread's side, against a process and a writer that do what the test says.

Two kinds of process: a puppet (the test holds the other end of the channel) for orders, and real ones for signals.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.rollups import aggregator, child_process, messages, process
from sensorlogd.daemon.rollups.child_process import Child
from sensorlogd.daemon.rollups.coordinator import Coordinator, CoordinatorState
from sensorlogd.daemon.rollups.messages import Exit, Failed, Message, MessagePipe, Rows, RowsStored, RunDone, Work
from sensorlogd.daemon.rollups.rollup_run import GRACE_US
from sensorlogd.daemon.writing.between_commits.jobs import Superseded
from sensorlogd.daemon.writing.totals import WriterStats
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.rollups.edge import set_edge, stored_edge
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer
from tests.rig import until

T0 = 1_735_689_600_000_000  # 2025-01-01T00:00Z
NOW = T0 + 10 * MINUTE_US + GRACE_US
EDGE = T0 + 10 * MINUTE_US
HALF_A_MESSAGE = "tests.daemon.rollups.half_a_message"
DONE = RunDone(0.01, more=False, left=False)


class Process:
    """Stands for a child process: alive until the test or a kill ends it."""

    def __init__(self) -> None:
        self.pid = 1
        self.returncode: int | None = None

    def end(self, code: int) -> None:
        if self.returncode is None:
            self.returncode = code

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float) -> int:
        if self.returncode is None:
            raise subprocess.TimeoutExpired("puppet", timeout)
        return self.returncode

    def kill(self) -> None:
        self.end(-9)


class Puppet:
    """One life of the process, seen from inside."""

    def __init__(self) -> None:
        ours, theirs = (end.detach() for end in socket.socketpair())
        self.process = Process()
        self.child = Child(self.process, MessagePipe(theirs))
        self._channel = MessagePipe(ours)
        self.heard: list[Message] = []

    def say(self, message: Message) -> None:
        self._channel.send(message)

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # it is dead
            os.write(self._channel.fileno(), data)

    def hears(self) -> list[Message]:
        """What was said since the last time."""
        return self._channel.receive()

    def die(self) -> None:
        self._channel.close()
        self.process.end(1)

    def close(self) -> None:
        self._channel.close()
        self.process.end(0)
        assert self.child.reap()


@dataclass
class Db:
    """What the writer hands to a job."""

    conn: sqlite3.Connection
    frontier: Frontier
    token: int


@dataclass
class Job:
    name: str
    run: Callable[[Any], Any]
    token: int | None
    future: Future[Any] = field(default_factory=Future)


class ScriptedWriter:
    """Jobs wait until the test says what becomes of each; those that are done are done in the real database."""

    def __init__(self, path: Path) -> None:
        self.conn = connect_writer(path)
        self.db = Db(self.conn, Frontier(), 1)
        self.jobs: list[Job] = []
        self.events: list[tuple[str, str]] = []
        self.committed = 0
        self.edges: list[int] = []  # the stored edge after each job
        self.is_closed = False  # nothing is open: the file is set aside, or cannot be opened

    def submit(self, name: str, run: Any, *, transaction: bool = True, token: int | None = None) -> Future[Any]:
        assert transaction
        job = Job(name, run, token)
        self.jobs.append(job)
        return job.future

    def stats(self) -> WriterStats:
        return WriterStats(committed=self.committed)

    @property
    def open_token(self) -> int | None:
        return None if self.is_closed else self.db.token

    def emit(self, kind: str, sensor: str | None, detail: str) -> None:
        assert sensor is None
        self.events.append((kind, detail))

    def reopen(self) -> None:
        self.db = Db(self.conn, Frontier(), self.db.token + 1)

    def do(self, at: int = 0) -> str:
        """Run the job; the name of what was done."""
        job = self.jobs.pop(at)
        if job.token not in (None, self.db.token):
            job.future.set_exception(Superseded())
            return "superseded"
        self.conn.execute("BEGIN IMMEDIATE")
        result = job.run(self.db)
        self.conn.execute("COMMIT")
        self.edges.append(self.edge())
        job.future.set_result(result)
        return job.name

    def fail(self, error: Exception) -> None:
        self.jobs.pop(0).future.set_exception(error)

    def edge(self) -> int:
        return stored_edge(self.conn)

    def rollups(self) -> list[int]:
        return [start for (start,) in self.conn.execute("SELECT start FROM rollup ORDER BY start")]


class Rig:
    """A coordinator whose process, writer and clocks are the test's."""

    def __init__(self, fresh: Path, folder: Path) -> None:
        self.writer = ScriptedWriter(Path(shutil.copy(fresh, folder / "log.db")))
        set_edge(self.writer.conn, T0)
        self.writer.db.frontier.edge_us = T0
        self.now_us = NOW
        self.steady = 1000.0
        self.wakes = 0
        self.puppets: list[Puppet] = []
        self.refused: list[OSError] = []  # what the next starts raise
        self.real: Callable[[Path], Child] | None = None  # starts a real process in place of a puppet
        self.coordinator = Coordinator(
            self.writer,
            folder / "log.db",
            60.0,
            "UTC",
            lambda: self.now_us,
            wake=self._wake,
            start_child=self._start,
            monotonic=lambda: self.steady,
            backoff=Backoff(random.Random(1), first_s=1.0, quick_s=5.0, quick_for=5, cap_s=60.0),
        )

    def _wake(self) -> None:
        self.wakes += 1

    def _start(self, path: Path) -> Child:
        if self.refused:
            raise self.refused.pop(0)
        if self.real is not None:
            return self.real(path)
        self.puppets.append(Puppet())
        return self.puppets[-1].child

    @property
    def puppet(self) -> Puppet:
        return self.puppets[-1]

    def tick(self, seconds: float = 0.0) -> CoordinatorState:
        self.steady += seconds
        self.coordinator.on_readable()
        self.coordinator.tick()
        return self.coordinator.state

    def begin(self) -> list[Message]:
        """A run, up to where the process works; what it was told."""
        self.coordinator.request()
        self.tick(5.0)
        assert self.writer.do() == "roll-up edge"
        assert self.tick() is CoordinatorState.WORKING
        return self.puppet.hears()

    def finish(self) -> None:
        """The run under way ends well, and so does each that follows at once."""
        for _ in range(10):
            if self.coordinator.state is CoordinatorState.IDLE and not self.coordinator.wanted:
                return
            self.tick(5.0)
            if self.coordinator.state is CoordinatorState.WORKING:
                self.puppet.say(DONE)
                self.tick()
            while self.writer.jobs:
                self.writer.do()
            self.tick()
        raise AssertionError(f"still {self.coordinator.state}")

    def close(self) -> None:
        self.coordinator.stop(0.0)
        for puppet in self.puppets:
            puppet.close()
        self.writer.conn.close()


@pytest.fixture
def rig(fresh: Path, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(fresh, tmp_path)
    yield made
    made.close()


def row(minute: int) -> tuple[Any, ...]:
    """A roll-up row of that minute after T0."""
    return (1, 60, T0 + minute * MINUTE_US, 1, *[None] * 14, 1, 0, 0, 0, 0, *[None] * 4)


def rows(*minutes: int) -> Rows:
    return Rows([row(minute) for minute in minutes])


# ---- the protocol ------------------------------------------------------------------------------------------------------


def test_a_run_is_edge_snapshot_rows_edge(rig: Rig) -> None:
    """No snapshot before the writer has the edge; one slice of rows at a time; the stored edge moves last."""
    rig.coordinator.request()
    assert rig.wakes == 1
    assert rig.tick() is CoordinatorState.EDGE
    rig.tick(30.0)
    assert rig.puppet.hears() == []
    assert rig.writer.do() == "roll-up edge"
    assert rig.writer.db.frontier.edge_us == EDGE
    assert rig.tick() is CoordinatorState.WORKING
    assert rig.puppet.hears() == [Work(T0, EDGE, "UTC")]
    for minute in (0, 1):
        rig.puppet.say(rows(minute))
        rig.tick()
        assert rig.puppet.hears() == []
        assert rig.writer.do() == "roll-up rows"
        rig.tick()
        (answer,) = rig.puppet.hears()
        assert isinstance(answer, RowsStored)
        assert 0 < answer.seconds < 60
    rig.puppet.say(DONE)
    assert rig.tick() is CoordinatorState.FINISHING
    assert rig.writer.edge() == T0
    assert rig.writer.do() == "roll-up finish"
    assert rig.tick() is CoordinatorState.IDLE
    assert rig.writer.edges == [T0, T0, T0, EDGE]
    assert (rig.writer.rollups(), rig.coordinator.runs) == ([T0, T0 + MINUTE_US], 1)
    assert rig.writer.events == []


def test_every_settled_job_wakes_the_loop(rig: Rig) -> None:
    """Else it would wait for its next turn."""
    rig.begin()
    before = rig.wakes
    rig.puppet.say(rows(0))
    rig.tick()
    rig.writer.do()
    assert rig.wakes == before + 1


def test_a_clock_that_was_set_back_lowers_the_edge_in_memory_only_after_the_commit(rig: Rig) -> None:
    """Until then what arrives between the two is marked; if the commit fails, it must have been."""
    rig.finish()
    rig.begin()
    rig.finish()
    assert rig.writer.db.frontier.edge_us == EDGE
    rig.now_us -= 5 * MINUTE_US
    rig.coordinator.request()
    rig.tick(5.0)
    job = rig.writer.jobs[0]
    rig.writer.conn.execute("BEGIN IMMEDIATE")
    job.run(rig.writer.db)
    rig.writer.conn.execute("ROLLBACK")
    assert rig.writer.db.frontier.edge_us == EDGE
    rig.writer.do()
    rig.tick()
    assert rig.writer.db.frontier.edge_us == rig.writer.edge() == EDGE - 5 * MINUTE_US


@pytest.mark.parametrize("step", ["edge", "rows", "finish"])
def test_a_step_that_the_database_refuses_is_told_once_and_repeated(rig: Rig, step: str) -> None:
    """Whatever the step; the roll-ups get there in the end."""
    for _ in range(2):
        if step == "edge":
            rig.coordinator.request()
            rig.tick(60.0)
        else:
            rig.tick(60.0)
            rig.begin()
            rig.puppet.say(rows(0) if step == "rows" else DONE)
            rig.tick()
        rig.writer.fail(sqlite3.OperationalError("disk I/O error"))
        assert rig.tick() in (CoordinatorState.IDLE, CoordinatorState.DOWN)
        assert rig.writer.edge() == T0
    assert rig.writer.events == [("aggregator_failed", f"{step}: disk I/O error")]
    rig.tick(60.0)
    rig.finish()
    assert (rig.writer.edge(), rig.coordinator.last_error) == (EDGE, "")


def test_a_writer_that_ends_cancels_without_an_exception(rig: Rig) -> None:
    """A future that is cancelled raises when asked for its error."""
    rig.coordinator.request()
    rig.tick()
    rig.writer.jobs.pop().future.cancel()
    assert rig.tick() is CoordinatorState.IDLE
    assert rig.coordinator.last_error == "edge: the writer ended"


def test_what_the_process_could_not_do_is_told_and_tried_at_its_next_turn(rig: Rig) -> None:
    """It stays: an error of the snapshot is none of the process."""
    rig.begin()
    rig.puppet.say(Failed("OperationalError: disk I/O error"))
    assert rig.tick() is CoordinatorState.IDLE
    assert not rig.coordinator.wanted
    assert rig.writer.events == [("aggregator_failed", "OperationalError: disk I/O error")]
    rig.tick(61.0)
    rig.finish()
    assert (rig.writer.edge(), len(rig.puppets)) == (EDGE, 1)


@pytest.mark.parametrize("step", ["rows", "finish"])
def test_another_database_is_open(rig: Rig, step: str) -> None:
    """Nothing of the run is stored there, nobody is told, and a new run begins with the new database's edge."""
    rig.begin()
    rig.puppet.say(rows(0) if step == "rows" else DONE)
    rig.tick()
    rig.writer.reopen()
    assert rig.writer.do() == "superseded"
    assert rig.tick() is CoordinatorState.IDLE
    assert rig.coordinator.wanted
    assert len(rig.puppets) == (2 if step == "rows" else 1)  # it was computing on a snapshot of the former file
    assert (rig.writer.events, rig.coordinator.last_error, rig.writer.rollups()) == ([], "", [])
    rig.finish()
    assert (rig.writer.edge(), rig.writer.db.frontier.edge_us) == (EDGE, EDGE)


@pytest.mark.parametrize("waits", [False, True])
def test_nothing_is_open_any_more(rig: Rig, waits: bool) -> None:
    """The process is ended at once, also while it waits for the writer: its snapshot locks the file that the writer wants to open."""
    rig.begin()
    if waits:
        rig.puppet.say(rows(0))
        rig.tick()
    rig.writer.is_closed = True
    assert rig.tick() is CoordinatorState.IDLE
    assert rig.puppets[0].process.returncode == -9
    assert (rig.writer.events, rig.coordinator.last_error) == ([], "")
    rig.writer.is_closed = False
    rig.writer.reopen()
    rig.writer.db.frontier.edge_us = rig.writer.edge()
    rig.finish()
    assert rig.writer.edge() == EDGE


# ---- a process that misbehaves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\3abc",
        messages.encode(Exit()),
        messages.encode(RowsStored(1.0)),
        messages.encode(rows(0)) * 2,
    ],
    ids=["size", "garbage", "exit", "stored", "two at once"],
)
def test_a_process_that_talks_nonsense_is_replaced(rig: Rig, data: bytes) -> None:
    """It is killed, told of once, and what it sent before is not stored any more."""
    rig.begin()
    rig.puppet.write(data)
    assert rig.tick() is CoordinatorState.DOWN
    assert rig.puppet.process.returncode == -9
    while rig.writer.jobs:
        rig.writer.do()
    rig.tick(6.0)
    rig.finish()
    assert len(rig.writer.events) == 1
    assert (rig.writer.rollups(), rig.writer.edge(), len(rig.puppets)) == ([], EDGE, 2)


def test_a_process_that_speaks_unasked_is_replaced(rig: Rig) -> None:
    """Outside a run there is nothing for it to say."""
    rig.finish()
    assert rig.coordinator.state is CoordinatorState.IDLE
    rig.puppet.say(DONE)
    assert rig.tick() is CoordinatorState.DOWN
    assert rig.coordinator.last_error == "the aggregator said RunDone out of turn"


def test_a_process_that_gives_no_answer_is_hung_but_not_while_the_writer_has_its_rows(rig: Rig) -> None:
    """A database that is blocked for a day is nothing the process could help."""
    rig.begin()
    rig.puppet.say(rows(0))
    rig.tick()
    assert rig.tick(2 * aggregator.HUNG_AFTER_S) is CoordinatorState.WORKING
    rig.writer.do()
    assert rig.tick() is CoordinatorState.WORKING
    assert rig.tick(aggregator.HUNG_AFTER_S - 1) is CoordinatorState.WORKING
    assert rig.tick(2) is CoordinatorState.DOWN
    assert rig.writer.events == [("aggregator_failed", "the aggregator gave no answer for 900 s")]


def test_a_process_that_stops_in_the_middle_of_a_message_is_hung_sooner(rig: Rig) -> None:
    """As long as bytes come it is slow; then it is stopped."""
    rig.begin()
    data = messages.encode(rows(*range(1000)))
    for byte in range(3):
        rig.puppet.write(data[byte : byte + 1])
        assert rig.tick(aggregator.STALLED_AFTER_S - 1) is CoordinatorState.WORKING
    assert rig.tick(aggregator.STALLED_AFTER_S + 1) is CoordinatorState.DOWN
    assert rig.coordinator.last_error == "the aggregator stopped in the middle of a message for 60 s"


def test_a_process_that_cannot_be_started_costs_itself_only(rig: Rig) -> None:
    """It is told once, tried again ever more slowly, and nothing is raised."""
    rig.refused = [OSError(errno.EMFILE, "Too many open files")] * 8
    begun = rig.steady
    tried = []
    while rig.refused:
        left = len(rig.refused)
        assert rig.tick(0.1) is CoordinatorState.DOWN
        if len(rig.refused) < left:
            tried.append(rig.steady)
    pauses = [after - before for before, after in zip([begun, *tried], tried, strict=False)]
    assert pauses[1] < 1.2
    assert 5 < pauses[-1] <= 60
    assert rig.coordinator.waitables() == []
    assert rig.writer.events == [("aggregator_failed", "the aggregator cannot be started: [Errno 24] Too many open files")]
    rig.tick(60.0)
    rig.finish()
    assert (rig.coordinator.last_error, rig.coordinator.restarts) == ("", 0)


# Where in a run of two slices something happens.
PLACES = ["before the edge", "before the work", "computing", "storing", "stored", "done", "finished"]


def _run(rig: Rig, stop_at: int) -> None:
    """One run, up to that place."""
    for place in PLACES[: stop_at + 1]:
        if place == "before the edge":
            rig.coordinator.request()
            rig.tick(5.0)
        elif place in ("before the work", "stored", "finished"):
            rig.writer.do()
        elif place == "storing":
            rig.puppet.say(rows(0))
        elif place == "done":
            rig.puppet.say(DONE)
        if place not in ("before the work", "finished"):
            rig.tick()


@pytest.mark.parametrize("place", range(len(PLACES)), ids=PLACES)
@pytest.mark.parametrize("job_first", [False, True])
def test_a_process_that_dies_anywhere_is_replaced_and_the_block_repeated(rig: Rig, place: int, job_first: bool) -> None:
    """Whether its last job is run before or after its death is seen; after it, that job does nothing."""
    rig.tick(5.0)
    rig.finish()
    set_edge(rig.writer.conn, T0)
    rig.writer.edges.clear()
    _run(rig, place)
    rig.puppet.die()
    if job_first and rig.writer.jobs:
        rig.writer.do()
    assert rig.tick() is CoordinatorState.DOWN
    before = rig.writer.conn.total_changes, rig.writer.edge()
    while rig.writer.jobs:
        rig.writer.do()
    assert (rig.writer.conn.total_changes, rig.writer.edge()) == before
    assert rig.tick() is CoordinatorState.DOWN
    assert len(rig.writer.events) == 1
    rig.tick(6.0)
    rig.finish()
    assert (rig.writer.edge(), rig.coordinator.last_error, len(rig.puppets)) == (EDGE, "", 2)


class Disorder:
    """Anything may happen next; whatever did, the laws hold, and once it is over the roll-ups get there."""

    ACTIONS = ("tick", "long tick", "do", "do", "fail", "reopen", "rows", "done", "failed", "die", "garbage", "half", "refuse")

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.minute = 0

    def act(self, action: str) -> None:
        rig, puppet = self.rig, self.rig.puppets[-1] if self.rig.puppets else None
        if action in ("tick", "long tick"):
            rig.tick(0.5 if action == "tick" else 30.0)
        elif action == "do" and rig.writer.jobs:
            rig.writer.do()
        elif action == "fail" and rig.writer.jobs:
            rig.writer.fail(sqlite3.OperationalError("locked"))
        elif action == "reopen":
            rig.writer.reopen()
            rig.writer.db.frontier.edge_us = rig.writer.edge()
        elif action == "refuse":
            rig.refused = [OSError(errno.ENOMEM, "no memory")]
        elif puppet is not None:
            self.minute += 1
            if action == "die":
                puppet.die()
            elif action == "rows":
                puppet.say(rows(self.minute))
            elif action in ("done", "failed"):
                puppet.say(DONE if action == "done" else Failed("no"))
            else:
                puppet.write(b"\0\0\0\1x" if action == "garbage" else b"\0\0")


@settings(max_examples=60)
@given(st.lists(st.sampled_from(Disorder.ACTIONS), max_size=40))
def test_whatever_the_order_nothing_is_raised_and_it_ends_well(
    fresh: Path, tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    """The edge in memory is never behind the stored one; a run is never finished but by its own last step."""
    rig = Rig(fresh, tmp_path_factory.mktemp("disorder"))
    try:
        disorder = Disorder(rig)
        for action in actions:
            disorder.act(action)
            assert rig.writer.db.frontier.edge_us >= rig.writer.edge()
            waiting = [job.name for job in rig.writer.jobs if not job.future.done()]
            assert len(waiting) - len(set(waiting)) <= len(rig.puppets)
        rig.refused = []
        while rig.writer.jobs:
            rig.writer.do()
        rig.tick()
        if rig.coordinator.state is CoordinatorState.WORKING:  # what it has said so far may be anything
            rig.puppet.die()
        rig.tick(60.0)
        rig.coordinator.request()
        rig.finish()
        assert rig.writer.edge() == EDGE
        assert rig.coordinator.last_error == ""
    finally:
        rig.close()


# ---- stopping, and real processes --------------------------------------------------------------------------------------


def test_stop_asks_one_that_waits_and_kills_one_that_computes(rig: Rig) -> None:
    """And nothing is started after it."""
    rig.begin()
    rig.coordinator.stop()
    assert rig.puppet.process.returncode == -9
    rig.coordinator.request()
    assert rig.tick(1000.0) is CoordinatorState.DOWN
    assert (len(rig.puppets), rig.writer.jobs) == (1, [])
    rig.coordinator.stop()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _real(rig: Rig, after: str) -> int:
    rig.real = lambda _: child_process.start(HALF_A_MESSAGE, after)
    rig.tick()
    assert rig.coordinator.pid is not None
    return rig.coordinator.pid


def test_a_process_stopped_in_the_middle_of_a_message_holds_up_neither_the_loop_nor_the_end(rig: Rig) -> None:
    """SIGTERM would wait for a SIGCONT that never comes."""
    pid = _real(rig, "stop")
    until(lambda: _state(pid) == "T", "the process to stop")
    began = time.monotonic()
    for _ in range(20):
        rig.tick()
    assert time.monotonic() - began < 1.0
    began = time.monotonic()
    rig.coordinator.stop(1.0)
    assert time.monotonic() - began < 2.0
    assert not Path(f"/proc/{pid}").exists()


def test_a_stopped_process_that_is_hung_is_replaced_without_waiting(rig: Rig) -> None:
    """The loop goes on while the kernel ends it."""
    pid = _real(rig, "stop")
    until(lambda: _state(pid) == "T", "the process to stop")
    rig.tick()
    began = time.monotonic()
    assert rig.tick(aggregator.STALLED_AFTER_S + 1) is CoordinatorState.DOWN
    assert time.monotonic() - began < 1.0
    until(lambda: rig.tick() and not Path(f"/proc/{pid}").exists(), "its end to be noticed")


def test_a_process_that_waits_ends_by_itself(rig: Rig) -> None:
    """No kill is needed, and none of its deadline is waited for."""
    _real(rig, "wait")
    ours = rig.coordinator._aggregator._child
    assert ours is not None
    killed: list[bool] = []
    ours.kill = lambda: killed.append(True)  # type: ignore[method-assign]  # to see whether it is called
    rig.coordinator.stop(60.0)
    assert killed == []


def test_the_process_ends_with_one_that_is_killed(tmp_path: Path) -> None:
    """A daemon that is killed can ask for nothing any more."""
    code = """if True:
        import sys, time
        from pathlib import Path
        from sensorlogd.daemon.rollups.aggregator import start_aggregator
        child = start_aggregator(Path(sys.argv[1]))
        print(child.pid, flush=True)
        time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "no.db")], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        assert _state(pid) != "Z"
        daemon.kill()
        until(lambda: not Path(f"/proc/{pid}").exists() or _state(pid) == "Z", "it to end")


def test_a_start_without_descriptors_leaves_nothing(tmp_path: Path) -> None:
    """Whichever of the descriptors of a process is the one that is missing."""
    from tests.daemon.control.test_control import descriptors_left

    first = child_process.start(HALF_A_MESSAGE, "wait")  # what is opened once for all is open now
    first.kill()
    assert first.wait(30.0)
    for most in range(4):  # two of the channel, two by which Popen hears of a failure
        open_before = set(os.listdir("/proc/self/fd"))
        with descriptors_left(most), pytest.raises(OSError, match="Too many open files"):
            child_process.start(HALF_A_MESSAGE, "wait")
        assert set(os.listdir("/proc/self/fd")) == open_before


def test_the_real_process_rolls_up_what_is_there(rig: Rig) -> None:
    """Two runs, for the second of which nothing is left; then it ends when it is asked."""
    conn = rig.writer.conn
    conn.execute("INSERT INTO sensor(id, name, driver, created_us) VALUES (1, 's', 'd', 0)")
    conn.execute(
        "INSERT INTO series(id, sensor_id, channel, kind, heartbeat_us, created_us) VALUES (1, 1, 'c', 'gauge', 5000000, 0)"
    )
    conn.executemany("INSERT INTO recent VALUES (?, 1, ?, 1)", [(T0 + n * 1_000_000, float(n)) for n in range(600)])
    rig.real = aggregator.start_aggregator

    def run_ended(runs: int) -> bool:
        rig.coordinator.on_readable()
        rig.tick(0.001)
        while rig.writer.jobs:
            rig.writer.do()
        return rig.coordinator.runs == runs

    for runs in (1, 2):
        rig.coordinator.request()
        rig.steady += 5.0
        until(partial(run_ended, runs), f"{runs} runs")
    found = conn.execute("SELECT start, n, mean FROM rollup WHERE resolution = 60 ORDER BY start").fetchall()
    assert found == [(T0 + n * MINUTE_US, 60, 60.0 * n + 29.5) for n in range(10)]
    assert (rig.writer.edge(), rig.writer.events) == (EDGE, [])
    rig.coordinator.stop(30.0)


class Line:
    """The aggregator's end: remembers what was sent and acknowledges it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        messages.encode(message)
        self.sent.append(message)

    def receive(self) -> Message:
        return RowsStored(0.01)


def test_rows_that_are_too_long_for_one_message_go_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, and the marks with the last of them: they hold once all is stored."""
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 2000)
    line = Line()
    sender = process._Sender(line)  # type: ignore[arg-type]  # has what a ChildEnd is used for here
    long = [(1, 60, n, f"{n}" * 50) for n in range(40)]
    sender._send_rows(long, [(1, 60, 99)], [(1, 0, 1)], [])
    sent = [message for message in line.sent if isinstance(message, Rows)]
    assert len(sent) == 3
    assert [row for message in sent for row in message.rows] == long
    assert [list(message.marks) for message in sent] == [[]] * (len(sent) - 1) + [[(1, 0, 1)]]
    assert [list(message.deletes) for message in sent] == [[]] * (len(sent) - 1) + [[(1, 60, 99)]]
    with pytest.raises(messages.TooLarge):
        sender._send_rows([(1, 60, 0, "x" * 3000)], [], [], [])
