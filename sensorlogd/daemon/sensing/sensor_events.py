"""Events of one sensor: each becomes a line of the journal and a row of the database, unless there were too many of
them lately."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from sensorlogd.daemon.sensing.outage import Allowance
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.drivers.contract import DriverError
from sensorlogd.event_kinds import Emit, Kind, Severity, severity_of
from sensorlogd.notation.plurals import plural

logger = logging.getLogger(__name__)


class SensorEvents:
    """Reports what happens to the sensor ``name``. ``emit(kind, sensor, detail)`` must not block. Any thread."""

    def __init__(self, name: str, clock: Clock, emit: Emit) -> None:
        self._name = name
        self._emit = emit
        self._allowance = Allowance(clock.monotonic_us)

    def report(self, kind: Kind, detail: str, fault: BaseException | None = None) -> None:
        """An event and a line of the journal; the line has the traceback of ``fault``, the event has not."""
        withheld = self._allowance.take()
        if withheld is None:
            return
        if withheld:
            detail = (
                f"{detail} ({withheld}"
                f" {plural(withheld, 'event before this one was', 'events before this one were')} too many to record)"
            ).strip()
        level = logging.INFO if severity_of(kind) is Severity.INFO else logging.WARNING
        logger.log(level, "%s: %s", self._name, detail or kind, exc_info=fault)
        self._emit(kind, self._name, detail)


def fault_text(error: BaseException) -> str:
    """One line: what a driver raised and, where it is the driver's own fault, in which line of which file."""
    try:
        text = " ".join(str(error).split())[:300]
        hint = str(getattr(error, "hint", ""))
    except Exception:  # even that can fail
        text = hint = ""
    if isinstance(error, DriverError):
        return f"{text}; {hint}" if hint else text
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if frames and not isinstance(error, OSError):
        words += f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"
    return words
