"""A reload is all or nothing; and what cannot be started costs itself only, and is tried again."""

from __future__ import annotations

import itertools
import json
import os
import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.main.build import DaemonParts
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.main.process.lock import DatabaseLock, DataDirLock
from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.daemon.main.reloading import change as change_module
from sensorlogd.daemon.main.reloading.change import SPARE_DESCRIPTORS, ConfigChange, ReloadRefused, prepare
from sensorlogd.daemon.sensing.sensor_thread import SensorThread
from sensorlogd.drivers.registry import options_for
from sensorlogd.processes.wake_pipe import WakePipe

SENSOR = "  {name}: {{driver: simulated, interval: {interval}, channels: {{x: {{signal: {{constant: {{value: 1}}}}}}}}}}\n"


def config(folder: Path, extra: str = "", **intervals: str) -> Config:
    """Sensors by name, with their intervals."""
    sensors = "".join(SENSOR.format(name=name, interval=interval) for name, interval in intervals.items())
    text = f"daemon: {{data_dir: {folder}}}\nweb: {{enabled: false}}\n{extra}" + (
        f"sensors:\n{sensors}" if sensors else "sensors: {}\n"
    )
    return load_text(text, folder / "sensorlogd.yaml", options_for)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[..., DaemonParts]]:
    """The parts of a daemon, made, and nothing but sensor threads started; ended after the test."""
    made: list[DaemonParts] = []
    wake = WakePipe()

    def make_parts(extra: str = "", **intervals: str) -> DaemonParts:
        parts = DaemonParts(
            config(tmp_path, extra, **intervals),
            lambda: config(tmp_path, extra, **intervals),
            DatabaseLock(tmp_path / "log.db", None),
            DataDirLock(tmp_path),
            Requested(),
            wake,
            pages=False,
        )
        made.append(parts)
        parts.sensors.start_all(parts.in_use.config)
        return parts

    yield make_parts
    for parts in made:
        for sensor_thread in parts.sensors.running.values():
            sensor_thread.stop()
        for sensor_thread in parts.sensors.running.values():
            assert sensor_thread.join(30.0)
    wake.close()


def reload(parts: DaemonParts, to: Config, *waiting: Future[list[str] | ConfigChange]) -> None:
    parts.reload.load = lambda: to
    parts.reload.run(list(waiting))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def event_kinds(parts: DaemonParts) -> list[str]:
    return [event.kind for event in parts.writer._notices.events.waiting(0)]


def sensor_threads() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("sensor-"))


# ---- prepare -----------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_made_and_leaves(daemon: Callable[..., DaemonParts], tmp_path: Path) -> None:
    parts = daemon(same="1s", other="1s", gone="1s")
    change = prepare(
        parts.in_use.config,
        lambda: config(tmp_path, "storage: {commit_interval: 2s}\n", same="1s", other="2s", new="1s"),
        parts.sensors.running,
        parts.sensors.make,
    )
    assert sorted(change.added) == ["new", "other"]
    assert sorted(change.leaving) == ["gone", "other"]
    assert change.kept == 1
    assert change.restart_needed == ("storage",)
    assert change.message() == "started other, new; removed gone; kept 1"
    for sensor_thread in change.added.values():
        sensor_thread.join()


def test_a_computed_sensor_that_stays_is_kept(daemon: Callable[..., DaemonParts], tmp_path: Path) -> None:
    """It has no driver to look for; the daemon ended at a reload because it looked."""
    computed = "computed: {c: {inputs: {t: a.x}, channels: {y: {formula: t + 1}}}}\n"
    parts = daemon(computed, a="1s", b="1s")
    change = prepare(
        parts.in_use.config,
        lambda: config(tmp_path, computed, a="1s", b="2s"),
        parts.sensors.running,
        parts.sensors.make,
    )
    assert change.message() == "started b; removed none; kept 2"
    for sensor_thread in change.added.values():
        sensor_thread.join()


def test_a_fault_while_sensors_are_compared_refuses(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything goes on as before, whatever it is."""

    def fails(*_: object) -> None:
        raise ValueError("unknown driver")

    parts = daemon(a="1s")
    monkeypatch.setattr(change_module, "driver_of", fails)
    outcome: Future[Any] = Future()
    reload(parts, config(tmp_path, a="1s"), outcome)
    assert outcome.result(1.0) == ["the configuration: cannot be started: unknown driver"]
    assert sorted(parts.sensors.running) == ["a"]


def test_a_file_that_cannot_be_read_refuses_with_all_its_errors(daemon: Callable[..., DaemonParts]) -> None:
    class Wrong(Exception):
        errors = ("one", "two")

    def load() -> Config:
        raise Wrong

    parts = daemon(a="1s")
    with pytest.raises(ReloadRefused) as refused:
        prepare(parts.in_use.config, load, parts.sensors.running, parts.sensors.make)
    assert refused.value.problems == ["one", "two"]


def test_short_of_descriptors_at_any_point_it_is_all_or_nothing(daemon: Callable[..., DaemonParts], tmp_path: Path) -> None:
    """With room for no descriptor, for one, for two and so on: either all fresh readers are there, or none and no descriptor."""
    parts = daemon(a="1s")
    to = config(tmp_path, a="2s", b="1s", c="1s", d="1s")
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    outcomes = []
    for room in range(SPARE_DESCRIPTORS + 14):
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + room - 1, hard))
        try:
            change = prepare(parts.in_use.config, lambda: to, parts.sensors.running, parts.sensors.make)
            problems: list[str] = []
        except ReloadRefused as refused:
            problems = refused.problems
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        outcomes.append(not problems)
        if problems:
            assert descriptors() == before, f"with room for {room}"
            assert "cannot be started" in problems[0]
        else:
            for sensor_thread in change.added.values():
                assert sensor_thread.join()
        assert list(parts.sensors.running) == ["a"]
        assert descriptors() == before
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert outcomes == sorted(outcomes)


def test_short_of_descriptors_blames_no_sensor_that_is_not_there(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration without sensors, refused for lack of descriptors: an answer, not the end of the daemon."""

    def short() -> None:
        raise OSError(24, "only 3 of 1024 descriptors would be left")

    parts = daemon(a="1s")
    monkeypatch.setattr(change_module, "_check_descriptors", short)
    reload(parts, config(tmp_path))
    assert list(parts.sensors.running) == ["a"]
    assert "descriptors would be left" in parts.in_use.problems[0]


# ---- use ---------------------------------------------------------------------------------------------------------------


def test_a_sensor_whose_thread_cannot_start_costs_itself_only(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are started, and it is tried again until it runs; once."""
    real = threading.Thread.start

    def start(self: threading.Thread) -> None:
        if self.name == "sensor-b":
            raise RuntimeError("can't start new thread")
        real(self)

    parts = daemon(a="1s")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        reload(parts, config(tmp_path, a="2s", b="1s", c="1s"))
        assert sorted(parts.sensors.running) == ["a", "c"]
        assert parts.startables.missing == {"sensor b": "can't start new thread"}
    assert "part_failed" in event_kinds(parts)
    parts.startables._again = dict.fromkeys(parts.startables._again, 0.0)  # it is due
    parts.startables.tick()
    assert sorted(parts.sensors.running) == ["a", "b", "c"]
    assert sensor_threads() == ["sensor-a", "sensor-b", "sensor-c"]
    assert event_kinds(parts).count("part_started") == 1


@pytest.mark.parametrize("after", [{"a": "1s", "b": "1s"}, {"a": "1s", "b": "5s"}, {"a": "1s"}])
def test_a_sensor_that_could_not_start_before_a_reload_runs_once_after_it(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: dict[str, str]
) -> None:
    """The reload starts it (or takes it out); what was still to be tried again is forgotten, or two would read one port."""

    def none_left(name: str, sensor: SensorOptions, to: Config) -> SensorThread:
        raise OSError(24, "Too many open files")

    parts = daemon(a="1s")
    with monkeypatch.context() as patch:
        patch.setattr(parts.sensors, "make", none_left)
        sensors: Any = parts.in_use.config.sensors
        sensors["b"] = config(tmp_path, b="1s").sensors["b"]
        parts.sensors.start("b", parts.in_use.config.sensors["b"], parts.in_use.config)
    assert list(parts.startables.missing) == ["sensor b"]
    reload(parts, config(tmp_path, **after))
    parts.startables._again = dict.fromkeys(parts.startables._again, 0.0)
    parts.startables.tick()
    assert sorted(parts.sensors.running) == sorted(after)
    assert sensor_threads() == sorted(f"sensor-{name}" for name in after)
    assert parts.startables.missing == {}


def test_a_refused_reload_changes_nothing(daemon: Callable[..., DaemonParts], tmp_path: Path) -> None:
    def load() -> Config:
        raise ValueError("line 3: what")

    parts = daemon(a="1s")
    before = (parts.in_use.config, dict(parts.sensors.running), parts.inbox._blocks.copy())
    parts.reload.load = load
    parts.reload.run([])
    assert (parts.in_use.config, parts.sensors.running) == before[:2]
    assert parts.in_use.problems == ["line 3: what"]
    assert "config_rejected" in event_kinds(parts)
    assert not (tmp_path / "last-good.yaml").exists()


@pytest.mark.parametrize("fails", ["formulas", "sensor_specs", "retention_plan", "plan_of", "page_settings"])
def test_a_fault_while_anything_is_made_for_a_part_changes_nothing(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """It had come after the sensors that leave were stopped."""

    def fault(*_: object) -> None:
        raise KeyError("a fault of ours")

    parts = daemon(a="1s", b="1s")
    before = (parts.in_use.config, dict(parts.sensors.running))
    with monkeypatch.context() as patch:
        patch.setattr(change_module, fails, fault)
        reload(parts, config(tmp_path, a="2s"))
    assert (parts.in_use.config, parts.sensors.running) == before
    assert parts.in_use.problems == ["the configuration: cannot be started: 'a fault of ours'"]
    assert sensor_threads() == ["sensor-a", "sensor-b"]


def test_status_is_answered_without_the_disk(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread serves all who ask quick questions; a disk that hangs must not keep them waiting."""
    parts = daemon()
    folder = tmp_path / "damaged" / "20261125T101500Z"
    folder.mkdir(parents=True)
    note = {"database": parts.path.name, "when_us": 0, "reason": "", "state": "whole", "files": {}, "salvaged": True}
    (folder / "incident.json").write_text(json.dumps(note))
    parts.status.report()
    monkeypatch.setattr(os, "scandir", lambda *_: pytest.fail("the disk was read"))
    monkeypatch.setattr(Path, "iterdir", lambda *_: pytest.fail("the disk was read"))
    monkeypatch.setattr(Path, "glob", lambda *_: pytest.fail("the disk was read"))
    assert parts.status.answer()["daemon"]["incidents"] == 1


def test_whoever_asked_is_answered_whatever_happens(
    daemon: Callable[..., DaemonParts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(to: Config) -> None:
        raise KeyError("ours")

    parts = daemon(a="1s")
    good, bad = Future[list[str] | ConfigChange](), Future[list[str] | ConfigChange]()
    reload(parts, config(tmp_path, a="1s"), good)
    change = good.result(0)
    assert isinstance(change, ConfigChange)
    assert change.kept == 1
    monkeypatch.setattr(parts.pages, "use", broken)
    with pytest.raises(KeyError):
        reload(parts, config(tmp_path, a="1s"), bad)
    assert bad.result(0)


# ---- startables --------------------------------------------------------------------------------------------------------


class Part:
    def __init__(self, *fails: Exception) -> None:
        self.fails = list(fails)
        self.started = 0

    def start(self) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.started += 1


def startables(now: list[float]) -> tuple[Startables, list[str]]:
    heard: list[str] = []
    return Startables(lambda kind, sensor, detail: heard.append(kind), lambda: now[0]), heard


def test_a_part_that_starts_is_not_spoken_of() -> None:
    every, heard = startables([0.0])
    part = Part()
    every.start("it", part.start)
    every.tick()
    assert (part.started, every.missing, heard) == (1, {}, [])


def test_a_part_that_fails_is_told_once_and_tried_until_it_starts() -> None:
    """Within a minute at most, however long it lasted; another reason is told as well."""
    now = [0.0]
    every, heard = startables(now)
    part = Part(*[OSError("no descriptors") for _ in range(8)], RuntimeError("no thread"))
    every.start("it", part.start)
    assert every.missing == {"it": "no descriptors"}
    tried_at = []
    while not part.started:
        left = len(part.fails)
        every.tick()
        if len(part.fails) < left or part.started:
            tried_at.append(now[0])
        now[0] += 0.1
        assert now[0] < 600
    assert max(b - a for a, b in itertools.pairwise(tried_at)) <= 60.5
    assert heard == ["part_failed", "part_failed", "part_started"]
    assert every.missing == {}
    now[0] += 1000
    every.tick()
    assert part.started == 1


def test_a_part_that_is_forgotten_is_not_tried_again() -> None:
    now = [0.0]
    every, heard = startables(now)
    part = Part(OSError("no"))
    every.start("it", part.start)
    every.forget("it")
    every.forget("never heard of")
    now[0] = 100.0
    every.tick()
    assert (part.started, every.missing, heard) == (0, {}, ["part_failed"])


def test_one_part_does_not_keep_others_from_starting() -> None:
    every, _ = startables([0.0])
    bad, good = Part(OSError("no")), Part()
    every.start("bad", bad.start)
    every.start("good", good.start)
    assert good.started == 1


def test_a_fault_of_ours_is_not_hidden() -> None:
    """Only what may pass by itself is tried again."""
    every, _ = startables([0.0])
    with pytest.raises(KeyError):
        every.start("it", Part(KeyError("ours")).start)
