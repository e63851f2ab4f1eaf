"""The Prometheus API over HTTP: on a log, beside a real Prometheus, and when asked nonsense."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.web.prometheus.promql.values import number
from sensorlogd.web.settings import Settings
from tests import needs
from tests.connections import connect_writer
from tests.ports import free_port
from tests.web.conftest import T0, S, Served, serving

API = "/prometheus/api/v1"


def ask(served: Served, path: str, **parameters: Any) -> Any:
    return served.get(f"{API}{path}", **parameters)["data"]


def test_what_grafana_asks_first(served: Served) -> None:
    """Its health check, the version, the stubs."""
    assert ask(served, "/query", query="1+1")["result"][1] == "2"
    assert ask(served, "/status/buildinfo")["version"].startswith("3.")
    assert ask(served, "/rules") == {"groups": []}
    assert served.client.post(f"{API}/query_exemplars", data={"query": "t"}).json()["data"] == []
    assert ask(served, "/metadata")["n"] == [{"type": "counter", "help": "", "unit": ""}]


def test_labels_and_series(served: Served) -> None:
    """The channel is the name; sensor, unit and configured labels are labels."""
    assert ask(served, "/labels") == ["__name__", "room", "sensor", "unit"]
    assert ask(served, "/label/__name__/values") == ["n", "t"]
    assert ask(served, "/label/sensor/values", **{"match[]": "n"}) == ["lab"]
    found = ask(served, "/series", **{"match[]": 't{sensor=~"l.*"}'})
    assert found == [{"__name__": "t", "room": "2", "sensor": "lab", "unit": "°C"}]


def test_an_instant_and_a_range(served: Served) -> None:
    """GET and form POST agree; a reading counts for five minutes; one that failed does not; a gap is a gap."""
    at = T0 // S + 95
    [sample] = ask(served, "/query", query="t", time=at)["result"]
    assert sample == {"metric": {"__name__": "t", "room": "2", "sensor": "lab", "unit": "°C"}, "value": [at, "20.9"]}
    assert ask(served, "/query", query="t", time=T0 // S + 105)["result"][0]["value"][1] == "20.9"  # the one at 100 s failed
    assert ask(served, "/query", query="t", time=T0 // S + 3000 + 295)["result"] == []
    parameters = {"query": "rate(n[5m])", "start": T0 // S, "end": T0 // S + 7199, "step": "60"}
    ranged = ask(served, "/query_range", **parameters)
    assert served.client.post(f"{API}/query_range", data=parameters).json()["data"] == ranged
    [line] = ranged["result"]
    assert line["metric"] == {"room": "2", "sensor": "lab"}
    assert [float(value) for _, value in line["values"][5:]] == pytest.approx([1.0] * (len(line["values"]) - 5))
    matrix = ask(served, "/query", query="n[3m]", time=T0 // S + 600)
    assert matrix["resultType"] == "matrix"
    assert [value for _, value in matrix["result"][0]["values"]] == ["480", "540", "600"]


def test_heartbeats_instead_of_five_minutes(made: Path) -> None:
    """Where it is configured a reading counts for its series' heartbeat."""
    with serving(Settings(made, query_threads=1, prometheus_lookback="heartbeat")) as served:
        assert ask(served, "/query", query="t", time=T0 // S + 2990 + 29)["result"]
        assert not ask(served, "/query", query="t", time=T0 // S + 2990 + 31)["result"]


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind", "message"),
    [
        ("/query", {}, 400, "bad_data", '"query": it is missing'),
        ("/query", {"query": "t +"}, 400, "bad_data", "invalid query"),
        ("/query", {"query": "t", "time": "soon"}, 400, "bad_data", 'cannot parse "soon"'),
        ("/query", {"query": "t", "time": "nan"}, 400, "bad_data", 'cannot parse "nan"'),
        ("/query", {"query": "t", "time": "1e300"}, 400, "bad_data", "cannot parse"),
        ("/query", {"query": "histogram_quantile(0.9, t)"}, 422, "execution", "the function histogram_quantile is not supported here"),
        ("/query", {"query": "t / ignoring(sensor, room) t"}, 200, "", ""),
        ("/query", {"query": 't{sensor=~"("}'}, 400, "bad_data", "parenthes|regex|regular"),
        ("/query_range", {"query": "t", "start": "0", "end": "100", "step": "0"}, 400, "bad_data", "zero or negative"),
        ("/query_range", {"query": "t", "start": "0", "end": "1e9", "step": "1"}, 400, "bad_data", "exceeded maximum resolution of 11,000"),
        ("/query_range", {"query": "t", "start": "100", "end": "0", "step": "1"}, 400, "bad_data", "end timestamp must not be before"),
        ("/query_range", {"query": '"x"', "start": "0", "end": "1", "step": "1"}, 400, "bad_data", "invalid expression type"),
        ("/series", {}, 400, "bad_data", "no match"),
        ("/series", {"match[]": "1+1"}, 400, "bad_data", "is not a series selector"),
        ("/label/a-b/values", {}, 400, "bad_data", "invalid label name"),
        ("/query", {"query": "(" * 5000 + "1" + ")" * 5000}, 400, "bad_data", "at most 20,000 characters and 300 parentheses"),
        ("/query", {"query": "t[1000y:1ms]"}, 422, "execution", "the subquery has"),
    ],
)  # fmt: skip
def test_mistakes_in_prometheus_shape(
    served: Served, path: str, parameters: dict[str, str], status: int, kind: str, message: str
) -> None:
    """Status, type and text as clients of Prometheus expect them."""
    import re

    answer = (
        served.client.post(f"{API}{path}", data=parameters)
        if path.startswith("/query")
        else served.client.get(f"{API}{path}", params=parameters)
    )
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["status"] == "error"
        assert answer.json()["errorType"] == kind
        assert re.search(message, answer.json()["error"])


def test_too_much_is_refused_not_guessed(made: Path) -> None:
    """What would need more readings than a query may read, or give more than it may, has no answer, and says what would fit."""
    with serving(Settings(made, query_readings=100, query_cells=50)) as served:
        answer = served.client.get(f"{API}/query", params={"query": "avg_over_time(t[2h])", "time": T0 // S + 7200})
        assert answer.status_code == 422
        assert "the query needs more than 100 readings" in answer.json()["error"]
        wide: dict[str, str | int] = {"query": "vector(1)", "start": T0 // S, "end": T0 // S + 7199, "step": "100"}
        answer = served.client.get(f"{API}/query_range", params=wide)
        assert answer.status_code == 422
        assert "1 series at 72 steps; at most 50 values are given; a step of 144 s or more" in answer.json()["error"]


def test_as_many_points_as_prometheus_takes(served: Served) -> None:
    """11,000 steps have 11,001 points; one step more is refused."""
    for steps, status in ((11_000, 200), (11_001, 400)):
        asked: dict[str, str | int] = {"query": "1", "start": 0, "end": steps, "step": 1}
        assert served.client.get(f"{API}/query_range", params=asked).status_code == status


def test_numbers_as_prometheus_writes_them() -> None:
    """No exponents but for the very large and the very small."""
    numbers = (1.0, -0.0, 0.1, 1e20, 1e21, 1e-6, 1e-7, 123456789.125, 2.0**53, 1e16, math.inf, -math.inf, math.nan)
    assert [number(value) for value in numbers] == [
        "1", "-0", "0.1", "100000000000000000000", "1e+21", "0.000001", "1e-07", "123456789.125", "9007199254740992",
        "10000000000000000", "+Inf", "-Inf", "NaN",
    ]  # fmt: skip


# ---- beside Prometheus itself ------------------------------------------------------------------------------------------

QUERIES = (
    "temperature", "rate(energy[5m])", "increase(energy[10m])", "delta(temperature[7m])", "irate(energy[5m])", "avg_over_time(temperature[5m])",
    "stddev_over_time(temperature[10m])", "quantile_over_time(0.9, temperature[5m])", "max_over_time(temperature[3m]) - min_over_time(temperature[3m])",
    "sum by (room) (temperature)", "avg without (sensor) (temperature)", "topk(2, temperature)", "temperature > 20", "temperature > bool 20",
    "count(temperature > 19)", "quantile(0.3, temperature)", "stddev(temperature)", "temperature offset 3m", "resets(energy[20m])", "changes(energy[5m])",
    "temperature * on(sensor) group_left(room) energy", "abs(sin(temperature))", "clamp(temperature, 19, 21)", "deriv(temperature[5m])",
    "predict_linear(temperature[5m], 60)", "max_over_time(rate(energy[2m])[10m:1m])", "absent(nothing)", "scalar(sum(temperature))", "sum(temperature) or vector(1)",
    'label_replace(temperature, "place", "$1-x", "room", "(.*)")', "timestamp(temperature)", "count_values(\"v\", round(temperature))",
)  # fmt: skip


def test_the_same_as_prometheus(fresh: Path, tmp_path: Path) -> None:
    """The same readings in a log and in a real Prometheus: the same range queries have the same answers.

    Two things that Prometheus 3 changed are kept out of the way, for Debian's is older: no reading lies on the bound of a
    window, and no counter begins near zero.
    """
    promtool, prometheus = needs.tool("promtool", "prometheus"), needs.tool("prometheus", "prometheus")
    rng = random.Random(7)
    begin = (time.time_ns() // 1_000_000_000 - 3 * 3600) // 3600 * 3600
    path = tmp_path / "log.db"
    shutil.copy(fresh, path)
    conn = connect_writer(path)
    sensors = {"a": "1", "b": "1", "c": "2"}
    conn.execute("BEGIN IMMEDIATE")
    specs = [
        catalog.SensorSpec(
            name,
            "simulated",
            labels={"room": room},
            series=[catalog.SeriesSpec("temperature"), catalog.SeriesSpec("energy", kind="counter")],
        )
        for name, room in sensors.items()
    ]
    ids = catalog.sync(conn, specs, begin * S).ids
    lines: dict[str, list[str]] = {"temperature": [], "energy": []}
    for name, room in sensors.items():
        energy, at = 100_000.0, begin * 1000 + 137
        times, rows = [], []
        while at < begin * 1000 + 3600 * 1000:
            energy = energy / 2 if rng.random() < 0.01 else energy + rng.randint(0, 5)
            at += at % 1000 == 0  # windows begin and end on whole seconds
            times.append(at)
            rows.append((round(20 + rng.gauss(0, 1), 3), energy))
            at += 15_000 + rng.randint(-700, 700) + (400_000 if rng.random() < 0.01 else 0)
        for index, channel in enumerate(lines):
            values: list[float | None] = [row[index] for row in rows]
            append(conn, [Block(name, [Column(channel, [ts * 1000 for ts in times], values, 1)], True)], ids, Frontier())
            lines[channel] += [
                f'{channel}{{sensor="{name}",room="{room}"}} {value} {ts / 1000:.3f}'
                for ts, value in zip(times, values, strict=True)
            ]
    conn.execute("COMMIT")
    close_cleanly(conn)
    text = "".join(f"# TYPE {channel} gauge\n" + "\n".join(found) + "\n" for channel, found in lines.items()) + "# EOF\n"
    (tmp_path / "in.txt").write_text(text)
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "in.txt"), str(tmp_path / "tsdb")],
        check=True,
        capture_output=True,
    )
    (tmp_path / "prometheus.yml").write_text("{}")
    port = free_port()
    process = subprocess.Popen(
        [prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with (
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as theirs,
            serving(Settings(path)) as ours,
        ):
            deadline = time.monotonic() + 60
            while not _is_ready(theirs) and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.05)
            for query in QUERIES:
                parameters: dict[str, Any] = {"query": query, "start": begin + 7, "end": begin + 3600, "step": 45}
                wanted = theirs.post("/api/v1/query_range", data=parameters).json()
                found = ours.client.post(f"{API}/query_range", data=parameters).json()
                assert found["status"] == wanted["status"] == "success", (query, found, wanted)
                _compare(query, _lines(found), _lines(wanted))
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def _lines(answer: Any) -> dict[str, list[Any]]:
    return {json.dumps(series["metric"], sort_keys=True): series["values"] for series in answer["data"]["result"]}


def _compare(query: str, found: dict[str, list[Any]], wanted: dict[str, list[Any]]) -> None:
    assert found.keys() == wanted.keys(), query
    for name, values in wanted.items():
        assert [at for at, _ in found[name]] == [at for at, _ in values], (query, name)
        for (at, a), (_, b) in zip(found[name], values, strict=True):
            x, y = float(a), float(b)
            assert x == y or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(x) and math.isnan(y)), (
                query,
                name,
                at,
                a,
                b,
            )


def test_the_dashboard_that_is_shipped_for_grafana(served: Served) -> None:
    """Every question of docs/grafana/dashboard.json has an answer once Grafana has put its variables in; the rest is valid YAML."""
    import yaml

    folder = Path(__file__).parents[3] / "docs" / "grafana"
    source = yaml.safe_load((folder / "datasource.yaml").read_text())["datasources"][0]
    assert source["url"].endswith("/prometheus")
    assert yaml.safe_load((folder / "dashboards.yaml").read_text())["providers"]
    board = json.loads((folder / "dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 4
    for expression in asked:
        for channel in ("t", "n"):
            text = (
                expression.replace("$__rate_interval", "4m")
                .replace("$__interval", "2m")
                .replace("$channel", channel)
                .replace("$sensor", ".*")
            )
            found = ask(served, "/query_range", query=text, start=T0 // S, end=T0 // S + 3000, step=120)
            assert found["result"], text
    assert board["uid"] == source["uid"] == board["panels"][0]["datasource"]["uid"]
