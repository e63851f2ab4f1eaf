"""Simulated sensors, for trying and testing: seeded signals, in real time or as fast as possible."""

from sensorlogd.drivers.simulated.driver import SimulatedDriver

__all__ = ["SimulatedDriver"]
