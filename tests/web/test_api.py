"""The JSON API says what the database holds, in the rows of the command line."""

from __future__ import annotations

from tests.web.conftest import Served


def test_readings_as_rows_as_columns_and_streamed_are_the_same(served: Served) -> None:
    """One question, four forms, one answer."""
    asked = {"series": "lab.t", "since": "2026-03-29", "until": "2026-03-29T01:00"}
    rows = served.get("/api/v1/readings", **asked)["readings"]
    assert len(rows) == 300
    first = {"time": "2026-03-29T00:00:00Z", "sensor": "lab", "channel": "t", "value": 20, "unit": "°C", "quality": "good"}
    assert rows[0] == first
    assert served.rows("/api/v1/readings", **asked) == rows
    (one,) = served.get("/api/v1/readings", shape="columns", **asked)["series"]
    assert one["time"] == [row["time"] for row in rows]
    assert one["value"] == [row["value"] for row in rows]
