"""One thread per sensor: open, read, treat, hand over; and when that fails, wait and try again, for ever.

Owns: the driver, opened and closed on this thread only. Nothing that a driver raises leaves this module. A cause is
reported once, not once a second; when the sensor is back, how long it was away is reported once.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from sensorlogd.batch import Batch, Block
from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.clock import Clock
from sensorlogd.daemon.inbox import Inbox
from sensorlogd.daemon.treatment import Treatment
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError, EndOfData
from sensorlogd.durations import format_duration

log = logging.getLogger(__name__)

READ_TIMEOUT_S = 1.0
REOPEN_AFTER_HEARTBEATS = 3  # a port that is open but silent for so long is closed and opened again


class ReaderState(Enum):
    """What a reader is doing; shown in ``status``."""

    STARTING = "starting"  # opening, or open and nothing has arrived yet
    READING = "reading"
    STALE = "stale"  # open, but silent for longer than the heartbeat
    BACKING_OFF = "backing_off"  # not usable now; waiting before the next attempt
    FINISHED = "finished"  # the source ended for good
    STOPPED = "stopped"


_MOVES = {
    ReaderState.STARTING: {
        ReaderState.READING,
        ReaderState.STALE,
        ReaderState.BACKING_OFF,
        ReaderState.FINISHED,
        ReaderState.STOPPED,
    },
    ReaderState.READING: {ReaderState.STALE, ReaderState.BACKING_OFF, ReaderState.FINISHED, ReaderState.STOPPED},
    ReaderState.STALE: {ReaderState.READING, ReaderState.BACKING_OFF, ReaderState.FINISHED, ReaderState.STOPPED},
    ReaderState.BACKING_OFF: {ReaderState.STARTING, ReaderState.STOPPED},
    ReaderState.FINISHED: {ReaderState.STOPPED},
    ReaderState.STOPPED: {ReaderState.STARTING},
}


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """A snapshot. ``counters`` since the reader was made."""

    state: ReaderState
    since_us: int
    last_reading_us: int | None
    last_error: str | None
    counters: dict[str, int] = field(default_factory=dict)


Emit = Callable[[str, str | None, str], None]


class Reader:
    """``make_driver(context)`` gives a fresh driver for every attempt. ``clock_synced``: may times be believed now?"""

    def __init__(
        self,
        name: str,
        make_driver: Callable[[DriverContext], Driver],
        treatment: Treatment,
        inbox: Inbox,
        clock: Clock,
        emit: Emit,
        *,
        heartbeat_us: int,
        clock_synced: Callable[[], bool] = lambda: True,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.make_driver = make_driver
        self.treatment = treatment
        self.inbox = inbox
        self.clock = clock
        self.emit = emit
        self.heartbeat_us = heartbeat_us
        self.clock_synced = clock_synced
        self.backoff = backoff or Backoff()
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._stop = threading.Event()
        self._lock = threading.Lock()  # guards what status() shows
        self._state = ReaderState.STOPPED
        self._since_us = clock.now_us()
        self._last_reading_us: int | None = None
        self._last_error: str | None = None
        self._counters: dict[str, int] = {}
        self._examples: dict[str, str] = {}
        self._down_since: float | None = None
        self._heard_at = 0.0
        self._source_waits = False
        # daemon: a driver that hangs in a system call must not keep the process from ending
        self._thread = threading.Thread(target=self._run, name=f"sensor-{name}", daemon=True)

    # ---- any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wake the driver at once. Idempotent."""
        if not self._stop.is_set():
            self._stop.set()
            os.write(self._wake_w, b"x")

    def join(self, timeout_s: float | None = None) -> bool:
        """True once the thread has ended; then its descriptors are closed too."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        if self._wake_r >= 0:
            os.close(self._wake_r)
            os.close(self._wake_w)
            self._wake_r = self._wake_w = -1
        return True

    def status(self) -> ReaderStatus:
        with self._lock:
            return ReaderStatus(self._state, self._since_us, self._last_reading_us, self._last_error, dict(self._counters))

    def examples(self) -> dict[str, str]:
        """For each counter the last example of what was counted."""
        with self._lock:
            return dict(self._examples)

    # ---- the reader thread -----------------------------------------------------------------------------------------

    def count(self, counter: str, n: int, example: str) -> None:
        """Add to a counter that ``status`` shows; any thread."""
        with self._lock:
            self._counters[counter] = self._counters.get(counter, 0) + n
            if example:
                self._examples[counter] = example[:200]

    def _wait(self, seconds: float) -> bool:
        """Sleep; True means stop."""
        return self._stop.wait(seconds)

    def _move(self, to: ReaderState, why: str = "") -> None:
        before = self._state
        if to is before:
            return
        assert to in _MOVES[before], f"{before} -> {to}"
        with self._lock:
            self._state, self._since_us = to, self.clock.now_us()
        log.debug("%s: %s -> %s %s", self.name, before.value, to.value, why)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._move(ReaderState.STARTING)
                try:
                    self._session()
                except EndOfData:
                    self._move(ReaderState.FINISHED)
                    log.info("%s: the source has ended", self.name)
                    self.emit("finished", self.name, "the source has ended")
                    self._stop.wait()
                except Exception as error:  # a driver may raise anything; it costs this sensor only
                    self._failed(error)
                    self._move(ReaderState.BACKING_OFF)
                    self._wait(self.backoff.next_s())
        finally:
            self._move(ReaderState.STOPPED)

    def _session(self) -> None:
        """From open to close. Returns when stopped, raises when the device is lost."""
        context = DriverContext(
            self.name,
            self._wake_r,
            self._wait,
            self.clock.now_us,
            self.count,
            lambda kind, detail: self.emit(kind, self.name, detail),
        )
        self.count("attempts", 1, "")
        driver = self.make_driver(context)
        self._source_waits = driver.waits
        try:
            driver.open()
            self._heard_at = time.monotonic()
            while not self._stop.is_set():
                got = driver.read(READ_TIMEOUT_S)
                batch = got if isinstance(got, Batch) else Batch.of(got, self.clock.now_us()) if got else None
                if batch is not None and batch.times_us:
                    self._hand_over(batch)
                else:
                    self._silent()
        finally:
            try:
                driver.close()
            except Exception:  # a fault of the driver, after the fact
                log.exception("%s: the driver failed in close()", self.name)

    def _hand_over(self, batch: Batch) -> None:
        block = self.treatment.process(batch, clock_synced=self.clock_synced())
        self._heard_at = time.monotonic()
        with self._lock:
            self._last_reading_us = (
                max(batch.times_us[-1], self._last_reading_us or 0) if batch.device_time else batch.times_us[-1]
            )
        if self._state is not ReaderState.READING:
            self._arrived()
        if block is not None and not self._put(block):
            self.count("refused_at_stop", block.rows, "")
            log.warning("%s: %d readings came after the inbox was closed", self.name, block.rows)

    def _put(self, block: Block) -> bool:
        """False: refused, because the daemon is stopping."""
        if not self._source_waits:
            return self.inbox.put(block)
        while not self.inbox.put(block, 0.2, drop=False):
            if self.inbox.closed or self._stop.is_set():
                return self.inbox.put(block, 0.0, drop=False)
        return True

    def _arrived(self) -> None:
        """The first reading of a session, or after silence."""
        first = self._last_error is None and self._down_since is None and self._state is ReaderState.STARTING
        away = None if self._down_since is None else time.monotonic() - self._down_since
        self._move(ReaderState.READING)
        self._down_since = None
        attempts = self.backoff.attempts
        self.backoff.reset()
        with self._lock:
            self._last_error = None
            if not first:
                self._counters["reconnects"] = self._counters.get("reconnects", 0) + 1
        if first:
            self.emit("connected", self.name, "")
        else:
            lasted = f"after {format_duration(round((away or 0) * 1000) * 1000)}"
            log.info("%s: readings again %s", self.name, lasted)
            self.emit("connected", self.name, f"readings again {lasted}" + (f", {attempts} attempts" if attempts else ""))

    def _silent(self) -> None:
        """Nothing arrived. Stale after one heartbeat; after some more the port is opened anew."""
        quiet = time.monotonic() - self._heard_at
        heartbeat = self.heartbeat_us / 1e6
        if quiet > heartbeat and self._state in (ReaderState.STARTING, ReaderState.READING):
            reason = f"no reading for {format_duration(self.heartbeat_us)}"
            if self._down_since is None:
                self._down_since = self._heard_at
            with self._lock:
                repeated = self._last_error == reason
                self._last_error = reason
            self._move(ReaderState.STALE, reason)
            if not repeated:
                log.warning("%s: %s", self.name, self._with_examples(reason))
                self.emit("stale", self.name, self._with_examples(reason))
        if quiet > heartbeat * REOPEN_AFTER_HEARTBEATS:
            raise DriverError(f"no reading for {format_duration(self.heartbeat_us)}")

    def _with_examples(self, reason: str) -> str:
        with self._lock:
            shown = "; ".join(f"{self._counters[name]} {name}, e.g. {example}" for name, example in self._examples.items())
        return f"{reason}; {shown}" if shown else reason

    def _failed(self, error: Exception) -> None:
        hint = getattr(error, "hint", "")
        if isinstance(error, DriverError):
            reason = f"{error}; {hint}" if hint else str(error)
        else:
            reason = f"{type(error).__name__}: {error}"
            if not isinstance(error, OSError):
                log.debug("%s: the driver failed", self.name, exc_info=error)
        with self._lock:
            known = self._last_error
            self._last_error = reason
        if self._down_since is None:
            self._down_since = time.monotonic()
        if reason != known:
            log.warning("%s: %s", self.name, reason)
            self.emit("lost", self.name, reason)


def woken(wake_fd: int) -> bool:
    """Whether a stop was asked for, for code that only has the descriptor."""
    poll = select.poll()
    poll.register(wake_fd, select.POLLIN)
    return bool(poll.poll(0))
