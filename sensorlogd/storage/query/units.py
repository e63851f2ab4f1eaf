"""Convert a stored unit into another on request, with the units library ``pint`` (the extra ``units``)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sensorlogd import extras
from sensorlogd.notation.symbols import micro
from sensorlogd.storage.query import aggregates

# Named as allowed where another was asked for: the common ones of each quantity. None without a dimension: to the library an angle
# is the same as a share, and would be offered in percent.
_EXAMPLES = (
    "°C", "degF", "K", "hPa", "bar", "psi", "m/s", "km/h", "mph", "mm", "m", "inch", "km", "g", "kg", "lb", "s", "min", "h",
    "V", "mV", "A", "mA", "W", "kW", "Wh", "kWh", "Hz", "1/min", "L", "m³", "L/min", "m³/h", "µg/m³", "mg/m³", "W/m²", "lux",
)  # fmt: skip


class UnitError(ValueError):
    """The units do not fit, or are not known."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """new = old * factor + shift."""

    unit: str
    factor: float
    shift: float

    def check(self, names: Sequence[str]) -> None:
        """Raises UnitError for an aggregate that has no meaning in the new unit (the sum of degrees Celsius)."""
        for name in names:
            if self.shift and aggregates.aggregate(name).unit == "never":
                raise UnitError(f"the {name} cannot be converted to {self.unit}: its zero is another one")

    def of(self, kind: str) -> Callable[[float], float] | None:
        """The function that converts an aggregate whose unit is of that ``kind`` (``Aggregate.unit``); None: it stays as it
        is."""
        if kind == "none":
            return None
        if kind == "value":
            return self.value
        return lambda difference: difference * self.factor

    def value(self, value: float) -> float:
        return value * self.factor + self.shift

    def values(self, values: Any) -> Any:
        """The converted array."""
        return values * self.factor + self.shift


@functools.cache
def _registry() -> Any:
    try:
        import pint
    except ImportError:
        raise UnitError(f"converting units needs the package pint: {extras.advice('units')}") from None
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def unit_conversion(stored: str, target_unit: str) -> Conversion | None:
    """The conversion from a series' unit to another one; None if they are the same. Raises UnitError."""
    if micro(stored) == micro(target_unit):
        return None
    if not stored:
        raise UnitError(f"it has no unit that could be converted to {target_unit}; give the channel a unit:")
    registry = _registry()
    try:
        zero, one, ten = (
            registry.Quantity(value, _pint_name(stored)).to(_pint_name(target_unit)).magnitude for value in (0.0, 1.0, 10.0)
        )
    except Exception:  # the library raises its own kinds, and those of the tokenizer
        raise UnitError(_why_not(stored, target_unit)) from None
    factor = one - zero
    if abs(zero + 10 * factor - ten) > 1e-9 * max(abs(ten), 1.0):
        raise UnitError(f"{stored!r} to {target_unit!r} is not a matter of scale and offset")
    return Conversion(target_unit, round_off(factor), round_off(zero))


def _why_not(stored: str, target_unit: str) -> str:
    """The sentence about two units that cannot be converted: what is wrong with them, and which ones are allowed."""
    measured, asked_for = _dimensions(stored), _dimensions(target_unit)
    if measured is None:
        return f"its unit {stored!r} is not known, so that it cannot be converted to {target_unit!r}"
    same = [unit for unit in _EXAMPLES if _dimensions(unit) == measured and _pint_name(unit) != _pint_name(stored)]
    allowed = f"; allowed are units of the same quantity, e.g. {', '.join(same)}" if same else ""
    if asked_for is None:
        return f"its unit {stored!r} cannot be converted to {target_unit!r}, which is not a known unit{allowed}"
    reason = ", which measures something else" if asked_for != measured else ""
    return f"its unit {stored!r} cannot be converted to {target_unit!r}{reason}{allowed}"


def _dimensions(unit: str) -> Any:
    """What a unit measures, as the library compares it; None for a unit that it does not know."""
    try:
        return _registry().Unit(_pint_name(unit)).dimensionality
    except Exception:
        return None


def round_off(number: float) -> float:
    """The number without the noise of the library's own multiplications (1.7999999999999998 is 1.8)."""
    return float(f"{number:.14g}")


def _pint_name(unit: str) -> str:
    """The unit as the library writes it."""
    return {"%": "percent", "1/min": "1/minute", "degF": "degF", "°F": "degF", "°C": "degC"}.get(unit, micro(unit))
