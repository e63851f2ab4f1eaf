"""Binary expressions: chooses the operator for the types of both sides."""

from __future__ import annotations

from promql_parser import BinaryExpr, BinModifier, LabelModifierType, VectorMatchCardinality

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.operators import arithmetic
from sensorlogd.web.prometheus.promql.operators.matching import Matching, vectors
from sensorlogd.web.prometheus.promql.operators.sets import SETS, of_sets
from sensorlogd.web.prometheus.promql.values import PromError, Scalar, Value, Vector, unsupported


def binary(evaluator: Evaluator, node: BinaryExpr) -> Value:
    """The value of a binary expression. Raises PromError."""
    op, modifier = str(node.op), node.modifier
    left, right = evaluator.value(node.lhs), evaluator.value(node.rhs)
    if op not in arithmetic.ARITHMETIC and op not in arithmetic.COMPARISON and op not in SETS:
        raise unsupported(f"the operator {op}")
    as_bool = bool(modifier is not None and modifier.return_bool)
    if modifier is not None and (modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None):
        raise unsupported("fill")
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return arithmetic.scalars(op, left, right)
    if isinstance(left, Vector) and isinstance(right, Scalar):
        return arithmetic.with_scalar(op, left, right, scalar_left=False, as_bool=as_bool)
    if isinstance(left, Scalar) and isinstance(right, Vector):
        return arithmetic.with_scalar(op, right, left, scalar_left=True, as_bool=as_bool)
    if isinstance(left, Vector) and isinstance(right, Vector):
        if op in SETS:
            return of_sets(op, left, right, _matching(modifier), evaluator.grid.steps)
        return vectors(op, left, right, _matching(modifier), as_bool=as_bool, steps=evaluator.grid.steps)
    raise PromError(f"{op} does not take strings", "bad_data")


def _matching(modifier: BinModifier | None) -> Matching:
    if modifier is None:
        return Matching()
    on = modifier.matching is not None and modifier.matching.type == LabelModifierType.Include
    labels = () if modifier.matching is None else tuple(modifier.matching.labels)
    return Matching(on, labels, _cardinality(modifier.card), tuple(modifier.group_labels or ()))


def _cardinality(card: VectorMatchCardinality) -> str:
    if card == VectorMatchCardinality.OneToOne:
        return "one-to-one"
    if card == VectorMatchCardinality.ManyToOne:
        return "many-to-one"
    return "one-to-many" if card == VectorMatchCardinality.OneToMany else "many-to-many"
