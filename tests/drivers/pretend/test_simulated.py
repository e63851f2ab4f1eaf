"""Simulated sensors: two runs agree, the signals are what they say, and stopping is at once."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import DriverContext, EndOfData
from sensorlogd.drivers.simulated import SimulatedDriver
from sensorlogd.drivers.simulated.driver import SimulatedOptions

NOW = 1_750_000_000_000_000
SIGNALS: dict[str, dict[str, Any]] = {
    "constant": {"value": 3},
    "sine": {"offset": 20, "amplitude": 5, "period": "100s", "noise": 0.1},
    "square": {"low": -1, "high": 2, "period": "10s", "duty": 0.3},
    "ramp": {"low": 0, "high": 10, "period": "10s"},
    "random_walk": {"start": 5, "step": 1, "low": 0, "high": 10},
    "noise": {"mean": 1, "stddev": 2},
    "diurnal": {},
    "counter": {"start": 2, "step": 3, "wrap": 20},
}


def driver(**more: Any) -> SimulatedDriver:
    options = SimulatedOptions.model_validate(
        {"driver": "simulated", "interval": "1s", "start": "2026-01-01T00:00:00Z", "pace": "fast", "seed": 7,
         "channels": {name: {"signal": {name: signal}} for name, signal in SIGNALS.items()}} | more
    )  # fmt: skip
    context = DriverContext("s", -1, lambda seconds: False, lambda: NOW, lambda *_: None, lambda *_: None)
    made = SimulatedDriver(options, context)
    made.open()
    return made


def take(made: SimulatedDriver, batches: int) -> Batch:
    whole = Batch([], {name: [] for name in SIGNALS})
    for _ in range(batches):
        batch = made.read(1.0)
        assert isinstance(batch, Batch)
        whole.times_us += batch.times_us
        for name, column in batch.values.items():
            whole.values[name] += column
    return whole


@given(st.integers(1, 40), st.integers(1, 40))
def test_two_runs_agree_however_they_are_cut(size: int, other: int) -> None:
    """The n-th value depends on seed and options alone, not on the size of batches."""
    a, b = take(driver(batch=size), other), take(driver(batch=other), size)
    assert a.times_us == b.times_us
    assert a.values == b.values


def test_another_seed_gives_other_noise() -> None:
    """Two sensors of one configuration are not alike."""
    assert take(driver(seed=1, batch=10), 1).values["noise"] != take(driver(seed=2, batch=10), 1).values["noise"]


def test_the_signals_are_what_they_say() -> None:
    """Levels, periods, bounds, wrap-around."""
    values = take(driver(batch=200), 1).values
    assert set(values["constant"]) == {3}
    assert values["square"][:11] == [2, 2, 2, -1, -1, -1, -1, -1, -1, -1, 2]
    assert values["ramp"][:11] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert values["counter"][:8] == [2, 5, 8, 11, 14, 17, 0, 3]
    assert all(value is not None and 0 <= value <= 10 for value in values["random_walk"])
    assert values["sine"][25] == pytest.approx(25, abs=0.6)
    assert values["sine"][75] == pytest.approx(15, abs=0.6)
    assert values["diurnal"][0] == pytest.approx(15 - 8 * 0.70710678, abs=1)


def test_virtual_time_advances_by_the_interval() -> None:
    """start and pace: fast make history at once, stamped by the device."""
    made = driver(batch=3)
    batch = made.read(1.0)
    assert isinstance(batch, Batch)
    assert batch.device_time
    assert batch.times_us == [1_767_225_600_000_000 + n * 1_000_000 for n in range(3)]


def test_count_ends_the_source() -> None:
    """After so many samples there will never be more."""
    made = driver(batch=4, count=6)
    assert len(take(made, 2).times_us) == 6
    with pytest.raises(EndOfData):
        made.read(1.0)


def test_real_time_waits_and_a_stop_ends_the_wait() -> None:
    """Between samples the driver sleeps on the context, which wakes it."""
    stop = threading.Event()
    read_end, write_end = os.pipe()
    options = SimulatedOptions.model_validate(
        {"driver": "simulated", "interval": "1h", "channels": {"c": {"signal": "constant"}}}
    )
    made = SimulatedDriver(options, DriverContext("s", read_end, stop.wait, lambda: NOW, lambda *_: None, lambda *_: None))
    made.open()
    first = made.read(1.0)
    assert isinstance(first, Batch)
    assert first.times_us == [NOW]
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    began = time.monotonic()
    assert made.read(600.0) == []
    assert time.monotonic() - began < 60
    timer.join()
    os.close(read_end)
    os.close(write_end)
