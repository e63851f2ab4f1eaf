"""Which state of a computed sensor is kept over a reload, and which begins anew (docs/computed.md, "After a reload")."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sensorlogd.quality import describe
from tests.daemon.writing.rig import Rig
from tests.daemon.writing.test_computed import Computer, finish, order
from tests.daemon.writing.test_computed_reload import reload


@pytest.fixture
def computer(make: Callable[..., Rig]) -> Computer:
    return Computer(make)


def use(computer: Computer, channels: str) -> None:
    """Reload: sensor d has these channels, computed from m.u."""
    reload(computer, f"  d: {{inputs: {{u: m.u}}, channels: {{{channels}}}}}\n")
    computer.settle()


def put(computer: Computer, *values: float) -> None:
    """Readings of m.u, a second apart."""
    for value in values:
        computer.put(u=[value])
    computer.settle()


def read(computer: Computer, channel: str) -> dict[int, float | None]:
    """second -> value."""
    return {second: value for second, (value, _) in computer.read(f"d.{channel}").items()}


def test_a_derivative_goes_on_while_its_formula_stays(computer: Computer) -> None:
    use(computer, "slope: {formula: derivative(u)}")
    put(computer, 1, 2)
    use(computer, "slope: {formula: derivative(u), valid: [0, 100]}, other: {formula: u}")
    put(computer, 4)
    assert read(computer, "slope") == {1: 1.0, 2: 2.0}


def test_a_derivative_with_another_formula_begins_with_its_second_reading(computer: Computer) -> None:
    use(computer, "slope: {formula: derivative(u)}")
    put(computer, 1, 2)
    use(computer, "slope: {formula: derivative(2 * u)}")
    put(computer, 3, 4)
    assert read(computer, "slope") == {1: 1.0, 3: 2.0}


@pytest.mark.parametrize("changed", ["u, deadband: 5, valid: [0, 100]", "u + 0, deadband: 5"])
def test_a_deadband_goes_on(computer: Computer, changed: str) -> None:
    """A reload is no reason to store a reading that has not changed."""
    use(computer, "level: {formula: u, deadband: 5}")
    put(computer, 1, 2)
    use(computer, f"level: {{formula: {changed}}}")
    put(computer, 3, 4, 7)
    assert read(computer, "level") == {0: 1.0, 4: 7.0}


def test_quality_tests_of_a_changed_sensor_begin_anew(computer: Computer) -> None:
    """Also those of a channel in which nothing was changed; the next reading has nothing to be compared with."""
    level = "level: {formula: u, max_rate: 2/s}"
    use(computer, level)
    put(computer, 1, 9)
    use(computer, f"{level}, other: {{formula: u}}")
    put(computer, 1, 9)
    flags = [describe(quality) for _, quality in computer.read("d.level").values()]
    assert flags == ["good", "suspect:rate_of_change", "good", "suspect:rate_of_change"]


def test_an_integral_goes_on_from_its_stored_reading_when_its_scale_changes(computer: Computer) -> None:
    """As after a restart: the stored series does not jump."""
    use(computer, "work: {formula: integral(u)}")
    put(computer, 2, 2, 2)
    use(computer, "work: {formula: integral(u), scale: 10}")
    put(computer, 2, 2)
    assert read(computer, "work") == {0: 0.0, 1: 2.0, 2: 4.0, 3: 24.0, 4: 44.0}


def test_a_recompute_under_way_uses_what_a_reload_has_changed(computer: Computer) -> None:
    use(computer, "level: {formula: u}")
    put(computer, *range(200))
    computer.rig.time.now += 300  # an order reaches to now
    identity = order(computer, "d")
    computer.rig.turn_until(lambda: any(piece["done"] for piece in computer.rig.writer.kept_work()), "the first slice")
    use(computer, "level: {formula: u, scale: 10}")
    finish(computer, identity)
    level = read(computer, "level")
    assert (level[0], level[199]) == (0.0, 1990.0)


def test_a_fault_of_new_formulas_is_an_event_whatever_came_before(computer: Computer) -> None:
    def fail(*_: object) -> None:
        raise KeyError("as scripted")

    for formula in ("u", "u + 1"):
        use(computer, f"level: {{formula: {formula}}}")
        computer.events.clear()
        computer.computing.engine.treat = fail
        put(computer, *range(5))
        assert [kind for kind, *_ in computer.events] == ["computed_failed"] * 3
