"""What the writer's turn does when a commit is due: the batch, its pieces if there is a fault in it, and new sensors
after it."""

from __future__ import annotations

from sensorlogd.daemon.writing.commits.batch import BatchTask
from sensorlogd.daemon.writing.commits.new_sensors import NewSensorsTask
from sensorlogd.daemon.writing.commits.pieces import PiecesTask
from sensorlogd.daemon.writing.recovery.failures import Remedy
from sensorlogd.daemon.writing.recovery.trouble import Trouble


class Storing:
    """Stores what is due. Owned by the writer thread."""

    def __init__(self, trouble: Trouble, batch: BatchTask, pieces: PiecesTask, new_sensors: NewSensorsTask) -> None:
        self._trouble = trouble
        self._batch = batch
        self._pieces = pieces
        self._new_sensors = new_sensors

    def store(self) -> None:
        """One commit of what is due. A batch with a fault of ours in it is stored piece by piece. If new sensors come next, they
        are taken over. All is well again once none of this has failed."""
        remedy = self._trouble.attempt(self._batch)
        if remedy is Remedy.HAND_BACK:
            remedy = self._trouble.attempt(self._pieces)
        if remedy is None and self._new_sensors.is_next():
            remedy = self._trouble.attempt(self._new_sensors)
        if remedy is None:
            self._trouble.note_recovery()
