"""The dashboard as people use it: by eye, by finger, by keyboard, in the dark."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import STATIC, Open, Site, Tab
from tests.rig import until

CHART = "#/chart?s=greenhouse.temperature&range="
DAY = 86_400


def stored(site: Site, since_us: int) -> list[float]:
    conn = sqlite3.connect(f"file:{site.database}?mode=ro", uri=True)
    try:
        return [
            value
            for (value,) in conn.execute(
                "SELECT value FROM readings WHERE sensor = 'greenhouse' AND channel = 'temperature' AND ts >= ?", (since_us,)
            )
        ]
    finally:
        conn.close()


def has_points(tab: Tab, at_least: int = 2) -> None:
    until(lambda: int(tab.page.locator(".chart").first.get_attribute("data-points") or 0) >= at_least, "points on the chart")


def step(tab: Tab) -> str:
    return str(tab.page.locator(".pictures").get_attribute("data-step") or "")


def values_at(tab: Tab) -> str:
    return str(tab.page.locator(".legend output").first.text_content())


def test_it_is_small_and_brings_everything_along() -> None:
    """At most 90 kB to load, gzipped, and nothing from elsewhere."""
    files = [path for path in STATIC.iterdir() if path.suffix in (".html", ".js", ".css", ".svg")]
    if not files:
        pytest.skip("the dashboard is not built")  # the fixture of the others fails where it must be there
    assert sum(len(gzip.compress(path.read_bytes(), 6)) for path in files) < 90_000
    for path in files:
        assert not re.findall(r"(?:src|href)=\"https?:|@import url|url\(http", path.read_text())


def test_values_on_the_page_are_those_in_the_database(site: Site, open_page: Open) -> None:
    """What is shown was stored a moment ago; state, unit, age and the last hour stand beside it."""
    began = time.time_ns() // 1000 - 10_000_000
    tab = open_page()
    row = tab.page.locator('[data-series="greenhouse.temperature"]')
    until(lambda: row.locator(".value").get_attribute("data-value") not in (None, "null"), "a value")
    exact, text = row.locator(".value").evaluate("element => [element.dataset.value, element.textContent]")  # of one moment
    shown = float(exact)
    assert shown in stored(site, began)
    assert row.locator(".unit").text_content().strip() == "°C"
    assert tab.page.locator('[data-sensor="greenhouse"] .state').text_content() == "ok"
    assert float(text) == shown
    row.locator(".curve path").wait_for(state="attached")
    until(lambda: "logging" in tab.page.locator("#health").text_content(), "the health line")
    assert "queue" in tab.page.locator("#health").text_content()
    before = row.locator(".value").get_attribute("data-value")
    until(lambda: row.locator(".value").get_attribute("data-value") != before, "a newer value")
    tab.shot("sensors")


def test_an_unplugged_sensor_turns_stale_then_fails(site: Site, open_page: Open) -> None:
    """First nothing comes, then the port is gone; when it is back all is well. A page that is drawn too late to show it stale
    shows what came of that; the log has both."""
    tab = open_page()
    state = tab.page.locator('[data-sensor="probe"] .state')

    def says(*words: str) -> Callable[[], bool]:
        def look() -> bool:
            return state.text_content() in words

        return look

    def send_until(words: tuple[str, ...]) -> None:
        def look() -> bool:
            site.port.send(b"3.3\n")
            return says(*words)()

        until(look, f"state {words}")

    send_until(("ok",))
    silent = ("stale", "reconnecting", "failed")
    until(says(*silent), "a silent sensor")
    stale = "SELECT 1 FROM event WHERE kind = 'stale' AND sensor = 'probe'"
    with contextlib.closing(sqlite3.connect(f"file:{site.database}?mode=ro", uri=True)) as conn:
        until(lambda: conn.execute(stale).fetchone(), "the event of it")
    site.port.unplug()
    until(says("failed"), "a sensor that has been without its port for three heartbeats")
    assert "probe" in tab.page.locator('[data-sensor="probe"]').text_content()
    until(lambda: tab.page.locator('[data-sensor="probe"] .error').is_visible(), "the reason")
    tab.shot("unplugged")
    site.port.plug()
    until(site.port.opened, "the port to be opened again")
    send_until(("ok",))


def test_zooming_loads_finer_steps_and_the_address_restores_them(site: Site, open_page: Open) -> None:
    """Dragging over a part of the chart shows it with more detail; the same address shows the same in another window."""
    tab = open_page(f"{CHART}{3 * DAY}")
    has_points(tab)
    coarse, before = step(tab), tab.page.url
    box = tab.page.locator(".u-over").first.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 60)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 70, steps=4)
    tab.page.mouse.up()
    until(lambda: step(tab) not in ("", coarse), "a finer step")
    address, fine = tab.page.url, step(tab)
    assert address != before
    assert "since=" in address
    tab.page.mouse.move(0, 0)
    until(lambda: "steps of" in tab.page.locator(".span").text_content(), "the range in words")
    span = tab.page.locator(".span").text_content()
    other = open_page(address.removeprefix(site.url))
    has_points(other)
    until(lambda: step(other) == fine, "the same step")
    assert other.page.locator(".span").text_content() == span
    tab.page.go_back()
    until(lambda: step(tab) == coarse, "the view before")


def test_gaps_are_gaps(open_page: Open) -> None:
    """Where nothing was read for two hours the line is broken: no point lies there, and it is not bridged."""
    tab = open_page(f"{CHART}{3 * DAY}")
    has_points(tab)
    drawn = """() => {
      const canvas = document.querySelector(".chart canvas"), over = document.querySelector(".u-over").getBoundingClientRect();
      const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width, share = (ago) => 1 - ago / (3 * 86400);
      const column = (ago) => {
        const x = Math.round((over.left - box.left + share(ago) * over.width) * scale);
        const data = canvas.getContext("2d").getImageData(x, (over.top - box.top) * scale, 1, over.height * scale).data;
        let blue = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 100 && data[i + 2] > data[i] + 40) blue++;
        return blue;
      };
      return [column(31 * 3600), column(20 * 3600)];
    }"""
    until(lambda: tab.page.evaluate(drawn)[1] > 0, "the line to be painted")
    assert tab.page.evaluate(drawn)[0] == 0
    tab.shot("gap")


def test_the_keyboard_is_enough(open_page: Open) -> None:
    """From the list to a chart and along it, with values spoken; zoom and time by keys."""
    tab = open_page()
    page = tab.page
    page.locator('[data-series="greenhouse.temperature"] a').wait_for()
    page.locator('[data-series="greenhouse.temperature"] a').focus()
    page.keyboard.press("Enter")
    has_points(tab)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "chart":
            break
    assert page.evaluate("document.activeElement.className") == "chart"
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    first = page.locator("#spoken").text_content()
    assert re.search(r"greenhouse\.temperature: [\d.]+ °C", first)
    until(lambda: values_at(tab).split(" ")[0] in first, "the same value in the legend")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#spoken").text_content() != first
    address = page.url

    def zoomed() -> bool:
        page.keyboard.press("+")  # pressed again, as one does, where the page was just drawing something new
        return bool(page.url != address)

    until(zoomed, "the address of the zoomed view")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_table_instead_of_a_picture(site: Site, open_page: Open) -> None:
    """The same numbers as text, and as a file."""
    tab = open_page(f"{CHART}{DAY}")
    has_points(tab)
    tab.page.locator("details.table summary").click()
    tab.page.locator("details.table tbody tr").first.wait_for()
    cells = tab.page.locator("details.table tbody tr td").all_text_contents()
    assert len(cells) == 200
    assert all(10 < float(cell) < 90 for cell in cells)
    assert "more: zoom in, or take the CSV file" in tab.page.locator("details.table p").text_content()
    with tab.page.expect_download() as started:
        tab.page.locator("a", has_text="CSV").click()
    lines = Path(started.value.path()).read_text().splitlines()
    assert lines[0].startswith("time,sensor,channel,mean,min,max,last,increase")
    assert len(lines) > 50


def test_it_follows_live(open_page: Open) -> None:
    """New readings appear without a hand."""
    tab = open_page(f"{CHART}900")
    has_points(tab)
    before = tab.page.locator(".span").text_content()
    until(lambda: tab.page.locator(".span").text_content() != before, "the view to move on")
    assert tab.page.locator("button", has_text="Live").get_attribute("aria-pressed") == "true"


def test_events_are_listed_and_marked(open_page: Open) -> None:
    """What happened in the range stands below the chart, and on a page of its own."""
    tab = open_page("#/chart?s=probe.volts&s=greenhouse.temperature&range=3600")
    has_points(tab)
    tab.page.locator("details.marks summary").click()
    until(lambda: "connected" in tab.page.locator(".events").text_content(), "the events")
    assert "imported" in tab.page.locator(".events").text_content()
    until(lambda: int(tab.page.locator(".chart").first.get_attribute("data-marks") or 0) > 0, "a mark for what is no routine")
    tab.page.locator("nav a", has_text="Events").click()
    until(lambda: "started" in tab.page.locator("table.wide tbody").text_content(), "all events")
    times = tab.page.locator("table.wide tbody tr").count()
    assert times > 2


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("phone", {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}),
        ("dark", {"color_scheme": "dark"}),
        ("phone-dark", {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark", "has_touch": True, "is_mobile": True}),
    ],
)
def test_on_a_phone_and_in_the_dark(open_page: Open, name: str, how: dict[str, Any]) -> None:
    """Nothing sticks out, targets are large enough for a finger, text stands out from its ground."""
    tab = open_page(**how)
    tab.page.locator(".curve path").first.wait_for(state="attached")
    tab.shot(f"sensors-{name}")
    for path in ("", f"{CHART}{DAY}"):
        tab.page.evaluate(f"location.hash = {json.dumps(path.removeprefix('#') or '/')}")
        if path:
            has_points(tab)
        width = tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{path} is {width[0]} wide on {width[1]}"
    if "is_mobile" in how:
        heights = tab.page.evaluate("[...document.querySelectorAll('button')].map((one) => one.getBoundingClientRect().height)")
        assert min(heights) >= 38
    ratio = tab.page.evaluate(
        """() => {
          const light = (colour) => { const [r, g, b] = colour.match(/[\\d.]+/g).map((n) => n / 255).map((n) => n <= .03928 ? n / 12.92 : ((n + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
          const pairs = [...document.querySelectorAll("#health span, .legend tr, summary, nav a")].map((one) => {
            let ground = one; while (ground && /rgba\\(0, 0, 0, 0\\)/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
            const a = light(getComputedStyle(one).color), b = light(getComputedStyle(ground ?? document.documentElement).backgroundColor);
            return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
          });
          return Math.min(...pairs);
        }"""
    )
    assert ratio >= 4.5
    tab.shot(f"chart-{name}")


def test_when_the_server_is_away_it_says_so_and_comes_back(site: Site, open_page: Open) -> None:
    """The head tells, nothing is lost of the page, and it goes on by itself."""
    tab = open_page()
    tab.page.locator(".curve path").first.wait_for(state="attached")
    until(lambda: tab.page.locator("#health[data-level=good]").is_visible(), "a green head")
    tab.page.locator(".value[data-value]").first.wait_for(state="attached")  # brought by the stream
    tab.page.context.set_offline(True)
    until(lambda: tab.page.locator("#health[data-level=bad]").is_visible(), "word of the trouble")
    head = tab.page.locator("#health").text_content()
    assert "not connected to a network, what is shown is of" in head
    assert tab.page.locator(".card").count() == 2
    tab.page.context.set_offline(False)
    until(lambda: tab.page.locator("#health[data-level=good]").is_visible(), "the end of it")
    tab.troubles = [text for text in tab.troubles if "ERR_INTERNET_DISCONNECTED" not in text]


def fingers(tab: Tab, *moves: tuple[str, int, float]) -> None:
    """Fire pointer events on the first picture: what happens, to which finger, at which share of the width."""
    tab.page.evaluate(
        """(moves) => {
          const over = document.querySelector(".u-over"), box = over.getBoundingClientRect();
          for (const [type, pointerId, share] of moves) {
            const at = { clientX: box.left + share * box.width, clientY: box.top + 50 };
            over.dispatchEvent(new PointerEvent(`pointer${type}`, { pointerId, pointerType: "touch", bubbles: true, ...at }));
          }
        }""",
        moves,
    )


def test_pinching_and_swiping(open_page: Open) -> None:
    """One finger moves in time, two change the range; after that one finger moves again, also before the page is drawn anew."""

    def range_after(address: str) -> tuple[float, float]:
        until(lambda: tab.page.url != address, "another range")
        since, end = (float(re.search(rf"{name}=([\d.]+)", tab.page.url)[1]) for name in ("since", "until"))  # type: ignore[index]  # there, after a gesture
        return since, end

    tab = open_page(f"{CHART}{DAY}", viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    has_points(tab)
    address = tab.page.url
    fingers(tab, ("down", 1, 0.3), ("move", 1, 0.8), ("up", 1, 0.8))
    since, end = range_after(address)
    assert end - since == pytest.approx(DAY, rel=0.01)
    assert time.time() - end == pytest.approx(DAY / 2, rel=0.1)
    address = tab.page.url
    fingers(tab, ("down", 2, 0.45), ("down", 3, 0.55), ("move", 2, 0.25), ("move", 3, 0.75), ("up", 3, 0.75), ("up", 2, 0.25))
    since, end = range_after(address)
    assert end - since < DAY / 2
    address = tab.page.url
    fingers(tab, ("down", 4, 0.3), ("move", 4, 0.8), ("up", 4, 0.8))
    earlier = range_after(address)
    assert earlier[1] - earlier[0] == pytest.approx(end - since, rel=0.01)
    assert earlier[1] < end
    address = tab.page.url  # and once more, both before the page is drawn again
    wider = (("down", 5, 0.25), ("down", 6, 0.75), ("move", 5, 0.4), ("move", 6, 0.6), ("up", 6, 0.6), ("up", 5, 0.4))
    fingers(tab, *wider, ("down", 7, 0.3), ("move", 7, 0.8), ("up", 7, 0.8))
    since, end = range_after(address)
    assert end - since == pytest.approx(2.5 * (earlier[1] - earlier[0]), rel=0.01)
    assert (since + end) / 2 < earlier[0], "it was moved, too: by half of the range, which is wider than before"


def test_what_was_only_imported_can_be_looked_at(site: Site, open_page: Open, tmp_path: Path) -> None:
    """Series that no configuration names are under Charts; a series that is not there is named."""
    from tests.cli.running import run

    (tmp_path / "old.csv").write_text("t,x\n" + "".join(f"{int(time.time()) - 60 * n},{n}\n" for n in range(60)))
    run("import", str(tmp_path / "old.csv"), "-c", str(site.config), "--time", "t", "--time-format", "epoch", "--sensor", "attic")
    tab = open_page("#/chart?s=attic.x&s=nobody.y&range=7200")
    has_points(tab)
    assert "There is no series nobody.y." in tab.page.locator(".pictures").text_content()
    tab.page.locator("details.picker summary").click()
    assert "attic.x (former)" in tab.page.locator(".choices").text_content()
    tab.troubles = [text for text in tab.troubles if "status of 404" not in text]  # the first question, with both series in it


def test_series_named_in_full_are_asked_for_before_the_list_of_sensors_is_there(site: Site, open_page: Open) -> None:
    """The first chart does not wait for it."""
    tab = open_page("#/events")
    held: list[Any] = []
    tab.page.route("**/api/v1/sensors*", lambda route: held.append(route))
    tab.page.goto("about:blank")
    tab.page.goto(f"{site.url}#/chart?s=greenhouse.temperature&range=7200")
    has_points(tab)
    assert held
    assert not tab.page.locator(".choices input").count()
    for route in held:
        route.continue_()
    tab.page.locator(".choices input").first.wait_for(state="attached")
    has_points(tab)


def ranges(tab: Tab) -> dict[str, tuple[float, float]]:
    """From where to where the axes of the first picture reach, by unit."""
    found = json.loads(tab.page.locator(".chart").first.get_attribute("data-ranges") or "[]")
    return {unit: (low, high) for unit, low, high in found}


def legend(tab: Tab, series: str) -> list[str]:
    """Value, smallest, mean, largest, flagged."""
    return [text.strip() for text in tab.page.locator(f'.legend tr[data-series="{series}"] td').all_text_contents()]


def test_a_second_series_ticked_while_the_first_is_loading(open_page: Open) -> None:
    """The answer for one series is not laid on a picture made for two: both are drawn in the end."""
    tab = open_page("#/chart")
    held: list[Any] = []
    tab.page.route("**/api/v1/buckets*", lambda route: held.append(route))
    boxes = tab.page.locator(".choices input")
    boxes.nth(0).wait_for()
    boxes.nth(0).check()
    until(lambda: tab.page.evaluate("true") and len(held) == 1, "the first question")
    tab.page.locator(".picker").evaluate("one => one.open = true")
    boxes.nth(1).check()
    until(lambda: tab.page.evaluate("true") and len(held) == 2, "the second question")
    tab.page.unroute("**/api/v1/buckets*")
    for route in reversed(held):  # the later question is answered first; the first one has been given up
        try:
            route.continue_()
        except Exception as gone:
            assert "closed" in str(gone) or "handled" in str(gone) or "Invalid" in str(gone), gone
    until(lambda: tab.page.locator(".legend tbody tr").count() == 2, "two lines")
    has_points(tab)


def test_the_legend_is_full_before_it_is_touched_and_the_mean_of_constants_is_the_constant(open_page: Open) -> None:
    """Last, smallest, mean, largest of the range, in the digits that were read."""
    tab = open_page(f"#/chart?s=greenhouse.constant&range={DAY}")
    has_points(tab)
    assert legend(tab, "greenhouse.constant") == ["20.123 °C", "20.123", "20.123", "20.123", "–"]


def test_flagged_readings_are_marked_and_left_out_of_the_axis(open_page: Open) -> None:
    """A spike of 85 degrees that somebody flagged does not flatten the day, and is seen all the same."""
    tab = open_page(f"{CHART}{DAY}")
    has_points(tab)
    until(lambda: int(tab.page.locator(".chart").first.get_attribute("data-flags") or 0) > 0, "a mark")
    low, high = ranges(tab)["°C"]
    assert 5 < low < high < 40
    value, least, _, most, flagged = legend(tab, "greenhouse.temperature")
    assert int(flagged) > 0
    assert float(most) == 85
    assert value
    assert least
    tab.shot("flags")


def test_globs_find_series(open_page: Open) -> None:
    """In the address and in the search."""
    tab = open_page("#/chart?s=*.*&range=3600")
    until(lambda: tab.page.locator(".legend tbody tr").count() >= 2, "lines of all")
    tab.page.locator("details.picker summary").click()
    tab.page.locator(".picker input[type=search]").fill("*.volts")
    until(lambda: tab.page.locator(".choices label").count() == 1, "one that is found")


def test_it_lives_by_the_one_stream(open_page: Open) -> None:
    """Values change and nothing is asked for again and again."""
    tab = open_page()
    value = tab.page.locator('[data-series="greenhouse.temperature"] .value')
    tab.page.locator(".curve path").first.wait_for(state="attached")
    until(lambda: tab.page.locator("#health[data-level=good]").is_visible(), "a green head")
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))

    def newer(before: str | None) -> bool:
        return bool(value.get_attribute("data-value") != before)

    for _ in range(8):
        until(partial(newer, value.get_attribute("data-value")), "a newer value")
    assert [url for url in asked if "/status" not in url] == []
    assert len(asked) <= 2


def test_comparing_and_a_picture_file(open_page: Open) -> None:
    """The period before lies under this one; a click makes a file of what is seen."""
    tab = open_page(f"{CHART}{DAY}&compare=1")
    has_points(tab)
    until(lambda: "the period before" in tab.page.locator(".span").text_content(), "both periods")
    with tab.page.expect_download() as started:
        tab.page.locator("button", has_text="PNG").click()
    assert Path(started.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_page_for_a_sensor(site: Site, open_page: Open) -> None:
    """How it is, what happened to it, what to do now."""
    tab = open_page("#/sensor/probe")

    def has_connected() -> bool:
        site.port.send(b"3.3\n")  # the first reading is an event; what comes before the port is open is lost
        return "connected" in tab.page.locator("table.wide").text_content()

    until(has_connected, "its events")
    assert "What to do now" in tab.page.locator(".advice").text_content()
    assert tab.page.locator('[data-series="probe.volts"]').is_visible()
