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
        ("flag red", "'red' is no flag; write flag suspect"),
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
        ({"when": "> 3"}, "alarms.a: write series: and when:, or events:"),
        ({"series": "s.x", "when": "stuck"}, "alarms.a.when: 'stuck' needs a time"),
        ({"series": "s.x", "when": "missing", "clear": "> 3"}, "alarms.a.clear: missing ends by itself"),
        ({"series": "s.x", "when": "> 3", "hold": "1h"}, "alarms.a.hold: goes with events:"),
        ({"events": "dropped", "for": "1h"}, "alarms.a.for: of events"),
        ({"events": "dropped", "quiet": "22-7"}, "alarms.a.quiet: '22-7' are no hours; write e.g. 22:00-07:00"),
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
