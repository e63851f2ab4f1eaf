"""What a counter cost, by the prices of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import pages
from tests.browser.looks import DESK, PHONE, looks_well
from tests.browser.pages import Open, Site, opener
from tests.rig import until


@pytest.fixture(scope="module")
def meter(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A counter of Wh that rises by 100 ten times a second, and a kWh that costs 0.50. Water is counted beside it, and costs nothing."""
    folder = tmp_path_factory.mktemp("meter")
    energy = {"unit": "Wh", "kind": "counter", "signal": {"counter": {"step": 100}}}
    water = {"unit": "l", "kind": "counter", "signal": {"counter": {"step": 1}}}
    sensor = {"driver": "simulated", "interval": "100ms", "channels": {"energy": energy, "water": water}}
    price = {"series": "meter.energy", "unit": "kWh", "currency": "EUR", "rates": [{"from": "2020-01-01", "price": 0.5}]}
    with pages.site(folder, {"meter": sensor}, prices={"electricity": price}) as made:
        yield made


@pytest.fixture
def open_meter(browser: Any, meter: Site) -> Iterator[Open]:
    yield from opener(browser, meter.url)


@pytest.mark.parametrize("how", [DESK, PHONE], ids=["1280", "390"])
def test_what_it_cost_stands_beside_what_it_rose_by(open_meter: Open, how: dict[str, Any]) -> None:
    """In the currency of its price; one that is tried on the page takes its place."""
    tab = open_meter("", **how)
    value = tab.page.locator('[data-series="meter.energy"] .value')
    until(lambda: float(value.get_attribute("data-value") or 0) > 2000, "some energy")
    tab.page.goto(f"{tab.page.url.split('#')[0]}#/use?s=meter.energy&by=1h")
    cost = tab.page.locator(".picture h3 span[data-cost]")
    until(lambda: cost.count() == 1 and float(cost.get_attribute("data-cost") or 0) > 0.5, "what it cost")
    assert cost.text_content().endswith(" EUR)")
    tab.page.locator("summary", has_text="Data table").click()
    assert "cost EUR" in tab.page.locator(".picture thead").text_content()
    tab.shot(f"cost-{how['viewport']['width']}")
    looks_well(tab)
    tab.page.locator("input[type=number]").fill("2")
    tab.page.locator("input[type=number]").press("Enter")
    until(lambda: "price=2" in tab.page.url, "the price in the address")
    until(lambda: "EUR" not in tab.page.locator(".picture h3").text_content(), "what it would cost")


def test_each_counter_is_counted_by_itself(open_meter: Open) -> None:
    """With its own sum and its own cost, and the tab says what it shows."""
    tab = open_meter("", **DESK)
    value = tab.page.locator('[data-series="meter.energy"] .value')
    until(lambda: float(value.get_attribute("data-value") or 0) > 2000, "some energy")
    tab.page.goto(f"{tab.page.url.split('#')[0]}#/use?s=meter.water&s=meter.energy&by=1h")
    water, energy = (tab.page.locator(f'.picture[data-series="meter.{name}"]') for name in ("water", "energy"))
    until(lambda: water.count() == energy.count() == 1, "two pictures")
    until(lambda: "EUR" in energy.locator("h3").text_content(), "what the energy cost")
    assert energy.locator("h3").text_content().startswith("meter.energy, ")
    assert water.locator("h3").text_content().startswith("meter.water, ")
    assert water.locator("h3").text_content().endswith(" l")
    assert tab.page.title() == "meter.water +1 · Consumption · sensorlogd"
