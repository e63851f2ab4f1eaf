"""The sensors of a house: sixty-one simulated sensors and one whose port is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOMS = ("attic", "cellar", "garden", "hall", "kitchen", "workshop")
SENSORS = 62
BROKEN = "zz-boiler"


def sensors(folder: Path) -> dict[str, Any]:
    """As a configuration has them. ``folder``: where the port is not."""
    found: dict[str, Any] = {}
    for number in range(SENSORS - 1):
        room = ROOMS[number % len(ROOMS)]
        sine = {"sine": {"offset": 18 + number % 7, "amplitude": 3, "period": f"{10 + number}min", "noise": 0.05}}
        channels: dict[str, Any] = {
            "temperature": {"unit": "°C", "decimals": 2, "signal": sine},
            "humidity": {
                "unit": "%",
                "decimals": 1,
                "signal": {"random_walk": {"start": 50, "step": 0.3, "low": 20, "high": 95}},
            },
        }
        if number % 10 == 3:
            channels["energy"] = {"unit": "kWh", "kind": "counter", "signal": {"counter": {"step": 0.01}}}
        if number % 10 == 5:
            channels["pump"] = {"kind": "state", "signal": {"square": {"low": 0, "high": 1, "period": "10min"}}}
        found[f"{room}-{number // len(ROOMS) + 1}"] = {
            "driver": "simulated", "interval": "1s", "heartbeat": "1min", "labels": {"room": room}, "channels": channels,
        }  # fmt: skip
    found[BROKEN] = {
        "driver": "serial", "port": str(folder / "not-there"), "labels": {"room": "cellar"},
        "format": {"type": "csv", "fields": ["pressure"]}, "channels": {"pressure": {"unit": "bar"}},
    }  # fmt: skip
    return found
