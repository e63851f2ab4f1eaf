"""Scripts of the language in which Prometheus describes what its engine must answer: ``load``, ``clear``, ``eval``.

Only floats: series with histograms are left out of what is loaded, and evaluations that speak of them are not judged.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import promql_parser

from sensorlogd.counters import Law
from sensorlogd.web.prometheus.limits import Limits
from sensorlogd.web.prometheus.promql import engine
from sensorlogd.web.prometheus.promql.queryable import Samples, Stored
from sensorlogd.web.prometheus.promql.values import NAME, Labels, PromError, Scalar, Series, Text, Values, Vector, key

STALE = object()
_NUMBER = re.compile(
    r"[-+]?(?:inf|nan|[0-9][0-9_]*\.?[0-9]*(?:e[-+]?[0-9]+)?|\.[0-9]+(?:e[-+]?[0-9]+)?|0x[0-9a-f]+)", re.IGNORECASE
)


@dataclass
class Memory:
    """A series in memory. A stale marker ends it: it is no sample, and what was before does not count any more."""

    labels: Labels
    points: dict[int, Any] = field(default_factory=dict)
    lookback_us: int | None = None
    counter: Law | None = None

    def window(self, after_us: int, until_us: int) -> Samples:
        found = [(ts, value) for ts, value in sorted(self.points.items()) if after_us < ts <= until_us and value is not STALE]
        return Samples(array("q", (ts for ts, _ in found)), array("d", (value for _, value in found)))

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        times = sorted(self.points)
        at = bisect_right(times, until_us) - 1
        if at < 0 or times[at] <= after_us or self.points[times[at]] is STALE:
            return None
        return times[at], self.points[times[at]]

    def rolled(self, function: str, ends: Sequence[int], length_us: int) -> Values | None:
        return None

    def is_to_look_up(self, ends: Sequence[int], lookback_us: int) -> bool:
        return False


class Storage:
    limits = Limits()

    def __init__(self) -> None:
        self.series: dict[Any, Memory] = {}

    def select(self, matches: Callable[[Labels], bool]) -> list[Stored]:
        return [memory for memory in self.series.values() if matches(memory.labels)]


def us(text: str) -> int:
    text = text.strip()
    if re.fullmatch(r"-?[0-9.]+", text):
        return round(float(text) * 1e6)
    units = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
    found = sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", text))
    return -found if text.startswith("-") else found


def labels_of(text: str) -> Labels:
    node: Any = promql_parser.parse(text)  # a selector
    found = {matcher.name: matcher.value for matcher in node.matchers.matchers}
    return found | ({NAME: node.name} if node.name else {})


def split(line: str) -> tuple[str, str]:
    """(series, points)."""
    line = line.strip()
    if re.match(r"[^\s{]*\{", line):
        depth, quoted = 0, ""
        for at, char in enumerate(line):
            if quoted:
                if char == "\\":
                    continue
                if char == quoted and line[at - 1] != "\\":
                    quoted = ""
            elif char in "\"'`":
                quoted = char
            elif char == "{":
                depth += 1
            elif char == "}":
                depth -= 1
                if not depth:
                    return line[: at + 1], line[at + 1 :].strip()
    name, *rest = line.split(None, 1)
    return name, rest[0] if rest else ""


class Histogram(Exception):
    """Not for us."""


def points(text: str) -> list[Any]:
    """``1 2+3x4 _ stale``: None for no point."""
    if "{{" in text:
        raise Histogram
    found: list[Any] = []
    for word in text.split():
        if match := re.fullmatch(r"_(?:x(\d+))?", word):
            found += [None] * int(match[1] or 1)
        elif word == "stale":
            found.append(STALE)
        elif match := re.fullmatch(rf"({_NUMBER.pattern})(?:([-+])({_NUMBER.pattern}))?x(\d+)", word, re.IGNORECASE):
            start, step = value(match[1]), value(match[3]) * (-1 if match[2] == "-" else 1) if match[3] else 0.0
            current = start
            for _ in range(int(match[4]) + 1):
                found.append(current)
                current += step
        else:
            found.append(value(word))
    return found


def value(text: str) -> float:
    text = text.replace("_", "")
    return float(int(text, 16)) if text.lower().lstrip("+-").startswith("0x") else float(text)


@dataclass
class Eval:
    """One ``eval``: a query, when, and what is expected of it."""

    line: int
    query: str
    start_us: int
    end_us: int
    step_us: int
    fails: bool = False
    ordered: bool = False
    histograms: bool = False
    expected: list[tuple[str, str]] = field(default_factory=list)


Command = tuple[str, Any]


def commands(script: str) -> Iterator[Command]:
    """("load", (step, [(series, points)])), ("clear", None), ("eval", Eval)."""
    current: Any = None
    for number, raw in enumerate(script.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            if not line and current is not None:
                yield current
                current = None
            continue
        word = line.split()[0]
        if word in ("load", "clear") or word.startswith(("eval", "load_")):
            if current is not None:
                yield current
                current = None
            if word == "clear":
                yield "clear", None
            elif word.startswith("load"):
                current = ("load", (us(line.split()[1]), []))
            else:
                current = ("eval", _eval(number, line))
        elif current is None:
            continue
        elif current[0] == "load":
            current[1][1].append(line)
        else:
            _expect(current[1], line)
    if current is not None:
        yield current


def _eval(number: int, line: str) -> Eval:
    head = re.match(r"eval(?:_(\w+))?\s+instant(?:\s+at\s+(\S+))?\s+(.*)", line)
    if head is not None:
        at = us(head[2] or "0")
        return Eval(number, head[3], at, at, 0, fails=head[1] == "fail", ordered=head[1] == "ordered")
    head = re.match(r"eval(?:_(\w+))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.*)", line)
    assert head is not None, line
    return Eval(number, head[5], us(head[2]), us(head[3]), us(head[4]), fails=head[1] == "fail")


def _expect(case: Eval, line: str) -> None:
    if line.startswith("expect"):
        kind = line.split()[1]
        case.fails = case.fails or kind == "fail"
        case.ordered = case.ordered or kind == "ordered"
    elif not line.startswith(("expected_fail", "expect_")):
        if "{{" in line:
            case.histograms = True
        case.expected.append(
            split(line) if not re.fullmatch(rf"{_NUMBER.pattern}|\"[^\"]*\"", line, re.IGNORECASE) else ("", line)
        )


@dataclass
class Tally:
    """How a script went. ``wrong``: (line, query, what)."""

    equal: int = 0
    refused: list[str] = field(default_factory=list)  # not supported, by name
    histograms: int = 0
    unparsed: list[str] = field(default_factory=list)
    wrong: list[tuple[int, str, str]] = field(default_factory=list)


def run(script: str) -> Tally:
    storage, tally = Storage(), Tally()
    histograms: set[str] = set()
    for kind, what in commands(script):
        if kind == "clear":
            storage, histograms = Storage(), set()
        elif kind == "load":
            step, lines = what
            for line in lines:
                name, text = split(line)
                try:
                    found, labels = points(text), labels_of(name)
                except Histogram:
                    histograms.add(name.partition("{")[0])
                    continue
                memory = storage.series.setdefault(key(labels), Memory(labels))
                memory.points.update({n * step: point for n, point in enumerate(found) if point is not None})
        else:
            _judge(what, storage, histograms, tally)
    return tally


def _judge(case: Eval, storage: Storage, histograms: set[str], tally: Tally) -> None:
    if case.histograms or any(name and re.search(rf"\b{re.escape(name)}\b", case.query) for name in histograms):
        tally.histograms += 1
        return
    try:
        expression = engine.parse(case.query)
    except PromError as error:
        if case.fails:
            tally.equal += 1
        else:
            tally.unparsed.append(f"{case.query}: {error}")
        return
    try:
        if engine.is_range(expression):
            found: Any = Vector([])
            tally.unparsed.append(f"{case.query}: a range as a result")
            return
        grid = engine.Grid.of(case.start_us, case.end_us, case.step_us)
        found = engine.evaluate(expression, grid, storage)
    except PromError as error:
        if error.kind == "unsupported":
            tally.refused.append(str(error))
        elif case.fails:
            tally.equal += 1
        else:
            tally.wrong.append((case.line, case.query, f"failed: {error}"))
        return
    if case.fails:
        tally.wrong.append((case.line, case.query, "was to fail"))
        return
    problem = _difference(found, case, grid.steps)
    if problem:
        tally.wrong.append((case.line, case.query, problem))
    else:
        tally.equal += 1


def _difference(found: Any, case: Eval, steps: int) -> str:
    if isinstance(found, Text):
        return (
            ""
            if case.expected == [("", f'"{found.value}"')] or case.expected[0][1].strip("'\"`") == found.value
            else f"{found.value!r}"
        )
    if isinstance(found, Scalar):
        if len(case.expected) == 1 and case.expected[0][0] in ("", "{}"):
            wanted = points(case.expected[0][1])
            return "" if same_all(list(found.values), wanted, steps) else f"{found.values[:5]} for {wanted[:5]}"
        return f"a scalar {found.values[:5]}"
    got = [series for series in found.series if any(value is not None for value in series.values)]
    wanted_series = [(labels_of(name) if name not in ("", "{}") else {}, points(text)) for name, text in case.expected]
    if case.ordered:
        names = [key(series.labels) for series in got]
        if names != [key(labels) for labels, _ in wanted_series]:
            return f"the order {[dict(name) for name in names]}"
    by_key = {key(series.labels): series for series in got}
    if by_key.keys() != {key(labels) for labels, _ in wanted_series}:
        extra = by_key.keys() - {key(labels) for labels, _ in wanted_series}
        lacking = {key(labels) for labels, _ in wanted_series} - by_key.keys()
        return f"has {[dict(name) for name in extra]}, lacks {[dict(name) for name in lacking]}"
    for labels, wanted in wanted_series:
        series: Series = by_key[key(labels)]
        if not same_all(list(series.values), wanted, steps):
            return f"{labels}: {series.values[:8]} for {wanted[:8]}"
    return ""


def same_all(values: list[float | None], wanted: list[Any], steps: int) -> bool:
    wanted = wanted + [None] * (steps - len(wanted))
    return len(values) == len(wanted) and all(same(a, b) for a, b in zip(values, wanted, strict=True))


def same(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)
