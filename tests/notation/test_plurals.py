"""The word that follows a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.notation.plurals import plural


@given(st.integers())
def test_one_is_one_and_everything_else_is_many(n: int) -> None:
    assert plural(n, "reading") == ("reading" if n == 1 else "readings")
    assert plural(n, "stretch", "stretches") == ("stretch" if n == 1 else "stretches")
