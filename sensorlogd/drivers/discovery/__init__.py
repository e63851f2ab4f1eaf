"""Finds out what a port without a configuration speaks: by listening, asking, and guessing."""
