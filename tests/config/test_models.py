"""Drivers that others wrote import these names from ``sensorlogd.config.models``, wherever in it they are defined."""

from __future__ import annotations

import pytest

from sensorlogd.config import models

PROMISED = [
    "DURATION_PATTERN",
    "NAME",
    "ChannelOptions",
    "Config",
    "DaemonOptions",
    "DurationUs",
    "FilePath",
    "Finite",
    "Instant",
    "Kept",
    "Labels",
    "Name",
    "RatePerSecond",
    "RetentionOptions",
    "RetentionTiers",
    "Section",
    "SensorOptions",
    "ShortText",
    "SizeBytes",
    "StorageOptions",
    "WebOptions",
    "Zone",
]


@pytest.mark.parametrize("name", PROMISED)
def test_a_name_that_drivers_may_import_stays(name: str) -> None:
    """In ``__all__`` too: without it a type checker does not let them import it."""
    assert hasattr(models, name)
    assert name in models.__all__
