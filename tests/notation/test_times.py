"""Times relative to now are cut by the clocks of the zone, also on the days on which these are changed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.notation.times import format_time, of_datetime, parse_time

UNITS = ("min", "h", "d", "w", "mo", "y")
ZONES = sorted(available_timezones() - {"localtime", "Factory"})


@pytest.mark.parametrize(
    ("zone", "now", "text", "expected"),
    [
        ("Europe/Berlin", "2026-10-25T02:30:15+02:00", "now/min", "2026-10-25T02:30:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:15+01:00", "now/min", "2026-10-25T02:30:00+01:00"),
        ("Europe/Berlin", "2026-10-25T02:30:15+02:00", "now/h", "2026-10-25T02:00:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:15+01:00", "now/h", "2026-10-25T02:00:00+01:00"),
        ("Europe/Berlin", "2026-10-25T02:30:15+01:00", "now-1h/h", "2026-10-25T02:00:00+02:00"),
        ("Europe/Berlin", "2026-10-25T03:30:15+01:00", "now-1h/min", "2026-10-25T02:30:00+01:00"),
        ("Europe/Berlin", "2026-10-25T02:30:15+01:00", "now/d", "2026-10-25T00:00:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:30:15+01:00", "yesterday", "2026-10-24T00:00:00+02:00"),
        ("Europe/Berlin", "2026-03-29T03:10:00+02:00", "now/h", "2026-03-29T03:00:00+02:00"),
        ("Pacific/Chatham", "2026-09-27T03:50:00+13:45", "now/h", "2026-09-27T03:45:00+13:45"),
        ("Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", "now/min", "2026-04-05T01:45:00+10:30"),
        ("Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", "now/h", "2026-04-05T01:00:00+11:00"),
        ("America/Havana", "2026-11-01T00:30:00-05:00", "now/h", "2026-11-01T00:00:00-05:00"),
        ("America/Havana", "2026-11-01T00:30:00-05:00", "today", "2026-11-01T00:00:00-04:00"),
    ],
)
def test_the_start_of_a_unit_where_clocks_are_changed(zone: str, now: str, text: str, expected: str) -> None:
    """Of the hour that comes twice, each has its own minutes and its own start; a day begins when it does so first; an hour whose
    start is skipped begins when the clocks are set."""
    assert format_time(parse_time(text, of_datetime(datetime.fromisoformat(now)), zone), zone) == expected


@given(
    zone=st.sampled_from(ZONES),
    hours=st.integers(366 * 24, 66 * 366 * 24),
    unit=st.sampled_from(UNITS),
)
def test_the_start_of_a_unit_is_in_the_unit(zone: str, hours: int, unit: str) -> None:
    """Before or at the time itself, not another when asked of the start, and within what the clocks show as the same unit.
    ``hours``: since 1970; looked for around the change of the clocks in the half year from then on."""
    zoned = ZoneInfo(zone)
    begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    for at in _around_changes(begin, begin + timedelta(days=200), zoned):
        us = of_datetime(at)
        start = parse_time(f"now/{unit}", us, zone)
        assert start <= us
        assert parse_time(f"now/{unit}", start, zone) == start
        if unit == "min":
            assert us - start < 60_000_000


def _around_changes(begin: datetime, end: datetime, zone: ZoneInfo) -> list[datetime]:
    """The time itself, and some shortly before and after a change of the offset between the two, if there is one."""
    if begin.astimezone(zone).utcoffset() == end.astimezone(zone).utcoffset():
        return [begin]
    low, high = begin, end
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == begin.astimezone(zone).utcoffset() else (low, middle)
    return [begin, *(high + timedelta(minutes=minutes) for minutes in (-90, -45, -1, 0, 1, 20, 45, 90))]


def test_zones_that_the_system_does_not_have_are_known() -> None:
    """Browsers say Asia/Calcutta; Debian 13 has that name in a package of its own, and a container may have no zones at all."""
    code = "from sensorlogd.notation import times; print(times.zone('Asia/Calcutta'), times.zone('Europe/Berlin'))"
    known = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert known.stdout.split() == ["Asia/Calcutta", "Europe/Berlin"]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(name.startswith("tzdata") for name in project["dependencies"]), (
        "it is installed with the base, not by the tests' tools"
    )
