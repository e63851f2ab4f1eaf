"""What ``tail`` follows: what is newer than what it showed, at a cost that does not grow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.cli.followed import Followed
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer

S = 1_000_000
T0 = 1_800_000_000 * S
CHANNELS = ("a", "b", "c")
STEPS_AT_ONCE = 20  # of SQLite, between two counts


class Rig:
    """A log that is written as the daemon does, and followed. ``work``: what SQLite did for it, in STEPS_AT_ONCE."""

    def __init__(self, path: Path, start_us: int = T0) -> None:
        self.conn = connect_writer(path)
        self.conn.execute("BEGIN IMMEDIATE")
        specs = [catalog.SensorSpec("lab", "simulated", series=[catalog.SeriesSpec(name) for name in CHANNELS])]
        self.ids = catalog.sync(self.conn, specs, T0).ids
        self.conn.execute("COMMIT")
        self.log = LogReader.open(path)
        self.followed = Followed(self.log, self.log.series(), start_us)
        self.work = 0

    def commit(self, now_us: int, channel: str, *stamps: int) -> None:
        self.conn.execute("BEGIN IMMEDIATE")
        block = Block("lab", [Column(channel, list(stamps), [1.0] * len(stamps), 1)], device_time=True)
        result = append(self.conn, [block], self.ids, Frontier())
        latest.save(self.conn, result.newest, now_us, 5 * S)
        self.conn.execute("COMMIT")

    def look(self, now_us: int) -> list[tuple[str, int]]:
        self.work = 0
        self.log.conn.set_progress_handler(self._count, STEPS_AT_ONCE)
        return [(reading.series.channel, reading.ts_us) for reading in self.followed.new_readings(now_us)]

    def close(self) -> None:
        self.log.close()
        self.conn.close()

    def _count(self) -> int:
        self.work += 1
        return 0


@pytest.fixture
def rig(fresh: Path, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(Path(shutil.copy(fresh, tmp_path / "log.db")))
    yield made
    made.close()


def test_a_silent_series_does_not_make_looks_longer(rig: Rig) -> None:
    """An hour in which two of three say something, and one of them seldom."""
    rig.look(T0)
    works = []
    for second in range(5, 3601, 5):
        now = T0 + second * S
        rig.commit(now, "a", *range(now - 4 * S, now + 1, S))
        assert len(rig.look(now)) == 5
        works.append(rig.work)
        if second % 600 == 0:
            rig.commit(now, "b", now)
            assert rig.look(now) == [("b", now)]
    assert max(works[-60:]) <= 2 * max(works[60:120])


def test_what_a_series_has_kept_for_long_is_shown(rig: Rig) -> None:
    """A device that was out of reach hands over all that it has; a reader who did not read for long misses nothing."""
    rig.look(T0)
    now = T0 + 7200 * S
    rig.commit(now, "a", *range(T0 + S, now, S))
    assert len(rig.look(now)) == 7199
    rig.commit(now, "b", *range(T0 + 60 * S, now, 60 * S))
    rig.commit(now, "a", now)
    found = rig.look(now)
    assert found == sorted(found, key=lambda each: each[1])
    assert len(found) == 120
    assert rig.look(now + S) == []


def test_a_reading_of_tomorrow_neither_hides_others_nor_makes_looks_longer(rig: Rig) -> None:
    """It is shown when its time has come."""
    tomorrow = T0 + 86_400 * S
    rig.look(T0)
    rig.commit(T0, "b", tomorrow)
    works = []
    for second in range(300):
        now = T0 + second * S
        rig.commit(now, "a", now)
        assert rig.look(now) == [("a", now)]
        works.append(rig.work)
    assert max(works[-60:]) <= 2 * max(works[60:120])
    rig.commit(T0 + 300 * S, "b", T0 + 300 * S)
    assert rig.look(T0 + 300 * S) == [("b", T0 + 300 * S)]
    rig.commit(tomorrow, "a", tomorrow)
    assert rig.look(tomorrow) == [("a", tomorrow), ("b", tomorrow)]


COMMITS = st.lists(
    st.tuples(
        st.sampled_from(CHANNELS),
        st.integers(0, 100),  # how many seconds go by
        st.lists(st.integers(0, 400), min_size=1, max_size=4, unique=True),  # how many seconds ago the readings were
        st.booleans(),  # whether somebody looks
    ),
    max_size=25,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 300), COMMITS)
def test_whatever_comes_is_shown_if_it_is_newer(
    fresh: Path, tmp_path: Path, start: int, commits: list[tuple[str, int, list[int], bool]]
) -> None:
    """Than what was shown of its series: once, in order of its time."""
    for file in tmp_path.glob("law.db*"):
        file.unlink()
    rig = Rig(Path(shutil.copy(fresh, tmp_path / "law.db")), T0 + start * S)
    try:
        now = T0 + start * S
        newest = dict.fromkeys(CHANNELS, now - 1)
        waiting: dict[str, set[int]] = {channel: set() for channel in CHANNELS}
        assert rig.look(now) == []
        for channel, later, ago, looks in [*commits, ("a", 1, [0], True)]:
            now += later * S
            stamps = sorted(now - seconds * S for seconds in ago)
            rig.commit(now, channel, *stamps)
            waiting[channel] |= set(stamps)
            if not looks:
                continue
            found = rig.look(now)
            for each, stamped in waiting.items():
                shown = [ts for name, ts in found if name == each]
                assert shown == sorted(ts for ts in stamped if ts > newest[each])
                newest[each] = max([newest[each], *shown])
                stamped.clear()
    finally:
        rig.close()
