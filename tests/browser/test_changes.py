"""A range is marked in the chart, flagged, taken back, and a note is written: at a desk and on a phone."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.browser import history, pages
from tests.browser.looks import DESK, PHONE, looks_well
from tests.browser.pages import Open, Site, Tab, opener
from tests.rig import until

CHART = "#/chart?s=greenhouse.x&s=greenhouse.c&range=43200"


def made(folder: Path, **web: Any) -> AbstractContextManager[Site]:
    """Three days of a minute each, and a daemon that has them."""
    signal = {"constant": {"value": 20}}
    sensor = {
        "driver": "simulated", "interval": "1min",
        "channels": {"x": {"unit": "°C", "signal": signal}, "c": {"unit": "°C", "signal": signal}},
    }  # fmt: skip

    def with_history(config: Path) -> None:
        history.write(folder / "past.csv")
        pages.bring_in(config, folder / "past.csv", "x=greenhouse.x:°C", "c=greenhouse.c:°C")

    return pages.site(folder, {"greenhouse": sensor}, with_history, web=web)


@pytest.fixture(scope="module")
def site_(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with made(tmp_path_factory.mktemp("changes")) as opened_to_changes:
        yield opened_to_changes


@pytest.fixture(scope="module")
def closed(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with made(tmp_path_factory.mktemp("closed"), changes=False) as without_changes:
        yield without_changes


@pytest.fixture
def open_it(browser: Any, site_: Site) -> Iterator[Open]:
    yield from opener(browser, site_.url)


@pytest.fixture
def open_closed(browser: Any, closed: Site) -> Iterator[Open]:
    yield from opener(browser, closed.url)


def opened(tab: Tab) -> None:
    """The chart is there, and the form under it."""
    until(lambda: int(tab.page.locator(".chart").first.get_attribute("data-points") or 0) > 100, "points")
    tab.page.locator("details.commands summary").click()


def flagged(tab: Tab) -> str:
    return str(tab.page.locator('tr[data-series="greenhouse.x"] td[data-label=flagged]').text_content())


@pytest.mark.parametrize(("how", "zone"), [(DESK, "Europe/Berlin"), (PHONE, "Asia/Kolkata")], ids=["1280", "390"])
def test_a_part_is_flagged_and_taken_back_and_a_note_is_written(open_it: Open, how: dict[str, Any], zone: str) -> None:
    """By dragging at a desk, by writing times on a phone, in zones that are not the daemon's; each says what came of it."""
    tab = open_it(CHART, timezone_id=zone, **how)
    opened(tab)
    page = tab.page
    form = page.locator("form.marking")
    until(form.is_visible, "the form")
    assert flagged(tab) == "–"
    form.get_by_label("greenhouse.c").uncheck()
    if how is DESK:
        page.locator(".u-over").first.scroll_into_view_if_needed()
        address, box = page.url, page.locator(".u-over").first.bounding_box()
        first = form.get_by_label("Mark from: time").input_value()
        page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 70, steps=4)
        page.mouse.up()
        until(lambda: form.get_by_label("Mark from: time").input_value() != first, "the part that is marked")
        assert page.url == address
    else:
        begin = datetime.fromtimestamp(time.time() - 6 * 3600, ZoneInfo(zone))
        for what, text in (("day", begin.strftime("%Y-%m-%d")), ("time", begin.strftime("%H:%M:%S"))):
            form.get_by_label(f"Mark from: {what}").fill(text)
            form.get_by_label(f"Mark from: {what}").press("Enter")
    assert form.locator("button", has_text="Flag").is_disabled()
    form.get_by_label("Why, or what happened").fill("sensor in the sun")
    form.get_by_label("Your name").fill("Ada")
    form.locator("button", has_text="Flag").click()
    says = form.locator("p[role=status]")
    until(lambda: re.fullmatch(r"\d+ readings of 1 series flagged fail", says.text_content()), "what came of it")
    count = int(says.text_content().split()[0])
    assert 30 < count < (200 if how is DESK else 800)
    until(lambda: flagged(tab) == str(count), "the flags in the legend")
    until(lambda: form.locator("li[data-mend]", has_text="sensor in the sun (Ada)").count() >= 1, "the list of changes")
    tab.shot(f"marking-{how['viewport']['width']}")
    looks_well(tab)
    form.locator("li[data-mend] button").first.click()
    until(lambda: says.text_content() == f"{count} readings are what they were", "that it is taken back")
    until(lambda: flagged(tab) == "–", "no flag in the legend")

    form.get_by_label("Why, or what happened").fill("moved to the north wall")
    form.locator("button", has_text="Note").click()
    until(lambda: says.text_content().startswith("noted at"), "word of the note")
    page.locator("details.marks summary", has_text=re.compile("events? in this range")).click()
    noted = page.locator("details.marks li", has_text="x: moved to the north wall (Ada)")
    until(lambda: noted.count() >= 1, "the note in the chart's events")


def test_a_list_of_changes_that_does_not_come_is_not_an_empty_one(open_it: Open) -> None:
    """It says why, and asks again at a press of a button."""
    tab = open_it(CHART, **DESK)
    refusal = json.dumps({"error": {"code": "busy", "message": "the database is busy"}})
    tab.page.route("**/api/v1/mends?*", lambda route: route.fulfill(status=503, content_type="application/json", body=refusal))
    opened(tab)
    form = tab.page.locator("form.marking")
    until(lambda: "not known: the database is busy" in form.text_content(), "why there is no list")
    tab.page.unroute("**/api/v1/mends?*")
    form.locator("button", has_text="Ask again").click()
    until(lambda: "not known" not in form.text_content(), "the list")
    tab.troubles = [text for text in tab.troubles if "503" not in text]


def test_a_kiosk_marks_nothing(open_it: Open) -> None:
    """The form is gone, so that dragging zooms."""
    tab = open_it(CHART, **DESK)
    opened(tab)
    page = tab.page
    until(page.locator("form.marking").is_visible, "the form")
    page.locator("summary", has_text="More").click()
    page.locator("button", has_text="Kiosk").click()
    until(lambda: page.locator("form.marking").count() == 0, "no form")
    address = page.url

    def zoomed() -> bool:
        box = page.locator(".u-over").first.bounding_box()  # the picture may still be growing to its new place
        page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 70, steps=4)
        page.mouse.up()
        return bool(page.url != address)

    until(zoomed, "a finer range")


def test_what_is_hidden_is_in_the_address(open_it: Open) -> None:
    """Whoever gets the address sees the same lines."""
    tab = open_it(CHART, **DESK)
    row = 'tr[data-series="greenhouse.c"]'
    tab.page.locator(f"{row} button").click()
    until(lambda: "hide=greenhouse.c" in tab.page.url, "the line in the address")
    other = open_it(f"#{tab.page.url.split('#')[1]}", **DESK)
    until(lambda: other.page.locator(f"{row}.off").count() == 1, "the hidden line in another window")
    tab.page.locator(f"{row} button").click()
    until(lambda: "hide=" not in tab.page.url, "the line again")
    assert tab.page.locator(f"{row}.off").count() == 0


def test_where_it_is_not_allowed_the_page_says_how(open_closed: Open) -> None:
    """There is no form, but the commands, and how to allow it."""
    tab = open_closed(CHART, **DESK)
    opened(tab)
    text = tab.page.locator("details.commands")
    until(lambda: "changes: true" in text.text_content(), "how to allow it")
    assert "sensorlogd flag greenhouse.x fail --since" in text.text_content()
    assert tab.page.locator("form.marking").count() == 0


@pytest.mark.parametrize("how", [DESK, PHONE], ids=["1280", "390"])
def test_a_view_is_saved_found_by_others_and_deleted(open_it: Open, how: dict[str, Any]) -> None:
    """Under any name; another window finds it, and it can be downloaded."""
    mine, other = open_it(CHART, **how), open_it("#/year", **how)
    for tab in (mine, other):
        until(partial(is_logging, tab), "the head")
    box = mine.page.locator("details.saved-views")
    box.locator("summary").click()
    name = "../Küche <b>"
    box.get_by_label("Name").fill(name)
    box.locator("button", has_text="Save this view").click()
    until(lambda: box.locator("li a").all_text_contents() == [name], "the view in the list")
    mine.shot(f"views-{how['viewport']['width']}")
    looks_well(mine)
    with mine.page.expect_download() as started:
        box.locator("a", has_text="Export").click()
    (saved,) = json.loads(Path(started.value.path()).read_text())["panels"]
    assert (saved["name"], saved["view"].split("?")[0]) == (name, "#/chart")
    other.page.locator("details.saved-views summary").click()
    other.page.locator("details.saved-views li a").click()
    until(lambda: other.page.locator(".legend tbody tr").count() == 2, "the chart with both lines")
    box.locator("li button").click()
    until(lambda: box.locator("li").count() == 0, "that it is gone")
    chosen = box.get_by_label("Import a file")
    chosen.set_input_files({"name": "notes.json", "mimeType": "application/json", "buffer": b"[]"})
    until(lambda: 'no "panels"' in box.text_content(), "that this is no file of views")
    chosen.set_input_files(started.value.path())
    until(lambda: box.locator("li a").all_text_contents() == [name], "the view that was exported")
    assert box.locator("[role=alert]").count() == 0
    looks_well(mine)
    box.locator("li button").click()
    until(lambda: box.locator("li").count() == 0, "that it is gone again")


@pytest.mark.parametrize("how", [DESK, PHONE], ids=["1280", "390"])
def test_the_database_tells_how_it_grows_and_what_it_is_full_of(open_it: Open, how: dict[str, Any]) -> None:
    """A reading a minute of two series came the day before."""
    tab = open_it("#/database", **how)
    main = tab.page.locator("#main")
    until(lambda: re.search(r"Comes a day\s*2\d{3} readings, about \d", main.text_content()), "what comes a day")
    assert "Full by" in main.text_content()
    assert "nothing was ever set aside" in main.text_content()
    tab.page.locator("button", has_text="Measure").click()
    until(lambda: tab.page.locator("tr[data-part=roll-ups]").count() == 1, "the parts")
    tab.shot(f"database-{how['viewport']['width']}")
    looks_well(tab)


def is_logging(tab: Any) -> bool:
    return "logging" in tab.page.locator("#health").text_content()
