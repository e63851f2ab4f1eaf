"""Functions of water: flow from the level before a weir or in a flume. Levels and widths in m, flows in m³/s.

A level at or below the crest is no flow.
"""

from __future__ import annotations

import math

from sensorlogd.computed.function import Function

_G = 9.80665


def v_notch_flow(level: float, angle: float = 90.0) -> float:
    """In m³/s, of the level above the vertex of a fully contracted, sharp-crested V-notch with that angle in degrees.

    Source: U.S. Bureau of Reclamation, Water Measurement Manual, 7.7 and 7.8, and ISO 1438: Kindsvater and Shen,
    Q = 8/15 sqrt(2 g) Ce tan(angle/2) (h + k)^2.5; Ce and k by LMNO's fit of their curves, 20 to 100 degrees.
    """
    if not 20 <= angle <= 100:
        raise ValueError("the formula knows notches of 20 to 100 degrees")
    if level <= 0:
        return 0.0
    ce = 0.607165052 - 0.000874466963 * angle + 6.10393334e-6 * angle**2
    k = 0.3048 * (0.0144902648 - 0.00033955535 * angle + 3.29819003e-6 * angle**2 - 1.06215442e-8 * angle**3)
    return 8 / 15 * math.sqrt(2 * _G) * ce * math.tan(math.radians(angle) / 2) * math.pow(level + k, 2.5)


def rectangular_weir_flow(level: float, width: float) -> float:
    """In m³/s, over a sharp-crested weir as wide as its channel (no side contractions).

    Source: Francis, in: U.S. Bureau of Reclamation, Water Measurement Manual, 7.11: Q = 3.33 L h^1.5 in feet, 1.84 in metres.
    """
    if width <= 0:
        raise ValueError("a width is positive")
    return 0.0 if level <= 0 else 3.33 * math.sqrt(0.3048) * width * math.pow(level, 1.5)


def flume_flow(level: float, coefficient: float, exponent: float) -> float:
    """``coefficient`` * level ** ``exponent``, in the units that the coefficient is for.

    Source: U.S. Bureau of Reclamation, Water Measurement Manual, 8.10, table 8-4, gives both for Parshall flumes, e.g. 4.00 and
    1.522 for a throat of 1 ft, level in ft, flow in ft³/s.
    """
    return 0.0 if level <= 0 else coefficient * math.pow(level, exponent)


FUNCTIONS = {
    "v_notch_flow": Function(v_notch_flow, ("level", "angle"), ("m", "°"), "m³/s", optional=1),
    "rectangular_weir_flow": Function(rectangular_weir_flow, ("level", "width"), ("m", "m"), "m³/s"),
    "flume_flow": Function(flume_flow, ("level", "coefficient", "exponent")),
}
