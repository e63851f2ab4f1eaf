"""Verbs that run in the process of the tests."""

from __future__ import annotations

from multiprocessing import resource_tracker

import pytest


@pytest.fixture(autouse=True, scope="session")
def resource_tracker_runs() -> None:
    """The helper process of ``multiprocessing`` is started once and stays: no test leaves it behind."""
    resource_tracker.ensure_running()
