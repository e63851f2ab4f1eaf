"""What stands for the groups of a match in a replacement, as in Go's ``Expand``, which Prometheus uses."""

from __future__ import annotations

import pytest

from sensorlogd.web.prometheus.promql.patterns import compiled, expanded


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("$0 $1 ${2}", "ab a b"),
        ("$name ${name} $$1 $", "b b $1 $"),
        ("$3|$x|${x}|$01|$1x", "||||"),
        ("$²|${²}|$½", "$²|${²}|$½"),  # no digits there, and no letters
        ("$١", ""),  # a digit, but no number
        ("$" + "9" * 5_000, ""),
    ],
)
def test_references_are_those_of_go(template: str, result: str) -> None:
    assert expanded(compiled("(a)(?P<name>b)").fullmatch("ab"), template) == result
