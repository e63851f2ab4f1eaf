"""What other threads report to the writer."""

from __future__ import annotations

import threading

from sensorlogd.daemon.writing.intake.notices import Notices


class AskedMeanwhile(threading.Event):
    """Another thread asks for the status right after the writer has looked."""

    def is_set(self) -> bool:
        was_set = super().is_set()
        self.set()
        return was_set


def test_a_status_that_is_asked_for_while_the_writer_looks_is_written_next() -> None:
    notices = Notices(lambda: 0, lambda event: None)
    notices._status_now = AskedMeanwhile()
    assert not notices.take_status()
    assert notices.take_status()
