"""Plays recorded bytes or readings: in real time, faster, or as fast as possible."""

from sensorlogd.drivers.replay.driver import ReplayDriver as ReplayDriver
