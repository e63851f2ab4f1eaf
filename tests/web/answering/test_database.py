"""What the API says of the file itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.web.settings import Settings
from tests.web.conftest import T0, S, Served, serving


def test_growth_is_that_of_the_last_day(served: Served) -> None:
    """Two hours are rolled up: 660 readings (one of them wrong) of one series, 120 of another; a day has twelve times as many."""
    found = served.get("/api/v1/database", time="us")
    assert found["readings_per_day"] == pytest.approx(12 * (659 + 120))
    minutes = 12 * (110 + 120)  # ten minutes are missing; an hour of sixty or more readings counts as sixty minutes
    assert found["bytes_per_day"] == pytest.approx(12 * 779 * 30 + minutes * 190 * 1.1, rel=0.05)
    assert found["full"] is None or found["full"] > T0
    assert (found["first"], found["last"]) == (T0, T0 + 7190 * S)
    assert found["rolled_up_until"] == T0 + 7200 * S
    assert (found["series"], found["incidents"], found["expires"], found["parts"]) == (3, [], False, None)


def test_the_parts_are_the_whole(served: Served) -> None:
    """Every page of the file belongs to one of them, but for those that are free."""
    found = served.get("/api/v1/database", parts=1)
    if found["parts"] is None:
        pytest.skip("this SQLite has no dbstat")
    assert sum(found["parts"].values()) + found["free_bytes"] == pytest.approx(found["bytes"], rel=0.05)
    assert found["parts"]["roll-ups"] > 0


def test_nothing_is_guessed_of_an_empty_log(fresh: Path) -> None:
    """No rate, no date."""
    with serving(Settings(fresh, query_threads=1)) as empty:
        found = empty.get("/api/v1/database")
    assert (found["readings_per_day"], found["bytes_per_day"], found["full"], found["first"]) == (None, None, None, None)
