"""The error of whoever waits for the writer in vain. A module of its own, so that those who catch it need not import
the writer."""

from __future__ import annotations


class WriterStopped(RuntimeError):
    """The writer has ended, or ends: what it was asked for is not done."""
