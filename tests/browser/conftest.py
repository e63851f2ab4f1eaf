"""Debian's Chromium, driven by Playwright, against a real daemon. Screenshots are kept in ``screenshots/``."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.ports import free_port
from tests.rig import DEADLINE_S, Daemon, Port, until

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "screenshots"
STATIC = ROOT / "sensorlogd" / "web" / "static"
HOUR_S = 3600


@dataclass
class Site:
    """A daemon with a simulated sensor and one on a pty, and where its dashboard is."""

    url: str
    daemon: Daemon
    database: Path
    config: Path
    port: Port


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of this folder."""
    chromium = needs.tool("chromium", "chromium")
    if not (STATIC / "app.js").exists():
        needs._missing("needs the dashboard: make dashboard (npm)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three days of history, a gap in it, then what the daemon logs now. The browser is there first: it stays."""
    from tests.cli.running import run

    folder = tmp_path_factory.mktemp("site")
    port = Port(folder / "port")
    port.plug()
    config, listen = folder / "sensorlogd.yaml", free_port()
    sine = {"sine": {"offset": 20, "amplitude": 5, "period": "10min", "noise": 0.1}}
    serial = {
        "driver": "serial", "port": str(port.path), "interval": "0s", "heartbeat": "1500ms", "settle": "0s", "reopen_after": "0s",
        "format": {"type": "csv", "fields": ["volts"]}, "channels": {"volts": {"unit": "V"}},
    }  # fmt: skip
    serial = {key: value for key, value in serial.items() if key not in ("interval", "settle", "reopen_after")}
    config.write_text(json.dumps({
        "daemon": {"data_dir": str(folder / "data")},
        "storage": {"commit_interval": "50ms", "min_free": "0B", "rollup_interval": "1s"},
        "web": {"listen": f"127.0.0.1:{listen}"},
        "sensors": {
            "greenhouse": {"driver": "simulated", "interval": "200ms", "heartbeat": "3min", "channels": {"temperature": {"unit": "°C", "signal": sine}}},
            "probe": serial,
        },
    }))  # fmt: skip
    from tests.browser.history import write

    write(folder / "past.csv")
    run(
        "import",
        str(folder / "past.csv"),
        "-c",
        str(config),
        "--time",
        "t",
        "--time-format",
        "epoch",
        "--column",
        "x=greenhouse.temperature:°C",
        "--column",
        "c=greenhouse.constant:°C",
    )
    _flag_the_spike(config)
    with Daemon(config, folder / "data", web=True) as daemon:
        daemon.wait_ready()
        url = f"http://127.0.0.1:{listen}/"
        until(lambda: _answers(url), "the dashboard")
        until(port.opened, "the serial port")
        yield Site(url, daemon, folder / "data" / "sensorlogd.db", config, port)
    port.unplug()


def _flag_the_spike(config: Path) -> None:
    """The 85 degrees of ten hours ago are suspect."""
    from tests.browser.history import SPIKE_AGO
    from tests.cli.running import run

    begin = int(time.time()) // 60 * 60 - SPIKE_AGO - 120
    run(
        "flag",
        "greenhouse.temperature",
        "suspect",
        "-c",
        str(config),
        "--since",
        str(begin),
        "--until",
        str(begin + 240),
        "--yes",
    )


@pytest.fixture(scope="module")
def building(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Sixty-two sensors in six rooms, the last of them broken."""
    from tests.browser import many

    folder = tmp_path_factory.mktemp("building")
    listen = free_port()
    config = folder / "sensorlogd.yaml"
    config.write_text(json.dumps(many.config(folder, f"127.0.0.1:{listen}")))
    with Daemon(config, folder / "data", web=True) as daemon:
        daemon.wait_ready()
        url = f"http://127.0.0.1:{listen}/"
        until(lambda: _answers(url), "the dashboard")
        yield Site(url, daemon, folder / "data" / "sensorlogd.db", config, Port(folder / "port"))


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@dataclass
class Tab:
    """A page, and what went wrong on it."""

    page: Any
    troubles: list[str] = field(default_factory=list)

    def shot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{re.sub(r'[^a-z0-9-]+', '-', name)}.png")


@pytest.fixture
def open_page(browser: Any, site: Site) -> Iterator[Callable[..., Tab]]:
    """A fresh page of the dashboard; any error on its console fails the test."""
    yield from _opener(browser, site.url)


@pytest.fixture
def open_building(browser: Any, building: Site) -> Iterator[Callable[..., Tab]]:
    """The same, of a house with many sensors."""
    yield from _opener(browser, building.url)


def _opener(browser: Any, url: str) -> Iterator[Callable[..., Tab]]:
    contexts, tabs = [], []

    def opened(path: str = "", **how: Any) -> Tab:
        context = browser.new_context(**({"viewport": {"width": 1100, "height": 760}} | how))
        contexts.append(context)
        page = context.new_page()
        tab = Tab(page)
        tabs.append(tab)
        page.on("pageerror", lambda error: tab.troubles.append(str(error)))
        page.on("console", lambda message: tab.troubles.append(message.text) if message.type == "error" else None)
        page.set_default_timeout(DEADLINE_S * 1000)
        page.goto(url + path)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert [trouble for tab in tabs for trouble in tab.troubles] == []
