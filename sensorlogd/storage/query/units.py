"""Convert a stored unit into another on request, with the units library ``pint`` (the extra ``units``)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sensorlogd import extras
from sensorlogd.notation.symbols import micro
from sensorlogd.storage.query import aggregates


class UnitError(ValueError):
    """The units do not fit, or are not known."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """new = old * scale + offset."""

    unit: str
    scale: float
    offset: float

    def check(self, names: Sequence[str]) -> None:
        """Raises UnitError for an aggregate that has no meaning in the new unit (the sum of degrees Celsius)."""
        for name in names:
            if self.offset and aggregates.aggregate(name).unit == "never":
                raise UnitError(f"the {name} cannot be converted to {self.unit}: its zero is another one")

    def of(self, kind: str) -> Callable[[float], float] | None:
        """The function that converts an aggregate whose unit is of that ``kind`` (``Aggregate.unit``); None: it stays as it
        is."""
        if kind == "none":
            return None
        if kind == "value":
            return self.value
        return lambda difference: difference * self.scale

    def value(self, value: float) -> float:
        return value * self.scale + self.offset

    def values(self, values: Any) -> Any:
        """The converted array."""
        return values * self.scale + self.offset


@functools.cache
def _registry() -> Any:
    try:
        import pint
    except ImportError:
        raise UnitError(f"converting units needs the package pint: {extras.advice('units')}") from None
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def conversion(stored: str, wanted: str) -> Conversion | None:
    """The conversion from a series' unit to another one; None if they are the same. Raises UnitError."""
    if micro(stored) == micro(wanted):
        return None
    if not stored:
        raise UnitError(f"it has no unit that could be converted to {wanted}; give the channel a unit:")
    registry = _registry()
    try:
        zero, one, ten = (
            registry.Quantity(value, _pint_name(stored)).to(_pint_name(wanted)).magnitude for value in (0.0, 1.0, 10.0)
        )
    except Exception as error:  # the library raises its own kinds, and those of the tokenizer
        text = " ".join(str(error).split())[:120]
        raise UnitError(f"{stored!r} cannot be converted to {wanted!r}: {text}") from None
    scale = one - zero
    if abs(zero + 10 * scale - ten) > 1e-9 * max(abs(ten), 1.0):
        raise UnitError(f"{stored!r} to {wanted!r} is not a matter of scale and offset")
    return Conversion(wanted, round_off(scale), round_off(zero))


def round_off(number: float) -> float:
    """The number without the noise of the library's own multiplications (1.7999999999999998 is 1.8)."""
    return float(f"{number:.14g}")


def _pint_name(unit: str) -> str:
    """The unit as the library writes it."""
    return {"%": "percent", "1/min": "1/minute", "degF": "degF", "°F": "degF", "°C": "degC"}.get(unit, micro(unit))
