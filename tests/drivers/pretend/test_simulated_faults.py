"""Faults of simulated channels are what was asked for, and the same in every run."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.simulated import SimulatedDriver
from sensorlogd.drivers.simulated.driver import SimulatedOptions


def values(faults: dict[str, Any], count: int, batch: int = 50, signal: dict[str, Any] | None = None) -> list[float | None]:
    """The first ``count`` values of a ramp of one a second, with faults."""
    options = SimulatedOptions.model_validate(
        {
            "driver": "simulated", "interval": "1s", "start": "2026-01-01T00:00:00Z", "pace": "fast", "batch": batch, "count": count,
            "channels": {"x": {"signal": signal or {"counter": {}}, "faults": faults}},
        }
    )  # fmt: skip
    driver = SimulatedDriver(options, DriverContext("s", -1, lambda s: False, lambda: 0, lambda *_: None, lambda *_: None))
    driver.open()
    found: list[float | None] = []
    while len(found) < count:
        got = driver.read(1.0)
        assert isinstance(got, Batch)
        found += got.values["x"]
    return found


ALL = {
    "spike": {"p": 0.05, "size": 1000, "length": "2s"}, "stuck": {"every": "30s", "length": "5s"}, "drift": {"rate": 36, "after": "20s"},
    "gap": {"p": 0.02, "length": "3s"}, "nan": {"p": 0.05},
}  # fmt: skip


@given(st.integers(1, 60), st.integers(1, 60))
def test_two_runs_agree_however_they_are_cut(size: int, other: int) -> None:
    """Decided sample by sample."""
    assert list(map(repr, values(ALL, 240, size))) == list(map(repr, values(ALL, 240, other)))


def test_a_stuck_value_is_the_last_one_again() -> None:
    """From the thirtieth second for five, then the signal goes on where it would have been."""
    found = values({"stuck": {"every": "30s", "length": "5s"}}, 70)
    assert found[:30] == [float(n) for n in range(30)]
    assert found[30:35] == [29.0] * 5
    assert found[35:60] == [float(n) for n in range(35, 60)]
    assert found[60:65] == [59.0] * 5


def test_drift_grows_by_the_hour() -> None:
    """36 an hour is a hundredth a second, from the twentieth second on."""
    found = values({"drift": {"rate": 36, "after": "20s"}}, 120, signal={"constant": {"value": 5}})
    assert found[:21] == [5.0] * 21
    assert found[119] == pytest.approx(5 + 0.99)


def test_gaps_and_missing_values_are_different_things() -> None:
    """A gap is no reading; nan is a reading without a value."""
    gaps = values({"gap": {"every": "10s", "length": "3s"}}, 20)
    assert [n for n, value in enumerate(gaps) if value is None] == [10, 11, 12]
    missing = values({"nan": {"p": 0.1}}, 2000)
    assert 140 < sum(value is not None and math.isnan(value) for value in missing) < 260
    assert None not in missing


def test_spikes_are_as_high_and_as_often_as_said() -> None:
    """Either way."""
    found = values({"spike": {"p": 0.05, "size": 1000}}, 4000, signal={"constant": {"value": 0}})
    assert set(found) == {0.0, 1000.0, -1000.0}
    assert 130 < found.count(1000.0) + found.count(-1000.0) < 270


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"gap": {}}, "either p: "),
        ({"gap": {"p": 0.1, "every": "1s"}}, "either p: "),
        ({"spike": {"p": 2}}, "less than or equal to 1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(faults: dict[str, Any], message: str) -> None:
    """With what it needs."""
    with pytest.raises(ValidationError, match=message):
        values(faults, 1)
