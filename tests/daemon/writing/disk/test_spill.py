"""What could not be committed before the end: all of it comes back, once, whatever happens in between."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.ending import give_up
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.intake.unstored import LeftAtEnd
from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage import meta
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec
from tests.daemon.writing.rig import SPECS, T0, Rig, events, values, values_by_series

_numbers = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([math.inf, -math.inf, -0.0, 5e-324, 1e308]),
)
_names = st.text(max_size=8)


@st.composite
def _blocks(draw: st.DrawFn) -> Block:
    shared = [draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)) for _ in range(2)]
    columns = []
    for _ in range(draw(st.integers(0, 4))):
        times = shared[draw(st.integers(0, 1))]
        if draw(st.booleans()):
            times = list(times)
        values = draw(st.lists(_numbers, min_size=len(times), max_size=len(times)))
        quality = draw(st.one_of(st.integers(0, 1 << 20), st.just([0] * len(times))))
        columns.append(Column(draw(_names), times, values, quality))
    return Block(draw(_names), columns, draw(st.booleans()))


_events = st.builds(Event, st.integers(), _names, st.one_of(st.none(), _names), st.text())


def _same(value: Any, other: Any) -> bool:
    return value == other or (isinstance(value, float) and isinstance(other, float) and math.isnan(value) and math.isnan(other))


@settings(max_examples=100)
@given(blocks=st.lists(_blocks(), max_size=4), given_events=st.lists(_events, max_size=3))
def test_what_is_written_is_read(blocks: list[Block], given_events: list[Event]) -> None:
    """Every number, name and flag; and columns that were sampled together still share their times."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)  # a hundred times is a long time on a slow disk
        path = spill.write(Path(folder) / "log.db", blocks, given_events, T0)
        found = spill.read(path)
    written = [block for block in blocks if block.rows]
    assert found.identity == path.name
    assert list(found.events) == given_events
    assert found.readings == sum(block.rows for block in written)
    for given_block, read_block in zip(written, found.blocks, strict=True):
        assert (given_block.sensor, given_block.device_time) == (read_block.sensor, read_block.device_time)
        for a, b in zip(given_block.columns, read_block.columns, strict=True):
            assert (a.channel, list(a.times_us), a.quality) == (b.channel, b.times_us, b.quality)
            assert all(map(_same, a.values, b.values))
        sharing = [[a.times_us is b.times_us for b in given_block.columns] for a in given_block.columns]
        assert [[a.times_us is b.times_us for b in read_block.columns] for a in read_block.columns] == sharing


def test_values_that_are_no_numbers_are_not_lost(make: Callable[..., Rig], path: Path) -> None:
    """A driver's mistake is counted by the next start, as it would have been by this one; and is no reason to write nothing."""
    block = Block("a", [Column("x", [T0, T0 + 1], [b"1", object()], 0)])  # type: ignore[list-item]  # wrong on purpose
    assert spill.read(spill.write(path, [block], [], T0)).readings == 2
    rig = make(block_rows=10**6)
    rig.turn(5)
    assert rig.writer.stats().per_sensor["a"]["poisoned"] == 2


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    """Cut anywhere, or any byte changed: it is not taken for what was written."""
    path = spill.write(
        tmp_path / "log.db", [Block("a", [Column("x", [T0], [1.5], 0)])], [Event(1, OtherKind("noted"), None, "é")], T0
    )
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 2))
    changed = content[:at] if data.draw(st.booleans()) else content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    path.write_bytes(changed)
    with pytest.raises(spill.SpillDamaged, match=str(path)):
        spill.read(path)
    path.unlink()


def test_a_spill_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        spill.write(tmp_path / "log.db", [Block("a", [Column("x", [T0], [1.0], 0)])], [], T0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_synced_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file has its name by then and the next start takes it up: an error would have its readings counted as lost as well."""
    sync = os.fsync

    def fails_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fails_for_folders)
    lost: list[int] = []
    left = LeftAtEnd([Block("a", [Column("x", [T0], [1.0], 0)])], [])
    assert not give_up(left, tmp_path / "log.db", T0, lost.append)
    (path,) = spill.found(tmp_path / "log.db")
    assert spill.read(path).readings == 1
    assert not lost


def test_two_spills_of_a_second_are_two(tmp_path: Path) -> None:
    database = tmp_path / "log.db"
    written = [spill.write(database, [Block("a", [Column("x", [T0 + n], [1.0], 0)])], [], T0) for n in range(3)]
    assert spill.found(database) == sorted(written)
    assert len({spill.read(path).identity for path in written}) == 3


def test_two_threads_that_spill_at_once_write_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer comes back from the disk while the main thread, which has given up waiting, spills for it."""
    database, sync, other = tmp_path / "log.db", os.fsync, []

    def meanwhile(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        other.append(spill.write(database, [Block("b", [Column("x", [T0], [2.0], 0)])], [], T0))

    monkeypatch.setattr(os, "fsync", meanwhile)
    mine = spill.write(database, [Block("a", [Column("x", [T0], [1.0], 0)])], [], T0)
    assert sorted(tmp_path.iterdir()) == sorted([mine, *other])
    assert [spill.read(path).blocks[0].sensor for path in (mine, *other)] == ["a", "b"]


def test_a_spill_that_is_stored_and_cannot_be_removed_is_counted_and_not_stored_again(
    make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make()
    rig.put(3)
    rig.turn_until(rig.is_idle, "rest")
    rig.stop()
    differing = Block("a", [Column("x", [T0 - 1_000_000], [77.0], 0)], device_time=True)
    left = spill.write(path, [differing], [], T0)
    unlink = Path.unlink

    def refuse(file: Path, missing_ok: bool = False) -> None:
        if file == left:
            raise PermissionError(1, "not permitted")
        unlink(file, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    for conflicts in (1, None):
        again = make()
        again.turn(5)
        assert again.writer.stats().per_sensor.get("a", {}).get("conflicts") == conflicts
        again.stop()
    assert left.exists()
    assert again.kinds().count("spill_taken_up") == 1
    assert "spill_unreadable" not in again.kinds()


def test_a_name_with_odd_letters_finds_its_own_spills(tmp_path: Path) -> None:
    """Brackets, stars and question marks are letters of a name, no patterns."""
    odd, other = tmp_path / "log[1]*.db", tmp_path / "log1x.db"
    mine = spill.write(odd, [], [], T0)
    spill.write(other, [], [], T0)
    assert spill.found(odd) == [mine]


# ---- taken up by the next start ----------------------------------------------------------------------------------------


def left_behind(rig: Rig, n: int = 4) -> list[float]:
    """A run that could not store what it had: its readings."""
    rig.turn(3)
    script = rig.script
    script.fail_on("BEGIN", lambda: OSError(5, "as scripted"))
    put = rig.put(n) + rig.put(n, "b")
    rig.writer.emit(OtherKind("noted"), None, "before the end")
    rig.stop(1.0)
    script.heal()
    return put


def test_the_next_start_takes_it_up_once(make: Callable[..., Rig], path: Path) -> None:
    put = left_behind(make())
    assert values(path) == []
    assert len(spill.found(path)) == 1
    for _ in range(3):
        rig = make()
        rig.turn(5)
        rig.stop()
    assert values(path) == put
    assert spill.found(path) == []
    kinds = [kind for kind, _ in events(path)]
    assert kinds.count("spill_taken_up") == kinds.count("spilled") == kinds.count("noted") == 1
    with contextlib.closing(sqlite3.connect(path)) as conn:
        assert meta.keys(conn, meta.SPILL) == []  # no note is left of what is over


class Killed(BaseException):
    """The process ends here."""


RENAMED = [
    SensorSpec("new", "simulated", was="a", series=[SeriesSpec("z", was="x")]),
    SensorSpec("a", "simulated", series=[SeriesSpec("x")]),
    SPECS[1],
]


@pytest.mark.parametrize("step", range(40, 124, 3))
def test_killed_at_any_step_of_taking_it_up(make: Callable[..., Rig], path: Path, step: int) -> None:
    """Each statement of the next start, before or after it is done: nothing is lost or doubled, and all of it gets to the series
    that it was measured for, though the configuration has renamed ``a`` and given its name to another sensor meanwhile."""
    put = left_behind(make())
    rig = make(specs=RENAMED, block_rows=10**6)
    seen = 0

    def kill(sql: str) -> None:
        nonlocal seen
        if not sql.startswith("PRAGMA"):
            seen += 1
            if seen == step + 1:
                raise Killed

    rig.script.before = rig.script.after = kill
    with contextlib.suppress(Killed):
        rig.turn(1)
    rig.kill()
    rig.script.heal()
    last = make(specs=RENAMED, block_rows=10**6)
    last.turn(5)
    last.stop()
    assert values_by_series(path) == {("new", "z"): put[:4], ("b", "x"): put[4:]}
    assert [kind for kind, _ in events(path)].count("noted") == 1
    assert spill.found(path) == []


@pytest.mark.parametrize("step", range(30, 100, 5))
def test_trouble_at_any_step_of_taking_it_up_leaves_nothing_untold(make: Callable[..., Rig], path: Path, step: int) -> None:
    """The opening is tried again; what the first try did is told all the same, and once."""
    put = left_behind(make())
    rig = make(block_rows=10**6)
    rig.script.fail_at(step, lambda: OSError(5, "as scripted"))
    rig.turn(10)
    rig.script.heal()
    rig.turn_until(rig.is_idle, "rest")
    rig.stop()
    assert values(path) == put
    assert [kind for kind, _ in events(path)].count("spill_taken_up") == 1


def test_killed_between_commit_and_removal(make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there still, and its content in the database: it is known, and only removed."""

    def kill(self: Path, missing_ok: bool = False) -> None:
        raise Killed

    put = left_behind(make())
    rig = make()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", kill)
        with contextlib.suppress(Killed):
            rig.turn(1)
    rig.kill()
    assert values(path) == put
    assert len(spill.found(path)) == 1
    again = make()
    again.turn(5)
    again.stop()
    assert values(path) == put
    assert [kind for kind, _ in events(path)].count("noted") == 1
    assert spill.found(path) == []


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut leaves an empty file of that name, or none."""
    done: list[str] = []
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        done.append("renamed")
        return real(self, target)

    def sync(descriptor: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(os, "fsync", sync)
    spill.write(tmp_path / "log.db", [], [], T0)
    assert done == ["file", "renamed", "folder"]


def test_taken_up_under_the_names_it_was_written_with(make: Callable[..., Rig], path: Path) -> None:
    """Between the end and the start the configuration renamed ``a`` and gave its name to another sensor."""
    put = left_behind(make())
    rig = make(specs=RENAMED, block_rows=10**6)
    rig.turn(5)
    assert values_by_series(path) == {("new", "z"): put[:4], ("b", "x"): put[4:]}
    rig.stop()


def test_former_names_count_also_where_others_are_unknown(make: Callable[..., Rig], path: Path) -> None:
    """A spill of the end of a reload: some names are those of before, one never got into the database."""
    rig = make()
    rig.turn(3)
    rig.stop()
    blocks = [Block(name, [Column("x", [T0 + n], [float(n)], 0)]) for n, name in enumerate(["a", "gone"])]
    spill.write(path, blocks, [], T0)
    last = make(specs=RENAMED, block_rows=10**6)
    last.turn(5)
    assert values_by_series(path) == {("new", "z"): [0.0], ("gone", "x"): [1.0]}


def test_readings_of_sensors_that_nobody_knows_are_kept(make: Callable[..., Rig], path: Path) -> None:
    """Of a configuration that never reached the database: they get series that count as retired."""
    spill.write(path, [Block("gone", [Column("x", [T0], [1.0], 0)])], [], T0)
    rig = make(block_rows=10**6)
    rig.turn(5)
    assert values_by_series(path) == {("gone", "x"): [1.0]}
    with contextlib.closing(sqlite3.connect(path)) as conn:
        retired = (
            "SELECT channel FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.retired_us NOT NULL AND name = 'gone'"
        )
        assert conn.execute(retired).fetchall() == [("x",)]


def test_a_damaged_spill_is_kept_and_told_and_the_others_are_taken_up(make: Callable[..., Rig], path: Path) -> None:
    put = left_behind(make())
    (path.parent / f"{path.name}.spill-0").write_text("garbage\n")
    rig = make()
    rig.turn(5)
    rig.stop()
    assert values(path) == put
    assert (path.parent / f"{path.name}.spill-0.damaged").read_text() == "garbage\n"
    assert [kind for kind, _ in events(path)].count("spill_damaged") == 1


def test_a_spill_that_may_not_be_read_does_not_stop_logging(
    make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by another user, say: new readings are stored, it is told, and the file waits for the start that can read it."""
    put = left_behind(make())
    (left,) = spill.found(path)
    real = Path.read_bytes

    def forbidden(self: Path) -> bytes:
        if self == left:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", forbidden)
        rig = make()
        later = rig.put(2, "b")
        rig.turn_until(rig.is_idle, "the readings", 10.0)
        rig.stop()
    assert values(path) == later
    assert spill.found(path) == [left]
    assert "spill_unreadable" in [kind for kind, _ in events(path)]
    last = make()
    last.turn(5)
    last.stop()
    assert len(values(path)) == len(put) + len(later)
