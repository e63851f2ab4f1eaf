"""Times that are shown and written, in three time zones: by hand, at midnight, on the days when clocks are set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.browser import pages
from tests.browser.pages import Open, Site, Tab, opener
from tests.rig import until

BERLIN, KOLKATA = "Europe/Berlin", "Asia/Kolkata"
ZONES = ("UTC", BERLIN, KOLKATA)
CHART = "#/chart?s=meter.power"
DAY = 86_400
PERIOD_S = 600
"""Between two readings of the history, in which the counter rises by 1."""
SPRING, AUTUMN = "2025-03-30", "2025-10-26"
"""The days of 23 and of 25 hours in Berlin."""


def moment(zone: str, local: str, fold: int = 0) -> float:
    """A local time as seconds since 1970. ``fold=1``: the second time that the clocks show it."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def write(path: Path) -> None:
    """Columns t, power and energy: the readings of both days, with two days around each."""
    middles = (moment("UTC", f"{day} 12:00") for day in (SPRING, AUTUMN))
    times = [int(middle) + ago for middle in middles for ago in range(-2 * DAY, 2 * DAY, PERIOD_S)]
    path.write_text("t,power,energy\n" + "".join(f"{at},{at // 3600 % 24},{count}\n" for count, at in enumerate(times)))


@pytest.fixture(scope="module")
def meter(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The history of two days on which clocks were set, and what a daemon logs now."""
    folder = tmp_path_factory.mktemp("zones")
    power = {"unit": "W", "signal": {"constant": {"value": 20}}}
    energy = {"unit": "Wh", "kind": "counter", "signal": {"counter": {"step": 1}}}
    sensor = {
        "driver": "simulated", "interval": "200ms", "heartbeat": "15min", "channels": {"power": power, "energy": energy},
    }  # fmt: skip

    def with_history(config: Path) -> None:
        write(folder / "past.csv")
        pages.bring_in(config, folder / "past.csv", "power=meter.power:W", "energy=meter.energy:Wh")

    with pages.site(folder, {"meter": sensor}, with_history) as made:
        yield made


@pytest.fixture
def open_meter(browser: Any, meter: Site) -> Iterator[Open]:
    yield from opener(browser, meter.url)


def has_points(tab: Tab) -> None:
    until(lambda: int(tab.page.locator(".chart").first.get_attribute("data-points") or 0) >= 2, "points on the chart")


def span(tab: Tab) -> str:
    return str(tab.page.locator(".span").text_content())


def named(tab: Tab, zone: str) -> str:
    """The name by which the browser calls the zone: Chromium still says Asia/Calcutta."""
    name = str(tab.page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone"))
    assert name in {zone, "Asia/Calcutta"}
    return name


def day_before(zone: str) -> datetime:
    """This time of the day before, as clocks of the zone show it."""
    return datetime.now(ZoneInfo(zone)) - timedelta(days=1)


def write_time(tab: Tab, name: str, text: str) -> None:
    field = tab.page.get_by_label(name)
    field.fill(text)
    field.press("Enter")


@pytest.mark.parametrize("zone", ZONES)
def test_a_range_by_hand_and_the_way_back(open_meter: Open, zone: str) -> None:
    """From a date to a date; the back button leads to what was before."""
    tab = open_meter(f"{CHART}&range=3600", timezone_id=zone)
    has_points(tab)
    first = tab.page.url
    tab.page.locator("summary", has_text="More").click()
    begin = day_before(zone).strftime("%Y-%m-%d")
    write_time(tab, "From: day", begin)
    until(lambda: "since=" in tab.page.url, "the range in the address")
    until(lambda: begin in span(tab), "the range")
    at_noon = tab.page.url
    write_time(tab, "From: time", "12:34")
    until(lambda: f"{begin} 12:34:00 to" in span(tab), "the range to the minute")
    assert f" {named(tab, zone)}, " in span(tab)
    assert f"since={moment(zone, f'{begin} 12:34'):.3f}" in tab.page.url
    tab.page.go_back()
    until(lambda: tab.page.url == at_noon, "the address before")
    tab.page.go_back()
    until(lambda: tab.page.url == first, "the address before")


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_is_typed_key_by_key(open_meter: Open, zone: str) -> None:
    """The browser tells of a day of the year 2, then 20 and 202: the view and the other end wait for the field to be left."""
    tab = open_meter(f"{CHART}&range=3600", timezone_id=zone)
    has_points(tab)
    first = tab.page.url
    tab.page.locator("summary", has_text="More").click()
    day, other = tab.page.get_by_label("From: day"), tab.page.get_by_label("To: day")
    ends = other.input_value()
    begin = day_before(zone)
    day.click(position={"x": 12, "y": 8})
    day.press_sequentially(begin.strftime("%m%d%Y"))
    assert day.input_value() == begin.strftime("%Y-%m-%d")
    assert (tab.page.url, other.input_value()) == (first, ends)
    other.focus()
    until(lambda: "since=" in tab.page.url, "the range in the address")
    assert other.input_value() == ends
    now = tab.page.url
    day.click(position={"x": 12, "y": 8})
    day.press_sequentially(begin.strftime("%m%d0002"))
    day.press("Enter")
    until(lambda: day.input_value() == begin.strftime("%Y-%m-%d"), "the day that was not taken put back")
    assert tab.page.url == now


def counted(tab: Tab) -> list[tuple[str, str]]:
    """The hours of the table below the bars, each with what the counter rose by."""
    tab.page.locator(".picture summary", has_text="Data table").click()
    rows = tab.page.locator(".picture tbody tr")
    rows.first.wait_for()
    return list(zip(rows.locator("th").all_text_contents(), rows.locator("td").all_text_contents(), strict=True))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, SPRING, [0, 1, *range(3, 24)]),
        (BERLIN, AUTUMN, [0, 1, 2, 2, *range(3, 24)]),
        (KOLKATA, AUTUMN, [*range(24)]),
    ],
)
def test_a_day_on_which_clocks_are_set(open_meter: Open, zone: str, day: str, hours: list[int]) -> None:
    """Each of its hours has its own bar, the one that comes twice as well; a view of it is as long as the day, and says so."""
    tab = open_meter(f"#/use?s=meter.energy&by=1h&at={moment(zone, f'{day} 12:00'):.0f}", timezone_id=zone)
    until(lambda: tab.page.locator(".picture h3").count() == 1, "the bars")
    assert tab.page.locator(".picture h3").text_content().startswith(f"{day}: {6 * len(hours)} Wh")
    assert counted(tab) == [(f"{hour:02}", "6") for hour in hours]

    begin, end = moment(zone, f"{day} 00:00"), moment(zone, f"{day} 00:00") + 3600 * len(hours)
    next_day = datetime.fromtimestamp(end, ZoneInfo(zone)).strftime("%Y-%m-%d")
    tab.page.evaluate(f"location.hash = '{CHART}&since={begin:.0f}&until={end:.0f}'")
    has_points(tab)
    until(lambda: f"{day} 00:00:00 to {next_day} 00:00:00 {named(tab, zone)}, " in span(tab), "the whole day in words")
    tab.page.locator("summary", has_text="More").click()
    # In spring no clock shows this time: meant is what it would be if the clock were not set. In autumn the first of two is.
    write_time(tab, "From: time", "02:30")
    shown = "03:30:00" if (zone, day) == (BERLIN, SPRING) else "02:30:00"
    until(lambda: f"{day} {shown} to" in span(tab), "the time that was written")
    assert f"since={moment(zone, f'{day} 02:30'):.3f}" in tab.page.url


def at_another_time(tab: Tab, begin: float) -> Callable[[int], None]:
    """From now on clocks of browser and server show ``begin``, and go on from there; returns how to let them jump, by seconds."""
    page, ahead = tab.page, [begin - time.time()]

    def answer(route: Any) -> None:
        answered = route.fetch()
        body = answered.json()
        route.fulfill(response=answered, json=body | {"now": body["now"] + ahead[0]})

    def jump(by_s: int) -> None:
        ahead[0] += by_s
        page.clock.fast_forward(by_s * 1000)

    page.route("**/api/v1/status*", answer)
    page.clock.install(time=begin)
    return jump


@pytest.mark.parametrize("zone", [BERLIN, KOLKATA])
def test_what_is_today_changes_at_midnight_of_the_browser(meter: Site, open_meter: Open, zone: str) -> None:
    """Also where that is half past six in the evening of UTC: what was shown without a date gets one, and the bars are of the new day."""
    tab = open_meter("#/alarms", timezone_id=zone)
    midnight = moment(zone, "2025-10-27 00:00")
    jump = at_another_time(tab, midnight - 600)
    tab.page.goto("about:blank")
    tab.page.goto(f"{meter.url}{CHART}&since={midnight - 7200:.0f}&until={midnight - 3600:.0f}")
    has_points(tab)
    until(partial(is_in, "22:00:00 to 23:00:00 ", tab, ".span"), "times of today")
    tab.page.locator("details.table summary").click()
    cell = tab.page.locator("details.table tbody th").first
    cell.wait_for()
    assert cell.text_content() == "22:50:00"
    for question in ("buckets", "sensors"):  # only the time changes: these have no answer any more
        tab.page.route(f"**/api/v1/{question}*", lambda route: None)
    jump(660)
    until(partial(is_in, f"{AUTUMN} 22:00:00 to 23:00:00 ", tab, ".span"), "times of yesterday")
    until(lambda: cell.text_content() == f"{AUTUMN} 22:50:00", "the same in the table")

    for question in ("buckets", "sensors"):
        tab.page.unroute(f"**/api/v1/{question}*")
    jump(DAY - 120)
    tab.page.evaluate("location.hash = '#/use?s=meter.energy&by=1h'")
    until(partial(is_in, "2025-10-27: ", tab, ".picture h3"), "the bars of the day")
    jump(120)
    until(partial(is_in, "2025-10-28: ", tab, ".picture h3"), "the bars of the next day")
    tab.page.unroute_all(behavior="ignoreErrors")  # a question may be under way


def is_in(text: str, tab: Tab, selector: str) -> bool:
    """Whether the text of the element begins so."""
    return str(tab.page.evaluate("(one) => document.querySelector(one)?.textContent ?? ''", selector)).startswith(text)
