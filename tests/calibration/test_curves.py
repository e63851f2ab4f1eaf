"""Calibration by polynomial and table."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.batch import Batch
from sensorlogd.calibration import curves
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.notation.symbols import micro, point
from sensorlogd.quality import describe

_numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.integers(-1000, 1000), _numbers), min_size=2, max_size=20, unique_by=lambda point: point[0]))
def test_a_table_meets_its_points_and_stays_between_them(points: list[tuple[int, float]]) -> None:
    points.sort()
    curve = curves.table(points)
    assert curves.parse(curve.text()) == curve
    for x, y in points:
        assert curve.value(x) == pytest.approx(y, rel=1e-9, abs=1e-6)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = curve.value((x0 + x1) / 2)
        assert min(y0, y1) - 1e-6 <= middle <= max(y0, y1) + 1e-6
        assert middle == pytest.approx((y0 + y1) / 2, rel=1e-9, abs=1e-6)
    assert not curve.knows(points[0][0] - 1)
    assert curve.knows(points[-1][0])


@given(st.lists(_numbers, min_size=2, max_size=6).filter(lambda terms: any(terms[1:])), st.floats(-100, 100))
def test_a_polynomial_is_its_sum(terms: list[float], x: float) -> None:
    curve = curves.polynomial(terms)
    assert curves.parse(curve.text()) == curve
    assert curve.value(x) == pytest.approx(sum(c * x**n for n, c in enumerate(terms)), rel=1e-9, abs=1e-3)


@pytest.mark.parametrize(
    ("points", "message"),
    [([[0, 1]], "2 to 1000 points"), ([[0, 1], [0, 2]], "must rise; 0 comes after 0"), ([[0, 1], [1, float("inf")]], "finite")],
)
def test_tables_that_are_none(points: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        curves.table(points)


def test_what_is_stored() -> None:
    """The curve comes before scale and offset; beyond the table it goes on, and is suspect."""
    counted: list[str] = []
    options = {
        "t": ChannelOptions.model_validate({"table": [[0, 0], [100, 50]], "scale": 2, "offset": 1}),
        "p": ChannelOptions.model_validate({"polynomial": [1, 0, 0.5]}),
    }
    block = Treatment("s", options, 10**7, lambda counter, *_: counted.append(counter)).process(
        Batch([1, 2, 3], {"t": [10.0, 100.0, 200.0], "p": [0.0, 2.0, 4.0]})
    )
    assert block is not None
    columns = {column.channel: column for column in block.columns}
    assert columns["t"].values == [11.0, 101.0, 201.0]
    assert isinstance(columns["t"].quality, list)
    assert [describe(quality) for quality in columns["t"].quality] == ["not_evaluated", "not_evaluated", "suspect:calibration"]
    assert columns["p"].values == [1.0, 3.0, 9.0]
    assert counted == [], "every value is stored"


def test_whole_numbers_that_no_double_holds_are_flagged() -> None:
    treatment = Treatment("s", {"x": ChannelOptions()}, 10**7, lambda *_: None)
    block = treatment.process(Batch([1, 2, 3], {"x": [2**53 + 1, 2**53, 2**63]}))
    assert block is not None
    quality = block.columns[0].quality
    assert isinstance(quality, list)
    assert [describe(code) for code in quality] == ["suspect:rounded", "not_evaluated", "not_evaluated"]


@pytest.mark.parametrize(
    ("options", "wrap"),
    [({"wrap": 65536}, 65536), ({"wrap": 65536, "scale": 0.1}, 6553.6), ({"wrap_stored": 6553.6, "scale": 0.1}, 6553.6)],
)
def test_wrap_is_the_devices_and_wrap_stored_is_ours(options: dict[str, float], wrap: float) -> None:
    assert ChannelOptions.model_validate({"kind": "counter"} | options).stored_wrap() == wrap


@pytest.mark.parametrize(
    "options",
    [
        {"wrap": 1, "wrap_stored": 1, "kind": "counter"}, {"wrap": 9, "kind": "counter", "table": [[0, 0], [1, 1]]},
        {"polynomial": [1, 2], "table": [[0, 0], [1, 1]]}, {"polynomial": [1]}, {"wrap_stored": 5},
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"wrap|polynomial"):
        ChannelOptions.model_validate(options)


def test_the_micro_sign_is_one() -> None:
    """But not in a Greek word."""
    assert (micro("\u03bcg/m³"), micro("\u00b5g/m³"), micro("10 \u03bcS")) == ("\u00b5g/m³", "\u00b5g/m³", "10 \u00b5S")
    assert micro("\u03bc\u03ad\u03c3\u03b7") == "\u03bc\u03ad\u03c3\u03b7"
    assert ChannelOptions.model_validate({"unit": "\u03bcS/cm"}).unit == "\u00b5S/cm"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,5", "1.5"),
        ("1.234", "1234"),
        ("1.234,5", "1234.5"),
        ("-12.345.678,25", "-12345678.25"),
        ("1,5e3", "1.5e3"),
        ("7", "7"),
    ],
)
def test_decimal_commas(text: str, number: str) -> None:
    assert point(text) == number


@pytest.mark.parametrize("text", ["1.5", "12.34", "0.123", "1.2345", "1234.567", "1.234.5", "1,5.000", "1.234,5,6"])
def test_points_that_group_nothing_make_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        float(point(text))
