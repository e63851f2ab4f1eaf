"""sensorlogd: a daemon that logs sensors into SQLite and never loses a reading in silence."""

__version__ = "0.1.0"
