"""Applies scales without rounding noise if the scale is a decimal fraction."""

from __future__ import annotations


def divisor(scale: float) -> float | None:
    """1/scale if that is a whole number, else None. Dividing by it is exact: 215 / 10 is 21.5, while 215 * 0.1 is
    21.500000000000004."""
    if not 0 < abs(scale) < 1:
        return None
    whole = round(1 / scale)
    return float(whole) if abs(whole) < 2**53 and abs(whole * scale - 1) < 1e-12 else None
