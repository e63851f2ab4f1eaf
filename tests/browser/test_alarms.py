"""Alarms of a real daemon as the dashboard shows them: raised, acknowledged, over; at a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.browser import pages
from tests.browser.looks import DESK, PHONE, looks_well
from tests.browser.pages import Open, Site, Tab, opener
from tests.cli.running import run
from tests.rig import until

CHART = "#/chart?s=freezer.temperature&range=900"


@pytest.fixture(scope="module")
def freezer(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A freezer on a serial port, whose temperature the test says, and an alarm when it is too warm."""
    folder = tmp_path_factory.mktemp("freezer")
    sensor = {
        "driver": "serial", "port": str(folder / "port"), "heartbeat": "10min",
        "format": {"type": "csv", "fields": ["temperature"]}, "channels": {"temperature": {"unit": "°C", "valid": [-40, 30]}},
    }  # fmt: skip
    alarms = {
        "freezer_warm": {"series": "freezer.temperature", "when": "> -15", "clear": "< -16", "severity": "critical", "text": "shut the door"},
        "silent": {"series": "*", "when": "missing 1h"},
    }  # fmt: skip
    with pages.site(folder, {"freezer": sensor}, alarms=alarms) as made:
        yield made


@pytest.fixture
def open_freezer(browser: Any, freezer: Site) -> Iterator[Open]:
    yield from opener(browser, freezer.url)


def read_until(site: Site, values: tuple[float, ...], condition: Callable[[], Any], what: str) -> None:
    def look() -> Any:
        for value in values:
            site.port.send(f"{value}\n".encode())
        return condition()

    until(look, what)


def head(tab: Tab) -> str:
    """As it is this very moment: it comes and goes with the alarm."""
    return str(tab.page.evaluate("document.querySelector('#alarms')?.textContent ?? ''"))


def test_head_overview_list_and_chart_tell_of_an_alarm(freezer: Site, open_freezer: Open) -> None:
    """Raised, acknowledged, over, raised again: each page says what is the case, without being loaded again."""
    tabs = {
        name: (open_freezer("", **how), open_freezer(CHART, **how), open_freezer("#/alarms", **how))
        for name, how in (("1280", DESK), ("390", PHONE))
    }
    every = [tab for three in tabs.values() for tab in three]
    read_until(
        freezer, (-18, -18.5), lambda: all("logging" in tab.page.locator("#health").text_content() for tab in every), "the head"
    )
    until(lambda: tabs["1280"][2].page.locator("tr[data-alarm]").count() == 2, "both alarms")
    assert [head(tab) for tab in every] == [""] * 6
    chart = tabs["1280"][1].page.locator(".chart").first
    read_until(freezer, (-18, -15.2), lambda: int(chart.get_attribute("data-points") or 0) > 1, "points")

    read_until(freezer, (-12,), lambda: all(head(tab) == "1 alarm" for tab in every), "word of it in every head")
    for name, (overview, picture, table) in tabs.items():
        row = overview.page.locator('[data-alarm="freezer_warm"]')
        until(partial(says, row, "data-state", "unacknowledged"), "the alarm on the overview")
        assert "-12 °C" in row.text_content()
        assert "shut the door" in row.text_content()
        assert "in alarm" in overview.page.locator('[data-series="freezer.temperature"]').text_content()
        entry = table.page.locator('tr[data-alarm="freezer_warm"]')
        until(partial(says, entry, "data-state", "unacknowledged"), "the alarm in the list")
        assert "critical" in entry.text_content()
        drawn = picture.page.locator(".chart").first
        until(partial(says, drawn, "data-periods", "1"), "the time in alarm")
        limits = str(drawn.get_attribute("data-limits")).split("\n")
        assert {"freezer_warm > -15", "freezer_warm over"} <= set(limits), limits
        assert "1 time in alarm" in picture.page.locator("details[data-periods] summary").text_content()
        for what, tab in zip(("overview", "chart", "list"), (overview, picture, table), strict=True):
            tab.shot(f"alarm-{what}-{name}")
            looks_well(tab)

    run("alarms", "ack", "freezer_warm", "-c", str(freezer.config), "--note", "door was open")
    until(lambda: all(head(tab) == "alarms: 1 acknowledged" for tab in every), "that it is acknowledged")
    row = tabs["390"][2].page.locator('tr[data-alarm="freezer_warm"]')
    until(lambda: "door was open" in row.text_content(), "the note")
    assert tabs["1280"][1].page.locator(".chart").first.get_attribute("data-periods") == "1"
    for tab in every:
        looks_well(tab)

    read_until(freezer, (-18,), lambda: all(head(tab) == "" for tab in every), "that it is over")
    read_until(
        freezer,
        (-18,),
        lambda: "not yet over" not in tabs["1280"][1].page.locator("details[data-periods]").text_content(),
        "its end",
    )
    read_until(freezer, (-11,), lambda: all(head(tab) == "1 alarm" for tab in every), "that it is raised again")
    until(lambda: tabs["390"][1].page.locator(".chart").first.get_attribute("data-periods") == "2", "both times")
    read_until(
        freezer,
        (-18,),
        lambda: all(head(tab) == "alarms: 1 over, not acknowledged" for tab in every),
        "that it is over, and nobody said so",
    )

    page, phone = tabs["1280"][2], tabs["390"][2]
    form = page.page.locator("form[aria-label=Acknowledge]")
    assert phone.page.locator("form[aria-label=Acknowledge]").count() == 1
    for name, (_, _, table) in tabs.items():
        table.shot(f"acknowledging-{name}")
        looks_well(table)
    form.get_by_label("What was found").fill("ice in the seal")
    form.get_by_label("Your name").fill("Ada")
    form.locator("button", has_text="Acknowledge").click()
    until(lambda: "1 alarm acknowledged" in page.page.locator("#main").text_content(), "what was done")
    read_until(freezer, (-18,), lambda: all(head(tab) == "" for tab in every), "that nothing waits any more")
    until(lambda: phone.page.locator("form[aria-label=Acknowledge]").count() == 0, "that there is nothing to acknowledge")
    assert "ice in the seal (Ada)" in run("alarms", "history", "-c", str(freezer.config)).stdout


def test_limits_of_a_channel_are_lines(freezer: Site, open_freezer: Open) -> None:
    """As soon as values come near them; what lies beyond is not drawn, and does not make the picture flat."""
    tab = open_freezer(CHART, **DESK)
    chart = tab.page.locator(".chart").first
    read_until(freezer, (-18,), lambda: int(chart.get_attribute("data-points") or 0) > 1, "points")
    assert "valid" not in str(chart.get_attribute("data-limits"))
    read_until(freezer, (-18, 20), lambda: "valid to 30" in str(chart.get_attribute("data-limits")), "the upper limit")
    tab.shot("limits")


def says(locator: Any, attribute: str, value: str) -> bool:
    return bool(locator.get_attribute(attribute) == value)
