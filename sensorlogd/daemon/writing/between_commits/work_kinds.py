"""Who does which kind of kept work."""

from __future__ import annotations

from pathlib import Path

from sensorlogd.storage.corrections.conversion_work import ConvertWorker
from sensorlogd.storage.corrections.mend_work import MendWorker, UndoWorker
from sensorlogd.storage.salvage.worker import Salvage
from sensorlogd.storage.worker import AnyWorker


def workers(database: Path) -> list[AnyWorker]:
    """One of each kind, fresh. ``database``: the log they work for."""
    return [Salvage(database), MendWorker(), UndoWorker(), ConvertWorker()]
