"""YAML to a validated configuration, with errors that say where and what to do."""

from sensorlogd.config.light import ConfigNotFound, find

__all__ = ["ConfigNotFound", "find"]
