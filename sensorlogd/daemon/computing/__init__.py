"""Computed sensors inside the daemon: where their readings are made, what becomes of them, how they go on after a restart."""
