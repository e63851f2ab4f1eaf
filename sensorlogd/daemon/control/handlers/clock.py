"""Answers the request ``clock``: what is thought of the clock, and the owner's word that it is right.

``{"do": "clock"}``, ``{"do": "clock", "believe": true}``; the answer is::

    {"clock": {"state", "since_us", "offset_s", "sentence", "synchronised"},   as in the facts of status
     "wall_us": the machine's clock, "stamp_us": what a reading gets now, "safe_us": what expiry and roll-ups go by}
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sensorlogd.daemon.control.answers import Json
from sensorlogd.daemon.control.requests.daemon import ClockRequest
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock


def answer_clock(
    clock: JudgedClock, request: ClockRequest, *, wall_us: Callable[[], int] = lambda: time.time_ns() // 1000
) -> Json:
    """Runs on the thread of the control socket."""
    if request.believe:
        clock.believe()
    return {"clock": clock.facts(), "wall_us": wall_us(), "stamp_us": clock.now_us(), "safe_us": clock.safe_us()}
