"""How much at once, by what it took before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.storage.pace import Pace


@pytest.mark.parametrize("row_s", [1e-7, 1e-5, 1e-4])
def test_a_slice_comes_to_take_what_it_may(row_s: float) -> None:
    """Whatever the machine."""
    pace = Pace(0.03, 1_000, 10, 1_000_000)
    for _ in range(30):
        pace.note_duration(int(pace) * row_s)
    assert int(pace) * row_s == pytest.approx(0.03, rel=0.01)


@given(st.lists(st.floats(0, 1e6)), st.floats(1e-9, 10))
def test_it_stays_within_its_bounds(took: list[float], slice_s: float) -> None:
    """And no single measurement changes it by more than it may."""
    pace = Pace(slice_s, 500, 50, 20_000, slower=0.2, faster=2.0)
    for seconds in took:
        before = pace.rows
        pace.note_duration(seconds)
        assert 50 <= pace.rows <= 20_000
        assert 0.19 * before <= pace.rows <= 2.01 * before


def test_the_most_counts_where_it_is_less_than_the_least() -> None:
    """A small block is never copied in larger slices than itself."""
    pace = Pace(0.03, 10, 1_000, 40)
    pace.note_duration(1e-9)
    assert int(pace) == 40


def test_what_it_might_have_taken_may_differ() -> None:
    pace = Pace(0.03, 100, 1, 1_000)
    pace.note_duration(0.02, 0.01)
    assert int(pace) == 50
