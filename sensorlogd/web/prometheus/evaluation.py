"""Questions of the Prometheus API, as functions of a log that run in a worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sensorlogd import extras
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.prometheus import text
from sensorlogd.web.prometheus.limits import Limits
from sensorlogd.web.prometheus.promql.values import NAME, Labels, PromError, Scalar, Series, Text, key
from sensorlogd.web.prometheus.source import LogSource
from sensorlogd.web.workers.answer_body import AnswerBody, body_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A PromError in a form that can be sent from the worker."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Question:
    """An expression, evaluated from ``start_us`` to ``end_us``. ``step_us`` 0: at one instant. ``lookback_us`` None: the default
    of Prometheus."""

    query: str
    start_us: int
    end_us: int
    step_us: int
    lookback_us: int | None
    heartbeat: bool
    limits: Limits


def evaluate(log: LogReader, question: Question, pack: bool) -> AnswerBody | Refusal:
    """Evaluate the question, and return the JSON of the answer."""
    try:
        log.conn.execute("BEGIN")
        source = LogSource(log, heartbeat=question.heartbeat, limits=question.limits)
        data = _data(source, question)
        return _body_with_notes(source, data, pack)
    except PromError as error:
        return Refusal(error.kind, str(error))


def _data(source: LogSource, question: Question) -> str:
    """The JSON of ``data`` in the answer. Raises PromError."""
    engine = _engine()
    expression = engine.parse(question.query)
    start = question.start_us
    lookback = engine.LOOKBACK_US if question.lookback_us is None else question.lookback_us
    if not question.step_us:
        if engine.is_range(expression):
            return text.samples(engine.range_of(expression, start, source))
        return text.instant(engine.evaluate(expression, engine.Grid(start, 0, 1, start, start), source, lookback), start)
    grid = engine.Grid.of(start, question.end_us, question.step_us)
    value = engine.evaluate(expression, grid, source, lookback)
    if isinstance(value, Text):
        raise PromError('invalid expression type "string" for range query, must be Scalar or instant Vector', "bad_data")
    series = [Series({}, list(value.values))] if isinstance(value, Scalar) else value.series
    source.limits.check_answer(len(series), grid.steps, grid.step_us)
    return text.matrix(sorted(series, key=lambda line: key(line.labels)), [grid.at(step) for step in range(grid.steps)])


def _body_with_notes(source: LogSource, data: str, pack: bool) -> AnswerBody:
    notes_json = "".join(f',"{name}":{json.dumps(notes)}' for name, notes in source.notes().items() if notes)
    return body_of(f'{{"status":"success","data":{data}{notes_json}}}'.encode(), pack, source.source_kind())


def _engine() -> Any:
    """The PromQL engine, imported late. Raises PromError if its packages are not installed."""
    try:
        from sensorlogd.web.prometheus.promql import engine
    except ImportError as error:
        if error.name not in ("promql_parser", "re2"):
            raise
        raise PromError(f"PromQL needs a package that is not installed: {extras.advice('prometheus')}", "unavailable") from None
    return engine


# ---- what there is -----------------------------------------------------------------------------------------------------


def all_series(log: LogReader, selectors: Sequence[str]) -> list[Labels] | Refusal:
    """The labels of each series that a selector matches, sorted. Runs in a worker process, as all questions here."""
    return _choose_labels(log, selectors, lambda found: sorted(found, key=key))


def label_names(log: LogReader, selectors: Sequence[str]) -> list[str] | Refusal:
    """The names of labels of the series that a selector matches, sorted."""
    return _choose_labels(log, selectors, lambda found: sorted({name for labels in found for name in labels}))


def label_values(log: LogReader, selectors: Sequence[str], name: str) -> list[str] | Refusal:
    """The values that a label has in the series that a selector matches, sorted."""
    return _choose_labels(log, selectors, lambda found: sorted({labels[name] for labels in found if name in labels}))


def metadata(log: LogReader, wanted: str | None) -> dict[str, list[dict[str, str]]]:
    """The type and unit of each metric, by name."""
    log.conn.execute("BEGIN")
    found: dict[str, list[dict[str, str]]] = {}
    for series, labels in LogSource(log).all_labels():
        if wanted is None or labels[NAME] == wanted:
            entry = {"type": "counter" if series.kind == "counter" else "gauge", "help": "", "unit": series.unit}
            entries = found.setdefault(labels[NAME], [])
            if entry not in entries:
                entries.append(entry)
    return found


def _choose_labels(log: LogReader, selectors: Sequence[str], give: Callable[[list[Labels]], T]) -> T | Refusal:
    """What ``give`` makes of the labels of the series that one of the selectors matches; of all without selectors."""
    try:
        tests = [_test(selector) for selector in selectors]
    except PromError as error:
        return Refusal(error.kind, str(error))
    log.conn.execute("BEGIN")
    return give([found for _, found in LogSource(log).all_labels() if not tests or any(test(found) for test in tests)])


def _test(selector: str) -> Callable[[Labels], bool]:
    """A function that tells whether the selector matches labels. Raises PromError for a bad selector."""
    engine = _engine()
    node = engine.parse(selector)
    if type(node).__name__ != "VectorSelector":
        raise PromError(f"{selector!r} is not a series selector", "bad_data")
    test: Callable[[Labels], bool] = engine.matcher(node)
    return test
