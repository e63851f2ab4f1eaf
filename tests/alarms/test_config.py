"""One grammar; mistakes are told with their place and what to write, and no secret is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.config import conditions
from sensorlogd.config.conditions import Condition, parse
from sensorlogd.config.loader import ConfigErrors, load, load_text
from sensorlogd.config.validation.warnings import warnings
from sensorlogd.drivers.registry import options_for
from tests.alarms.rig import config_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("> 30", Condition("value", ">", 30.0)),
        (">=30", Condition("value", ">=", 30.0)),
        ("value < -1.5e3", Condition("value", "<", -1500.0)),
        ("= 1", Condition("value", "==", 1.0)),
        ("mean(10min) > 25", Condition("mean", ">", 25.0, 600_000_000)),
        ("increase( 1d )>200", Condition("increase", ">", 200.0, 86_400_000_000)),
        ("rate > 60/min", Condition("rate", ">", 1.0, 60_000_000)),
        ("rate(10min) < -0.1/s", Condition("rate", "<", -0.1, 600_000_000)),
        ("missing", Condition("missing")),
        ("missing 15min", Condition("missing", over_us=900_000_000)),
        ("stuck for 2h", Condition("stuck", over_us=7_200_000_000)),
        ("flag fail", Condition("flag", flag=4)),
    ],
)
def test_conditions(text: str, condition: Condition) -> None:
    """And the text of a condition means the same condition."""
    assert parse(text) == condition
    assert parse(condition.text()) == condition


@given(
    st.sampled_from(["", "mean(10min)", "max(1h)", "increase(1d)"]),
    st.sampled_from([*conditions.COMPARE]),
    st.integers(-(10**6), 10**6),
)
def test_what_is_shown_can_be_written(term: str, op: str, limit: int) -> None:
    """For every comparison whose number has six digits."""
    found = parse(f"{term} {op} {limit / 10:g}")
    assert parse(found.text()) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hot", "is not a condition; write e.g."),
        ("> 30 °C", "'°c' is too much; the number is in the unit of the channel"),
        ("mean > 3", "over what time? write e.g. mean(10min)"),
        ("mean(10) > 3", "'10' is not a duration"),
        ("median(1h) > 3", "'median' is not known; write value, rate, or mean, min, max, increase"),
        ("value(1h) > 3", "the newest value has no time in brackets"),
        ("rate > 3", "a rate is per time; write e.g. rate > 5/min"),
        ("mean(1ms) > 3", "is not between 1s and"),
        ("flag red", "'red' is not a flag; write flag suspect"),
        ("missing soon", "'soon' is not a duration"),
        ("> 1e999", "too large"),
    ],
)
def test_mistakes_tell_the_cure(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the text is looked at below
        parse(text)
    assert problem in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("alarm", "problem"),
    [
        ({"series": "s.x"}, "alarms.a: when: is required with series:"),
        ({"when": "> 3"}, "alarms.a: neither series: nor events: is given; write series: and when:, or events:"),
        ({"series": "s.x", "when": "stuck"}, "alarms.a.when: 'stuck' needs a time"),
        ({"series": "s.x", "when": "missing", "clear": "> 3"}, "alarms.a.clear: missing ends by itself"),
        ({"series": "s.x", "when": "> 3", "hold": "1h"}, "alarms.a.hold: goes with events:"),
        ({"events": "dropped", "for": "1h"}, "alarms.a.for: of events"),
        ({"events": "dropped", "quiet": "22-7"}, "alarms.a.quiet: '22-7' is not a span of hours; write e.g. 22:00-07:00"),
        ({"series": "t.x", "when": "> 3"}, "alarms.a.series: 't.x' meets no series (did you mean 's.x'?)"),
        ({"series": "s.x", "when": "> 3", "notify": "mee"}, "alarms.a.notify: unknown target 'mee' (did you mean 'me'?)"),
        (
            {"series": "s.x", "when": "> 3", "escalate": {"after": "1h", "notify": "bos"}},
            "alarms.a.escalate.notify: unknown target 'bos' (did you mean 'boss'?)",
        ),
    ],
)
def test_mistakes_of_alarms_have_their_place(alarm: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        config_of({"a": alarm})
    assert problem in str(caught.value)


COMPARISONS = st.builds(Condition, st.just("value"), st.sampled_from([*conditions.COMPARE]), st.integers(-3, 3).map(float))
VALUES = [step / 2 for step in range(-8, 9)]


@given(COMPARISONS, COMPARISONS)
def test_an_ending_that_cannot_end_is_found(when: Condition, clear: Condition) -> None:
    """By looking at all values instead. While the condition holds, it wins."""
    ending = [value for value in VALUES if clear.holds(value) and not when.holds(value)]
    same_way = when.op[0] == clear.op[0] in "<>"
    assert conditions.never_ends(when, clear) == (not ending or same_way)
    if conditions.ends_nothing_earlier(when, clear):
        assert ending == [value for value in VALUES if not when.holds(value)]
        assert any(when.holds(value) and clear.holds(value) for value in VALUES)
    assert [when.opposite().holds(value) for value in VALUES] == [not when.holds(value) for value in VALUES]


@pytest.mark.parametrize(
    ("when", "clear", "problem"),
    [
        ("> 30", "> 40", "alarms.a.clear: '> 40' does not end '> 30'; write one of the other side, e.g. '<= 30', or leave clear: out"),
        ("< -18", "< -20", "e.g. '>= -18'"),
        ("> 30", "> 20", "'> 20' does not end '> 30'"),
        ("!= 0", "> 5", "e.g. '== 0'"),
        ("increase(10s) > 3", "> 10", "'increase(10s) > 10' does not end 'increase(10s) > 3'; write one of the other side, e.g. 'increase(10s) <= 3'"),
        ("rate > 5/min", "> 6/min", "e.g. 'rate <= 5/min'"),
    ],
)  # fmt: skip
def test_an_ending_that_cannot_end_is_a_mistake(when: str, clear: str, problem: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        config_of({"a": {"series": "s.x", "when": when, "clear": clear}})
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("when", "clear", "warned"),
    [
        ("> 30", "< 28", False),
        ("> 30", "<= 30", False),
        (">= 30", "<= 30", False),
        ("== 1", "!= 1", False),
        ("> 0", "== 0", False),
        ("mean(10min) > 25", "value > 5", False),
        ("> 30", "< 40", True),
        ("!= 0", "< 5", True),
    ],
)
def test_an_ending_that_changes_nothing_is_warned_of(when: str, clear: str, warned: bool) -> None:
    config = config_of({"a": {"series": "s.x", "when": when, "clear": clear, "notify": "me"}})
    found = [line for line in warnings(config, lambda port: (port, False)) if line.startswith("alarms.a.clear: ")]
    assert len(found) == warned
    if warned:
        assert f"it ends at {parse(when).opposite().text()!r}, as without clear:" in found[0]


def test_kinds_of_events_that_do_not_exist_are_warned_of() -> None:
    """A warning: a driver may record kinds of its own."""
    known = {"events": ["dropped", "web_*", "*"], "until": "recovered"}
    config = config_of(
        {"a": {"events": ["disk_full", "dropped"], "until": "zzz_*", "notify": "me"}, "b": {**known, "notify": "me"}}
    )
    assert [line for line in warnings(config, lambda port: (port, False)) if line.startswith("alarms.")] == [
        "alarms.a.events: 'disk_full': sensorlogd records no such events, so only a driver of your own could; did you mean disk_low?",
        "alarms.a.until: 'zzz_*': sensorlogd records no such events, so only a driver of your own could;"
        " docs/data-model.md lists those that there are",
    ]


SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "target",
    [
        {"webhook": f"htp://{SECRET}"},
        {"webhook": [f"http://{SECRET}"]},
        {"webhook": {SECRET: 1}},
        {"apprise": [SECRET]},
        {"webhook": f"http://h/{SECRET}", "apprise": SECRET},
        {"webhook": f"http://h/{SECRET}", "headers": [SECRET]},
        {"webhook": f"http://h/{SECRET}", "headers": {"X": [SECRET]}},
        {"webhook": f"http://h/{SECRET}", "token": [SECRET]},
        f"http://h/{SECRET}",
        [f"http://h/{SECRET}"],
        {"command": ["x"], "token": SECRET},
        {"command": f"curl {SECRET}"},
        {"command": {"curl": SECRET}},
        {"command": ["curl", {SECRET: 1}]},
    ],
)
def test_no_mistake_shows_a_secret(target: Any) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(ConfigErrors) as caught:
        config_of({}, notify={"hook": target})
    assert SECRET not in str(caught.value)
    assert "notify.hook" in str(caught.value)


def test_secrets_of_the_environment_are_not_in_the_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """last-good.yaml keeps ``${NAME}``."""
    monkeypatch.setenv("HOOK", f"http://h/{SECRET}")
    config = config_of({}, notify={"hook": {"webhook": "${HOOK}"}})
    assert config.notify["hook"].webhook is not None
    assert config.notify["hook"].webhook.get_secret_value().endswith(SECRET)
    assert SECRET not in config.snapshot()
    assert SECRET not in repr(config)
    again = load_text(config.snapshot(), Path("snapshot.yaml"), options_for)
    assert (again.alarms, again.notify) == (config.alarms, config.notify)


def test_alarms_may_be_included(tmp_path: Path) -> None:
    """A file of their own."""
    (tmp_path / "more.yaml").write_text(
        json.dumps({"alarms": {"a": {"events": "dropped"}}, "notify": {"me": {"command": ["true"]}}})
    )
    (tmp_path / "c.yaml").write_text(json.dumps({"include": "more.yaml"}))
    config = load(tmp_path / "c.yaml", options_for)
    assert list(config.alarms) == ["a"]
    assert list(config.notify) == ["me"]


def test_the_examples_are_valid() -> None:
    """config/alarms.yaml."""
    config = load(ROOT / "config" / "alarms.yaml", options_for)
    assert len(config.alarms) > 12
