"""Whatever is asked has an answer or a mistake that is told: never a fault, and never without end."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.prometheus import evaluation
from sensorlogd.web.prometheus.evaluation import Question, Refusal
from sensorlogd.web.prometheus.limits import Limits
from sensorlogd.web.prometheus.routes import MAX_POINTS
from sensorlogd.web.workers.answer_body import AnswerBody
from tests.web.conftest import T0, S
from tests.web.promql.queries import QUERIES

LIMITS = Limits(readings=50_000, cells=20_000)
BUDGET_S = 30.0  # of processor time: a busy machine is no reason to fail
YEAR = 365 * 86_400 * S
FARTHEST_US = 2 * 10**11 * S  # the farthest time and the longest step that the paths let through
LONGEST_US = 10**17


class Late(BaseException):
    """No Exception, lest the evaluation takes it for one of its own."""


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Raises Late when so much processor time has gone by."""

    def late(*_: Any) -> None:
        raise Late(f"no end after {seconds:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.fixture(scope="module")
def log(made: Path) -> Iterator[LogReader]:
    with LogReader.open(made) as opened:
        yield opened


def asked(
    log: LogReader, query: str, start_us: int, end_us: int, step_us: int, *, heartbeat: bool = False
) -> AnswerBody | Refusal:
    try:
        with budget(BUDGET_S):
            return evaluation.evaluate(log, Question(query, start_us, end_us, step_us, None, heartbeat, LIMITS), False)
    finally:
        if log.conn.in_transaction:
            log.conn.execute("ROLLBACK")


def assert_fair(found: AnswerBody | Refusal) -> None:
    """An answer that can be read, or a mistake that says what it is."""
    if isinstance(found, Refusal):
        assert found.kind in ("bad_data", "execution", "unsupported")
        assert len(found.message) > 10
    else:
        answer = json.loads(found.content)
        assert answer["status"] == "success"
        assert answer["data"]["resultType"] in ("matrix", "vector", "scalar", "string")


TIMES = st.sampled_from(
    (T0, T0 + 3600 * S, T0 + 7200 * S, T0 + 3600 * S + 137_000, T0 + YEAR, 0, -S, FARTHEST_US - S, S - FARTHEST_US)
)
SPANS = st.sampled_from((0, S, 600 * S, 7200 * S, YEAR, 2 * FARTHEST_US))
STEPS = st.sampled_from((1000, S, 10 * S, 60 * S, 3600 * S, 86_400 * S, YEAR, LONGEST_US))


@given(query=QUERIES, at_us=TIMES, heartbeat=st.booleans())
@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_an_instant_query_has_an_answer_or_a_mistake(log: LogReader, query: str, at_us: int, heartbeat: bool) -> None:
    assert_fair(asked(log, query, at_us, at_us, 0, heartbeat=heartbeat))


@given(query=QUERIES, start_us=TIMES, span_us=SPANS, step_us=STEPS)
@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_a_range_query_has_an_answer_or_a_mistake(log: LogReader, query: str, start_us: int, span_us: int, step_us: int) -> None:
    span_us = min(span_us, (MAX_POINTS - 1) * step_us, max(FARTHEST_US - start_us, 0))
    assert_fair(asked(log, query, start_us, start_us + span_us, step_us))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("t @ -1", "@ with a time before 1970 is not supported"),
        ("avg_over_time(t[5m] @ -0.001)", "@ with a time before 1970 is not supported"),
        ("rate((t @ -3)[5m:1m] @ 0)", "@ with a time before 1970 is not supported"),
        ("t @ 253402300800", "the time of @ lies after the year 9999"),
        ("t @ 1e15", "the time of @ lies after the year 9999"),
        ('absent(t{room="\\n                tv_sec: -1"} @ 0)', [("1", {"room": "\n                tv_sec: -1"})]),
        ("t offset 999999y", []),
        ("t offset -999999y", []),
        ("rate(t[999999y] offset 999999y)", []),
        ("max_over_time(vector(1)[1d:1h] offset 999999y)", [("1", {})]),
        ("round(vector(1), NaN)", [("NaN", {})]),
        ("round(vector(1), Inf)", [("NaN", {})]),
        ("round(vector(1e308), 1e-9)", [("+Inf", {})]),
        ("round(vector(2.5), 5e-324)", [("NaN", {})]),
        (f"count(predict_linear(t[10m] @ {T0 // S + 600}, 1e15))", [("1", {})]),
        ("vector(" + "1+" * 900 + "1)[5m:1m]", "nested too deeply"),
        ("1+" * 9_000 + "1", "at most 2,000 operators"),
        ("t" + " or t" * 3_000, "at most 2,000 operators"),
        ("# it's\n" + "1+" * 9_000 + "1", "at most 2,000 operators"),
        ('"\n' + "1+" * 9_000 + '1"', "at most 2,000 operators"),
        ("-" * 15_000 + "1", "at most 2,000 operators"),
        ('count(t{room!="' + "-" * 15_000 + '"} @ ' + f"{T0 // S})", [("1", {})]),
    ],
)  # fmt: skip
def test_what_was_a_fault_once(log: LogReader, query: str, expected: str | list[tuple[str, dict[str, str]]]) -> None:
    """Each of these ended a worker, or was answered as a fault of the server."""
    found = asked(log, query, T0 + 3600 * S, T0 + 3600 * S, 0)
    if isinstance(expected, str):
        assert isinstance(found, Refusal)
        assert re.search(expected, found.message)
    else:
        assert isinstance(found, AnswerBody)
        result = json.loads(found.content)["data"]["result"]
        assert [(sample["value"][1], sample["metric"]) for sample in result] == expected


def test_a_fault_would_be_seen(log: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge itself: another exception passes, and so does the end of the budget."""
    with pytest.raises(Late), budget(0.05):
        while True:
            pass

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(evaluation, "_data", broken)
    with pytest.raises(ZeroDivisionError):
        asked(log, "t", T0, T0, 0)
