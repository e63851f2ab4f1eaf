"""Times that devices and files write: the hour that comes twice, shared stamps, absent years, clocks nobody can believe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.notation.instants import us_of
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.notation.times import format_time
from sensorlogd.stamping import patterns
from sensorlogd.stamping.judging import BUILT_US, ROLL_OVER_US, TEN_YEARS_US, TimeLimits, looks_rolled_over
from sensorlogd.stamping.local import BY_ORDER, LocalTimes, NoSuchTime
from sensorlogd.stamping.repeats import Repeats, evenly

ZONES = {
    "Europe/Berlin": datetime(2026, 10, 25, tzinfo=UTC),
    "America/St_Johns": datetime(2026, 11, 1, 2, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 13, tzinfo=UTC),  # by half an hour
}
S = 1_000_000


def shown(zone: str, us: int) -> datetime:
    """What a clock on the wall shows."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@given(
    st.sampled_from(sorted(ZONES)),
    st.integers(0, 3600),
    st.lists(st.integers(1, 25 * 60), min_size=1, max_size=200),
)
def test_by_order_gives_back_every_instant(zone: str, start_s: int, steps_s: list[int]) -> None:
    """Wall clock times in order, however dense up to 25 minutes, are the instants they were made of."""
    at = us_of(ZONES[zone]) - 3 * 3600 * S + start_s * S
    local = LocalTimes(zone, BY_ORDER)
    for step in steps_s:
        assert local.utc_us(shown(zone, at)) == at
        at += step * S


def test_an_hourly_logger_is_told_by_the_time_of_arrival() -> None:
    """02:00 and 02:00 again: an hour later it is the second one, at once it is the same."""
    stamp = datetime(2026, 10, 25, 2, 0)  # noqa: DTZ001  # a wall clock's
    first = us_of(datetime(2026, 10, 25, 0, 0, tzinfo=UTC))
    local = LocalTimes("Europe/Berlin")
    assert local.utc_us(stamp, first + S) == first
    assert local.utc_us(stamp, first + 2 * S) == first
    assert local.utc_us(stamp, first + 3600 * S) == first + 3600 * S


@pytest.mark.parametrize(
    ("shown_hours", "utc_hours"),
    [
        ("0 1 2 2 3", [-2, -1, 0, 1, 2]),
        ("0 0 1 1 2 2 2 2 3 3", [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2]),  # two sensors, a line each
        ("0 0 1 2 2 2 3", [-2, -2, -1, 0, 0, 1, 2]),  # of which one has gaps
        ("0 2 2 3", [-2, 0, 0, 2]),  # now and then
        ("2 2 3", [0, 0, 2]),  # it is not known how often
    ],
)
def test_an_hourly_file_is_told_by_its_steps(shown_hours: str, utc_hours: list[int]) -> None:
    local = LocalTimes("Europe/Berlin")
    midnight = us_of(datetime(2026, 10, 25, tzinfo=UTC))
    found = [local.utc_us(datetime(2026, 10, 25, int(hour))) for hour in shown_hours.split()]  # noqa: DTZ001  # as above
    assert [(us - midnight) // (3600 * S) for us in found] == utc_hours


@pytest.mark.parametrize("minutes", [1, 10, 30, 60])
def test_regular_steps_are_the_instants_they_were_made_of(minutes: int) -> None:
    at, local = us_of(datetime(2026, 10, 24, 20, tzinfo=UTC)), LocalTimes("Europe/Berlin")
    instants = [at + n * minutes * 60 * S for n in range(8 * 60 // minutes)]
    assert [local.utc_us(shown("Europe/Berlin", us)) for us in instants] == instants


def test_the_beginning_in_the_second_hour_is_told_by_the_time_of_arrival() -> None:
    stamp = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001  # as above
    second = us_of(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert LocalTimes("Europe/Berlin").utc_us(stamp, second + 5 * S) == second
    assert LocalTimes("Europe/Berlin").utc_us(stamp) == second - 3600 * S


def test_lines_that_change_places_change_no_clock() -> None:
    """A fall by less than a minute is no change of clocks."""
    local = LocalTimes("Europe/Berlin")
    for minute, second in ((30, 5), (30, 4), (30, 6)):
        at = datetime(2026, 10, 25, 2, minute, second)  # noqa: DTZ001  # as above
        assert local.utc_us(at) == us_of(datetime(2026, 10, 25, 0, minute, second, tzinfo=UTC))


def test_the_missing_hour_does_not_exist() -> None:
    with pytest.raises(NoSuchTime, match=r"there is no 2026-03-29 02:30:00 in Europe/Berlin"):
        LocalTimes("Europe/Berlin").utc_us(datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001  # as above


# ---- stamps that are shared --------------------------------------------------------------------------------------------


def test_keep_gives_each_its_own_microsecond_and_the_same_the_same() -> None:
    """So a device that says its newest line again and again makes no readings, and a buffer read twice is one."""
    repeats = Repeats("keep")
    readings = [(10, "a"), (10, "b"), (10, "b"), (10, "a"), (11, "a"), (11, "c")]
    assert [repeats.stamp(ts * S, what, 0) - ts * S for ts, what in readings] == [0, 1, 1, 0, 0, 1]


@given(st.lists(st.integers(0, 3 * S), min_size=1, max_size=50))
def test_spread_follows_the_arrival_within_the_second(arrivals: list[int]) -> None:
    """All different, in order, none before its stamp, none in the next second."""
    repeats = Repeats("spread")
    given_us = [repeats.stamp(7 * S, None, at) for at in sorted(arrivals)]
    assert given_us == sorted(set(given_us))
    assert all(7 * S <= at < 8 * S + len(arrivals) for at in given_us)
    for ts, arrived in zip(given_us, sorted(arrivals), strict=True):
        if arrived - min(arrivals) < S and len(set(arrivals)) == len(arrivals):
            assert ts == 7 * S + arrived - min(arrivals)


def test_evenly() -> None:
    assert [evenly(n, 4) for n in range(4)] == [0, 250_000, 500_000, 750_000]


# ---- years that are not written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "lack"),
    [
        ("iso", ""), ("epoch", ""), ("%Y-%m-%d", ""), ("%d.%m.%y", ""), ("%j %Y", ""), ("%c", ""), ("%d %b %H:%M", "year"),
        ("%j %H", "year"), ("%H:%M:%S", "date"), ("%Y %H:%M", "date"), ("%M%%Y", "date"),
    ],
)  # fmt: skip
def test_what_a_pattern_leaves_open(form: str, lack: str) -> None:
    assert patterns.lacks(form) == lack


@given(st.datetimes(datetime(1990, 1, 1), datetime(2080, 1, 1)), st.integers(-170 * 86_400, 170 * 86_400))  # noqa: DTZ001  # as above
def test_the_year_is_that_nearest_to_now(at: datetime, off_s: int) -> None:
    """Also around New Year and on the 29th of February."""
    at = at.replace(microsecond=0)
    near = us_of((at + timedelta(seconds=off_s)).replace(tzinfo=UTC))
    assert patterns.Completed("%d %b %H:%M:%S").read(at.strftime("%d %b %H:%M:%S"), near) == at
    if abs(off_s) < 11 * 3600:
        assert patterns.Completed("%H:%M:%S").read(at.strftime("%H:%M:%S"), near) == at


def test_unknown_directives_are_told() -> None:
    with pytest.raises(ValueError, match="is a bad directive"):
        patterns.check("%d %Q")


# ---- what is believed --------------------------------------------------------------------------------------------------

NOW = BUILT_US + 400 * DAY_US


@pytest.mark.parametrize(
    ("ts", "believed"),
    [
        (NOW, True), (NOW + DAY_US, True), (NOW + DAY_US + 1, False), (BUILT_US - TEN_YEARS_US, True),
        (BUILT_US - TEN_YEARS_US - 1, False), (0, False),
    ],
)  # fmt: skip
def test_from_ten_years_before_the_release_to_a_day_ahead(ts: int, believed: bool) -> None:
    assert TimeLimits().all_believed([NOW, ts], NOW, clock_set=True) is believed


def test_a_host_that_never_had_the_time_judges_the_far_future_only() -> None:
    """It may think that it is 1970; the device may be right."""
    limits = TimeLimits()
    assert limits.all_believed([NOW], 0, clock_set=False)
    assert not limits.all_believed([us_of(datetime(2099, 1, 1, tzinfo=UTC))], 0, clock_set=False)


@pytest.mark.parametrize("times", [1, 2])
def test_weeks_that_rolled_over_are_put_right(times: int) -> None:
    """Of a receiver, if that makes it now by a host's clock that is right."""
    ts = NOW - times * ROLL_OVER_US - 3 * S
    assert TimeLimits(gnss=True).mended(ts, NOW, clock_set=True) == NOW - 3 * S
    assert TimeLimits().mended(ts, NOW, clock_set=True) is None
    assert TimeLimits(gnss=True).mended(ts, NOW, clock_set=False) is None
    assert TimeLimits(gnss=True).mended(ts - 2 * DAY_US, NOW, clock_set=True) is None
    assert looks_rolled_over(ts, NOW), format_time(ts)
