"""Every function on the list answers as Prometheus says that its own engine must; what is not supported is refused by name."""

from __future__ import annotations

import re

import pytest

from tests import needs
from tests.web.promql import fetch, scripts

# What may differ, and why. Anything else that differs is a mistake of ours.
KNOWN = {
    "functions.test": (
        r"label_replace\(testmetric, \"\\xff\"",  # the parser gives text, not bytes: there is no label that is not UTF-8
        r"avg_over_time\(metric11\[1m\]\)",  # the script says itself that the engine's answer is not the right one; ours is
        r"data\(_histogram\)\?",  # matches native histograms, which nobody stores here
    ),
    "histograms.test": (r"count\(request_duration_seconds\)", r"resets\(histogram_with_reset"),
    "native_histograms.test": (r"sum\(\{idx=",),
    "name_label_dropping.test": (r"env=\"1\"",),  # an experimental mode of the engine: names are dropped late
    "type_and_unit.test": (r"http_requests_total",),  # an experimental mode: labels of type and unit
}
# Evaluations that must be equal, at least.
MIN_EQUAL = {
    "aggregators.test": 130, "at_modifier.test": 45, "functions.test": 240, "literals.test": 20, "operators.test": 130,
    "range_queries.test": 8, "selectors.test": 30, "staleness.test": 17, "subquery.test": 30, "trig_functions.test": 19,
}  # fmt: skip
REFUSED = re.compile(
    r"the (function|aggregation|operator) (histogram_\w+|sort_by_label(_desc)?|double_exponential_smoothing|ts_of_\w+|mad_over_time|info|limitk|limit_ratio"
    r"|first_over_time|\w+_over_time|start|end|range|step)|fill"
)


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    """The scripts, by name."""
    if not fetch._kept():
        needs.tool("apt-get")
    try:
        return fetch.scripts()
    except OSError as error:
        needs._missing(str(error))
        raise


@pytest.mark.parametrize("name", sorted(MIN_EQUAL.keys() | KNOWN.keys() | {"collision.test"}))
def test_prometheus_own_scripts(found: dict[str, str], name: str) -> None:
    """Values within a millionth, labels and order exactly, extrapolation included; errors where errors are due."""
    tally = scripts.run(found[name])
    wrong = [mistake for mistake in tally.wrong if not any(re.search(known, mistake[1]) for known in KNOWN.get(name, ()))]
    assert not wrong
    assert tally.equal >= MIN_EQUAL.get(name, 0)
    assert [refusal for refusal in tally.refused if not REFUSED.search(refusal)] == []


def test_a_wrong_answer_would_be_seen() -> None:
    """The judge itself: another value, another label, a missing series and a missing error are told."""
    script = """
load 1m
    a{x="1"} 0+1x10
    a{x="2"} 0+2x10

eval instant at 5m a
    a{x="1"} 5
    a{x="2"} 11

eval instant at 5m a
    a{x="1"} 5

eval instant at 5m a
    expect fail

eval range from 0 to 2m step 1m a{x="1"} * 2
    {x="1"} 0 2 4

eval instant at 5m foo(a)
    expect fail
"""
    tally = scripts.run(script)
    assert [line for line, *_ in tally.wrong] == [6, 10, 13]
    assert tally.equal == 2
