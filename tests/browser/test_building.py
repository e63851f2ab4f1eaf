"""The dashboard of someone who looks after many sensors, at a desk and on a phone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.looks import DESK, PHONE, looks_well
from tests.browser.many import BROKEN, ROOMS, SENSORS
from tests.browser.pages import Open, Site, Tab
from tests.rig import until

PAGES = {
    "sensors": "",
    "cards": "#/?show=cards&by=none",
    "sensor": f"#/sensor/{BROKEN}",
    "chart": "#/chart?s=attic-*.temperature&s=hall-1.energy&s=hall-3.humidity&s=workshop-1.pump&range=900",
    "choose": "#/chart",
    "consumption": "#/use",
    "year": "#/year",
    "wind": "#/rose",
    "events": "#/events",
    "database": "#/database",
}


def settled(tab: Tab) -> None:
    """The head is there, and what the page asked for."""
    until(lambda: "needs a look" in tab.page.locator("#health").text_content(), "the head")
    until(lambda: "Asking sensorlogd" not in tab.page.locator("#main").text_content(), "the page")


def test_trouble_comes_first_and_the_head_counts_it(open_building: Open) -> None:
    """One of sixty-two is broken: it is the first, whatever it is called, and the head says so on every page."""
    tab = open_building("", **DESK)
    settled(tab)
    first = tab.page.locator("[data-sensor]").first
    assert first.get_attribute("data-sensor") == BROKEN
    assert "no such port" in first.text_content()
    assert tab.page.locator(".tally").text_content() == f"1 of {SENSORS} sensors needs a look"
    assert tab.page.locator("[data-sensor]").count() == SENSORS
    for room in ROOMS:
        assert tab.page.locator("details.group summary", has_text=room).is_visible()
    tab.shot("building")
    tab.page.evaluate("location.hash = '#/events'")
    settled(tab)
    assert "needs a look" in tab.page.locator(".tally").text_content()


def test_finding_one_of_many(open_building: Open) -> None:
    """By part of a name, by a glob, by a label; the address keeps it."""
    tab = open_building("", **DESK)
    settled(tab)
    search = tab.page.locator("input[type=search]")
    search.fill("attic")
    until(lambda: 0 < tab.page.locator("[data-sensor]").count() < 15, "those of the attic")
    search.fill("*.energy")
    until(lambda: tab.page.locator("[data-sensor]").count() == 6, "those with a meter")
    assert "find=" in tab.page.url
    search.fill("nothing at all")
    until(lambda: "No sensor matches" in tab.page.locator("#main").text_content(), "word of it")


def test_the_phone_is_not_scrolled_for_ever(open_building: Open) -> None:
    """Sixty-two sensors are less than three screens until somebody opens a group."""
    tab = open_building("", **PHONE)
    settled(tab)
    assert tab.page.evaluate("document.documentElement.scrollHeight") < 3 * 844
    tab.shot("building-phone")
    tab.page.locator("details.group summary").first.click()
    until(lambda: tab.page.locator("details.group[open] [data-sensor]").first.is_visible(), "the group")


@pytest.mark.parametrize("how", [DESK, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_axe_finds_nothing(open_building: Open, name: str, how: dict[str, Any]) -> None:
    """Nothing runs off the screen; names, roles, contrast are as WCAG 2.2 AA wants them."""
    tab = open_building(PAGES[name], **how)
    settled(tab)
    if name == "chart":
        until(lambda: int(tab.page.locator(".chart").first.get_attribute("data-points") or 0) > 1, "points")
        if "is_mobile" in how:
            tab.page.locator("summary", has_text="More").click()
    tab.shot(f"{name}-{how['viewport']['width']}")
    looks_well(tab)


def test_words_are_not_broken_in_the_middle(open_building: Open) -> None:
    """A line of a name may end after a dash, a dot or an underscore only."""
    for how in (DESK, PHONE):
        tab = open_building("#/?show=cards&by=none", **how)
        settled(tab)
        broken = tab.page.evaluate(
            """() => [...document.querySelectorAll(".channel, h4 a, nav a, .state")].flatMap((one) => {
              const walk = document.createTreeWalker(one, NodeFilter.SHOW_TEXT), bad = [];
              for (let node = walk.nextNode(); node; node = walk.nextNode())
                for (const word of node.data.matchAll(/[\\p{L}\\d]+/gu)) {
                  const range = document.createRange();
                  range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
                  if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) bad.push(word[0]);
                }
              return bad;
            })"""
        )
        assert broken == []


def test_pictures_follow_the_width_of_the_window(open_building: Open) -> None:
    """Three units share a picture as long as it has room for their axes, also in a view of the past, which is not asked for again."""
    tab = open_building("#/chart?s=hall-1.*&range=900", **DESK)
    pictures = tab.page.locator(".chart")
    until(lambda: pictures.count() == 1 and int(pictures.get_attribute("data-points") or 0) > 1, "points")
    now = time.time()
    with tab.page.expect_response("**/api/v1/buckets?*"):
        tab.page.evaluate(f"location.hash = '#/chart?s=hall-1.*&since={now - 900:.0f}&until={now:.0f}'")
    until(lambda: tab.page.locator(".pictures:not([data-busy])").count() == 1, "the answer")
    tab.page.set_viewport_size({"width": 800, "height": 800})
    until(lambda: pictures.count() == 2, "two pictures")


def test_when_the_daemon_is_gone_the_head_is_not_green(building: Site, open_building: Open) -> None:
    """Killed, with its pages: the head says so within seconds, and of when the values are. (The last test: nothing lives after it.)"""
    tab = open_building("", **DESK)
    settled(tab)
    assert tab.page.locator("#health").get_attribute("data-level") == "good"
    building.daemon.kill()
    until(lambda: tab.page.locator("#health").get_attribute("data-level") == "bad", "a red head")
    assert "no answer" in tab.page.locator("#health").text_content()
    tab.shot("gone")
    # What is asked meanwhile finds nobody, or a web process whose workers are gone already (503).
    tab.troubles = [text for text in tab.troubles if "ERR_" not in text and "status of 503" not in text]
