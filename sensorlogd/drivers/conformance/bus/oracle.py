"""Knows which unit has sent which value, and finds sensors that stored a value of another unit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

_REGISTERS, _ROUNDS = 100, 100_000
SHOWN = 20


def spoken(unit: int, register: int, round_: int) -> int:
    """The value that ``unit`` (0 to 400) says for ``register`` (0 to 99) when it is asked for the ``round_``-th time."""
    return (unit * _REGISTERS + register) * _ROUNDS + round_ % _ROUNDS


def heard(value: float) -> tuple[int, int, int]:
    """(unit, register, round) from which a value was made."""
    whole = int(value)
    return whole // _ROUNDS // _REGISTERS, whole // _ROUNDS % _REGISTERS, whole % _ROUNDS


class Ledger:
    """What was asked and what was stored. ``expected``: (sensor, field) -> the (unit, register)s whose values it may have.

    wrong     values of another unit or register, or of none
    stale     values of an earlier question than the last one
    values    good ones, by sensor
    """

    def __init__(self, expected: Mapping[tuple[str, str], set[tuple[int, int]]]) -> None:
        self.expected = expected
        self.wrong: list[str] = []
        self.stale: list[str] = []
        self.values: Counter[str] = Counter()
        self.questions = 0
        self.manners: Counter[str] = Counter()
        self.counts: dict[str, Counter[str]] = {}
        self.errors: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._rounds: Counter[tuple[int, int]] = Counter()

    def round_of(self, unit: int, register: int) -> int:
        """How many times this register was asked for, with this time."""
        with self._lock:
            self._rounds[unit, register] += 1
            return self._rounds[unit, register]

    def stored(self, sensor: str, field: str, value: float) -> None:
        """A sensor has stored this value."""
        with self._lock:
            unit, register, round_ = heard(value)
            latest = self._rounds[unit, register]
            described = f"{sensor}.{field} = {value:.0f}: unit {unit}, register {register}, round {round_} of {latest}"
            if (unit, register) not in self.expected[sensor, field] or not 0 < round_ <= latest:
                self.wrong.append(described)
            elif round_ != latest % _ROUNDS:
                self.stale.append(described)
            else:
                self.values[sensor] += 1

    def findings(self) -> list[str]:
        """Descriptions of values that break the promise; not more than a few of them."""
        return [f"another's value: {wrong_value}" for wrong_value in self.wrong[:SHOWN]] + [
            f"an old value: {wrong_value}" for wrong_value in self.stale[:SHOWN]
        ]
