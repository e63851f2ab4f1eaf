"""Debian's Chromium, driven by Playwright, against a real daemon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.browser import history, many, pages
from tests.browser.pages import STATIC, Open, Site
from tests.cli.running import run


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of this folder."""
    chromium = needs.tool("chromium", "chromium")
    needs.file(STATIC / "app.js", "make dashboard (npm)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three days of history, a gap in it, then what the daemon logs now, of a simulated sensor and one on a serial port. The browser is
    there first: it stays."""
    folder = tmp_path_factory.mktemp("site")
    sine = {"sine": {"offset": 20, "amplitude": 5, "period": "10min", "noise": 0.1}}
    sensors = {
        "greenhouse": {
            "driver": "simulated", "interval": "200ms", "heartbeat": "3min", "channels": {"temperature": {"unit": "°C", "signal": sine}},
        },
        "probe": {
            "driver": "serial", "port": str(folder / "port"), "heartbeat": "1500ms",
            "format": {"type": "csv", "fields": ["volts"]}, "channels": {"volts": {"unit": "V"}},
        },
    }  # fmt: skip

    def with_history(config: Path) -> None:
        history.write(folder / "past.csv")
        pages.bring_in(config, folder / "past.csv", "x=greenhouse.temperature:°C", "c=greenhouse.constant:°C")
        flag_the_spike(config)

    with pages.site(folder, sensors, with_history) as made:
        yield made


def flag_the_spike(config: Path) -> None:
    """The 85 degrees of ten hours ago are suspect."""
    begin = int(time.time()) // 60 * 60 - history.SPIKE_AGO - 120
    span = ("--since", str(begin), "--until", str(begin + 240))
    run("flag", "greenhouse.temperature", "suspect", "-c", str(config), *span, "--yes")


@pytest.fixture(scope="module")
def building(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Sixty-two sensors in six rooms, the last of them broken."""
    folder = tmp_path_factory.mktemp("building")
    with pages.site(folder, many.sensors(folder), storage={"commit_interval": "200ms", "rollup_interval": "15min"}) as made:
        yield made


@pytest.fixture
def open_page(browser: Any, site: Site) -> Iterator[Open]:
    """A fresh page of the dashboard; any error on its console fails the test."""
    yield from pages.opener(browser, site.url)


@pytest.fixture
def open_building(browser: Any, building: Site) -> Iterator[Open]:
    """The same, of a house with many sensors."""
    yield from pages.opener(browser, building.url)
