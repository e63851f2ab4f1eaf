"""What raises an alarm, what ends it, and what does neither."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.alarms.judging import events, terms
from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.judging.transitions import Transitions
from sensorlogd.alarms.plan import Plan
from sensorlogd.counters import Counter
from tests.alarms.rig import FAIL, GOOD, MISSING, NOW_US, SUSPECT, Bench, S, plan_of

DAY = 86_400


def bench(when: str, **more: object) -> Bench:
    return Bench({"a": {"series": "s.x", "when": when, "notify": "me", **more}})


# ---- the law -----------------------------------------------------------------------------------------------------------

Trace = Sequence[tuple[int, Sequence[tuple[int, int]]]]  # (when it was committed, [(time, value)]) in seconds


def model(trace: Trace, limit: int, clear: int, for_s: int) -> list[tuple[float, str]]:
    """Raised once the value has been above ``limit`` for so long, over once it is below ``clear``."""
    said: list[tuple[float, str]] = []
    high, since = False, None
    for committed, readings in trace:
        for at, value in [*readings, (committed, None)]:
            if since is not None and (since + for_s < at or (value is None and since + for_s == at)):
                high, since = True, said.append((since + for_s, "raised"))  # type: ignore[func-returns-value]  # None
            if value is not None and high and value < clear:
                high = bool(said.append((at, "returned")))  # type: ignore[func-returns-value]  # False
            elif value is not None and not high:
                since = None if value <= limit else at if since is None else since
                if since is not None and since + for_s <= at:
                    high, since = True, said.append((at, "raised"))  # type: ignore[func-returns-value]  # None
    return said


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    times = draw(st.lists(st.integers(1, 8), min_size=1, max_size=40).map(lambda steps: list(itertools.accumulate(steps))))
    readings = [(10 * at, draw(st.integers(0, 6))) for at in times]
    found, waiting = [], []
    for reading in readings:
        waiting.append(reading)
        if draw(st.booleans()):
            found.append((reading[0] + draw(st.integers(0, 3)), waiting))
            waiting = []
    return [*found, (readings[-1][0] + draw(st.integers(0, 200)), waiting)]


@given(traces(), st.integers(2, 5), st.integers(0, 3), st.sampled_from([0, 5, 15, 35, 95]))
def test_changes_are_those_of_the_model(trace: Trace, limit: int, fall: int, for_s: int) -> None:
    """Whatever was committed when: the same changes, at the same times."""
    clear = limit - fall
    made = bench(f"> {limit}", clear=f"< {clear}", **{"for": f"{for_s}s"})
    for committed, readings in trace:
        made.batch(committed, readings)
    assert made.said() == model(trace, limit, clear, for_s)


@given(traces(), st.sampled_from([0, 5, 35]))
def test_how_readings_are_gathered_into_commits_changes_nothing(trace: Trace, for_s: int) -> None:
    """One by one or all together."""
    together, alone = (bench("> 3", **{"for": f"{for_s}s"}) for _ in range(2))
    everything = [reading for _, readings in trace for reading in readings]
    end = trace[-1][0]
    together.batch(end, everything)
    for at, value in everything:
        alone.batch(at, [(at, value)])
    alone.pass_(end)
    assert together.said() == alone.said()


# ---- comparisons -------------------------------------------------------------------------------------------------------


def test_a_value_beyond_the_line_raises_and_ends_it() -> None:
    """Raised, returned; a person acknowledges either."""
    made = bench("> 30")
    made.read(1, 30)
    assert made.state == "normal"
    made.read(2, 30.5)
    assert made.state == "unacknowledged"
    made.read(3, 29)
    assert made.state == "returned unacknowledged"
    assert made.judge.actions.acknowledge(made.alarm(), NOW_US, "seen")
    assert made.state == "normal"
    assert made.said() == [(2, "raised"), (3, "returned"), (0, "acknowledged")]
    assert made.announced() == [("raised", ("me",)), ("resolved", ("me",))]


def test_clear_keeps_it_from_flapping() -> None:
    """Between the two lines nothing changes."""
    made = bench("> 30", clear="< 28")
    for at, value in enumerate((31, 29, 31, 29, 28)):
        made.read(at, value)
    assert made.said() == [(0, "raised")]
    made.read(9, 27.9)
    assert made.said()[1:] == [(9, "returned")]


def test_for_waits_and_a_value_within_begins_anew() -> None:
    """Only what lasts is told; the moment is when it had lasted for long enough, not when somebody looked."""
    made = bench("> 30", **{"for": "10s"})
    made.read(0, 31)
    assert made.state == "pending"
    made.read(9, 30)
    assert made.state == "normal"
    made.read(20, 31)
    made.pass_(29.9)
    assert made.state == "pending"
    made.pass_(33)
    assert made.said() == [(30, "raised")]


@pytest.mark.parametrize(("value", "quality"), [(99.0, FAIL), (None, MISSING), (float("nan"), GOOD)])
def test_what_is_known_to_be_wrong_is_not_compared(value: float | None, quality: int) -> None:
    """The 85 degrees of a sensor that has lost its power raise nothing; nor do they end anything."""
    made = bench("> 30")
    made.read(1, value, quality)
    assert made.state == "normal"
    made.read(2, 31, SUSPECT)
    assert made.state == "unacknowledged"
    made.read(3, 0.0, FAIL)
    assert made.state == "unacknowledged"


def test_a_rate_is_over_a_minute_and_not_between_neighbours() -> None:
    """A step of a tenth within a second is six a minute to a simple mind."""
    made = bench("rate > 5/min")
    for at in range(120):
        made.read(at, 20 + 0.1 * (at % 2))
    assert made.said() == []
    for at in range(120, 180):
        made.read(at, 20 + (at - 120) * 0.2)
    (raised,) = made.said()
    assert raised[1] == "raised"
    assert 140 < raised[0] < 150


def test_a_rate_of_a_slow_series_is_between_its_readings() -> None:
    """Every ten minutes."""
    made = bench("rate < -0.5/min")
    for at, value in ((0, 20), (600, 18), (1200, 10)):
        made.read(at, value)
    assert made.said() == [(1200, "raised")]


@pytest.mark.parametrize(
    ("when", "raised"), [("mean(60s) > 5", 46.0), ("max(60s) > 9", 40.0), ("min(60s) > 9", 100.0), ("increase(60s) > 9", 40.0)]
)
def test_windows(when: str, raised: float) -> None:
    """0 until 40 s, then 10."""
    made = bench(when)
    for at in range(200):
        made.read(at, 0.0 if at < 40 else 10.0)
    (first, *_) = made.said()
    assert first[1] == "raised"
    assert first[0] == pytest.approx(raised, abs=35 if "mean" in when else 2)
    returned = [at for at, kind in made.said() if kind == "returned"]
    assert bool(returned) == ("increase" in when)


def test_an_increase_of_a_counter_goes_on_over_a_reset() -> None:
    """Of a gauge the fall counts."""
    counter = Bench({"a": {"series": "s.x", "when": "increase(1h) > 9"}}, kind="counter")
    gauge = bench("increase(1h) > 9")
    for made in (counter, gauge):
        for at, value in enumerate((100, 104, 2, 8)):
            made.read(at, value)
    assert [kind for _, kind in counter.said()] == ["raised"]
    assert gauge.said() == []


@pytest.mark.parametrize("when", ["increase(1h) > 9", "increase(1h) < 0", "rate(4s) < 0/s", "rate(4s) > 9/s"])
def test_a_counter_that_wobbles_or_is_misread_raises_nothing(when: str) -> None:
    """As a query counts it: a little less for a moment, and a single 0, are no reset."""
    made = Bench({"a": {"series": "s.x", "when": when}}, kind="counter")
    for at, value in enumerate((1000, 1001, 1000.9, 1001, 1002, 0, 1002, 1003, 1003, 1004)):
        made.read(at, value)
    assert made.said() == []


def test_a_counter_that_begins_again_is_read_from_its_offset() -> None:
    """Not from 0: its 12,345 would be a rise of 12,345."""
    made = Bench({"a": {"series": "s.x", "when": "increase(1h) > 9"}}, kind="counter", offset=12_345)
    for at, value in enumerate((12_400, 12_401, 12_345, 12_346, 12_347)):
        made.read(at, value)
    assert made.said() == []
    made.read(5, 12_356)
    assert made.said() == [(5, "raised")]


@pytest.mark.parametrize("every", [1, 7, 10, 45, 60, 90])
def test_an_increase_is_that_of_a_query_over_the_same_time(every: int) -> None:
    """Of a counter that rises by one a second it is as many as the readings of the window say, however rare they are."""
    term = terms.make("increase", 600 * S, Counter())
    for second in range(0, 6_000, every):
        term.add(second * S, float(second))
        expected = min(second, every * len([at for at in range(0, second + 1, every) if second - 600 < at]))
        assert term.value(second * S) == pytest.approx(expected, abs=1e-6), second


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 50)), min_size=1, max_size=120), st.integers(0, 700))
def test_an_increase_is_off_by_no_more_than_one_slice(steps: list[tuple[int, int]], later: int) -> None:
    """Whatever the readings: between what rose in the window, and what rose in it less a sixtieth."""
    term, points = terms.Increase(600 * S), [(0, 0.0)]
    term.add(0, 0.0)
    for wait, rise in steps:
        points.append((points[-1][0] + wait, points[-1][1] + rise))
        term.add(points[-1][0] * S, points[-1][1])
    now = points[-1][0] + later
    rises = [(at, value - before) for (_, before), (at, value) in itertools.pairwise(points)]
    found = term.value(now * S)
    assert found is not None
    assert sum(rise for at, rise in rises if at > now - 590) - 1e-6 <= found
    assert found <= sum(rise for at, rise in rises if at > now - 610) + 1e-6


def test_stuck_and_flag() -> None:
    """The same value for so long; a reading that is as bad or worse."""
    made = bench("stuck 1min")
    for at in range(0, 70, 10):
        made.read(at, 5)
    assert made.said() == [(60, "raised")]
    made.read(70, 5.1)
    assert made.state == "returned unacknowledged"
    flagged = bench("flag suspect")
    flagged.read(1, 5, GOOD)
    flagged.read(2, 5, FAIL)
    flagged.read(3, 5, GOOD)
    assert flagged.said() == [(2, "raised"), (3, "returned")]


# ---- silence, clocks ---------------------------------------------------------------------------------------------------


def test_missing_goes_by_the_heartbeat_or_by_what_it_says() -> None:
    """Nothing for so long; any reading ends it."""
    made, longer = bench("missing"), bench("missing 1min")
    for each_bench in (made, longer):
        each_bench.read(5, 1)
        for at in range(6, 80):
            each_bench.pass_(at)
        each_bench.read(80, 1)
    assert made.said() == [(15, "raised"), (80, "returned")]
    assert longer.said() == [(65, "raised"), (80, "returned")]


def test_a_hub_that_is_plugged_in_again_in_time_is_told_to_nobody() -> None:
    """Forty sensors with a heartbeat of 10 s and ``for: 30s`` are silent for 35 s, and then for 44 s."""
    names = [f"s{n}" for n in range(40)]
    bench = Bench({"a": {"series": "*", "when": "missing", "for": "30s", "notify": "me"}}, sensors=names)

    def all_send(at_s: float) -> None:
        for name in names:
            bench.read(at_s, 1, sensor=name)

    all_send(1)
    bench.pass_(35.9)
    all_send(36)
    bench.pass_(75.9)
    assert bench.announced() == []
    bench.pass_(76.1)
    all_send(80)
    assert [kind for kind, _ in bench.announced()] == ["raised"] * 40 + ["resolved"] * 40


def test_a_sensor_that_never_sends_is_missing() -> None:
    """From the start on."""
    made = bench("missing")
    made.pass_(11)
    assert made.said() == [(10, "raised")]


@pytest.mark.parametrize("step_s", [-DAY, -3600, 3600, DAY])
@pytest.mark.parametrize("when", ["> 30", "missing", "rate > 5/min", "mean(60s) > 30", "stuck 1min"])
@pytest.mark.parametrize("above", [False, True])
def test_a_clock_that_is_set_neither_raises_nor_clears(when: str, step_s: int, above: bool) -> None:
    """Forwards or back: the same as if it had not been."""

    def value(at: int) -> float:
        steady = (35.0 if above else 20.0) + (at * 0.2 if above and "rate" in when else 0.0)
        return steady if "stuck" in when and above else steady + 0.01 * (at % 2)

    made = bench(when)
    for at in range(150):
        made.read(at, value(at))
    before, state = made.said(), made.state
    made.wall = step_s * S
    for at in range(150, 300):
        made.read(at, value(at))
        if "missing" in when:
            assert made.state == "normal"
    assert len(made.said()) == len(before)
    assert made.state == state
    assert (state == "unacknowledged") == (above and when != "missing")


def test_a_late_reading_shows_that_the_sensor_lives_and_raises_nothing() -> None:
    """What it says is over."""
    made, silent = bench("> 30"), bench("missing")
    for each_bench in (made, silent):
        each_bench.read(100, 20)
        each_bench.read(109, 99, ts_s=50)
        each_bench.pass_(115)
    assert made.said() == silent.said() == []


def test_after_the_clock_was_set_back_readings_are_not_late() -> None:
    """An hour of blindness would be the price."""
    made = bench("> 30")
    made.read(100, 20)
    made.wall = -3600 * S
    made.read(101, 31)
    assert made.state == "unacknowledged"


# ---- people ------------------------------------------------------------------------------------------------------------


def test_it_is_repeated_until_somebody_acknowledges() -> None:
    """And not after that."""
    made = bench("> 30", repeat="1h")
    made.read(0, 31)
    for at in range(0, 4 * 3600, 60):
        made.pass_(at)
    assert [kind for kind, _ in made.announced()] == ["raised", "repeated", "repeated", "repeated"]
    made.judge.actions.acknowledge(made.alarm(), NOW_US, "")
    for at in range(4 * 3600, 9 * 3600, 60):
        made.pass_(at)
    assert len(made.announced()) == 4
    made.read(40_000, 20)
    assert made.state == "normal"
    assert made.announced()[4:] == [("resolved", ("me",))]


def test_nobody_acknowledges_so_somebody_else_is_told() -> None:
    """Once; and it is over for him, too."""
    made = bench("> 30", escalate={"after": "30min", "notify": ["boss"]})
    made.read(0, 31)
    made.pass_(1799)
    made.pass_(1800)
    made.pass_(9000)
    made.read(9001, 20)
    assert made.announced() == [("raised", ("me",)), ("escalated", ("boss",)), ("resolved", ("me", "boss"))]


def test_muted_nobody_hears_and_at_its_end_everybody() -> None:
    """It is judged all the same."""
    made = bench("> 30")
    made.judge.actions.shelve(made.alarm(), 100 * S, NOW_US, "cleaning")
    made.read(10, 31)
    made.read(20, 20)
    made.read(30, 31)
    assert made.state == "shelved"
    assert made.announced() == []
    made.pass_(101)
    assert made.state == "unacknowledged"
    assert made.announced() == [("raised", ("me",))]


@pytest.mark.parametrize("ended_by_hand", [False, True])
def test_an_escalation_that_comes_due_in_a_mute_follows_at_its_end(ended_by_hand: bool) -> None:
    made = bench("> 30", escalate={"after": "30min", "notify": ["boss"]})
    made.read(10, 31)
    made.judge.actions.shelve(made.alarm(), 7200 * S, made.now_us, "cleaning")
    for at_s in (1900, 3600):
        made.pass_(at_s)
    assert made.announced() == [("raised", ("me",))]
    if ended_by_hand:
        made.judge.actions.unshelve(made.alarm(), made.at, made.now_us, "cleaned")
    made.pass_(7201)
    made.pass_(20_000)
    assert made.announced() == [("raised", ("me",)), ("raised", ("me",)), ("escalated", ("boss",))]


# ---- events, reloads ---------------------------------------------------------------------------------------------------


def test_events_are_one_alarm_a_sensor_and_end_by_others_or_by_time() -> None:
    """A burst is one alarm."""
    made = Bench(
        {"a": {"events": ["dropped", "web_*"], "until": "recovered", "hold": "1min", "notify": "me"}}, sensors=("s", "t")
    )
    made.event(1, "connected", "s")
    for at in range(2, 5):
        made.event(at, "dropped", "s")
    made.event(5, "web_down")
    assert {alarm.subject: alarm.raises for alarm in made.judge.roster.alarms.values()} == {"s": 1, "": 1}
    made.event(6, "recovered")
    assert made.alarm(subject="").state is AlarmState.RETURNED
    made.pass_(65)
    assert made.said()[-1] == (64, "returned")


def test_a_reload_that_leaves_an_alarm_as_it_is_does_not_touch_it() -> None:
    """Whatever else of it changes: whom to tell, how severe. Judged otherwise it begins anew and says so."""
    when: dict[str, object] = {"series": "s.x", "when": "> 30", "for": "10s"}
    made = Bench({"a": when, "b": when})
    made.read(0, 31)
    made.pass_(5)

    def reload(plan: Plan) -> None:
        made.judge.use(plan, made.at, made.now_us)

    reload(plan_of({"a": when | {"severity": "critical", "when": ">30"}, "b": when | {"when": "> 29"}}))
    assert made.alarm("a").state is AlarmState.PENDING
    assert made.alarm("b").state is AlarmState.NORMAL
    assert made.said() == [(5, "redefined")]
    made.pass_(10)
    assert made.said()[1:] == [(10, "raised")]
    reload(plan_of({"b": when}))
    assert [(alarm.name, alarm.subject) for alarm in made.judge.found.gone] == [("a", "s.x")]
    assert ("a", "s.x") not in made.judge.roster.alarms


def test_one_alarm_that_cannot_be_judged_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one of the same series goes on, and the fault is told once."""
    made = Bench({"a": {"series": "s.x", "when": "> 30"}, "b": {"series": "s.x", "when": "mean(1min) > 30"}})
    monkeypatch.setattr("sensorlogd.alarms.judging.terms.Window.value", lambda self, at: 1 / 0)
    for at in range(3):
        made.read(at, 31)
    assert [change.alarm.name for change in made.judge.found.changes] == ["a"]
    assert len(made.judge.found.faults) == 1


def test_an_alarm_that_fails_again_after_a_reload_is_reported_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("> 30")
    monkeypatch.setattr("sensorlogd.alarms.judging.track.Track.value", lambda *_: 1 / 0)
    for at_s in (1, 2):
        made.read(at_s, 31)
        assert len(made.judge.take_findings().faults) == 1
        made.judge.use(plan_of({"a": {"series": "s.x", "when": "> 30", "notify": "me"}}), made.at, made.now_us)


def test_a_term_that_takes_no_reading_costs_the_alarms_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a new plan: it begins with a new term."""
    alarms = {"a": {"series": "s.x", "when": "> 30"}, "b": {"series": "s.x", "when": "mean(1min) > 30"}}
    made = Bench(alarms)
    with monkeypatch.context() as broken:
        broken.setattr("sensorlogd.alarms.judging.terms.Window.add", lambda self, at, value: 1 / 0)
        for at in range(3):
            made.read(at, 31)
    assert [change.alarm.name for change in made.judge.found.changes] == ["a"]
    assert len(made.judge.found.faults) == 1
    made.judge.use(plan_of(alarms), made.at, made.now_us)
    for at in range(3, 6):
        made.read(at, 31)
    assert [change.alarm.name for change in made.judge.found.changes] == ["a", "b"]


def test_an_end_of_silence_that_cannot_be_judged_costs_its_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of the series hear that it lives."""
    made = Bench({name: {"series": "s.x", "when": "missing"} for name in "ab"})
    made.pass_(11)
    assert {alarm.state for alarm in made.judge.roster.alarms.values()} == {AlarmState.UNACKNOWLEDGED}
    _break_applying(monkeypatch, "a")
    for at in (12, 13):
        made.read(at, 1)
    assert (made.alarm("a").state, made.alarm("b").state) == (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)
    assert len(made.judge.found.faults) == 1


def test_a_glob_of_events_stands_for_trouble() -> None:
    """A database that was made is none, and does not hide the one that is blocked a moment later. By its name it is meant."""
    made = Bench({"a": {"events": ["database_*"]}, "b": {"events": ["database_created"]}, "c": {"events": ["own_*"]}})
    made.event(1, "database_created")
    assert [(alarm.name, alarm.state.value) for alarm in made.judge.roster.alarms.values()] == [("b", "unacknowledged")]
    made.event(2, "database_blocked")
    made.event(3, "own_kind_of_a_driver")
    assert {alarm.name for alarm in made.judge.roster.alarms.values()} == {"a", "b", "c"}


def test_an_event_that_cannot_be_judged_costs_its_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a new plan; other alarms are raised by the same event."""
    alarms = {name: {"events": ["dropped"], "until": ["recovered"]} for name in "ab"}
    made = Bench(alarms)
    with monkeypatch.context() as broken:
        _break_applying(broken, "a")
        made.event(1, "dropped")
        assert made.alarm("b", "").state is AlarmState.UNACKNOWLEDGED
    made.event(2, "dropped")
    made.event(3, "recovered")
    assert (made.alarm("a", "").state, made.alarm("b", "").state) == (AlarmState.NORMAL, AlarmState.RETURNED)
    assert len(made.judge.found.faults) == 1
    made.judge.use(plan_of(alarms), made.at, made.now_us)
    made.event(4, "dropped")
    assert made.alarm("a", "").state is AlarmState.UNACKNOWLEDGED


def _break_applying(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    apply = Transitions.apply

    def faulty(self: Transitions, alarm: Alarm, *arguments: Any) -> None:
        assert alarm.name != name, "a fault of the code"
        apply(self, alarm, *arguments)

    monkeypatch.setattr(Transitions, "apply", faulty)


def test_alarms_of_series_leave_room_for_those_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_ALARMS", 2)
    alarms = {"a": {"series": "*.x", "when": "> 30"}, "b": {"events": ["dropped"]}}
    made = Bench(alarms, sensors=[f"s{n}" for n in range(8)])
    made.event(1, "dropped", "s1")
    assert made.alarm("b", "s1").state is AlarmState.UNACKNOWLEDGED
    assert made.judge.found.troubles == []


def test_alarms_of_events_are_bounded_and_that_is_reported_once_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_ALARMS", 2)
    alarms = {"a": {"events": ["dropped"]}}
    made = Bench(alarms)
    for number in range(5):
        made.event(number, "dropped", f"s{number}")
    assert [subject for _, subject in made.judge.roster.alarms] == ["s0", "s1"]
    (trouble,) = made.judge.found.troubles
    assert trouble.startswith("there are 2 alarms of events")
    assert "a of s2" in trouble
    made.event(6, "recovered", "s9")
    made.judge.use(plan_of(alarms), made.at, made.now_us)
    assert len(made.judge.found.troubles) == 1, "an event that raises nothing is not refused"
    made.event(7, "dropped", "s1")
    assert len(made.judge.found.troubles) == 1, "an alarm that is there goes on"
    made.event(8, "dropped", "s7")
    assert len(made.judge.found.troubles) == 2
