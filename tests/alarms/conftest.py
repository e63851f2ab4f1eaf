"""What tests of alarms share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alarms.keeper_rig import HOT, Logger
from tests.alarms.receiver import Receiver
from tests.daemon.writing.rig import Script, Time, scripted


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
def make(fresh: Path, script: Script, fake: Time, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Logger]]:
    made: list[Logger] = []

    def make_logger(alarms: dict[str, Any] = HOT, **how: Any) -> Logger:
        made.append(Logger(path, script, fake, alarms, **how))
        return made[-1]

    with scripted(monkeypatch, fresh, script, fake):
        yield make_logger
        for logger in made:
            logger.rig.kill()


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def fake() -> Time:
    return Time()


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fresh, tmp_path / "log.db"))
