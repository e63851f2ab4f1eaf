"""Every driver that asks, on a simulated bus of ill-mannered units: no value at the wrong sensor."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.drivers.conformance import NotConforming
from sensorlogd.drivers.conformance.bus import Ledger, Manner, check_bus, heard, spoken
from sensorlogd.drivers.conformance.bus.manners import Unit
from sensorlogd.drivers.conformance.bus.shipped import KINDS
from sensorlogd.drivers.transactions.line import Line

TURNAROUND_MS = 30
QUESTIONS = 80
FEW = 3
SOAK_TURNAROUND_MS = 60


@pytest.mark.parametrize("seed", [3, 10, 13])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_value_at_the_wrong_sensor(kind: str, seed: int) -> None:
    """Some hundred questions; with this seed some buses echo, and some connections are closed after each answer."""
    try:
        ledger = check_bus(KINDS[kind](seed, TURNAROUND_MS), seed=seed, questions=QUESTIONS)
    except NotConforming:
        # Lines without numbers are kept apart by time alone. Where this machine stands still for longer than a unit is ever
        # late, that is no fault of the driver's: with units a good deal slower than the stalls it must not come again.
        ledger = check_bus(KINDS[kind](seed, 8 * TURNAROUND_MS), seed=seed, questions=QUESTIONS)
    assert ledger.questions >= QUESTIONS
    assert sum(ledger.values.values()) >= FEW  # not all units are dead; a busy machine makes many answers late


@pytest.mark.soak
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_two_thousand_questions(kind: str) -> None:
    """The same for longer; each bus has manners of its own. ``make bus`` asks ten thousand."""
    for seed in range(10):
        ledger = check_bus(KINDS[kind](seed, SOAK_TURNAROUND_MS), seed=seed, questions=200)
        assert ledger.questions >= 200


def test_the_bus_finds_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that does not wait for late answers takes another's."""
    monkeypatch.setattr(Line, "wait_s", lambda *_, **__: 0.0)
    late = dict.fromkeys((1, 2, 3), Manner.LATE)

    def taken(seed: int) -> bool:
        bus = KINDS["serial"](5, TURNAROUND_MS)
        try:
            check_bus(_with(bus, manners=late), seed=seed, questions=QUESTIONS)
        except NotConforming as error:
            return "another's value" in str(error)
        return False

    assert any(taken(seed) for seed in range(5))


def _with(bus: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(bus, **changes)


def test_the_driver_of_the_documentation_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver of somebody else's, and its test, as docs/writing-drivers.md has them."""
    page = (Path(__file__).parents[3] / "docs" / "writing-drivers.md").read_text()
    for name in ("acme_bus.py", "test_acme_bus.py"):
        (block,) = re.findall(rf"```python\n(# {name}.*?)```", page, re.DOTALL)
        (tmp_path / name).write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("test_acme_bus").test_no_station_has_anothers_value()


def test_a_value_says_who_said_it() -> None:
    """Unit, register and round, there and back; exact in a double and in 32 bits."""
    for unit, register, round_ in ((0, 0, 1), (1, 99, 99_999), (400, 50, 7)):
        value = spoken(unit, register, round_)
        assert heard(float(value)) == (unit, register, round_)
        assert value < 2**32


def test_the_oracle_knows_its_own() -> None:
    """Another's, an old one, and one that nobody said are told apart from a good one."""
    ledger = Ledger({("a", "v"): {(1, 0)}})
    first, second = spoken(1, 0, ledger.round_of(1, 0)), spoken(1, 0, ledger.round_of(1, 0))
    ledger.stored("a", "v", second)
    assert not ledger.findings()
    ledger.stored("a", "v", first)
    ledger.stored("a", "v", spoken(2, 0, ledger.round_of(2, 0)))
    ledger.stored("a", "v", 2122.0)
    assert [len(ledger.stale), len(ledger.wrong), ledger.values["a"]] == [1, 2, 1]


def test_a_seed_decides_what_a_unit_does() -> None:
    """The same seed, the same acts; every manner shows itself."""
    import random

    for manner in Manner:
        first, second = (Unit(manner, random.Random(1)) for _ in range(2))
        acts = [first.act() for _ in range(200)]
        assert acts == [second.act() for _ in range(200)]
        assert manner is Manner.HONEST or any(act.name != "honest" for act in acts)
