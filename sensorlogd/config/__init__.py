"""Turns YAML into a validated configuration; every error says where it is and what to do."""

from sensorlogd.config.light import ConfigNotFound, find

__all__ = ["ConfigNotFound", "find"]
