"""The copy of the accepted configuration: for a start at which the file is broken."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from sensorlogd.config.models import Config

logger = logging.getLogger(__name__)

NAME = "last-good.yaml"


class LastGood:
    """The file in ``data_dir``."""

    def __init__(self, data_dir: Path) -> None:
        self._target = data_dir / NAME

    def keep(self, config: Config) -> None:
        """Write ``config`` in place of the one before. Atomic; that it cannot be written is logged and no more."""
        temporary = self._target.with_suffix(".new")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(config.snapshot())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._target)
        except OSError as error:
            logger.warning("%s could not be written: %s", self._target, error)
