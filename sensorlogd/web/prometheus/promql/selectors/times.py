"""The modifiers ``offset`` and ``@``: at which time a selector looks."""

from __future__ import annotations

import re
from datetime import timedelta

from promql_parser import AtModifier, AtModifierType, SubqueryExpr, VectorSelector

from sensorlogd.notation.instants import EPOCH
from sensorlogd.web.prometheus.promql.grid import Grid
from sensorlogd.web.prometheus.promql.values import PromError, unsupported

US = timedelta(microseconds=1)
_NEGATIVE = re.compile(r"^ +tv_sec: -", re.MULTILINE)  # no label looks like this: the line breaks in its value are escaped


def ends(node: VectorSelector | SubqueryExpr, grid: Grid) -> list[int]:
    """The end of the lookback or window at each instant of the grid, in microseconds; the same for all instants with ``@``.

    Raises PromError for an ``@`` before 1970 or after 9999.
    """
    offset = node.offset // US if node.offset is not None else 0
    if node.at is not None:
        return [_fixed_us(node, node.at, grid) - offset] * grid.steps
    return [grid.at(step) - offset for step in range(grid.steps)]


def _fixed_us(node: VectorSelector | SubqueryExpr, modifier: AtModifier, grid: Grid) -> int:
    """The time of an ``@`` in µs. Raises PromError before 1970 or after 9999."""
    if modifier.type == AtModifierType.Start:
        return grid.first_us
    if modifier.type == AtModifierType.End:
        return grid.last_us
    if _is_before_1970(node, modifier):
        raise unsupported("@ with a time before 1970")
    try:
        at = modifier.at
    except (OverflowError, ValueError):
        raise PromError("the time of @ lies after the year 9999", "bad_data") from None
    assert at is not None
    return (at - EPOCH) // US


def _is_before_1970(node: VectorSelector | SubqueryExpr, modifier: AtModifier) -> bool:
    """Whether an ``@`` lies before 1970. The parser panics when asked for such a time, which ``except Exception`` does not catch,
    and writes it as 0.

    Only its description of the node has it.
    """
    return str(modifier) == "@ 0.000" and _NEGATIVE.search(repr(node)) is not None
