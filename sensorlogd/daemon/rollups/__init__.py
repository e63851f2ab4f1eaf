"""The roll-ups of the daemon, in two parts.

The *coordinator* stands in the main process: it decides when to roll up, and holds the edge protocol between the writer and the
aggregator. The *aggregator* is a process: it computes the rows from a snapshot, and sends them back. ``Aggregator`` is the
coordinator's handle of that process.
"""
