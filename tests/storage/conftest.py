"""A real database file for each test."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connections import connect_writer


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    """An empty database of this test's own."""
    return Path(shutil.copy(fresh, tmp_path / "log.db"))


@pytest.fixture
def conn(path: Path) -> Iterator[sqlite3.Connection]:
    """The writer's connection to ``path``."""
    connection = connect_writer(path)
    yield connection
    connection.close()
