"""The values of PromQL expressions over a grid of instants (an instant query has one)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

Labels = dict[str, str]
Key = tuple[tuple[str, str], ...]
Values = list[float | None]  # one for each instant; None: nothing there

NAME = "__name__"


class PromError(Exception):
    """An error of a query. ``kind`` is that of Prometheus: bad_data, execution. ``unsupported`` is added here, and is answered
    with 422 like execution."""

    def __init__(self, message: str, kind: str = "execution") -> None:
        super().__init__(message)
        self.kind = kind


def unsupported(what: str) -> PromError:
    """The error for PromQL that Prometheus knows and this engine does not."""
    return PromError(f"{what} is not supported here", "unsupported")


@dataclass(slots=True)
class Series:
    """One series of a vector: its labels, and a value or None for each instant."""

    labels: Labels
    values: Values


@dataclass(slots=True)
class Vector:
    """An instant vector at each instant. ``ordered``: the order of the series is part of the result (``sort``, ``topk``)."""

    series: list[Series]
    ordered: bool = False


@dataclass(slots=True)
class Scalar:
    """A number for each instant."""

    values: list[float]


@dataclass(slots=True)
class Text:
    """A string literal."""

    value: str


Value = Vector | Scalar | Text


def key(labels: Labels) -> Key:
    """A key that is equal for equal sets of labels, and sorts in the order in which Prometheus lists series."""
    return tuple(sorted(labels.items()))


def without_name(labels: Labels) -> Labels:
    """The labels without the name of the metric; a copy."""
    return {name: value for name, value in labels.items() if name != NAME}


def merged(found: Iterable[Series]) -> list[Series]:
    """One series for each set of labels. Raises PromError if two of them have a value at the same instant."""
    by_key: dict[Key, Series] = {}
    for series in found:
        kept = by_key.setdefault(key(series.labels), series)
        if kept is not series:
            for step, value in enumerate(series.values):
                if value is None:
                    continue
                if kept.values[step] is not None:
                    raise PromError("vector cannot contain metrics with the same labelset")
                kept.values[step] = value
    return list(by_key.values())


def number(value: float) -> str:
    """The number as Prometheus writes it: an exponent only for very large and very small numbers; NaN, +Inf, -Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e16:  # from there on its text has an exponent
        return "-0" if value == 0 and math.copysign(1.0, value) < 0 else str(int(value))
    text = repr(value)
    if "e" in text:
        return format(Decimal(text), "f") if 1e-6 <= abs(value) < 1e21 else text.replace(".0e", "e")
    return text
