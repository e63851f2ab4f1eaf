"""Checks this machine on a thread of its own, because a folder on a network may answer slowly."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sensorlogd.config.models import Config
from sensorlogd.daemon.machine.checks import check

logger = logging.getLogger(__name__)


class MachineCheck:
    """Owns the thread ``machine``, which checks once. ``findings``: what does not fit the configuration; empty until it has."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self.findings: list[str] = []
        self._config = config
        self._thread = threading.Thread(target=self._run, name="machine", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError: no thread to be had; it may be tried again."""
        self._thread.start()

    def _run(self) -> None:
        try:
            found = [str(finding) for finding in check(self._config(), names=False)]  # at boot the network may come later
        except Exception as error:
            logger.warning("this machine could not be looked at: %s", error)
            return
        self.findings = found
        for finding in found:
            logger.warning("%s", finding)
