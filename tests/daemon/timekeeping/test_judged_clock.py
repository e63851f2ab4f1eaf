"""The judged clock: whatever the wall clock does, readings get the best stamp there is, and nothing is destroyed by it."""

from __future__ import annotations

import threading

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.timekeeping import believed_time
from sensorlogd.daemon.timekeeping.belief import AHEAD_US, BEHIND_US, RELEASED_US, Belief, ClockState, judge
from sensorlogd.daemon.timekeeping.clock_words import ClockJudged, ClockStep
from sensorlogd.daemon.timekeeping.early_stamps import MARK
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from tests.daemon.fakes import S

DAY = 86_400 * S
T0 = RELEASED_US + 1000 * DAY
BELIEVED, BEHIND, AHEAD = ClockState


class Machine:
    """A machine with a wall clock, a steady one and a kernel that tells of a time server. ``true_us`` is what time it is."""

    def __init__(self, wall_us: int = T0) -> None:
        self.wall_us = wall_us
        self.steady_us = 50 * S
        self.synchronised: bool | None = False
        self.boot = "one"
        self.asked = 0

    def clock(self) -> JudgedClock:
        """A daemon starts here."""
        return JudgedClock(
            wall_ns=lambda: self.wall_us * 1000, steady_ns=lambda: self.steady_us * 1000, ask=self.ask, boot=self.boot
        )

    def ask(self) -> bool | None:
        self.asked += 1
        return self.synchronised

    def advance(self, us: int) -> None:
        self.wall_us += us
        self.steady_us += us

    def reboot(self, takes_us: int = 20 * S) -> None:
        """Another boot; the wall clock stays where it is told to be."""
        self.boot += "+"
        self.steady_us = takes_us


def anchored(machine: Machine, believed_us: int | None = T0) -> JudgedClock:
    clock = machine.clock()
    clock.anchor(believed_us)
    clock.poll()
    return clock


# ---- the decision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wall", "expected", "synchronised", "trusted", "belief"),
    [
        # As expected, within a second before and a day after
        (T0, T0, False, False, Belief(BELIEVED, T0, T0, False)),
        (T0 - BEHIND_US, T0, False, False, Belief(BELIEVED, T0 - BEHIND_US, T0, False)),
        (T0 + AHEAD_US, T0, False, False, Belief(BELIEVED, T0 + AHEAD_US, T0 + AHEAD_US, False)),
        # One microsecond too much
        (T0 - BEHIND_US - 1, T0, False, False, Belief(BEHIND, T0, T0, True)),
        (T0 + AHEAD_US + 1, T0, False, False, Belief(AHEAD, T0 + AHEAD_US + 1, T0, True)),
        # Where nobody tells it is judged like a clock that is not synchronised
        (0, T0, None, False, Belief(BEHIND, T0, T0, True)),
        (T0 + 3650 * DAY, T0, None, False, Belief(AHEAD, T0 + 3650 * DAY, T0, True)),
        # Who knows is believed, whatever was expected
        (0, T0, True, False, Belief(BELIEVED, 0, 0, False)),
        (0, T0, False, True, Belief(BELIEVED, 0, 0, False)),
        (T0 + 3650 * DAY, T0, True, False, Belief(BELIEVED, T0 + 3650 * DAY, T0 + 3650 * DAY, False)),
        (T0 + 3650 * DAY, T0, None, True, Belief(BELIEVED, T0 + 3650 * DAY, T0 + 3650 * DAY, False)),
        # A fresh log: nothing better is known
        (T0, None, False, False, Belief(BELIEVED, T0, T0, False)),
        (RELEASED_US, None, None, False, Belief(BELIEVED, RELEASED_US, RELEASED_US, False)),
        (RELEASED_US - 1, None, None, False, Belief(BELIEVED, RELEASED_US - 1, RELEASED_US - 1, True)),
        (0, None, True, False, Belief(BELIEVED, 0, 0, False)),
    ],
)
def test_the_decision(wall: int, expected: int | None, synchronised: bool | None, trusted: bool, belief: Belief) -> None:
    assert judge(wall, expected, synchronised, trusted) == belief


# ---- stamps ------------------------------------------------------------------------------------------------------------


def test_a_board_that_boots_in_the_past_stamps_what_is_expected_until_it_is_set_right() -> None:
    machine = Machine(T0 - 60 * DAY)
    clock = machine.clock()
    assert clock.now_us() == T0 - 60 * DAY, "the database is not open yet"
    clock.anchor(T0)
    machine.advance(5 * S)
    assert clock.now_us() == clock.safe_us() == T0 + 5 * S
    assert clock.state is BEHIND
    assert clock.flags_unsynced
    [judged] = clock.poll()
    assert isinstance(judged, ClockJudged)
    assert "60d behind" in judged.sentence
    assert "sensorlogd clock --believe" in judged.sentence
    machine.wall_us = T0 + 100 * S
    machine.synchronised = True
    assert clock.now_us() == T0 + 100 * S
    step, judged = clock.poll()
    assert isinstance(step, ClockStep)
    assert step.step_us == 60 * DAY + 95 * S
    assert isinstance(judged, ClockJudged)
    assert judged.state is BELIEVED
    assert "a time server" in judged.sentence
    assert not clock.flags_unsynced
    assert clock.poll() == []


def test_a_step_back_is_noticed_by_the_very_next_reading() -> None:
    """Nobody looks in between."""
    machine = Machine()
    clock = anchored(machine)
    machine.advance(S)
    machine.wall_us -= 3600 * S
    assert clock.now_us() == T0 + S
    machine.advance(1)
    assert clock.now_us() == T0 + S + 1
    machine.wall_us += 3600 * S
    assert clock.now_us() == machine.wall_us
    assert [change.kind for change in clock.poll()] == ["clock_step", "clock_judged", "clock_step", "clock_judged"]


def test_ten_wrong_years_at_a_start_destroy_nothing() -> None:
    machine = Machine(T0 + 3650 * DAY)
    clock = anchored(machine)
    machine.advance(7 * S)
    assert clock.state is AHEAD
    assert clock.now_us() == machine.wall_us, "a machine may have been off for long"
    assert clock.flags_unsynced
    assert clock.safe_us() == T0 + 7 * S
    machine.wall_us = T0 + 8 * S
    assert clock.safe_us() == T0 + 8 * S
    assert clock.state is BELIEVED


def test_a_machine_that_was_off_for_two_months_goes_on_where_its_owner_says_so() -> None:
    machine = Machine(T0 + 60 * DAY)
    clock = anchored(machine)
    assert clock.safe_us() == T0
    clock.believe()
    assert clock.safe_us() == clock.now_us() == machine.wall_us
    [judged] = clock.poll()
    assert "its owner says" in judged.sentence
    assert clock.flags_unsynced, "the kernel still says that no time server keeps it"
    machine.advance(10 * DAY)
    assert clock.poll() == []
    machine.wall_us -= 20 * DAY
    assert clock.safe_us() == T0 + 70 * DAY, "the word does not hold beyond the next step"
    assert clock.state is BEHIND


def test_the_owner_may_say_so_before_the_database_is_open() -> None:
    """A unit that says it at every start need not wait."""
    machine = Machine(T0 + 60 * DAY)
    clock = machine.clock()
    clock.believe()
    clock.anchor(T0)
    assert clock.is_anchored
    assert clock.safe_us() == machine.wall_us
    assert clock.poll() == []


def test_a_clock_that_is_fought_over_is_told_of_in_bounds() -> None:
    """The last changes are, and the state is right."""
    machine = Machine()
    clock = anchored(machine)
    for n in range(1001):
        machine.wall_us += (-1) ** n * 60 * DAY
        clock.now_us()
    changes = clock.poll()
    assert len(changes) == 20
    assert isinstance(changes[-1], ClockJudged)
    assert changes[-1].state is clock.state is AHEAD


def test_a_synchronised_clock_is_followed_back() -> None:
    machine = Machine()
    machine.synchronised = True
    clock = anchored(machine)
    machine.wall_us -= 3600 * S
    assert clock.now_us() == clock.safe_us() == T0 - 3600 * S
    assert [change.kind for change in clock.poll()] == ["clock_step"]


def test_setting_a_synchronised_clock_by_hand_asks_the_kernel_again() -> None:
    """Which is not synchronised any more from then on; without asking, the word of ten seconds ago would hold."""
    machine = Machine()
    machine.synchronised = True
    clock = anchored(machine)
    machine.synchronised = False
    machine.wall_us -= 3600 * S
    assert clock.now_us() == T0
    assert clock.state is BEHIND


def test_jitter_below_a_second_is_believed_but_safe_time_does_not_go_back() -> None:
    machine = Machine()
    clock = anchored(machine)
    machine.wall_us -= 900_000
    assert clock.now_us() == T0 - 900_000
    assert clock.safe_us() == T0
    machine.wall_us -= 900_000
    assert clock.now_us() == T0, "small steps do not add up to a large one"


@pytest.mark.parametrize(("synchronised", "marked"), [(None, False), (True, False), (False, True)])
def test_marks_follow_the_kernel_where_the_clock_is_believed(synchronised: bool | None, marked: bool) -> None:
    machine = Machine()
    machine.synchronised = synchronised
    clock = anchored(machine)
    assert clock.flags_unsynced is marked
    assert clock.is_synchronised is not marked


def test_the_kernel_is_asked_every_poll_until_it_is_synchronised_then_now_and_then() -> None:
    machine = Machine()
    clock = anchored(machine)
    before = machine.asked
    for _ in range(5):
        machine.advance(S)
        clock.poll()
    assert machine.asked == before + 5
    machine.synchronised = True
    for _ in range(25):
        machine.advance(S)
        clock.poll()
        clock.now_us(), clock.safe_us()
    assert machine.asked == before + 8


def test_slewing_is_not_a_step_however_far_it_goes() -> None:
    machine = Machine()
    clock = anchored(machine)
    for _ in range(100):
        machine.advance(S)
        machine.wall_us += 83_000
        assert clock.poll() == []
    assert clock.safe_us() == clock.now_us() == machine.wall_us


def test_a_thread_that_was_held_up_between_the_two_clocks_sees_no_step() -> None:
    """The process was stopped for a minute, or its turn did not come."""
    machine = Machine()
    clock = anchored(machine)
    holds = [60 * S]  # before the clocks asked next, the last first

    def steady() -> int:
        if holds:
            machine.advance(holds.pop())
        return machine.steady_us * 1000

    clock._steady_ns = steady
    assert clock.now_us() == T0 + 60 * S
    holds += [60 * S, 0, 0]
    assert clock.poll() == []
    assert not holds


# ---- a fresh log -------------------------------------------------------------------------------------------------------


def test_a_fresh_log_stamps_with_the_clock_there_is_and_says_that_it_cannot_be_right() -> None:
    machine = Machine(0)
    machine.synchronised = None
    clock = anchored(machine, None)
    assert clock.now_us() == 0
    assert clock.flags_unsynced
    assert clock.facts()["state"] == "unsynchronised"
    assert clock.stored() == {}, "1970 must not be what the next start goes by"
    machine.wall_us = T0
    assert clock.now_us() == T0
    assert not clock.flags_unsynced
    assert clock.facts()["state"] == "believed"
    assert clock.stored()["believed_us"] == str(T0)


def test_no_time_before_the_software_was_built_is_believed() -> None:
    clock = anchored(Machine(0), 12345)
    assert clock.now_us() == RELEASED_US


# ---- across starts -----------------------------------------------------------------------------------------------------


def restart(machine: Machine, stored: dict[str, str]) -> JudgedClock:
    clock = machine.clock()
    clock.anchor(int(stored["believed_us"]) if stored else None, stored.get("believed_boot", ""))
    return clock


def test_within_one_boot_what_passed_between_two_starts_is_known() -> None:
    machine = Machine()
    stored = anchored(machine).stored()
    machine.advance(3 * DAY)
    clock = restart(machine, stored)
    assert clock.state is BELIEVED
    assert clock.safe_us() == machine.wall_us
    machine.wall_us -= 60 * DAY
    assert restart(machine, stored).now_us() == T0 + 3 * DAY


def test_after_a_boot_at_least_what_it_took_has_passed() -> None:
    """So readings after it do not come to lie among the last ones before it."""
    machine = Machine()
    stored = anchored(machine).stored()
    machine.reboot(takes_us=25 * S)
    machine.wall_us = 0
    assert restart(machine, stored).now_us() == T0 + 25 * S


@pytest.mark.parametrize(
    ("believed_boot", "boot", "steady", "elapsed"),
    [
        ("one 100", "one", 150, 50),
        ("one 100", "two", 150, 150),
        ("one 200", "one", 150, 20),  # a machine that was put back to an earlier state
        ("", "one", 150, 20),
        ("one 100", "", 150, 20),
        ("one x", "one", 150, 20),
    ],
)
def test_what_has_passed_since_the_time_believed_last(believed_boot: str, boot: str, steady: int, elapsed: int) -> None:
    assert believed_time.elapsed_us(believed_boot, boot, steady, 130) == elapsed


def test_a_second_anchor_changes_nothing() -> None:
    """Another file was opened in place of a damaged one."""
    machine = Machine()
    clock = anchored(machine)
    clock.anchor(T0 + 500 * DAY)
    assert clock.state is BELIEVED
    assert clock.safe_us() == T0


# ---- before the database is open ---------------------------------------------------------------------------------------


def block(*times: int, device_time: bool = False, quality: int | list[int] = 1) -> Block:
    shared = list(times)
    return Block("s", [Column(name, shared, [1.0] * len(shared), quality) for name in "xy"], device_time)


def test_early_readings_of_a_clock_that_is_behind_are_shifted_and_marked() -> None:
    machine = Machine(T0 - 60 * DAY)
    clock = machine.clock()
    early = []
    for _ in range(3):
        early.append(clock.now_us())
        machine.advance(S)
    assert clock.corrected(block(*early)).columns[0].times_us == early, "nothing is known yet"
    clock.anchor(T0)
    fixed = clock.corrected(block(*early, quality=[1, 2, 3]))
    assert fixed.columns[0].times_us == [T0, T0 + S, T0 + 2 * S]
    assert fixed.columns[0].times_us is fixed.columns[1].times_us
    assert fixed.columns[0].quality == [1 | MARK, 2 | MARK, 3 | MARK]
    assert clock.now_us() == T0 + 3 * S, "and later ones follow them"
    assert clock.correction_us(clock.now_us()) == 0
    both = clock.corrected(block(early[2], clock.now_us()))
    assert both.columns[0].times_us == [T0 + 2 * S, T0 + 3 * S]
    assert both.columns[0].quality == [1 | MARK, 1]
    of_a_device = block(*early, device_time=True)
    assert clock.corrected(of_a_device) is of_a_device
    later = block(clock.now_us())
    assert clock.corrected(later) is later


def test_early_readings_are_shifted_by_what_each_was_wrong_by() -> None:
    """The clock was set while the database was being opened."""
    machine = Machine(0)
    clock = machine.clock()
    first = clock.now_us()
    machine.advance(S)
    machine.wall_us += T0 - 2 * DAY
    second = clock.now_us()
    machine.advance(S)
    machine.synchronised = True
    machine.wall_us += 2 * DAY
    third = clock.now_us()
    clock.anchor(T0 - DAY)
    assert [ts + clock.correction_us(ts) for ts in (first, second, third)] == [T0, T0 + S, T0 + 2 * S]


@pytest.mark.parametrize("is_set_again", [False, True])
def test_early_readings_are_shifted_up_to_the_moment_when_the_clock_is_set_again(is_set_again: bool) -> None:
    """Nobody looked for three seconds before."""
    machine = Machine()
    clock = machine.clock()
    machine.wall_us -= 4444 * DAY
    early = []
    for _ in range(4):
        early.append(clock.now_us())
        machine.advance(S)
    if is_set_again:
        machine.wall_us += 4444 * DAY
        clock.poll()
    clock.anchor(T0)
    assert [ts + clock.correction_us(ts) for ts in early] == [T0, T0 + S, T0 + 2 * S, T0 + 3 * S]


def test_early_readings_of_a_right_clock_or_one_ahead_are_left_alone() -> None:
    for wall in (T0, T0 + 3650 * DAY):
        machine = Machine(wall)
        clock = machine.clock()
        early = block(clock.now_us())
        machine.advance(S)
        clock.anchor(T0)
        assert clock.corrected(early) is early


def test_a_clock_that_is_believed_in_the_past_after_all_is_not_corrected_twice() -> None:
    machine = Machine(T0 - 60 * DAY)
    clock = machine.clock()
    machine.advance(10 * S)
    clock.anchor(T0)
    machine.synchronised = True
    machine.wall_us -= 5 * S
    stamp = clock.now_us()
    assert stamp == T0 - 60 * DAY + 5 * S
    assert clock.correction_us(stamp) == 0


# ---- threads -----------------------------------------------------------------------------------------------------------


def test_the_first_readings_of_many_threads_after_a_step_do_not_show_it() -> None:
    """Real threads read at the same moment, before anybody has looked."""
    machine = Machine()
    clock = anchored(machine)
    sensor_threads, rounds = 4, 100
    meet = threading.Barrier(sensor_threads + 1)
    stamps: list[int] = []

    def read() -> None:
        for _ in range(rounds):
            meet.wait(30)
            stamps.append(clock.now_us())
            meet.wait(30)

    threads = [threading.Thread(target=read) for _ in range(sensor_threads)]
    for thread in threads:
        thread.start()
    for n in range(rounds):
        machine.wall_us += -60 * DAY if n % 2 == 0 else 60 * DAY
        meet.wait(30)
        meet.wait(30)
        clock.poll()
    for thread in threads:
        thread.join()
    assert len(stamps) == sensor_threads * rounds
    assert set(stamps) == {T0}


# ---- laws --------------------------------------------------------------------------------------------------------------


class ClockStory(RuleBasedStateMachine):
    """Any sequence of steps, time servers that come and go, owners, restarts: what must hold of safe time holds."""

    @initialize(synchronised=st.sampled_from([None, False, True]))
    def begin(self, synchronised: bool | None) -> None:
        self.machine = Machine()
        self.machine.synchronised = synchronised
        self.clock = anchored(self.machine)
        self.safe = self.clock.safe_us()
        self.vouched = bool(synchronised)  # somebody who knows has spoken since ``safe`` was taken
        self.passed = 0

    @rule(seconds=st.sampled_from([0, 1, 9, 3600, 86_400 * 3]), look=st.booleans())
    def advance(self, seconds: int, look: bool) -> None:
        self.machine.advance(seconds * S)
        self.passed += seconds * S
        if look:
            self.clock.poll()

    @rule(
        us=st.one_of(
            st.sampled_from([-400_000, 400_000, -900_000, -S - 1, DAY, DAY + 1, -DAY]),
            st.integers(-4000 * DAY, 4000 * DAY),
        )
    )
    def set_clock(self, us: int) -> None:
        self.machine.wall_us += us

    @rule(synchronised=st.sampled_from([None, False, True]))
    def tell(self, synchronised: bool | None) -> None:
        self.machine.synchronised = synchronised
        if synchronised:
            self.vouched = True

    @rule()
    def believe(self) -> None:
        self.clock.believe()
        self.vouched = True

    @rule()
    def poll(self) -> None:
        self.clock.poll()

    @rule(reboots=st.booleans(), early_s=st.integers(0, 100))
    def restart(self, reboots: bool, early_s: int) -> None:
        stored = self.clock.stored()
        if reboots:
            self.machine.reboot()
            self.passed += 20 * S
        self.clock = self.machine.clock()
        self.machine.advance(early_s * S)
        self.passed += early_s * S
        if stored:
            self.clock.anchor(int(stored["believed_us"]), stored["believed_boot"])
        else:
            self.clock.anchor(None)

    @invariant()
    def safe_time_is_safe(self) -> None:
        if not hasattr(self, "clock"):
            return
        safe, before = self.clock.safe_us(), self.safe
        vouched = (
            self.vouched or bool(self.machine.synchronised) or bool(self.clock._synchronised_by_kernel) or self.clock._trusted
        )
        if not vouched:
            assert safe >= before + self.passed, "it goes on at least as fast as time passes"
            assert safe - before - self.passed <= AHEAD_US or safe == RELEASED_US, "and does not leap"
            assert self.clock.now_us() >= safe - BEHIND_US
        self.safe, self.passed = safe, 0
        self.vouched = bool(self.machine.synchronised) or bool(self.clock._synchronised_by_kernel) or self.clock._trusted

    def teardown(self) -> None:
        """After any nonsense a right clock is believed again, at once, and without anybody's help."""
        if hasattr(self, "clock"):
            self.machine.synchronised = False
            self.clock.poll()
            self.machine.wall_us = self.clock.safe_us() + DAY // 2
            self.clock.poll()
            self.clock.poll()
            assert self.clock.state is BELIEVED
            assert self.clock.now_us() == self.clock.safe_us() == self.machine.wall_us


def test_safe_time_is_safe_whatever_happens() -> None:
    run_state_machine_as_test(
        ClockStory,
        settings=settings(max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)),
    )
