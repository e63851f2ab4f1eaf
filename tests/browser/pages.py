"""A daemon with its dashboard, and pages of it in Chromium. Screenshots are kept in ``screenshots/``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cli.running import run
from tests.ports import free_port
from tests.rig import DEADLINE_S, Daemon, Port, until

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "screenshots"
STATIC = ROOT / "sensorlogd" / "web" / "static"


@dataclass
class Site:
    """A daemon, and where its dashboard is."""

    url: str
    daemon: Daemon
    database: Path
    config: Path
    port: Port
    """``port`` in the folder of the site: for a sensor whose readings the test sends."""


@contextmanager
def site(
    folder: Path, sensors: Mapping[str, Any], before: Callable[[Path], None] = lambda _: None, **more: Mapping[str, Any]
) -> Iterator[Site]:
    """A daemon that runs with these sensors, and answers. ``more``: of the configuration, such as ``web`` and ``alarms``; what it
    says of a part that is there by itself is added to that. ``before``: called with the path of the configuration before the daemon
    starts."""
    port, listen, config = Port(folder / "port"), free_port(), folder / "sensorlogd.yaml"
    own = {
        "daemon": {"data_dir": str(folder / "data")},
        "storage": {"commit_interval": "50ms", "min_free": "0B", "rollup_interval": "1s"},
        "web": {"listen": f"127.0.0.1:{listen}"},
        "sensors": sensors,
    }  # fmt: skip
    config.write_text(json.dumps(own | {name: {**own.get(name, {}), **part} for name, part in more.items()}))
    before(config)
    with Daemon(config, folder / "data", web=True) as daemon:
        daemon.wait_ready()
        url = f"http://127.0.0.1:{listen}/"
        until(lambda: answers(url), "the dashboard")
        if any(sensor.get("port") == str(port.path) for sensor in sensors.values()):
            until(port.opened, "the serial port")
        yield Site(url, daemon, folder / "data" / "sensorlogd.db", config, port)
    port.unplug()


def answers(url: str) -> bool:
    """Whether the web process says that it is well."""
    try:
        return httpx.get(f"{url}health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def bring_in(config: Path, past: Path, *columns: str) -> None:
    """Import a CSV file whose column ``t`` is the time in seconds since 1970. A column is such as ``x=greenhouse.x:°C``."""
    chosen = [part for column in columns for part in ("--column", column)]
    run("import", str(past), "-c", str(config), "--time", "t", "--time-format", "epoch", *chosen)


@dataclass
class Tab:
    """A page, and what went wrong on it."""

    page: Any
    troubles: list[str] = field(default_factory=list)

    def shot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{re.sub(r'[^a-z0-9-]+', '-', name)}.png")


Open = Callable[..., Tab]
"""Opens a fresh page at a path, which begins with ``#``; its other arguments are those of a context of the browser."""


def opener(browser: Any, url: str) -> Iterator[Open]:
    """For a fixture: a way to open pages of the dashboard at ``url``. An error on the console of any of them fails the test."""
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
