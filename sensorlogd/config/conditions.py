"""The grammar of conditions of alarms: what ``when:`` and ``clear:`` may say.

    > 30     <= -18     == 1     != 0           the newest value
    mean(10min) > 25    min(1h) < 3             over the readings of a time: mean, min, max, increase
    increase(1d) > 200                          what a counter rose by, a gauge changed by
    rate > 5/min        rate(10min) < -0.1/s    how fast it changes, over a minute unless said otherwise
    missing             missing 15min           nothing new for its heartbeat, or for this long
    stuck 2h                                    the same value for this long
    flag suspect        flag fail               the newest reading is as bad or worse

Nothing here is about time or states; ``alarms.judging.terms`` computes what a condition asks for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from sensorlogd.notation.durations import format_duration, parse_duration
from sensorlogd.notation.microseconds import DAY_US, MINUTE_US
from sensorlogd.quality import Flag

VALUE, RATE, MEAN, MIN, MAX, INCREASE = "value", "rate", "mean", "min", "max", "increase"
MISSING, STUCK, FLAG = "missing", "stuck", "flag"
WINDOWS = (MEAN, MIN, MAX, INCREASE)
RATE_OVER_US = MINUTE_US
MAX_WINDOW_US = 40 * DAY_US
FLAGS = {"suspect": Flag.SUSPECT, "fail": Flag.FAIL, "missing": Flag.MISSING}
EXAMPLES = '"> 30", "mean(10min) > 25", "rate > 5/min", "missing", "stuck 2h" or "flag fail"'

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_COMPARISON = re.compile(
    rf"(?:(?P<term>[a-z]+)\s*(?:\(\s*(?P<over>[^()]*?)\s*\))?\s*)?(?P<op><=|>=|==|!=|<|>|=)\s*(?P<limit>{_NUMBER})\s*(?P<rest>.*)",
    re.ASCII,
)
_OPERATORS = {"=": "=="}


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition. ``kind``: one of the names above. ``over_us``: the window, or how long the series must be missing or
    stuck (0: its heartbeat). ``op`` and ``limit`` of a comparison (a rate is in units per second); ``flag``: the least bad flag
    that counts."""

    kind: str
    op: str = ""
    limit: float = 0.0
    over_us: int = 0
    flag: int = 0

    @property
    def term(self) -> tuple[str, int]:
        """(kind, window in µs) of the term that must be computed for it; conditions with the same term share it."""
        return self.kind, self.over_us

    def holds(self, value: float) -> bool:
        """Whether the comparison is true for ``value``."""
        return COMPARE[self.op](value, self.limit)

    def text(self) -> str:
        """The condition as text in the grammar above."""
        if self.kind in (MISSING, STUCK):
            return f"{self.kind} {format_duration(self.over_us)}" if self.over_us else self.kind
        if self.kind == FLAG:
            return f"flag {Flag(self.flag).name.lower()}"
        if self.kind == RATE:
            over = "" if self.over_us == RATE_OVER_US else f"({format_duration(self.over_us)})"
            return f"rate{over} {self.op} {self.limit * 60:g}/min"
        term = "" if self.kind == VALUE else f"{self.kind}({format_duration(self.over_us)}) "
        return f"{term}{self.op} {self.limit:g}"

    def opposite(self) -> Condition:
        """The comparison that holds exactly when this one does not."""
        return replace(self, op=_OPPOSITE[self.op])


_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!=", "!=": "=="}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def never_ends(when: Condition, clear: Condition) -> bool:
    """Whether ``clear``, a comparison of the same term, ends nothing that ``when`` began: it holds only while that does, or looks
    the same way (``> 20`` for ``> 30``), so that a value that goes past it in one step ends nothing."""
    if when.term != clear.term:
        return False
    same_way = when.op[0] == clear.op[0] and when.op[0] in "<>"
    return same_way or not any(clear.holds(value) and not when.holds(value) for value in _samples(when, clear))


def ends_nothing_earlier(when: Condition, clear: Condition) -> bool:
    """Whether ``clear``, a comparison of the same term, says more than that ``when`` does not hold and changes nothing: it holds
    wherever that does not, and also where it does (``< 40`` for ``> 30``)."""
    if when.term != clear.term:
        return False
    values = _samples(when, clear)
    between = [value for value in values if value not in (when.limit, clear.limit)]  # to meet at the limit alone is usual
    return all(when.holds(value) or clear.holds(value) for value in values) and any(
        when.holds(value) and clear.holds(value) for value in between
    )


def _samples(one: Condition, other: Condition) -> tuple[float, ...]:
    """Values of which one lies in each part that two comparisons divide all numbers into."""
    return -math.inf, one.limit, one.limit / 2 + other.limit / 2, other.limit, math.inf


def parse(text: str, like: Condition | None = None) -> Condition:
    """Parse a condition. ``like``: the alarm's ``when``; a ``clear`` that names no term of its own uses the term of that. Raises
    ValueError, which says what to write."""
    words = text.strip().lower()
    head, _, rest = words.partition(" ")
    if head in (MISSING, STUCK):
        return _parse_lasting(head, rest.strip(), text)
    if head == FLAG:
        return _parse_flag(rest.strip(), text)
    found = _COMPARISON.fullmatch(words)
    if found is None:
        raise ValueError(f"{text!r} is not a condition; write e.g. {EXAMPLES}")
    return _parse_comparison(found, text, like)


def _parse_lasting(kind: str, rest: str, text: str) -> Condition:
    """``missing`` and ``stuck``, with a time after them or none. Raises ValueError."""
    rest = rest.removeprefix("for ").strip("() ")
    try:
        over = parse_duration(rest) if rest else 0
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return Condition(kind, over_us=over)


def _parse_flag(word: str, text: str) -> Condition:
    if word not in FLAGS:
        raise ValueError(f"{text!r}: {word or 'nothing'!r} is not a flag; write flag suspect, flag fail or flag missing")
    return Condition(FLAG, flag=int(FLAGS[word]))


def _parse_comparison(match: re.Match[str], text: str, like: Condition | None) -> Condition:
    """A term, an operator and a number; without a term, that of ``like`` if there is one. Rates become units per second. Raises
    ValueError."""
    term, over = match["term"], match["over"]
    kind = term or VALUE
    if kind not in (VALUE, RATE, *WINDOWS):
        raise ValueError(f"{text!r}: {kind!r} is not known; write value, rate, or {', '.join(WINDOWS)} with a time in brackets")
    over_us = _window_us(kind, over, text)
    if term is None and like is not None and like.op:
        kind, over_us = like.term
    op = _OPERATORS.get(match["op"], match["op"])
    limit = float(match["limit"]) / _per_s(kind, match["rest"].strip(), text)
    if not math.isfinite(limit):
        raise ValueError(f"{text!r}: the number is too large; write a finite one")
    return Condition(kind, op, limit, over_us)


def _window_us(kind: str, over: str | None, text: str) -> int:
    """The window of a term in µs, 0 if it has none. ``over``: the text in brackets, None if there are none. Raises ValueError."""
    if kind == VALUE:
        if over is not None:
            raise ValueError(f"{text!r}: the newest value has no time in brackets; write mean(10min), or leave the brackets out")
        return 0
    if over is None:
        if kind == RATE:
            return RATE_OVER_US
        raise ValueError(f"{text!r}: over what time? write e.g. {kind}(10min)")
    try:
        found = parse_duration(over)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if not 1_000_000 <= found <= MAX_WINDOW_US:
        raise ValueError(f"{text!r}: {over} is not between 1s and {format_duration(MAX_WINDOW_US)}; write e.g. {kind}(10min)")
    return found


def _per_s(kind: str, rest: str, text: str) -> float:
    """The number of seconds in the unit of time of a rate (60 for ``/min``); 1 for any other kind."""
    if kind == RATE:
        unit = rest.removeprefix("/").strip()
        try:
            per = parse_duration(unit if unit[:1].isdigit() else f"1{unit}") / 1e6
        except ValueError:
            per = 0.0
        if not rest.startswith("/") or per <= 0:
            raise ValueError(f"{text!r}: a rate is per time; write e.g. rate > 5/min or rate > 0.1/s")
        return per
    if rest:
        raise ValueError(f"{text!r}: {rest!r} is too much; the number is in the unit of the channel, write it without one")
    return 1.0
