"""A roll-up: the summary of one bucket of readings in one row, and how several such rows merge into one.

The law: a roll-up describes its own readings only. ``integral``, ``covered_us``, ``increase``, ``transitions`` and
``states`` run from its first reading to its last. ``merge_all`` adds the steps between neighbours, so that an hour merged
from minutes equals the hour computed from its readings: counts, times and extremes exactly, sums and means within 1e-9
relative. Because nothing outside a bucket is in its row, a changed reading changes its own bucket and the buckets around
it, and no neighbour.

What a counter rose by depends on three readings in a row (``counters.is_glitch``: a fall that the next one makes good). So a row of a
counter keeps its two outermost values at either end, and ``merge_all`` decides the triples that lie across a seam.

A reading holds until the next one, but no longer than the heartbeat: each step counts min(next - this, heartbeat).
Readings flagged fail or missing are counted and otherwise left out. A sum beyond what a double holds is NULL.

Variance: M2 is the sum of squared deviations from the mean, merged by the formula of Chan, Golub and LeVeque (1979);
never from sums of squares, which cancel catastrophically.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain, compress, groupby, pairwise
from operator import add, ge, itemgetter, lt, mul, ne, sub
from typing import Any, NamedTuple

from sensorlogd.counters import DIP, is_glitch, rise, steps
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.quality import FAIL, FLAG_MASK, GOOD, MISSING, NOT_EVALUATED, SUSPECT, UNUSABLE

_COUNTED = (GOOD, NOT_EVALUATED, SUSPECT, FAIL, MISSING)  # in the order of the columns n_good ... n_missing
MAX_STATES = 64
OTHER = "other"  # the key that gathers all states beyond MAX_STATES; no state_key of a number looks like it

Values = Sequence[float | None]


class Rules(NamedTuple):
    """What of a series' settings its roll-ups depend on. ``wrap``, ``dip`` and ``zero`` matter for counters only: see
    ``counters.Law``."""

    kind: str = "gauge"
    heartbeat_us: int = MINUTE_US
    wrap: float | None = None
    dip: float = DIP
    zero: float = 0.0


class RollUp(NamedTuple):
    """The columns of table ``rollup`` after its key. Where ``n`` is 0 all columns up to ``cos_sum`` are None."""

    n: int
    mean: float | None = None
    m2: float | None = None
    min: float | None = None
    max: float | None = None
    first_ts: int | None = None
    first: float | None = None
    last_ts: int | None = None
    last: float | None = None
    integral: float | None = None  # unit x seconds
    covered_us: int | None = None
    increase: float | None = None  # counters only
    resets: int | None = None
    sin_sum: float | None = None  # angles only, of degrees
    cos_sum: float | None = None
    n_good: int = 0
    n_not_evaluated: int = 0
    n_suspect: int = 0
    n_fail: int = 0
    n_missing: int = 0
    transitions: int | None = None  # states only: how often a reading differs from the one before it
    states: str | None = None  # states only: JSON, state_key -> microseconds, see ``_states_text``
    second: float | None = None  # counters only, of two readings and more: what a merge needs to see glitches at its seams
    last_but_one: float | None = None

    @property
    def readings(self) -> int:
        """All readings of the bucket, whatever their flag."""
        return self.n_good + self.n_not_evaluated + self.n_suspect + self.n_fail + self.n_missing


_COUNTS = slice(RollUp._fields.index("n_good"), RollUp._fields.index("n_missing") + 1)  # the columns of readings by flag


# ---- from readings -----------------------------------------------------------------------------------------------------


def of(times: Sequence[int], values: Values, qualities: Sequence[int], rules: Rules) -> RollUp:
    """The roll-up of readings in time order. ``qualities`` as stored (flag and test bits). At least one reading."""
    return by_edges(times, values, qualities, rules, [len(times)])[0]


def by_width(
    times: Sequence[int], values: Values, qualities: Sequence[int], rules: Rules, width_us: int
) -> list[tuple[int, RollUp]]:
    """(start, roll-up) of each bucket of ``width_us`` on the UTC grid that holds readings. At least one reading."""
    starts, ends = [], []
    index, total = 0, len(times)
    while index < total:
        start = times[index] - times[index] % width_us
        index = total if times[-1] < start + width_us else bisect_left(times, start + width_us, index)
        starts.append(start)
        ends.append(index)
    return list(zip(starts, by_edges(times, values, qualities, rules, ends), strict=True))


def by_edges(times: Sequence[int], values: Values, qualities: Sequence[int], rules: Rules, ends: Sequence[int]) -> list[RollUp]:
    """The roll-ups of consecutive runs of readings: [0, ends[0]), [ends[0], ends[1]), ... none of them empty.

    Whatever can be done for all runs at once is: per reading only built-ins that loop in C.
    """
    total = ends[-1]
    uniform = qualities[0] & FLAG_MASK
    if uniform not in UNUSABLE and qualities.count(qualities[0]) == total:
        # A list of flags a run: all readings have the same.
        counted = [[length if uniform == flag else 0 for flag in _COUNTED] for length in map(sub, ends, (0, *ends))]
        used_times, used, used_ends = times, values, ends
    else:
        mask, unusable = FLAG_MASK, UNUSABLE  # read once, and not for every reading
        flags = [quality & mask for quality in qualities]
        counted = [[flags[a:b].count(flag) for flag in _COUNTED] for a, b in pairwise((0, *ends))]
        usable = [flag not in unusable for flag in flags]
        used_times, used, used_ends = _keep_usable(usable, times, values, ends)
    if None in used:  # a NULL that carries another flag than missing (written by hand) is no value either
        used_times, used, used_ends = _keep_usable([value is not None for value in used], used_times, used, used_ends)
    numbers: Sequence[float] = used  # type: ignore[assignment]  # None was taken out above
    steps = list(map(sub, used_times[1:], used_times))
    if steps and max(steps) > rules.heartbeat_us:
        heartbeat = rules.heartbeat_us
        steps = [min(heartbeat, step) for step in steps]
    areas = list(map(mul, numbers, steps))
    found, a = [], 0
    for b, counts in zip(used_ends, counted, strict=True):
        found.append(_roll_up_run(used_times, numbers, steps, areas, a, b, rules, counts) if b > a else _empty_roll_up(counts))
        a = b
    return found


def _keep_usable(
    usable: Sequence[bool], times: Sequence[int], values: Values, ends: Sequence[int]
) -> tuple[Sequence[int], Values, Sequence[int]]:
    """What is usable, and where the runs end in it."""
    kept, so_far, a = [], 0, 0
    for b in ends:
        so_far += sum(usable[a:b])
        kept.append(so_far)
        a = b
    return list(compress(times, usable)), list(compress(values, usable)), kept


def _empty_roll_up(counts: Sequence[int]) -> RollUp:
    """The roll-up of a run in which no reading has a usable value."""
    return _with_counts(RollUp(0), counts)


def _with_counts(of_usable: RollUp, counts: Sequence[int]) -> RollUp:
    """The same roll-up with this many readings by flag."""
    good, not_evaluated, suspect, fail, missing = counts
    return of_usable._replace(n_good=good, n_not_evaluated=not_evaluated, n_suspect=suspect, n_fail=fail, n_missing=missing)


def _roll_up_run(
    times: Sequence[int],
    numbers: Sequence[float],
    steps: Sequence[int],
    areas: Sequence[float],
    a: int,
    b: int,
    rules: Rules,
    counts: Sequence[int],
) -> RollUp:
    """The roll-up of the readings [a, b), at least one, all of them with a value. ``steps``: microseconds from each to the
    next; ``areas``: value times step; ``counts``: readings by flag, those without a value too."""
    mine, n = numbers[a:b], b - a
    mean = _mean(mine, n)
    if n == 1:
        m2: float | None = 0.0
    else:
        distance = math.inf if mean is None else math.dist(mine, (mean,) * n)  # as accurate as a sum in twice the digits
        m2 = _finite_or_none(distance * distance)
    increase = resets = sin_sum = cos_sum = transitions = states = second = last_but_one = None
    if rules.kind == "counter":
        increase, resets = _increase_and_resets(mine, rules)
        if n > 1:
            second, last_but_one = mine[1], mine[-2]
    elif rules.kind == "angle":
        radians = list(map(math.radians, mine))
        sin_sum, cos_sum = math.fsum(map(math.sin, radians)), math.fsum(map(math.cos, radians))
    elif rules.kind == "state":
        transitions = sum(map(ne, mine[1:], mine))
        states = _states_text(_us_in_states(mine, steps[a : b - 1]))
    return tuple.__new__(
        RollUp,
        (
            n, mean, m2, min(mine), max(mine), times[a], mine[0], times[b - 1], mine[-1],
            total(areas[a : b - 1], 1e-6), sum(steps[a : b - 1]), increase, resets, sin_sum, cos_sum, *counts,
            transitions, states, second, last_but_one,
        ),
    )  # fmt: skip


def _finite_or_none(number: float) -> float | None:
    return number if math.isfinite(number) else None


def total(numbers: Iterable[float | None], factor: float = 1.0) -> float | None:
    """The sum times ``factor``; None if a number is, or if the sum is beyond what a double holds."""
    try:
        return _finite_or_none(math.fsum(numbers) * factor)  # type: ignore[arg-type]  # None raises TypeError
    except (OverflowError, ValueError, TypeError):  # infinities of both signs are a ValueError
        return None


def _mean(numbers: Sequence[float], n: int) -> float | None:
    try:
        return _finite_or_none(math.fsum(numbers) / n)
    except (OverflowError, ValueError):
        return total(number / n for number in numbers)


# ---- counters ----------------------------------------------------------------------------------------------------------


def _increase_and_resets(numbers: Sequence[float], rules: Rules) -> tuple[float | None, int]:
    following = numbers[1:]
    if all(map(ge, following, numbers)):
        return _finite_or_none(numbers[-1] - numbers[0]), 0
    rises = steps(numbers, rules)
    return total(map(itemgetter(0), rises)), sum(map(itemgetter(1), rises))


Ends = tuple[int, float, float | None, float | None, float]  # of a part: n, first, second, last but one, last
Correction = tuple[int, float, int]  # part, what is added to its increase, and to its resets


def glitches(parts: Sequence[Ends], rules: Rules) -> Iterable[tuple[Correction, Correction]]:
    """The glitches that only readings of several parts together show: corrections of the part that holds the fall and of the
    one that holds the return. Parts in time order, none of them empty. A roll-up of an older release does not know its second
    value: at its seams nothing is corrected.
    """
    falls = any(map(lt, (part[1] for part in parts[1:]), (part[4] for part in parts)))
    if not falls and not any(part[3] is not None and part[4] < part[3] for part in parts):
        return []
    return _glitches(parts, rules)


def _glitches(parts: Sequence[Ends], rules: Rules) -> list[tuple[Correction, Correction]]:
    """The corrections that ``glitches`` returns."""
    found = []
    ends = [(number, value) for number, part in enumerate(parts) for value in _ends(part)]
    for (i, a), (j, b), (k, c) in zip(ends, ends[1:], ends[2:], strict=False):
        if i == k or a is None or b is None or c is None or not is_glitch(a, b, c, rules):
            continue  # within one part it was seen already
        fall, began = rise(a, b, rules)
        found.append(((j, -fall, -began), (k, rise(a, c, rules)[0] - rise(b, c, rules)[0], 0)))
    return found


def _ends(part: Ends) -> Sequence[float | None]:
    """The outermost readings in order; None stands for those between, which are not known."""
    n, first, second, last_but_one, last = part
    if n < 3:
        return [first, last][:n]
    return [first, second, last] if n == 3 else [first, second, None, last_but_one, last]


# ---- states ------------------------------------------------------------------------------------------------------------


def state_key(value: float) -> str:
    """A state's name in ``states``: whole numbers without a fraction."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)


def _us_in_states(numbers: Sequence[float], steps: Sequence[int]) -> dict[str, int]:
    """Microseconds in each state."""
    held: dict[str, int] = {}
    begin = 0
    for value, run in groupby(numbers[: len(steps)]):
        end = begin + sum(1 for _ in run)
        key = state_key(value)
        held[key] = held.get(key, 0) + sum(steps[begin:end])
        begin = end
    return held


def _states_text(held: dict[str, int]) -> str:
    """The column ``states``: the MAX_STATES lowest states that lasted, in order, and all others as one.

    The lowest, because any other choice would depend on where readings are cut: a state that is among the lowest of the
    whole is among the lowest of each part it is in, so merged parts equal the whole.
    """
    rest = held.pop(OTHER, 0)
    lasted = sorted(((float(key), key, us) for key, us in held.items() if us))
    longest = {key: us for _, key, us in lasted[:MAX_STATES]}
    rest += sum(us for _, _, us in lasted[MAX_STATES:])
    if rest:
        longest[OTHER] = rest
    return json.dumps(longest, separators=(",", ":"))


# ---- from roll-ups -----------------------------------------------------------------------------------------------------


def merge(a: RollUp, b: RollUp, rules: Rules) -> RollUp:
    """The roll-up of the readings of both; all readings of ``a`` are before those of ``b``."""
    return merge_all((a, b), rules)


def merge_all(parts: Sequence[RollUp], rules: Rules) -> RollUp:
    """The roll-up of the readings of all parts (at least one), which are in time order and do not overlap."""
    if len(parts) == 1:
        return parts[0]
    columns = list(zip(*parts, strict=True))
    counts = [sum(column) for column in columns[_COUNTS]]
    if not all(columns[0]):  # the column n
        parts = [part for part in parts if part.n]
        if len(parts) < 2:
            return _with_counts(parts[0], counts) if parts else _empty_roll_up(counts)
        columns = list(zip(*parts, strict=True))
    (
        ns, means, m2s, lows, highs, firsts_ts, firsts, lasts_ts, lasts, integrals, covered, rises, resets, sines, cosines, *_,
        changes, state_texts, seconds, lasts_but_one,
    ) = columns  # fmt: skip
    n = sum(ns)
    mean = _merged_mean(ns, means, n)
    m2 = None
    if mean is not None and None not in m2s:
        m2 = total(
            chain(m2s, (count * (each_mean - mean) * (each_mean - mean) for count, each_mean in zip(ns, means, strict=True)))
        )
    heartbeat = rules.heartbeat_us
    steps = [min(heartbeat, step) for step in map(sub, firsts_ts[1:], lasts_ts)]
    integral = None if None in integrals else total(chain(integrals, (v * s * 1e-6 for v, s in zip(lasts, steps, strict=False))))
    increase = began = transitions = states = second = last_but_one = None
    if rules.kind == "counter":
        joins = [rise(before, after, rules) for before, after in zip(lasts, firsts[1:], strict=False)]
        for at_fall, at_return in glitches(list(zip(ns, firsts, seconds, lasts_but_one, lasts, strict=True)), rules):
            joins += [at_fall[1:], at_return[1:]]
        increase = None if None in rises else total(chain(rises, map(itemgetter(0), joins)))
        began = None if None in resets else sum(resets) + sum(map(itemgetter(1), joins))
        second = seconds[0] if ns[0] > 1 else firsts[1]
        last_but_one = lasts_but_one[-1] if ns[-1] > 1 else lasts[-2]
    elif rules.kind == "state" and None not in changes and None not in state_texts:
        transitions = sum(changes) + sum(map(ne, firsts[1:], lasts))
        states = _states_text(_merged_states(state_texts, lasts, steps))
    return tuple.__new__(
        RollUp,
        (
            n, mean, m2, min(lows), max(highs), firsts_ts[0], firsts[0], lasts_ts[-1], lasts[-1],
            integral, sum(covered) + sum(steps), increase, began,
            None if None in sines else total(sines), None if None in cosines else total(cosines), *counts, transitions, states,
            second, last_but_one,
        ),
    )  # fmt: skip


def _merged_mean(ns: Sequence[int], means: Sequence[Any], n: int) -> float | None:
    if None in means:
        return None
    mean = total(map(mul, ns, means), 1 / n)
    return total(each_mean * (count / n) for count, each_mean in zip(ns, means, strict=True)) if mean is None else mean


def _merged_states(texts: Iterable[str], lasts: Sequence[float], steps: Sequence[int]) -> dict[str, int]:
    """Microseconds in each state: those of the parts, and the ``steps`` between them, for which the last value of each part
    holds."""
    held: dict[str, int] = {}
    for text in texts:
        for key, us in json.loads(text).items():
            held[key] = add(held.get(key, 0), us)
    for value, us in zip(lasts, steps, strict=False):
        key = state_key(value)
        held[key] = held.get(key, 0) + us
    return held
