"""Computes the curves of a plot: for each series a line with a band from minimum to maximum, in pieces divided by gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series


@dataclass(slots=True)
class CurvePiece:
    """Points without a gap between them: times (µs), the line, and the band (empty unless the line is one of means)."""

    times: list[int] = field(default_factory=list)
    line: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)


@dataclass(slots=True)
class PlottedCurve:
    """The pieces of a series. ``step``: that of the buckets they are made of."""

    series: Series
    aggregate: str
    pieces: list[CurvePiece]
    step: Step

    @property
    def label(self) -> str:
        """The series, and the aggregate unless it is the mean."""
        what = "" if self.aggregate == "mean" else f" {self.aggregate}"
        return f"{self.series.name}{what}"

    @property
    def points(self) -> int:
        return sum(len(piece.times) for piece in self.pieces)


def curves(
    log: LogReader, series: Sequence[Series], since_us: int, until_us: int, points: int, aggregate: str, zone: str
) -> Iterator[PlottedCurve]:
    """The curves of series. Raises ValueError for a question that cannot be answered."""
    names = ("mean", "min", "max") if aggregate == "mean" else (aggregate,)
    query = Query(since_us, until_us, None, points, names, zone, fill="null")
    for drawn, answer in log.buckets(series, query):
        pieces: list[CurvePiece] = []
        joined = False
        half = answer.step.about_us // 2
        for row in answer.rows:
            value = row.values[0]
            if not isinstance(value, (int, float)):
                # An empty bucket is a gap, unless the reading before it still holds.
                joined = joined and row.coverage > 0
                continue
            if not joined:
                pieces.append(CurvePiece())
                joined = True
            piece = pieces[-1]
            piece.times.append(row.start_us + half)
            piece.line.append(float(value))
            if aggregate == "mean" and drawn.kind != "angle":
                piece.low.append(float(row.values[1]))
                piece.high.append(float(row.values[2]))
        yield PlottedCurve(drawn, aggregate, pieces, answer.step)
