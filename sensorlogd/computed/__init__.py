"""Channels that follow from other channels: formulas, what they are made of, and the law by which their inputs are joined.

Pure: nothing here knows of threads, files, the configuration or the database. ``docs/computed.md`` states the law for users.
"""
