"""What counters cost: by the day, by the hour, as a series says; and what mending changes."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.config.prices import tariffs
from sensorlogd.drivers.registry import options_for
from sensorlogd.prices import Rate, Tariff
from sensorlogd.web.settings import Settings
from tests.web.conftest import T0, S, serving

HOURS = {"since": str(T0), "until": str(T0 + 7200 * S), "every": "1h", "time": "us"}


def tariff(*rates: Rate) -> Tariff:
    return Tariff("power", ("lab.*",), "", "EUR", rates)


def costs(path: Path, *rates: Rate, **params: str) -> dict[str, Any]:
    settings = Settings(path, query_threads=1, tariffs=(tariff(*rates),))
    with serving(settings) as served:
        (found,) = served.get("/api/v1/cost", series="lab.*", **(HOURS | params))["series"]
        rows = served.get("/api/v1/buckets", series="lab.n", agg="increase", shape="columns", **HOURS)["series"][0]
    assert sum(found["increase"]) == pytest.approx(sum(rows["increase"]))
    return dict(found)


def test_a_day_and_hours_have_their_prices(made: Path) -> None:
    """3,540 and 3,600 were counted in two hours; what came before the first price has none."""
    fixed = costs(made, Rate("2026-01-01", 0.5))
    assert fixed["time"] == [T0, T0 + 3600 * S]
    assert (fixed["series"], fixed["currency"], fixed["unpriced"]) == ("lab.n", "EUR", [0, 0])
    assert fixed["cost"] == pytest.approx([0.5 * rose for rose in fixed["increase"]])
    by_hour = costs(made, Rate("2026-01-01", 0.5, ((1, 6, 2.0),)))
    assert by_hour["cost"] == pytest.approx([0.5 * by_hour["increase"][0], 2 * by_hour["increase"][1]])
    later = costs(made, Rate("2026-03-30", 0.5), Rate("2027-01-01", 9))
    assert later["cost"] == [0, 0]
    assert later["unpriced"] == later["increase"]
    day = costs(made, Rate("2026-01-01", 1), every="1d")
    assert (day["time"], day["cost"]) == ([T0], day["increase"])


@pytest.mark.parametrize(("zone", "home"), [("Asia/Kolkata", "Asia/Kolkata"), ("UTC", "Asia/Kathmandu")])
def test_hours_of_a_zone_with_half_an_offset_are_its_own(made: Path, zone: str, home: str) -> None:
    """Each step holds what the same step of /buckets holds, and the price changes at the hour of the home."""
    settings = Settings(made, query_threads=1, zone=home, tariffs=(tariff(Rate("2026-01-01", 0.0, ((6, 24, 1.0),))),))
    asked = HOURS | {"tz": zone}
    with serving(settings) as served:
        (found,) = served.get("/api/v1/cost", series="lab.*", **asked)["series"]
        (rows,) = served.get("/api/v1/buckets", series="lab.n", agg="increase", shape="columns", **asked)["series"]
        since = T0 + {"Asia/Kolkata": 1800, "Asia/Kathmandu": 900}[home] * S  # six o'clock at home
        dear = served.get("/api/v1/buckets", series="lab.n", agg="increase", shape="columns", **asked | {"since": str(since)})
    assert dict(zip(found["time"], found["increase"], strict=True)) == pytest.approx(
        {at: rose for at, rose in zip(rows["time"], rows["increase"], strict=True) if rose is not None}
    )
    priced = sum(rose for series in dear["series"] for rose in series["increase"] if rose is not None)
    assert sum(found["cost"]) == pytest.approx(priced)


def test_a_series_says_the_price(made: Path) -> None:
    """Its mean of that hour; of one that is not there nothing is known."""
    found = costs(made, Rate("2026-01-01", by="lab.t"))
    with serving(Settings(made, query_threads=1)) as served:
        prices = served.get("/api/v1/buckets", series="lab.t", agg="mean", shape="columns", **HOURS)["series"][0]["mean"]
    assert found["cost"] == pytest.approx([rose * price for rose, price in zip(found["increase"], prices, strict=True)])
    assert costs(made, Rate("2026-01-01", by="nobody.knows"))["cost"] == [0, 0]


def test_mending_a_counter_mends_its_cost(made: Path, tmp_path: Path) -> None:
    """Nothing is kept of what it once cost."""
    path = Path(shutil.copy(made, tmp_path / "log.db"))
    before = costs(path, Rate("2026-01-01", 1))
    conn = sqlite3.connect(path)
    conn.execute("UPDATE rollup SET increase = increase / 2 WHERE series_id = (SELECT id FROM series WHERE channel = 'n')")
    conn.commit()
    conn.close()
    after = costs(path, Rate("2026-01-01", 1))
    assert sum(after["cost"]) < 0.6 * sum(before["cost"])


def test_what_cannot_be_told_is_refused(made: Path) -> None:
    """By name; what has no price is left out."""
    with serving(Settings(made, query_threads=1)) as served:
        assert served.get("/api/v1/cost", series="lab.n")["series"] == []
    with serving(
        replace(Settings(made, query_threads=1), tariffs=(replace(tariff(Rate("2026-01-01", 1)), unit="kWh"),))
    ) as served:
        for params in ({"every": "1min"}, {"since": "1990-01-01"}, HOURS, {"every": "sometimes"}):
            answer = served.client.get("/api/v1/cost", params={"series": "lab.n"} | params)
            assert answer.status_code == 400, params


@given(st.integers(0, 23), st.integers(0, 24), st.integers(0, 23))
def test_a_range_of_hours_and_its_opposite_are_the_day(begin: int, end: int, hour: int) -> None:
    """Each hour lies in exactly one of both; over midnight, too."""
    if begin == end % 24:
        return
    at = datetime(2026, 1, 2, hour, 30, tzinfo=UTC)
    prices = [
        tariff(Rate("2026-01-01", 0.0, ((a, b, 1.0),))).price(at, lambda name: None)
        for a, b in ((begin, end), (end % 24, begin or 24))
    ]
    assert sorted(price for price in prices if price is not None) == [0.0, 1.0]


def config(prices: Any) -> Any:
    channels = {"energy": {"unit": "kWh", "kind": "counter", "signal": {"counter": {"step": 1}}}}
    whole = {"sensors": {"meter": {"driver": "simulated", "interval": "1s", "channels": channels}}, "prices": {"power": prices}}
    return load_text(json.dumps(whole), Path("test.yaml"), options_for)


GOOD = {"series": "meter.energy", "unit": "kWh", "currency": "EUR", "rates": [
    {"from": "2026-07-01", "by": "market.price"},
    {"from": "2025-01-01", "price": 0.32},
    {"from": "2026-01-01", "price": 0.34, "hours": {"22-6": 0.24}},
]}  # fmt: skip


def test_prices_of_the_configuration_come_to_the_pages() -> None:
    """In order of time, through the command line of the process, and from the copy of the configuration."""
    found = config(GOOD)
    wanted = Tariff("power", ("meter.energy",), "kWh", "EUR", (
        Rate("2025-01-01", 0.32), Rate("2026-01-01", 0.34, ((22, 6, 0.24),)), Rate("2026-07-01", by="market.price"),
    ))  # fmt: skip
    assert tariffs(found.prices) == (wanted,)
    settings = Settings.of(found)
    assert Settings.from_json(settings.to_json()).tariffs == (wanted,)
    assert load_text(found.snapshot(), Path("copy.yaml"), options_for).prices == found.prices
    written = "prices:\n  power: {series: m.e, unit: kWh, currency: EUR, rates: [{from: 2026-01-01, price: 1}]}\n"
    assert tariffs(load_text(written, Path("test.yaml"), options_for).prices)[0].rates == (Rate("2026-01-01", 1.0),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rates": []}, "rates"),
        ({"rates": [{"from": "2026-01-01"}]}, "either price: or by:"),
        ({"rates": [{"from": "2026-01-01", "price": 1, "by": "a.b"}]}, "either price: or by:"),
        ({"rates": [{"from": "2026-01-01", "price": 1, "hours": {"25-3": 1}}]}, "not a range of hours"),
        ({"rates": [{"from": "2026-01-01", "price": 1, "hours": {"5-5": 1}}]}, "not a range of hours"),
        ({"rates": [{"from": "2026-01-01", "price": 1, "hours": {"05-5": 1}}]}, "not a range of hours"),
        ({"rates": [{"from": "2026-01-01", "price": 1, "hours": {"00-0": 1}}]}, "not a range of hours"),
        ({"rates": [{"from": "2026-01-01", "by": "a.b", "hours": {"2-3": 1}}]}, "hours: goes with price:"),
        ({"rates": [{"from": "2026-01-01", "price": 1}] * 2}, "two prices begin on 2026-01-01"),
        ({"rates": [{"from": "someday", "price": 1}]}, "from"),
        ({"currency": ""}, "currency"),
    ],
)
def test_mistakes_in_prices_are_told(change: dict[str, Any], message: str) -> None:
    """Before anything is computed with them."""
    with pytest.raises(ConfigErrors) as caught:
        config(GOOD | change)
    assert message in str(caught.value.errors[0])
