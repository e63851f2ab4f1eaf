"""What is said of units that cannot be converted."""

from __future__ import annotations

import pytest

from sensorlogd.storage.query import units
from sensorlogd.storage.query.units import UnitError, unit_conversion

pytest.importorskip("pint")


@pytest.mark.parametrize(
    ("stored", "wanted", "message"),
    [
        (
            "°C", "bar",
            "its unit '°C' cannot be converted to 'bar', which measures something else; allowed are units of the same quantity,"
            " e.g. degF, K",
        ),
        (
            "hPa", "klingon",
            "its unit 'hPa' cannot be converted to 'klingon', which is not a known unit; allowed are units of the same quantity,"
            " e.g. bar, psi",
        ),
        ("°C", "m/", "its unit '°C' cannot be converted to 'm/', which is not a known unit; allowed are units of the same"
            " quantity, e.g. degF, K"),
        ("clicks", "bar", "its unit 'clicks' is not known, so that it cannot be converted to 'bar'"),
        ("%", "bar", "its unit '%' cannot be converted to 'bar', which measures something else"),
        ("", "K", "it has no unit that could be converted to K; give the channel a unit:"),
    ],
)  # fmt: skip
def test_a_refusal_says_the_unit_and_what_is_allowed(stored: str, wanted: str, message: str) -> None:
    """In words of the program: none of the library's, which speaks of dimensions and of tokens."""
    with pytest.raises(UnitError) as refused:
        unit_conversion(stored, wanted)
    assert str(refused.value) == message


@pytest.mark.parametrize("stored", units._EXAMPLES)
def test_what_is_named_as_allowed_is(stored: str) -> None:
    """Every unit that is named in a refusal can be converted to."""
    with pytest.raises(UnitError) as refused:
        unit_conversion(stored, "klingon")
    named = str(refused.value).partition("e.g. ")[2]
    for unit in named.split(", ") if named else ():
        assert unit_conversion(stored, unit) is not None
