"""What roll-ups answer is what readings answer, on the bounds that are documented."""

from __future__ import annotations

import itertools
import math
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.counters import Counter
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.rollups import compute, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, use_day_zone
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.web.prometheus import rolled, source
from sensorlogd.web.prometheus.limits import Limits
from sensorlogd.web.prometheus.promql import engine
from sensorlogd.web.prometheus.promql.functions import windows
from sensorlogd.web.prometheus.promql.values import PromError, Vector
from sensorlogd.web.prometheus.source import LogSource
from sensorlogd.web.prometheus.tiles import Tiles, tiles_of
from sensorlogd.web.settings import Settings
from tests.connections import connect_writer
from tests.web.conftest import T0, S, serving

MINUTE = 60 * S
SPAN_S, EDGE_S = 200_000, 180_000
Readings = list[tuple[int, float]]
OFFSET = 5000.0


class Made(NamedTuple):
    """A log, and what it holds by channel."""

    path: Path
    readings: dict[str, Readings]

    def __repr__(self) -> str:
        return f"Made({self.path})"


def _readings(rng: random.Random, channel: str) -> Readings:
    """Every seven seconds or so, with gaps; counters begin again now and then, and ``up`` never does. ``o`` has an offset; it
    wobbles, and is misread. ``m`` is misread once, at the end of a minute."""
    found: Readings = []
    second, value = 0.0, OFFSET if channel == "o" else 100.0
    while second < SPAN_S:
        second += 7 if rng.random() < 0.995 else rng.choice((30, 61, 4000))
        if channel == "g":
            value = 20 + 5 * math.sin(second / 9000) + rng.random()
        elif channel == "c" and rng.random() < 0.0005:
            value = rng.random()
        elif channel == "o" and rng.random() < 0.002:
            value = OFFSET + rng.random()
        else:
            value += rng.randrange(0, 9)
        shown = value
        if channel == "o" and rng.random() < 0.02:
            shown = rng.choice((OFFSET, value - 0.5, 0.0))
        found.append((T0 + round(second * S), shown))
    if channel == "m":
        at = next(n for n in range(len(found) // 2, len(found)) if found[n][0] // MINUTE < found[n + 1][0] // MINUTE)
        found[at] = (found[at][0], 0.0)
    return found


@pytest.fixture(scope="module")
def made(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A gauge and two counters: rolled up to the edge, with readings that came late before it, and newer ones after it."""
    path = tmp_path_factory.mktemp("rolled") / "log.db"
    path.write_bytes(fresh.read_bytes())
    rng = random.Random(15)
    readings = {channel: _readings(rng, channel) for channel in ("g", "c", "up", "o", "m")}
    late = {channel: set(rng.sample(range(1, len(found) - 1), 12)) for channel, found in readings.items()}
    edge = T0 + EDGE_S * S
    with closing(connect_writer(path)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        specs = [
            catalog.SeriesSpec(channel, kind="gauge" if channel == "g" else "counter", offset=OFFSET if channel == "o" else 0.0)
            for channel in readings
        ]
        ids = catalog.sync(conn, [catalog.SensorSpec("lab", "simulated", series=specs)], T0).ids
        set_edge(conn, T0)
        use_day_zone(conn, "UTC", 0)
        for is_late, frontier in ((False, T0), (True, edge)):
            for channel, found in readings.items():
                some = [reading for at, reading in enumerate(found) if (at in late[channel]) == is_late]
                column = Column(channel, [ts for ts, _ in some], [value for _, value in some], 1)
                append(conn, [Block("lab", [column], device_time=True)], ids, Frontier(edge_us=frontier))
            if not is_late:
                conn.execute("COMMIT")
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as snapshot:
                    rows = [row for some in compute.compute_block(snapshot, T0, edge, "UTC") for row in some]
                conn.execute("BEGIN IMMEDIATE")
                stored_rollups.store_rows(conn, rows)
                set_edge(conn, edge)
        conn.execute("COMMIT")
        assert conn.execute("SELECT count(*) FROM dirty").fetchone()[0] > 10
    return Made(path, readings)


@pytest.fixture(scope="module")
def log(made: Made) -> Iterator[LogReader]:
    with LogReader.open(made.path) as opened:
        opened.conn.execute("BEGIN")
        yield opened


def _expected(name: str, channel: str, found: Readings, tiles: Tiles, window: int) -> float | None:
    """From the readings of the window on the grid; what is extended is extended to the length that was asked for."""
    a, b = tiles.bounds(window)
    some = [reading for reading in found if a <= reading[0] < b]
    if not some:
        return None
    by_law = None if channel == "g" else windows.of_counter(name, Counter(zero=OFFSET if channel == "o" else 0.0))
    value = (by_law or windows.FUNCTIONS[name])([ts for ts, _ in some], [value for _, value in some], a, b)
    if value is not None and name in ("increase", "delta"):
        value *= tiles.length_us / (b - a)
    return value


@given(
    channel=st.sampled_from(("g", "c", "up", "o")),
    name=st.sampled_from(rolled.FUNCTIONS),
    start=st.integers(0, SPAN_S),
    length=st.one_of(st.sampled_from((60, 300, 900, 1800, 3600, 7200, 9000, 86_400)), st.integers(60, 90_000)),
    step=st.one_of(st.sampled_from((60, 300, 900, 3600, 9000, 86_400)), st.integers(60, 40_000)),
    steps=st.integers(1, 40),
    align=st.booleans(),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_roll_ups_answer_is_what_readings_answer(
    made: Made,
    log: LogReader,
    channel: str,
    name: str,
    start: int,
    length: int,
    step: int,
    steps: int,
    align: bool,
) -> None:
    """Counts and extremes exactly, all else within a billionth: behind the edge and before it, dirty or not, on any grid."""
    first = T0 + (start - start % 3600 if align else start) * S
    tiles = tiles_of([first + at * step * S for at in range(steps)], length * S)
    if tiles is None:
        return
    [series] = [labelled for labelled, labels in LogSource(log).all_labels() if labels["__name__"] == channel]
    rolled_up = rolled.Rolled(LogSource(log).snapshot, series.id, tiles, lambda _: None)
    if channel == "g" and name in ("rate", "increase"):
        with pytest.raises(rolled.NotInRollUps):
            rolled_up.values(name)
        return
    found = rolled_up.values(name)
    expected = [_expected(name, channel, made.readings[channel], tiles, window) for window in range(steps)]
    assert [value is None for value in found] == [value is None for value in expected]
    for value, other in zip(found, expected, strict=True):
        if value is None or other is None:
            continue
        if name in ("count_over_time", "min_over_time", "max_over_time", "last_over_time", "present_over_time"):
            assert value == other
        else:
            assert value == pytest.approx(other, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["increase", "rate"])
def test_a_window_that_ends_on_a_misread_value(made: Made, log: LogReader, name: str) -> None:
    """Though the hours around it look as if the counter only rose."""
    (misread,) = [ts for ts, value in made.readings["m"] if value == 0.0]
    first = misread - misread % MINUTE - 2 * MINUTE
    tiles = tiles_of([first + step * MINUTE for step in range(90)], 1800 * S)
    assert tiles is not None
    [series] = [labelled for labelled, labels in LogSource(log).all_labels() if labels["__name__"] == "m"]
    found = rolled.Rolled(LogSource(log).snapshot, series.id, tiles, lambda _: None).values(name)
    assert found == pytest.approx([_expected(name, "m", made.readings["m"], tiles, window) for window in range(90)])


@given(start=st.integers(0, 10**6), length=st.integers(60, 10**6), step=st.integers(60, 10**6), steps=st.integers(1, 30))
def test_windows_are_runs_of_tiles(start: int, length: int, step: int, steps: int) -> None:
    """A bucket is in a window's tiles exactly when its start lies between the window's bounds; those move by little."""
    tiles = tiles_of([T0 + (start + at * step) * S for at in range(steps)], length * S)
    if tiles is None:
        assert length < 1800
        return
    for window, end in enumerate(tiles.ends):
        a, b = tiles.bounds(window)
        moved = max(abs(a - (end - length * S)), abs(b - end))
        assert moved <= tiles.width_us // 2
        assert moved <= length * S / 60 or tiles.is_exact()
        first, behind = tiles.run(window)
        for place in (a - tiles.width_us, a, b - tiles.width_us, b):
            if place >= tiles.bounds(0)[0]:
                assert (first <= tiles.numbers.of(place) < behind) == (a <= place < b)


@given(
    start=st.integers(0, 10**5), length=st.integers(60, 10**5), step=st.integers(60, 10**5), since=st.integers(0, 300),
    width=st.integers(1, 300),
)  # fmt: skip
def test_edges_are_where_tiles_change(start: int, length: int, step: int, since: int, width: int) -> None:
    """All of them, whether a window begins or ends there or not."""
    tiles = tiles_of([T0 + (start + at * step) * S for at in range(3)], length * S)
    if tiles is None:
        return
    first = tiles.bounds(0)[0] + since * tiles.width_us
    places = range(first, first + width * tiles.width_us, tiles.width_us)
    numbers = [tiles.numbers.of(place) for place in places]
    changes = [place for place, a, b in zip(places[1:], numbers, numbers[1:], strict=False) if a != b]
    assert [begin for begin, _ in tiles.edges(first, places.stop)] == [first, *changes]


def test_few_readings_are_looked_at_many_are_not(log: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer tells where it is from; the difference is that of the bounds."""
    expression = engine.parse("avg_over_time(g[1h])")
    first = T0 + 36_000 * S
    grid = engine.Grid.of(first, first + 100_000 * S, 3600 * S)

    def asked() -> tuple[LogSource, Vector]:
        found = LogSource(log, limits=Limits())
        value = engine.evaluate(expression, grid, found)
        assert isinstance(value, Vector)
        return found, value

    monkeypatch.setattr(source, "FEW", 100)
    from_rollups, rolled_up = asked()
    monkeypatch.setattr(source, "FEW", 10**9)
    from_readings, exact = asked()
    assert (from_rollups.source_kind(), from_readings.source_kind()) == ("rollups", "readings")
    assert "answered from roll-ups of 1h" in from_rollups.notes()["infos"][0]
    assert not from_readings.notes()["infos"]
    pairs = list(zip(rolled_up.series[0].values, exact.series[0].values, strict=True))
    both = [(value, other) for value, other in pairs if value is not None and other is not None]
    assert len(both) > 20
    assert all(value == pytest.approx(other, rel=0.01) for value, other in both)


def test_looking_up_is_reading(log: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last reading before an instant is the same, found one by one or among all."""
    found = []
    for factor in (0, 10**9):
        monkeypatch.setattr(source, "LOOKED_UP_AS_READ", factor)
        for step, query in itertools.product((60, 100, 299), ("g", "timestamp(c)", "up offset 7m")):
            grid = engine.Grid.of(T0, T0 + SPAN_S * S, step * S)
            value = engine.evaluate(engine.parse(query), grid, LogSource(log))
            assert isinstance(value, Vector)
            found.append([series.values for series in value.series])
    half = len(found) // 2
    assert found[:half] == found[half:]


def _expired(made: Made, folder: Path) -> tuple[Path, int]:
    """A copy whose first readings have expired, and the hour (µs) from which on they are there."""
    path = folder / "log.db"
    path.write_bytes(made.path.read_bytes())
    cut = T0 + 27 * 3600 * S
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("DELETE FROM recent WHERE ts < ?", (cut,))
        conn.execute("DELETE FROM dirty")
        conn.execute("INSERT INTO retention_cut(series_id, tier, cut_us) SELECT id, 0, ? FROM series", (cut,))
        conn.commit()
    return path, cut


def test_expired_readings_are_answered_by_roll_ups(made: Made, tmp_path: Path) -> None:
    """What only roll-ups remember is still an answer, over HTTP, with its source."""
    path, _ = _expired(made, tmp_path)
    with serving(Settings(path, query_threads=1)) as served:
        asked: dict[str, str | int] = {
            "query": "max_over_time(g[1h])",
            "start": T0 // S + 3600,
            "end": T0 // S + 7200,
            "step": "3600",
        }
        answer = served.client.get("/prometheus/api/v1/query_range", params=asked)
        assert answer.headers["x-sensorlogd-source"] == "rollups"
        [series] = answer.json()["data"]["result"]
        readings = made.readings["g"]
        expected = [max(v for ts, v in readings if T0 + a * S <= ts < T0 + (a + 3600) * S) for a in (0, 3600)]
        assert [float(value) for _, value in series["values"]] == pytest.approx(expected)


def test_what_has_expired_is_said_and_looked_up_alike(made: Made, tmp_path: Path) -> None:
    """A window of which a part has expired is answered with a warning; an instant finds the same at any distance to the next."""
    path, cut = _expired(made, tmp_path)
    with serving(Settings(path, query_threads=1)) as served:

        def warnings(query: str, at_us: int) -> list[str]:
            asked = {"query": query, "time": str(at_us // S)}
            return list(served.client.get("/prometheus/api/v1/query", params=asked).json().get("warnings", ()))

        for query in ("quantile_over_time(0.5, g[1h])", "deriv(g[1h])", "resets(c[1h])", "g[1h]"):
            assert any("have expired" in warning and "lab." in warning for warning in warnings(query, cut + 1800 * S)), query
            assert warnings(query, cut + 3660 * S) == [], query
        assert warnings("max_over_time(g[1h])", cut + 1800 * S) == []

        def values(step: int) -> dict[int, str]:
            asked = {"query": "g", "start": str(T0 // S + 3600), "end": str(T0 // S + 7200), "step": str(step)}
            found = served.client.get("/prometheus/api/v1/query_range", params=asked).json()["data"]["result"]
            return {int(at): value for series in found for at, value in series["values"]}

        often, seldom = values(60), values(600)
        assert len(seldom) > 1
        assert {at: often.get(at) for at in seldom} == seldom


def test_a_limit_holds_for_roll_ups_too(log: LogReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets are looked at, too."""
    grid = engine.Grid.of(T0 + 3600 * S, T0 + 170_000 * S, 60 * S)
    with pytest.raises(PromError, match="more than 100 readings"):
        engine.evaluate(engine.parse("avg_over_time(g[1h])"), grid, LogSource(log, limits=Limits(readings=100)))


@pytest.mark.parametrize("name", ["increase", "rate", "irate", "resets"])
def test_readings_of_a_counter_go_by_its_law(made: Made, log: LogReader, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From its offset on, without wobbles and misread values, as everywhere; one that only rises answers as Prometheus does."""
    monkeypatch.setattr(source, "FEW", 10**9)
    first = T0 + 36_000 * S
    grid = engine.Grid.of(first, first + 100_000 * S, 3600 * S)
    for channel, law in (("o", Counter(zero=OFFSET)), ("up", None)):
        value = engine.evaluate(engine.parse(f"{name}({channel}[1h])"), grid, LogSource(log, limits=Limits()))
        assert isinstance(value, Vector)
        function = windows.FUNCTIONS[name] if law is None else windows.of_counter(name, law)
        assert function is not None
        for step, found in enumerate(value.series[0].values):
            end = grid.at(step)
            some = [reading for reading in made.readings[channel] if end - 3600 * S < reading[0] <= end]
            wanted = function([ts for ts, _ in some], [number for _, number in some], end - 3600 * S, end) if some else None
            assert found == (wanted if wanted is None else pytest.approx(wanted, rel=1e-9)), (channel, step)
