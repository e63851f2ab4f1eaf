"""The threads of sensors as a whole; a reader by itself is tested where it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest

from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config
from sensorlogd.daemon.main.components import sensor_threads
from sensorlogd.daemon.main.components.sensor_threads import SensorThreads
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.drivers.registry import options_for


class Sensor:
    """Stands for a ``SensorThread``. ``hangs``: its driver does not return. ``order``: what was done with any of them."""

    def __init__(self, name: str, order: list[str], *, hangs: bool) -> None:
        self.name = name
        self.hangs = hangs
        self.did: list[str] = []
        self._order = order

    def _note(self, what: str) -> None:
        self.did.append(what)
        self._order.append(f"{what} {self.name}")

    def start(self) -> None:
        self._note("start")

    def stop(self) -> None:
        self._note("stop")

    def watch(self) -> None:
        self._note("watch")

    def leave_behind(self) -> None:
        self._note("leave behind")

    def join(self, timeout_s: float = 0.0) -> bool:
        self._note("join")
        return not self.hangs


def config(folder: Path) -> Config:
    text = "sensors:\n" + "".join(
        f"  {name}: {{driver: simulated, interval: 1s, enabled: {enabled}, channels: {{x: {{signal: {{constant: {{value: 1}}}}}}}}}}\n"
        for name, enabled in (("a", "true"), ("b", "true"), ("off", "false"))
    )
    return load_text(text, folder / "sensorlogd.yaml", options_for)


def threads(hanging: str = "", order: list[str] | None = None) -> tuple[SensorThreads, dict[str, Sensor]]:
    made: dict[str, Sensor] = {}
    done = [] if order is None else order

    def make(name: str, *_: object) -> Any:
        made[name] = Sensor(name, done, hangs=name == hanging)
        return made[name]

    return SensorThreads(make, Startables(lambda kind, sensor, detail: None)), made


def test_what_is_enabled_is_started_and_watched(tmp_path: Path) -> None:
    sensors, made = threads()
    sensors.start_all(config(tmp_path))
    sensors.watch()
    assert list(sensors.running) == ["a", "b"]
    assert {name: sensor.did for name, sensor in made.items()} == {"a": ["start", "watch"], "b": ["start", "watch"]}


def test_all_are_told_to_stop_before_one_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose driver hangs is left behind, and the others are waited for nevertheless; status still speaks of all."""
    monkeypatch.setattr(sensor_threads, "STOP_WITHIN_S", 0.0)
    order: list[str] = []
    sensors, _ = threads(hanging="a", order=order)
    sensors.start_all(config(tmp_path))
    sensors.stop(time.monotonic())
    assert order == ["start a", "start b", "stop a", "stop b", "join a", "join b"]
    assert list(sensors.running) == ["a", "b"]


def test_one_that_leaves_is_forgotten_even_if_it_hangs(tmp_path: Path) -> None:
    sensors, made = threads(hanging="a")
    sensors.start_all(config(tmp_path))
    sensors.remove({"a": sensors.running["a"]})
    assert made["a"].did == ["start", "stop", "join", "leave behind"]  # else what it still brings meets the new configuration
    assert made["b"].did == ["start"]
    assert list(sensors.running) == ["b"]


def test_many_that_hang_are_waited_for_together(tmp_path: Path) -> None:
    """Three hundred ports behind one USB hub that hangs: the deadline is that of all."""
    asked: list[float] = []

    class Hanging(Sensor):
        def join(self, timeout_s: float = 0.0) -> bool:
            asked.append(timeout_s)
            return False

    sensors, _ = threads()
    sensors.running = {str(number): cast(Any, Hanging(str(number), [], hangs=True)) for number in range(300)}
    sensors.stop(time.monotonic())
    assert asked == [0.0] * 300


def test_one_that_cannot_be_made_when_it_is_tried_again_costs_itself_only(tmp_path: Path) -> None:
    def make(name: str, *_: object) -> Any:
        if name == "a":
            raise KeyError("a fault of its driver's author")
        return Sensor(name, [], hangs=False)

    parts = Startables(lambda kind, sensor, detail: None)
    sensors = SensorThreads(make, parts)
    sensors.start_all(config(tmp_path))
    assert list(sensors.running) == ["b"]
    assert parts.missing == {"sensor a": """KeyError: "a fault of its driver's author\""""}
