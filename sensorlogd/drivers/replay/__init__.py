"""Recorded bytes or readings, played again: in real time, faster, or as fast as possible."""

from sensorlogd.drivers.replay.driver import ReplayDriver as ReplayDriver
