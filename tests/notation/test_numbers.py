"""One value has one text, and the text gives the value back."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sensorlogd.notation import numbers
from sensorlogd.storage.query import rows

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite)
@example(-0.0)
@example(1e15)
@example(101325.25)
def test_the_text_gives_the_double_back(value: float) -> None:
    """To the bit, a negative zero too, also by way of the rows that JSON and CSV are made of."""
    for text in (numbers.text(value), numbers.text(rows.number(value))):
        assert struct.pack("<d", float(text)) == struct.pack("<d", value)
        assert not text.endswith(".0")
        assert "," not in text


@given(finite)
def test_no_shorter_text_gives_it_back(value: float) -> None:
    """Shorter in digits: one less is another double."""
    text = numbers.text(value)
    digits = len(text.partition("e")[0].replace("-", "").replace(".", "").strip("0"))
    assume(digits > 1)
    assert float(f"{value:.{digits - 1}g}") != value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (101325.25, "101325.25"),
        (1234567.5, "1234567.5"),
        (20.0, "20"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (7, "7"),
        (-0.0, "-0"),
        (None, ""),
    ],
)
def test_examples(value: float | None, text: str) -> None:
    assert numbers.text(value) == text


@given(st.floats(-1e5, 1e5), st.floats(1e-4, 1e6))
def test_marks_of_a_scale_differ(first: float, step: float) -> None:
    """Six marks in a row read differently, as long as doubles tell them apart."""
    marks = [first + step * n for n in range(6)]
    assume(all(abs(mark) >= step * 1e-9 for mark in marks))
    assert len({numbers.on_scale(mark, step) for mark in marks}) == 6


def test_a_scale_of_pressure() -> None:
    """101325.2, 101325.3 ... do not all read 101325."""
    assert [numbers.on_scale(101325.2 + n / 10, 0.1) for n in range(3)] == ["101325.2", "101325.3", "101325.4"]
    assert numbers.on_scale(1e-17, 0.5) == "0"
    assert numbers.on_scale(1.5, math.inf) == "1.5"


@given(finite, st.integers(0, 15))
def test_a_known_resolution_is_kept_to(value: float, decimals: int) -> None:
    """The nearest double with so many places, never one more, and its shortest text."""
    text = numbers.text(value, decimals=decimals)
    assert float(text) == round(value, decimals)
    if "e" not in text:
        assert len(text.partition(".")[2]) <= decimals


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(18.275355439930387, 1, "18.3"), (2.3000000000000003, 2, "2.3"), (-0.04, 1, "0"), (-0.04, None, "-0.04"), (7, 1, "7"), (0.5, 0, "0")],
)  # fmt: skip
def test_examples_of_resolutions(value: float, decimals: int | None, text: str) -> None:
    assert numbers.text(value, decimals=decimals) == text


@given(st.integers(-(10**8), 10**8), st.integers(0, 8))
def test_places_are_those_of_the_text(digits: int, places: int) -> None:
    """Of a decimal number, and of what a little arithmetic makes of it."""
    text = f"{digits / 10**places:.{places}f}"
    wanted = len(text.partition(".")[2].rstrip("0"))
    value = float(text)
    assert numbers.places(value) == wanted
    assert numbers.places(math.nextafter(value, math.inf)) == wanted or value == 0
    assert numbers.places(value * 3 / 3) == wanted


@given(st.integers(-(10**8), 10**8), st.integers(0, 8), st.integers(1, 1000))
def test_a_mean_of_constants_reads_as_the_constant(digits: int, places: int, count: int) -> None:
    """One step of a double more or less, and whether its places are known or guessed too high; unknown ones up to nine digits."""
    value = digits / 10**places
    mean = math.fsum([value] * count) / count
    for noisy in (mean, math.nextafter(mean, math.inf), math.nextafter(mean, -math.inf)):
        for known in (places, 8):
            assert float(numbers.computed(noisy, known)) == value
        if digits and len(str(abs(digits))) <= 9:
            assert float(numbers.computed(noisy, None)) == value


def test_a_small_share_of_whole_numbers_is_not_nothing() -> None:
    assert numbers.computed(1 / 240, 0) == "0.00417"
    assert numbers.computed(0.1 + 0.2 - 0.3, 1) == "0"
    assert numbers.computed(123456789012.0, None) == "123456789012"
    assert (numbers.computed(math.nan, 1), numbers.computed(math.inf, None, "-"), numbers.places(math.inf)) == ("", "-", 0)
    assert numbers.places(1e-20) == 20
