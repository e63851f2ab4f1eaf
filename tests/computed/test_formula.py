"""Formulas: what is computed, what is refused, and that neither takes long."""

from __future__ import annotations

import ast
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.computed.formula import (
    MAX_FORMULA_CHARACTERS,
    MAX_FORMULA_PARTS,
    MAX_NESTING_LEVELS,
    FormulaError,
    input_name_problem,
    parse,
)
from sensorlogd.computed.running import Kind, Running


def of(text: str, **inputs: float) -> float | None:
    formula = parse(text, list(inputs))
    return formula.value([inputs[name] for name in formula.names])


@pytest.mark.parametrize(
    ("text", "inputs", "value"),
    [
        ("a + b * 2", {"a": 1, "b": 3}, 7),
        ("(a - 32) / 1.8", {"a": 212}, 100),
        ("-a ** 2", {"a": 3}, -9),
        ("a // 2 + a % 2", {"a": 7}, 4),
        ("max(a, b, 5) - min(a, b)", {"a": 1, "b": 9}, 8),
        ("a if a > 0 else 0", {"a": -4}, 0),
        ("a > 0 and b > 0", {"a": 1, "b": 2}, 1),
        ("not a", {"a": 0}, 1),
        ("1 < a <= 3", {"a": 3}, 1),
        ("sin(a * pi / 180)", {"a": 90}, 1),
        ("round(a, 1)", {"a": 2.34}, 2.3),
        ("clamp(a, 0, 10)", {"a": 11}, 10),
        ("power(a, b, 0.9)", {"a": 230, "b": 2}, 414),
    ],
)
def test_what_is_computed(text: str, inputs: dict[str, float], value: float) -> None:
    assert of(text, **inputs) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "a"),
    [
        ("1 / a", 0),
        ("sqrt(a)", -1),
        ("(a) ** 0.5", -8),
        ("abs(a ** 0.5)", -8),
        ("9 ** 9 ** 9 ** a", 9),
        ("exp(a)", 1000),
        ("log(a)", 0),
        ("a % 0", 1),
        ("1e308 * 10 * a", 1),
        ("floor(1e400 * a)", 1),
        ("v_notch_flow(1, a)", 170),
        ("round(a, 999)", 1),
    ],
)
def test_where_a_formula_has_no_value_there_is_none(text: str, a: float) -> None:
    assert of(text, a=a) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("t.x", "column 1: '.' is not allowed; write the channel under inputs:, e.g. x: t.x"),
        ("2 * house.t + t", "column 5: '.' is not allowed"),
        ("__import__('os')", "'__import__' is not a function"),
        ("t.__class__", "is not allowed"),
        ("t[0]", "'t[0]' is not allowed"),
        ("(lambda: t)()", "only a function can be called"),
        ("[t for t in t]", "is not allowed"),
        ("{t}", "is not allowed"),
        ("f'{t}'", "is not allowed"),
        ("(x := t)", "is not allowed"),
        ("t = 2", "'=' is not allowed here"),
        ("t is t", "is not allowed"),
        ("t ^ 2", "a power is written with **"),
        ("t << 9", "is not allowed"),
        ("~1 + t", "is not allowed"),
        ("1,5 * t", "a decimal point is written '.'"),
        ("'a'", "'a' is not a number"),
        ("1j * t", "1j is not a number"),
        ("True + t", "True is not a number"),
        ("tt", "'tt' is not an input (did you mean 't'?)"),
        ("dewpoint(t, rh)", "did you mean 'dew_point'?"),
        ("dew_point(t)", "is called as dew_point(temperature °C, humidity %), found 1 arguments"),
        ("dew_point(t, humidity=rh)", "found a name and '='"),
        ("dew_point(*t)", "found 1 arguments"),
        ("max(t, *rh)", "is not allowed"),
        ("2(t)", "a product is written with *"),
        ("t(2)", "t is not a function; a product is written with *"),
        ("abs + t", "abs is a function; call it: abs(value)"),
        ("1 + integral(t)", "stands outermost only"),
        ("integral(t, rh)", "rh is not a unit of time; write second, minute, hour, day"),
        ("integral(t, 0)", "more than 0 seconds"),
        ("integral()", "is called as integral(value, [unit of time])"),
        ("2 + 2", "uses no input; write at least one of: t, rh"),
        ("t if t > 1 else", "is not a formula"),
        ("t\x00", "is not a formula"),
        ("t" + " + t" * (MAX_NESTING_LEVELS + 5), "is nested too deeply"),
        ("-" * 900 + "t", "is nested too deeply"),
        ("max(" + ", ".join(["t"] * MAX_FORMULA_PARTS) + ")", "has more than"),
        ("t + " + "1" * MAX_FORMULA_CHARACTERS, "has 1004 characters"),
    ],
)
def test_what_is_refused_says_where_what_and_the_cure(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as refusal:
        parse(text, ["t", "rh"])
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t + 1 +(t ^ 2)", "column 9: '^'"),
        ("integral(ä, rh)", "column 13: rh is not a unit of time; write second, minute"),
        ("integral(ä, -1)", "column 13: -1 is not a unit of time; write one of more than 0 seconds"),
    ],
)
def test_columns_count_letters(text: str, message: str) -> None:
    """A letter of two bytes is one of them."""
    with pytest.raises(FormulaError) as refusal:
        parse(text, ["t", "rh"])
    assert str(refusal.value).startswith(message)


@given(st.text(max_size=80) | st.text("t+-*/%()<>=., 0123456789abcdefghij_[]{}'\":~^&|!", max_size=1200))
def test_whatever_is_written_gives_a_formula_or_an_error(text: str) -> None:
    try:
        formula = parse(text, ["t"])
    except FormulaError as error:
        assert str(error)
        return
    assert formula.names == ("t",)
    value = formula.value([1.5])
    assert value is None or math.isfinite(value)


_numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
_expressions = st.recursive(
    st.sampled_from(["a", "b"]) | _numbers.map(lambda x: f"({x!r})"),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "<", "and", "or"]), inner).map(
        lambda x: f"({' '.join(x)})"
    ),
    max_leaves=20,
)


@given(_expressions, _numbers, _numbers)
def test_it_computes_what_python_computes(text: str, a: float, b: float) -> None:
    try:
        formula = parse(f"{text} + 0 * a", ["a", "b"])
    except FormulaError as error:
        assert "nested" in str(error) or "parts" in str(error)
        return
    try:
        expected: float | None = float(eval(compile(ast.parse(f"{text} + 0 * a", mode="eval"), "", "eval"), {"a": a, "b": b}))
    except ZeroDivisionError:
        expected = None
    found = formula.value([{"a": a, "b": b}[name] for name in formula.names])
    assert found == (expected if expected is not None and math.isfinite(expected) else None)


def test_the_longest_formulas_take_no_time() -> None:
    worst = [
        "max(" + "t," * 240 + "t)",
        "t" + "+t" * 99,
        "(" * 90 + "t" + ")" * 90,
        "9**" * 90 + "t",
        "t" * MAX_FORMULA_CHARACTERS,
    ]
    began = time.process_time()
    for text in worst:
        try:
            parse(text, ["t"]).value([2.0])
        except FormulaError:
            continue
    assert time.process_time() - began < 2.0


def test_units_where_they_are_plain() -> None:
    assert parse("dew_point(t, rh)", ["t", "rh"]).unit == "°C"
    assert parse("power(t, rh)", ["t", "rh"]).unit == "W"
    assert parse("dew_point(t, rh) + 1", ["t", "rh"]).unit == ""
    assert parse("heating_degree_days(t, 18)", ["t"]).unit == "K·d"
    assert parse("integral(t, hour)", ["t"]).unit == ""


def test_what_has_a_memory() -> None:
    assert parse("integral(u * i, hour)", ["u", "i"]).running == Running(Kind.INTEGRAL, 3600)
    assert parse("derivative(u)", ["u"]).running == Running(Kind.DERIVATIVE, 1)
    heating = parse("heating_degree_days(t, 18)", ["t"])
    assert heating.running == Running(Kind.INTEGRAL, 86400)
    assert (heating.value([10.0]), heating.value([20.0])) == (8, 0)
    assert parse("cooling_degree_days(t, 18)", ["t"]).value([20.0]) == 2


def test_names_of_inputs() -> None:
    assert input_name_problem("t_out2") == ""
    for name in ("2t", "a-b", "a.b", "µ", "_t", "", "max", "pi", "if", "integral"):
        assert input_name_problem(name), name
