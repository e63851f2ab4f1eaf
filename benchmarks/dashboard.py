"""What a person waits for: a chart of a year at 1 Hz in the browser.

    python -m benchmarks.dashboard [--days 365]

A database with one series at 1 Hz, rolled up; ``sensorlogd web`` on it; headless Chromium opens the chart's address. Told are
the API's answer over HTTP (warm, median), and the time from the navigation until the curve is on the page, and until a key has
spoken a value of it.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from benchmarks.common import machine, scratch
from benchmarks.rollups import DAY_US, T0, Rig, fill
from sensorlogd.daemon.rollups.coordinator import CoordinatorState


def make(path: Path, days: int) -> None:
    fill(path, days)
    rig = Rig(path, 1, T0 + days * DAY_US + 60_000_000)
    with rig.running():
        while rig.coordinator.state is not CoordinatorState.IDLE:
            rig.turn()
        rig.roll_up()


def serve(path: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sensorlogd", "web", "--db", str(path), "--listen", f"127.0.0.1:{port}"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    raise RuntimeError("the web process does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Debian's chromium")
    print(machine())
    with scratch() as folder:
        path = folder / "log.db"
        make(path, options.days)
        port = 8397
        process = serve(path, port)
        try:
            since, until = T0 / 1e6, (T0 + options.days * DAY_US) / 1e6
            query = f"series=s0.x&since={int(since)}&until={int(until)}&max_points=1000&shape=columns&time=s"
            took = []
            for _ in range(20):
                began = time.perf_counter()
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/buckets?{query}").read()
                took.append(time.perf_counter() - began)
            print(
                f"API, {options.days} days at 1 Hz in 1000 points: {statistics.median(took[5:]) * 1e3:.1f} ms (median of 15, warm)"
            )
            pages(chromium, f"http://127.0.0.1:{port}/#/chart?s=s0.x&since={since:.3f}&until={until:.3f}", options.runs)
        finally:
            process.terminate()
            process.wait(10)


def pages(chromium: str, address: str, runs: int) -> None:
    from playwright.sync_api import sync_playwright

    drawn, took = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(runs):
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.goto("about:blank")
            began = time.perf_counter()
            page.goto(address, wait_until="commit")
            page.locator(".chart[data-points]:not([data-points='0'])").wait_for()
            drawn.append(time.perf_counter() - began)
            page.locator(".chart").first.focus()
            page.keyboard.press("End")
            page.locator("#spoken", has_text="s0.x").wait_for(state="attached")
            took.append(time.perf_counter() - began)
            page.context.close()
        browser.close()
    print(
        f"page, from the address to the first chart: median {statistics.median(drawn) * 1e3:.0f} ms, longest {max(drawn) * 1e3:.0f} ms"
    )
    print(
        f"page, from the address to a spoken value: median {statistics.median(took) * 1e3:.0f} ms, longest {max(took) * 1e3:.0f} ms of {runs}"
    )


if __name__ == "__main__":
    main()
