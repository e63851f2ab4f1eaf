"""A database file, a script for its connection, and a clock that stands still."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.writing.rig import Rig, Script, Time, scripted


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    """An empty database of this test's own."""
    return Path(shutil.copy(fresh, tmp_path / "log.db"))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def fake() -> Time:
    return Time()


@pytest.fixture
def make(path: Path, fresh: Path, script: Script, fake: Time, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    """Makes a rig on ``path``; all are let go of at the end."""
    made: list[Rig] = []

    def make_rig(at: Path = path, **how: Any) -> Rig:
        made.append(Rig(at, script=script, fake=fake, **how))
        return made[-1]

    with scripted(monkeypatch, fresh, script, fake):
        yield make_rig
        for rig in made:
            rig.kill()


@pytest.fixture
def rig(make: Callable[..., Rig]) -> Rig:
    return make()
