"""Lists every function and constant that a formula may name."""

from __future__ import annotations

import math

from sensorlogd.computed import air, water
from sensorlogd.computed.function import Function


def power(voltage: float, current: float, factor: float = 1.0) -> float:
    """In W, of V and A; of alternating current with the power factor: P = U I cos φ (IEC 60050-131-11-42)."""
    return voltage * current * factor


def power3(voltage: float, current: float, factor: float = 1.0) -> float:
    """In W, of three balanced phases: sqrt(3) U I cos φ, with U between two phases (IEC 60050-141-03)."""
    return math.sqrt(3) * voltage * current * factor


def clamp(value: float, low: float, high: float) -> float:
    """``value``, but no less than ``low`` and no more than ``high``."""
    if low > high:
        raise ValueError(f"the lowest, {low:g}, is above the highest, {high:g}")
    return min(max(value, low), high)


def rounded(value: float, places: float = 0.0) -> float:
    """To this many decimal places, at most 15."""
    if not -15 <= places <= 15:
        raise ValueError(f"places are -15 to 15, not {places:g}")
    return round(value, int(places))


def floor(value: float) -> float:
    """The largest whole number that is not above ``value``."""
    return float(math.floor(value))  # formulas know no integers: their powers have no end


def ceil(value: float) -> float:
    """The smallest whole number that is not below ``value``."""
    return float(math.ceil(value))


_ONE = ("value",)
FUNCTIONS: dict[str, Function] = {
    **air.FUNCTIONS,
    **water.FUNCTIONS,
    "power": Function(power, ("voltage", "current", "factor"), ("V", "A"), "W", optional=1),
    "power3": Function(power3, ("voltage", "current", "factor"), ("V", "A"), "W", optional=1),
    "min": Function(min, ("a", "b"), more=True),
    "max": Function(max, ("a", "b"), more=True),
    "clamp": Function(clamp, ("value", "low", "high")),
    "round": Function(rounded, ("value", "places"), optional=1),
    "abs": Function(abs, _ONE),
    "floor": Function(floor, _ONE),
    "ceil": Function(ceil, _ONE),
    "sqrt": Function(math.sqrt, _ONE),
    "exp": Function(math.exp, _ONE),
    "log": Function(lambda value: math.log(value), _ONE),
    "log10": Function(math.log10, _ONE),
    "sin": Function(math.sin, ("radians",)),
    "cos": Function(math.cos, ("radians",)),
    "tan": Function(math.tan, ("radians",)),
    "asin": Function(math.asin, _ONE),
    "acos": Function(math.acos, _ONE),
    "atan": Function(math.atan, _ONE),
    "atan2": Function(math.atan2, ("y", "x")),
    "hypot": Function(math.hypot, ("x", "y")),
    "radians": Function(math.radians, ("degrees",)),
    "degrees": Function(math.degrees, ("radians",)),
}
CONSTANTS = {"pi": math.pi, "e": math.e, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
