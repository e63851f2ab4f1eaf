"""Computed sensors in the daemon: how their readings are computed and stored, and how they continue after a restart."""
