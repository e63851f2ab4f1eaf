"""Sensor threads: whatever a driver does, it costs its own sensor only, and is told once."""

from __future__ import annotations

import errno
import math
import os
import random
import termios
import threading
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.sensing import sensor_thread
from sensorlogd.daemon.sensing.driver_calls import HUNG_US
from sensorlogd.daemon.sensing.driver_result import WANTED
from sensorlogd.daemon.sensing.outage import CAUSES, Allowance, Outage
from sensorlogd.daemon.sensing.sensor_status import MOVES, SensorState
from sensorlogd.daemon.sensing.sensor_thread import STEADY_SAMPLES
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError, EndOfData
from sensorlogd.quality import Test as QualityTest
from sensorlogd.stamping.judging import TimeLimits
from tests.daemon import fakes
from tests.daemon.fakes import DEADLINE, FakeClock, Gate, Rig, S, Script
from tests.rig import until


def sample(value: float = 1.0) -> list[Sample]:
    return [Sample(None, {"x": value})]


def test_readings_reach_the_inbox() -> None:
    now = FakeClock().now_us()
    script = Script(sample(1), [Sample(now + 5, {"x": 2.0}), Sample(None, {"x": math.nan})], Batch([7], {"x": [3.0]}, True))
    with Rig(script) as rig:
        until(lambda: rig.inbox.depth == 4, "four readings")
        columns = [(c.times_us, c.values) for block in rig.blocks() for c in block.columns]
        assert columns == [([now], [1.0]), ([now + 5, now + 6], [2.0, None]), ([7], [3.0])]
        assert rig.state() is SensorState.READING
        assert rig.events == [("connected", "")]
        status = rig.thread.status()
        assert (status.last_reading_us, status.last_error, status.counters) == (now, None, {"attempts": 1})
    assert rig.state() is SensorState.STOPPED
    assert (script.made, script.opened, script.closed) == (1, 1, 1)


def test_readings_of_an_unsynchronised_clock_are_marked() -> None:
    rig = Rig(Script(sample()))
    rig.synced = False
    with rig:
        until(lambda: rig.inbox.depth, "a reading")
    quality = rig.blocks()[0].columns[0].quality
    assert isinstance(quality, int)
    assert quality & QualityTest.CLOCK_UNSYNCED


def test_a_device_whose_clock_is_wrong_loses_its_time_only() -> None:
    """Stored on arrival, marked, counted, told once."""
    now = FakeClock().now_us()
    script = Script(*[Batch([ts], {"x": [1.0]}, device_time=True) for ts in (0, 5, now)])
    with Rig(script, time_limits=TimeLimits(earliest_us=now - S)) as rig:
        until(lambda: rig.inbox.depth == 3, "three readings")
        blocks = rig.blocks()
        assert [block.device_time for block in blocks] == [False, False, True]
        assert [column.times_us for block in blocks for column in block.columns] == [[now], [now + 1], [now]]
        assert [kind for kind, _ in rig.events] == ["bad_time", "connected"]
        assert rig.thread.status().counters == {"attempts": 1, "bad_time": 2}


def test_what_the_spike_test_holds_back_is_stored_at_the_end() -> None:
    """The newest reading waits for its successor, but not beyond the session."""
    with Rig(Script(sample(1), sample(2)), options=ChannelOptions(spike=5.0)) as rig:
        until(lambda: rig.inbox.depth == 1, "the first reading")
    assert [column.values for block in rig.blocks() for column in block.columns] == [[1.0], [2.0]]


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even that")


TROUBLE: list[tuple[BaseException, str]] = [
    (DriverError("/dev/ttyUSB0: busy", "stop the other program"), "/dev/ttyUSB0: busy; stop the other program"),
    (DriverError("no\nsuch\nport"), "no such port"),
    (OSError(errno.EIO, "Input/output error"), "OSError: [Errno 5] Input/output error"),
    (termios.error(5, "Input/output error"), "error: (5, 'Input/output error') (fakes.py:"),
    (TypeError("'NoneType' object"), "TypeError: 'NoneType' object (fakes.py:"),
    (ValueError("x" * 10_000), "ValueError: " + "x" * 300 + " (fakes.py:"),
    (AssertionError(), "AssertionError (fakes.py:"),
    (MemoryError(), "MemoryError (fakes.py:"),
    (SystemExit(1), "SystemExit: 1 (fakes.py:"),
    (KeyboardInterrupt(), "KeyboardInterrupt (fakes.py:"),
    (StopIteration(), "StopIteration (fakes.py:"),
    (Broken(), "Broken (fakes.py:"),
]


@pytest.mark.parametrize("where", ["open", "read"])
@pytest.mark.parametrize(("error", "words"), TROUBLE, ids=lambda value: type(value).__name__)
def test_whatever_a_driver_raises_the_sensor_comes_back(error: BaseException, words: str, where: str) -> None:
    script = Script(sample(), opening=[error]) if where == "open" else Script(error, sample())
    with Rig(script) as rig:
        rig.until_event("connected")
        assert rig.kinds() == ["lost", "connected"]
        assert rig.events[0][1].startswith(words)
        assert rig.events[1][1].startswith("readings again after ")
        assert rig.thread.status().last_error is None
        assert rig.thread.status().counters["reconnects"] == 1
    assert (script.made, script.opened, script.closed) == (2, 2, 2)


def waits_for_room(rig: Rig) -> bool:
    return bool(rig.inbox._room._waiters)  # type: ignore[attr-defined]  # no public way to see it, and no sleep instead


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("not even that")


NONSENSE: list[tuple[Any, str]] = [
    (5, "5 (int), which is no list"),
    (0, "0 (int), which is no list"),
    ("hello", "'hello' (str), which is no list"),
    ({"x": 1.0}, "{'x': 1.0} (dict), which is no list"),
    (Unshowable(), "<Unshowable instance at "),
    ((reading for reading in sample()), "<generator "),
    (sample()[0], "one sample without a list around it: Sample(time_us=None, values={'x': 1.0}) (Sample)"),
    (["text"], "a list whose entry 0 is no Sample: 'text' (str)"),
    ((*sample(), (None, {"x": 1.0})), "a tuple whose entry 1 is no Sample: (None, {'x': 1.0}) (tuple)"),
    ([Sample(None, 21.5)], "a Sample whose values are no mapping of channels to numbers: 21.5 (float)"),  # type: ignore[arg-type]  # wrong on purpose
    ([Sample("now", {"x": 1.0})], "a Sample whose time is 'now' (str); a time is an integer, microseconds"),  # type: ignore[arg-type]  # wrong on purpose
    ([Sample(1.5, {"x": 1.0})], "a Sample whose time is 1.5 (float)"),  # type: ignore[arg-type]  # wrong on purpose
    ([Sample(True, {"x": 1.0})], "a Sample whose time is True (bool)"),
]


@pytest.mark.parametrize(("nonsense", "words"), NONSENSE, ids=lambda value: type(value).__name__)
def test_a_driver_that_returns_nonsense_is_a_driver_that_failed(nonsense: Any, words: str) -> None:
    """It is said what came of which file, and what should have."""
    with Rig(Script(lambda context: nonsense, sample())) as rig:
        rig.until_event("connected")
        assert rig.kinds() == ["lost", "connected"]
        told = rig.events[0][1]
        assert told.startswith(f"ScriptedDriver.read() in {fakes.__file__} returned {words}")
        assert told.endswith(f"; {WANTED}")


@pytest.mark.parametrize("nothing", [None, [], (), deque(), Batch([], {})], ids=lambda value: type(value).__name__)
def test_a_driver_may_return_nothing_in_several_ways(nothing: Any) -> None:
    with Rig(Script(nothing, deque(sample()))) as rig:
        rig.until_event("connected")
        assert rig.kinds() == ["connected"]


def test_a_driver_that_cannot_be_made_is_tried_again() -> None:
    script, attempts = Script(sample()), []

    def make(context: DriverContext) -> Driver:
        attempts.append(1)
        if len(attempts) < 3:
            raise ImportError("no module named 'smbus2'")
        return script.driver(context)

    with Rig(script, make_driver=make) as rig:
        assert rig.until_event("connected").endswith(", 2 attempts")
        assert rig.events[0][0] == "lost"
        assert "no module named 'smbus2'" in rig.events[0][1]


def test_a_driver_that_fails_in_close_is_closed_enough() -> None:
    class Stubborn(Driver):
        def open(self) -> None:
            raise DriverError("gone")

        def read(self, timeout_s: float) -> list[Sample]:
            return []

        def close(self) -> None:
            raise SystemExit("never")

    with Rig(Script(), make_driver=lambda context: Stubborn(None, context)) as rig:
        until(lambda: rig.thread.status().counters.get("attempts", 0) > 3, "several attempts")
        assert rig.events == [("lost", "gone")]


def test_each_cause_is_told_once_in_an_outage_and_again_in_the_next() -> None:
    gone, none = DriverError("/dev/x: gone"), DriverError("/dev/x: no such port")
    script = Script(sample(), gone, opening=[None, none, none, gone, none, none])
    with Rig(script) as rig:
        until(lambda: script.opened >= 7, "attempts")
        rig.until_reads()
        assert rig.kinds() == ["connected", "lost", "lost"]
        script.then(sample(), gone)
        assert rig.until_event("connected", 2).endswith(", 6 attempts")
        rig.until_event("lost", 3)


def test_numbers_make_no_new_cause_and_there_is_an_end_to_causes() -> None:
    outage = Outage()
    assert outage.note_cause("no answer from 0x7f12ab after 3 s", 5)
    assert not outage.note_cause("no answer from 0x7e99 after 12 s", 6)
    assert outage.since_us == 5
    news = [outage.note_cause(f"cause {'x' * n}", 7) for n in range(50)]
    assert sum(news) == CAUSES - 1


def test_a_sensor_that_comes_and_goes_does_not_fill_the_event_table() -> None:
    """A reading, a crash, a reading, a crash ...: events end, readings do not."""
    script = Script(*[sample(), ValueError("crash")] * 300)
    with Rig(script) as rig:
        until(script.done, "all crashes")
        rig.until_reads()
        assert len(rig.events) == 60
        assert rig.inbox.depth == 300
        assert isinstance(rig.clock, FakeClock)
        rig.clock.advance(60 * S)
        script.then(sample(), ValueError("crash"))
        until(lambda: len(rig.events) == 61, "one more a minute")
        assert "events before this one were too many to record" in rig.events[-1][1]


def test_the_allowance_grows_back() -> None:
    clock = FakeClock()
    allowance = Allowance(clock.monotonic_us, burst=2, every_us=10)
    assert [allowance.take() for _ in range(4)] == [0, 0, None, None]
    clock.advance(9)
    assert allowance.take() is None
    clock.advance(1)
    assert [allowance.take(), allowance.take()] == [3, None]
    clock.advance(10_000)
    assert [allowance.take() for _ in range(3)] == [1, 0, None]


# ---- silence -------------------------------------------------------------------------------------------------------


def test_silence_is_stale_and_the_port_is_opened_anew() -> None:
    clock, script = FakeClock(), Script(sample())
    with Rig(script, clock=clock) as rig:
        rig.until_event("connected")
        clock.advance(10 * S)
        rig.until_reads()
        assert rig.state() is SensorState.READING, "exactly a heartbeat is not late"
        clock.advance(1)
        rig.until_state(SensorState.STALE)
        since = rig.thread.status().since_us
        assert rig.until_event("stale") == "no reading for 10s"
        assert rig.thread.status().last_error == "no reading for 10s"
        assert script.opened == 1
        clock.advance(20 * S)
        until(lambda: script.opened == 2, "the port to be opened anew")
        rig.until_reads()
        clock.advance(31 * S)
        until(lambda: script.opened == 3, "the port to be opened anew again")
        assert rig.state() is SensorState.STALE, "still the same silence"
        assert rig.thread.status().since_us == since
        assert rig.kinds() == ["connected", "stale"]
        script.then(sample())
        assert rig.until_event("connected", 2) == "readings again after 1min1s, 2 attempts"
        assert rig.state() is SensorState.READING
    assert script.closed == 3


def test_a_port_that_never_says_anything_is_stale_too() -> None:
    clock = FakeClock()
    with Rig(Script(), clock=clock) as rig:
        rig.until_reads()
        clock.advance(11 * S)
        assert rig.until_event("stale") == "no reading for 10s"


def test_good_sessions_that_end_in_silence_keep_the_pauses_short() -> None:
    """A device that sleeps every night: after months its port is still opened again at once."""
    script = Script()
    with Rig(script, heartbeat_us=S) as rig:
        for _ in range(4):
            script.then(*[sample() for _ in range(STEADY_SAMPLES)])
            until(script.done, "its readings")
            rig.until_state(SensorState.READING)
            opened = script.opened

            def is_opened_again(before: int = opened) -> bool:
                rig.clock.advance(2 * S)  # type: ignore[attr-defined]
                return script.opened > before

            until(is_opened_again, "another session")
            assert rig.thread._backoff.attempts == 1


def test_a_fault_of_ours_at_the_end_of_a_session_does_not_keep_the_port_open(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    with Rig(script) as rig:
        monkeypatch.setattr(rig.thread._treatment, "flush", lambda: 1 / 0)
        script.then(DriverError("lost"))
        until(lambda: script.closed > 0, "the driver to be closed")


def test_lines_that_hold_nothing_of_ours_are_silence_with_a_reason() -> None:
    """A misspelt field must not look like a sensor that works."""
    clock = FakeClock()
    script = Script([Sample(None, {"temprature": 1.0})])
    with Rig(script, clock=clock) as rig:
        until(script.done, "the sample to be read")
        rig.until_reads()
        assert rig.state() is SensorState.STARTING
        clock.advance(11 * S)
        want = "no reading for 10s; 1 unmapped, e.g. field 'temprature' belongs to no channel"
        assert rig.until_event("stale") == want
        assert rig.thread.examples() == {"unmapped": "field 'temprature' belongs to no channel"}


def test_silence_that_becomes_a_failure_says_both() -> None:
    clock = FakeClock()
    script = Script(sample(), opening=[None, DriverError("no such port"), DriverError("no such port")])
    with Rig(script, clock=clock) as rig:
        rig.until_event("connected")
        clock.advance(31 * S)
        rig.until_event("lost")
        until(lambda: script.opened == 4, "a port that opens")
        rig.until_reads()
        assert rig.kinds() == ["connected", "stale", "lost"]
        script.then(sample())
        rig.until_event("connected", 2)


# ---- ends ----------------------------------------------------------------------------------------------------------


def test_a_source_that_ends_is_finished() -> None:
    script = Script(sample(), EndOfData())
    with Rig(script) as rig:
        rig.until_state(SensorState.FINISHED)
        assert rig.kinds() == ["connected", "finished"]
        assert script.closed == 1
    assert rig.state() is SensorState.STOPPED


def test_stop_wakes_a_driver_that_waits_on_the_descriptor() -> None:
    """Whatever the driver's timeout: stop ends its wait at once."""
    import select

    class Waiting(Driver):
        def open(self) -> None:
            self.poll = select.poll()
            self.poll.register(self.context.wake_fd, select.POLLIN)

        def read(self, timeout_s: float) -> list[Sample]:
            entered.set()
            self.poll.poll()  # for ever
            return []

        def close(self) -> None:
            pass

    entered = threading.Event()
    with Rig(Script(), make_driver=lambda context: Waiting(None, context)):
        assert entered.wait(DEADLINE)


def test_stop_wakes_a_driver_that_waits_by_the_context() -> None:
    woken: list[bool] = []
    entered = threading.Event()

    def wait(context: DriverContext) -> list[Sample]:
        entered.set()
        woken.append(context.wait(10_000))
        return []

    with Rig(Script(wait)):
        assert entered.wait(DEADLINE)
    assert woken == [True]


def test_stop_ends_the_wait_before_the_next_attempt() -> None:
    script = Script(opening=[DriverError("no such port")] * 5)
    with Rig(script, backoff=Backoff(first_s=10_000, quick_s=10_000, cap_s=10_000)) as rig:
        rig.until_state(SensorState.BACKING_OFF)
    assert script.opened == 1


def test_stop_and_join_may_come_at_any_time_and_twice() -> None:
    never_started = Rig(Script()).thread
    never_started.stop()
    assert never_started.join(0)
    assert never_started.join(0)
    never_started.stop()

    early = Rig(Script())
    early.thread.stop()
    early.thread.start()
    assert early.thread.join(DEADLINE)
    assert early.script.opened == 0
    assert early.state() is SensorState.STOPPED

    with Rig(Script()) as rig:
        for _ in range(100_000 // 1000):
            rig.thread.stop()
    rig.thread.stop()
    assert rig.thread.join()


def test_a_hung_driver_is_shown_and_told_and_left_behind() -> None:
    gate, clock = Gate(), FakeClock()
    rig = Rig(Script(sample(), gate), clock=clock)
    rig.thread.start()
    try:
        assert gate.entered.wait(DEADLINE)
        began_us = clock.now_us()
        clock.advance(HUNG_US)
        rig.thread.watch()
        assert rig.state() is SensorState.READING
        clock.advance(1)
        status = rig.thread.status()
        assert (status.state, status.last_error) == (SensorState.STALE, "the driver does not return from read()")
        assert status.since_us == began_us
        rig.thread.watch()
        rig.thread.watch()
        assert rig.events == [("connected", ""), ("stale", "the driver does not return from read()")]
        rig.thread.stop()
        assert not rig.thread.join(0), "it hangs, and nobody else waits for it"
    finally:
        gate.release.set()
    assert rig.thread.join(DEADLINE)
    assert rig.kinds()[2] == "returned"
    assert rig.state() is SensorState.STOPPED


def test_a_driver_that_does_not_wait_does_not_burn_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """After many empty reads that took no time the reader itself pauses between them."""
    monkeypatch.setattr(sensor_thread, "EMPTY_PAUSE_S", 10_000)
    monkeypatch.setattr(sensor_thread, "EMPTY_US", 10_000_000)
    calls: list[int] = []

    class Hasty(Driver):
        def open(self) -> None:
            pass

        def read(self, timeout_s: float) -> list[Sample]:
            calls.append(1)
            return []

        def close(self) -> None:
            pass

    with Rig(Script(), clock=Clock(), make_driver=lambda context: Hasty(None, context)):
        until(lambda: len(calls) >= sensor_thread.EMPTY_IN_A_ROW, "the pause")
    assert len(calls) == sensor_thread.EMPTY_IN_A_ROW


# ---- handing over --------------------------------------------------------------------------------------------------


def test_readings_that_come_after_the_inbox_closed_are_counted() -> None:
    script = Script()
    with Rig(script) as rig:
        rig.inbox.close()
        script.then(sample())
        until(lambda: rig.thread.status().counters.get("refused_at_stop") == 1, "the refusal to be counted")


def test_a_source_that_can_wait_is_waited_for() -> None:
    """With the inbox full a simulation pauses; nothing is dropped, and a stop still ends it."""
    script = Script()

    def patient(context: DriverContext) -> Driver:
        driver = script.driver(context)
        driver.waits = True  # type: ignore[misc]  # a class's, else; this driver alone is patient
        return driver

    with Rig(script, inbox_limit=1000, make_driver=patient) as rig:
        for n in range(4):
            script.then(Batch(list(range(400)), {"x": [float(n)] * 400}, True))
        until(lambda: waits_for_room(rig), "the reader to wait for room")
        assert rig.inbox.depth == 800
        assert [block.rows for block in rig.blocks()] == [400, 400]
        until(lambda: rig.inbox.depth == 800, "the rest")
        script.then(Batch(list(range(400)), {"x": [9.0] * 400}, True))
        until(lambda: waits_for_room(rig), "the reader to wait for room again")
    assert rig.inbox.drain_dropped() == {}
    assert rig.thread.status().counters["refused_at_stop"] == 400


def test_events_and_counters_of_the_driver_are_passed_on() -> None:
    def speak(context: DriverContext) -> list[Sample]:
        context.event("device_reset", "by watchdog")
        context.count("bad_lines", 2, "x" * 1000)
        return sample()

    with Rig(Script(speak)) as rig:
        rig.until_event("connected")
        assert rig.events[0] == ("device_reset", "by watchdog")
        assert rig.thread.status().counters["bad_lines"] == 2
        assert len(rig.thread.examples()["bad_lines"]) == 200


# ---- backoff -------------------------------------------------------------------------------------------------------


class Top(random.Random):
    """Always draws the largest."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_a_port_that_appears_is_noticed_within_a_second_for_two_minutes() -> None:
    backoff = Backoff(Top())
    delays = [backoff.next_s() for _ in range(200)]
    assert delays[:5] == [0.1, 0.2, 0.4, 0.8, 1.0]
    assert max(delays[:120]) == 1.0
    assert sum(delays[:120]) >= 115
    assert delays[120:] == [2.0, 4.0, 8.0, 16.0] + [30.0] * 76
    backoff.reset()
    assert backoff.next_s() == 0.1


def test_delays_are_jittered_so_that_a_hub_of_sensors_does_not_retry_in_step() -> None:
    delays = {Backoff().next_s() for _ in range(50)}
    assert len(delays) > 40
    assert all(0.075 <= delay <= 0.1 for delay in delays)


def test_only_a_good_session_makes_the_next_attempts_quick_again() -> None:
    script = Script(*[sample(), ValueError("crash")] * 5)
    with Rig(script) as rig:
        until(script.done, "all crashes")
        rig.until_reads()
        assert rig.thread._backoff.attempts == 5
        script.then(*[sample()] * STEADY_SAMPLES, ValueError("crash"))
        until(lambda: rig.thread._backoff.attempts == 1, "quick attempts")


# ---- whatever happens ----------------------------------------------------------------------------------------------


def test_every_state_can_be_stopped_and_left() -> None:
    for state in SensorState:
        assert state is SensorState.STOPPED or SensorState.STOPPED in MOVES[state]
        assert MOVES[state]


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["sample", "empty", "unmapped", "error", "exit", "nonsense", "silence"]), max_size=15),
    st.lists(st.sampled_from([None, DriverError("busy"), OSError(errno.EACCES, "no")]), max_size=5),
)
def test_no_course_of_events_ends_a_reader(steps: list[str], opening: list[BaseException | None]) -> None:
    """Any sequence of data, silence and failures: the thread lives, every open has its close, every sample arrives."""
    clock = FakeClock()

    def silence(_: DriverContext) -> list[Sample]:
        clock.advance(40 * S)
        return []

    actions: dict[str, Any] = {
        "sample": sample(),
        "empty": [],
        "unmapped": [Sample(None, {"y": 1.0})],
        "error": DriverError("lost"),
        "exit": SystemExit(),
        "nonsense": 5,
        "silence": silence,
    }
    script = Script(*(actions[step] for step in steps), EndOfData(), opening=opening)
    with Rig(script, clock=clock) as rig:
        rig.until_state(SensorState.FINISHED)
        assert rig.inbox.depth == steps.count("sample")
    assert script.opened == script.closed == script.made


def test_thousands_of_readers_leak_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(200):
        with Rig(Script()):
            pass
    assert len(os.listdir("/proc/self/fd")) == before
