"""Vector matching: finds the pairs of series of two instant vectors, and combines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sensorlogd.web.prometheus.promql.operators.arithmetic import Combine, combiner, keeps_name
from sensorlogd.web.prometheus.promql.values import NAME, Key, Labels, PromError, Series, Vector, key, without_name


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of two vectors find each other. ``labels``: those of ``on`` (``on`` True) or of ``ignoring``. ``card``:
    which side may have many series of one signature. ``include``: the labels of group_left or group_right."""

    on: bool = False
    labels: tuple[str, ...] = ()
    card: str = "one-to-one"  # one-to-one, many-to-one, one-to-many, many-to-many
    include: tuple[str, ...] = ()

    def signature(self, labels: Labels) -> Key:
        """What the labels of two series must have in common to be partners."""
        if self.on:
            return tuple((name, labels[name]) for name in sorted(self.labels) if name in labels)
        return tuple(sorted((name, value) for name, value in labels.items() if name not in self.labels and name != NAME))


def vectors(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool, steps: int) -> Vector:
    """An operator on two vectors. Raises PromError where a series has more than one partner."""
    swapped = matching.card == "one-to-many"
    many, one = (right, left) if swapped else (left, right)
    partners = _partners(one, matching, "left" if swapped else "right", steps)
    combine = combiner(op, as_bool=as_bool)
    pairs = _Pairs(
        matching,
        (lambda a, b: combine(b, a)) if swapped else combine,
        drops_name=not keeps_name(op, as_bool=as_bool),
        steps=steps,
    )
    for series in many.series:
        signature = matching.signature(series.labels)
        for partner in partners.get(signature, ()):
            pairs.add(series, partner, signature)
    return Vector(list(pairs.results.values()))


def _partners(one: Vector, matching: Matching, side: str, steps: int) -> dict[Key, list[Series]]:
    """The series of the "one" side, by signature. Raises PromError where two have the same signature."""
    partners: dict[Key, list[Series]] = {}
    for series in one.series:
        partners.setdefault(matching.signature(series.labels), []).append(series)
    for signature, group in partners.items():
        _check_alone(signature, group, side, steps)
    return partners


@dataclass(slots=True)
class _Pairs:
    """The results of the pairs so far. ``combine``: called with the value of the "many" side and that of the "one" side."""

    matching: Matching
    combine: Combine
    drops_name: bool
    steps: int
    results: dict[Key, Series] = field(default_factory=dict)
    _taken: dict[Key, set[int]] = field(default_factory=dict)  # steps at which there is a result already

    def add(self, many: Series, one: Series, signature: Key) -> None:
        """Raises PromError if the result has a value at that instant already."""
        labels = _result_labels(many.labels, one.labels, self.matching, drops_name=self.drops_name)
        name = key(labels)
        taken = self._taken.setdefault(signature if self.matching.card == "one-to-one" else name, set())
        combine, result = self.combine, None
        for step, (a, b) in enumerate(zip(many.values, one.values, strict=True)):
            if a is None or b is None or (value := combine(a, b)) is None:
                continue
            if step in taken:
                raise self._ambiguous()
            taken.add(step)
            result = result or self.results.setdefault(name, Series(labels, [None] * self.steps))
            result.values[step] = value

    def _ambiguous(self) -> PromError:
        if self.matching.card == "one-to-one":
            return PromError("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
        return PromError("multiple matches for labels: grouping labels must ensure unique matches")


def _check_alone(signature: Key, group: Sequence[Series], side: str, steps: int) -> None:
    """Raise PromError if two series of one signature have a value at the same instant."""
    if len(group) < 2:
        return
    for step in range(steps):
        there = [series for series in group if series.values[step] is not None]
        if len(there) > 1:
            shown = ", ".join(f'{name}="{value}"' for name, value in signature)
            both = ", ".join(_labels_text(series.labels) for series in there[1::-1])
            raise PromError(
                f"found duplicate series for the match group {{{shown}}} on the {side} hand-side of the operation: [{both}]"
                ";many-to-many matching not allowed: matching labels must be unique on one side"
            )


def _labels_text(labels: Labels) -> str:
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != NAME)
    return f"{labels.get(NAME, '')}{{{inner}}}"


def _result_labels(many: Labels, one: Labels, matching: Matching, *, drops_name: bool) -> Labels:
    """The labels of the result of a pair: those that were matched, or those of the "many" side with what ``include`` takes
    over."""
    labels = without_name(many) if drops_name else dict(many)
    if matching.card == "one-to-one":
        if matching.on:
            labels = {name: value for name, value in labels.items() if name in matching.labels}
        else:
            labels = {name: value for name, value in labels.items() if name not in matching.labels}
    for name in matching.include:
        if one.get(name):
            labels[name] = one[name]
        else:
            labels.pop(name, None)
    return labels
