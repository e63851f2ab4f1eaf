"""What an integral is over a reload: renamed, taken out and put back, or computed by another formula, it goes on with its sum."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.config.loader import load_text
from sensorlogd.daemon.computing import warm_up
from sensorlogd.daemon.sensing.build import formulas, sensor_specs
from sensorlogd.drivers.registry import options_for
from sensorlogd.storage.maintenance.retention import RetentionPlan
from tests.daemon.writing.rig import Rig, sqlite_error
from tests.daemon.writing.test_computed import ENERGY, MIXED, SENSORS, Computer


@pytest.fixture
def computer(make: Callable[..., Rig]) -> Computer:
    return Computer(make)


def reload(computer: Computer, computed: str, sensors: str = SENSORS) -> None:
    """As the daemon does when its configuration has changed."""
    config = load_text(sensors + computed, Path("/nowhere/sensorlogd.yaml"), options_for)
    computer.rig.writer.use_specs(sensor_specs(config), RetentionPlan(), formulas(config, computer.made(config)))


def sums_from(computer: Computer, total: float, seconds: Sequence[int], factor: Callable[[int], float] = lambda _: 1.0) -> Any:
    """What an integral of u * i that had ``total`` at the first second has at the others."""
    u, i = computer.read("m.u"), computer.read("m.i")
    power = {second: u[second][0] * i[second][0] for second in seconds}  # type: ignore[operator]  # none is missing
    found = {}
    for before, second in itertools.pairwise(seconds):
        total += factor(second) * (power[before] + power[second]) / 2
        found[second] = total
    return pytest.approx(found)


def works(computer: Computer, series: str = "e.work", since: int = 10) -> dict[int, float | None]:
    return {second: value for second, (value, _) in computer.read(series).items() if second >= since}


def test_a_renamed_integral_goes_on_with_its_sum(computer: Computer) -> None:
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    reload(computer, ENERGY.replace("  e:\n", "  f:\n    was: e\n").replace("e.power", "f.power"))
    computer.measure(5)
    computer.settle()
    assert works(computer, "f.work") == sums_from(computer, total, range(9, 15))


def test_an_integral_whose_input_is_renamed_goes_on_with_its_sum(computer: Computer) -> None:
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    reload(computer, ENERGY.replace("m.", "n."), SENSORS.replace("  m: {driver", "  n: {was: m, driver"))
    computer.put("n", u=[1.0, 1.0], i=[2.0, 2.0], n=2)
    computer.settle()
    u, i = computer.read("n.u")[9][0], computer.read("n.i")[9][0]
    assert u is not None
    assert i is not None
    first = total + (u * i + 2) / 2
    assert works(computer) == pytest.approx({10: first, 11: first + 2})


@pytest.mark.parametrize("at_once", [True, False])
def test_an_integral_that_is_taken_out_and_put_back_goes_on_with_its_sum(computer: Computer, at_once: bool) -> None:
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    reload(computer, MIXED)
    if not at_once:
        computer.settle()
    reload(computer, ENERGY)
    computer.measure(5)
    computer.settle()
    assert works(computer) == sums_from(computer, total, range(9, 15))


def test_a_changed_formula_counts_from_its_reload_on_while_readings_are_not_committed(computer: Computer) -> None:
    """What was handed over before is computed by the former formula, what comes behind it by the new one: each exactly once."""
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    computer.measure(5)
    reload(computer, "  e: {inputs: {u: m.u, i: m.i}, channels: {work: {formula: integral(2 * u * i)}}}")
    computer.measure(5)
    computer.settle()
    assert works(computer) == sums_from(computer, total, range(9, 20), lambda second: 1.0 if second <= 14 else 2.0)


def test_sensors_that_are_refused_leave_the_former_formulas(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.measure(5)
    computer.settle()
    with monkeypatch.context() as patch:
        patch.setattr("sensorlogd.storage.open_database.OpenDatabase.use_specs", lambda *_: 1 / 0)
        reload(computer, MIXED)
        computer.measure(5)
        computer.settle()
    assert "sensors_failed" in computer.rig.kinds()
    computer.check()
    assert len(computer.read("e.work")) == 10


def fail_once(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """The next look for what is stored fails. Returns the error; empty once it was raised."""
    warm, errors = warm_up.warm, [sqlite_error(sqlite3.SQLITE_IOERR)]

    def warm_later(*args: Any) -> warm_up.Warmed:
        if errors:
            raise errors.pop()
        return warm(*args)

    monkeypatch.setattr(warm_up, "warm", warm_later)
    return errors  # type: ignore[return-value]  # its errors are exceptions


def test_a_reload_that_cannot_read_what_is_stored_is_tried_again(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An integral must not begin at 0 because a disk failed once."""
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    errors = fail_once(monkeypatch)
    reload(computer, ENERGY.replace("  e:\n", "  f:\n    was: e\n").replace("e.power", "f.power"))
    computer.measure(5)
    computer.settle()
    assert not errors
    assert works(computer, "f.work") == sums_from(computer, total, range(9, 15))


def test_a_start_that_cannot_read_what_is_stored_is_tried_again(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.measure(10)
    computer.settle()
    computer.rig.stop()
    computer.again()
    errors = fail_once(monkeypatch)
    computer.measure(5)
    computer.settle()
    assert not errors
    assert len(computer.read("e.work")) == 15
    computer.check()
    assert "database_blocked" in computer.rig.kinds()


def fault(*_: Any) -> warm_up.Warmed:
    raise KeyError("a fault of ours")


def test_a_fault_of_ours_in_a_reload_leaves_the_former_formulas(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An integral must not begin at 0, and what is to be read of the past is read by the next reload."""
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    with monkeypatch.context() as patch:
        patch.setattr(warm_up, "warm", fault)
        reload(computer, ENERGY.replace("integral(p", "integral(2 * p"))
        computer.measure(5)
        computer.settle()
    assert works(computer) == sums_from(computer, total, range(9, 15))
    (detail,) = [detail for kind, _, detail in computer.events if kind == "computed_failed"]
    assert "the former ones stay" in detail


def test_a_reload_after_one_with_a_fault_of_ours_goes_on_with_the_sum(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has the new names by then, and what was computed under the former ones is not stored: it is computed again."""
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    renamed = ENERGY.replace("  e:\n", "  f:\n    was: e\n").replace("e.power", "f.power")
    with monkeypatch.context() as patch:
        patch.setattr(warm_up, "warm", fault)
        reload(computer, renamed)
        computer.measure(5)
        computer.settle()
    assert works(computer, "f.work") == {}
    reload(computer, renamed)
    computer.measure(5)
    computer.settle()
    assert works(computer, "f.work") == sums_from(computer, total, range(9, 20))


def test_after_a_fault_of_ours_at_the_start_integrals_wait_for_the_next_reload(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    computer.measure(10)
    computer.settle()
    total = computer.read("e.work")[9][0]
    assert total
    computer.rig.stop()
    computer.again()
    with monkeypatch.context() as patch:
        patch.setattr(warm_up, "warm", fault)
        computer.measure(5)
        computer.settle()
    assert works(computer) == {}
    assert len(computer.read("e.power")) == 15
    (detail,) = [detail for kind, _, detail in computer.events if kind == "computed_failed"]
    assert "integrals" in detail
    reload(computer, ENERGY)
    computer.measure(5)
    computer.settle()
    assert works(computer) == sums_from(computer, total, range(9, 20))
