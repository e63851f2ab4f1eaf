"""One thread per sensor: open, read, treat, hand over; and when that fails, wait and try again, for ever.

Owns: the driver, made, opened, read and closed on this thread only. Nothing that a driver raises leaves this module, and
a driver that never returns is left behind alone. Each cause of an outage is reported once, not every second; when the sensor is
back, one event says for how long it was away.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence

from sensorlogd.batch import Batch, Block
from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.sensing.driver_calls import DriverCalls
from sensorlogd.daemon.sensing.driver_result import batch_of
from sensorlogd.daemon.sensing.outage import Outage
from sensorlogd.daemon.sensing.sensor_events import SensorEvents, fault_text
from sensorlogd.daemon.sensing.sensor_status import SensorSnapshot, SensorState, SensorStatus
from sensorlogd.daemon.sensing.time_judge import TimeJudge
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError, EndOfData
from sensorlogd.drivers.tap import Tap
from sensorlogd.event_kinds import Emit, EventKind, kind_of
from sensorlogd.notation.durations import format_duration
from sensorlogd.notation.plurals import plural
from sensorlogd.processes.wake_pipe import WakePipe
from sensorlogd.stamping.judging import TimeLimits

logger = logging.getLogger(__name__)

READ_TIMEOUT_S = 1.0
REOPEN_AFTER_HEARTBEATS = 3  # a port that is open but silent for this long is closed and opened again
# After this many samples or this long a session was a good one: the next attempts come quickly again. A driver that dies
# after each reading never gets there, and is tried less and less often.
STEADY_SAMPLES = 10
STEADY_US = 10_000_000
EMPTY_IN_A_ROW = 100  # this many empty reads in a row that took no time show a driver that does not wait for its device
EMPTY_US = 1_000
EMPTY_PAUSE_S = 0.01


class _Silent(DriverError):
    """The port is open but nothing arrives; it is to be opened again."""


class SensorThread:
    """Reads one sensor, on a thread of its own. ``make_driver(context)`` gives a fresh driver for every attempt.
    ``status``: of this sensor; ``treatment`` counts in it, too. ``clock_synced``: may times be believed now?
    ``time_limits``: what of the device's own times is believed; None: all.

    ``emit(kind, sensor, detail)`` must not block; it is called for connected, stale, lost, returned, finished, and for what the
    driver itself reports.
    """

    def __init__(
        self,
        name: str,
        make_driver: Callable[[DriverContext], Driver],
        treatment: Treatment,
        inbox: Inbox,
        clock: Clock,
        emit: Emit,
        status: SensorStatus,
        *,
        heartbeat_us: int,
        clock_synced: Callable[[], bool] = lambda: True,
        backoff: Backoff | None = None,
        time_limits: TimeLimits | None = None,
        driver: type[Driver] | None = None,
    ) -> None:
        self.name = name
        self._make_driver = make_driver
        self.driver = driver  # the driver's class; a reload compares it with what the file defines by then
        self._treatment = treatment
        self._inbox = inbox
        self._clock = clock
        self._heartbeat_us = heartbeat_us
        self._clock_synced = clock_synced
        self._backoff = backoff or Backoff()
        self.tap = Tap()  # what passes over the port, for whoever listens
        self._status = status
        self._events = SensorEvents(name, clock, emit)
        self._calls = DriverCalls(clock, heartbeat_us, self._events.report)
        self._judge = TimeJudge(time_limits, self._status.count, self._events.report)
        self._stop = threading.Event()
        self._wake = WakePipe()
        self._is_left_behind = False
        self._handing_over = threading.Lock()  # guards that flag, together with putting into the inbox
        # The sensor thread's own:
        self._outage = Outage()
        self._heard_us = 0  # monotonic
        self._session_us = 0
        self._session_samples = 0
        self._source_waits = False
        # daemon: a driver that hangs in a system call must not keep the process from ending
        self._thread = threading.Thread(target=self._run, name=f"sensor-{name}", daemon=True)

    # ---- any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread. Once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wake the driver at once. Idempotent, at any time."""
        self._stop.set()
        self._wake.wake()

    def join(self, timeout_s: float | None = None) -> bool:
        """True once the thread has ended (or was never started); then its descriptors are closed too."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        self._wake.close()
        return True

    def leave_behind(self) -> None:
        """Nobody waits for the thread any more: what its driver still brings is refused and counted, because after a reload it would
        be taken for treated by the new configuration. Waits while a reading is being put into the inbox."""
        with self._handing_over:
            self._is_left_behind = True

    def status(self) -> SensorSnapshot:
        """What the sensor is doing now. A driver that does not return is stale, whatever it did before."""
        now = self._status.snapshot()
        overdue = self._calls.overdue()
        if overdue is None:
            return now
        error, for_us = overdue
        return dataclasses.replace(now, state=SensorState.STALE, since_us=self._clock.now_us() - for_us, last_error=error)

    def watch(self) -> None:
        """Called now and then on another thread: reports, once, a driver that does not return."""
        self._calls.report_overdue()

    def examples(self) -> dict[str, str]:
        """For each counter the last example of what was counted."""
        return self._status.examples()

    # ---- the sensor thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        """The life of the thread: session after session, with a pause between two, until it is stopped."""
        try:
            while not self._stop.is_set():
                if self._status.state is not SensorState.STALE:
                    self._status.move(SensorState.STARTING)
                try:
                    self._run_session()
                except EndOfData:
                    self._status.move(SensorState.FINISHED)
                    self._events.report(EventKind.FINISHED, "the source has ended")
                    self._stop.wait()
                except _Silent:
                    self._reset_pauses_if_steady()
                    self._stop.wait(self._backoff.next_s())
                except BaseException as error:  # whatever a driver raises, SystemExit included, costs this sensor only
                    self._note_failure(error)
                    self._status.move(SensorState.BACKING_OFF)
                    self._stop.wait(self._backoff.next_s())
        finally:
            self._status.move(SensorState.STOPPED)

    def _run_session(self) -> None:
        """Read with one driver, from open to close. Returns when stopped, raises when the device is lost."""
        self._status.count("attempts", 1, "")
        self._session_us = self._clock.monotonic_us()
        self._session_samples = 0
        context = DriverContext(
            self.name,
            self._wake.read_end,
            self._stop.wait,
            self._clock.now_us,
            self._status.count,
            lambda kind, detail: self._events.report(kind_of(kind), detail),
            self.tap.offer,
        )
        driver = self._calls.run("make", lambda: self._make_driver(context))
        self._source_waits = driver.waits
        try:
            self._calls.run("open", driver.open)
            self._heard_us = self._clock.monotonic_us()
            self._read_until_stopped(driver)
        finally:
            try:
                self._put_held_back()
            finally:
                self._close(driver)

    def _close(self, driver: Driver) -> None:
        try:
            self._calls.run("close", driver.close)
        except BaseException:  # a fault of the driver, after the fact
            logger.exception("%s: the driver failed in close()", self.name)

    def _read_until_stopped(self, driver: Driver) -> None:
        """Read, and hand over what was read. Raises what the driver raises; _Silent if the port is to be opened again."""
        empty = 0
        while not self._stop.is_set():
            began_us = self._clock.monotonic_us()
            got = self._calls.run("read", lambda: driver.read(READ_TIMEOUT_S))
            batch = batch_of(driver, got, self._clock.now_us())
            if batch.times_us:
                empty = 0
                self._treat_and_put(batch)
                continue
            empty = empty + 1 if self._clock.monotonic_us() - began_us < EMPTY_US else 0
            if empty >= EMPTY_IN_A_ROW:
                self._stop.wait(EMPTY_PAUSE_S)
            self._note_silence()

    def _treat_and_put(self, batch: Batch) -> None:
        """Judge the times and treat the values of a batch, and put into the inbox what is to be stored. A batch without any
        configured channel counts as silence."""
        mapped = self._treatment.mapped
        synced = self._clock_synced()
        blocks: list[Block] = []
        try:
            for part in self._judge.judge(batch, self._clock.now_us(), clock_set=synced):
                for block in self._treatment.blocks(part, clock_synced=synced):
                    blocks.append(block)  # noqa: PERF402  # one by one: those before a fault are kept
        except Exception:
            self._put_all(blocks)
            raise
        if self._treatment.mapped == mapped:
            self._put_all(blocks)
            self._note_silence()  # something came, but nothing of what is configured
            return
        self._heard_us = self._clock.monotonic_us()
        self._session_samples += len(batch.times_us)
        self._status.note_reading()
        if self._status.state is not SensorState.READING:
            self._note_arrival()
        self._put_all(blocks)

    def _put_all(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self._put_or_count(block)

    def _put_or_count(self, block: Block | None) -> None:
        if block is not None and not self._put(block):
            self._status.count("refused_at_stop", block.rows, "")
            logger.warning(
                "%s: %d readings came too late to be stored: the daemon, or this sensor, is stopping", self.name, block.rows
            )

    def _put_held_back(self) -> None:
        """Hand over the reading that the spike test holds back until the next one, because none will come soon."""
        self._put_or_count(self._treatment.flush())

    def _put(self, block: Block) -> bool:
        """False: refused, because the inbox is closed, because this sensor is stopping and the inbox has no room, or because it was
        left behind."""
        if not self._source_waits:
            return self._put_unless_left_behind(block, 0.5, drop=True)
        while not self._put_unless_left_behind(block, 0.2, drop=False):
            if self._inbox.closed or self._stop.is_set():
                return self._put_unless_left_behind(block, 0.0, drop=False)
        return True

    def _put_unless_left_behind(self, block: Block, timeout_s: float, *, drop: bool) -> bool:
        with self._handing_over:
            return not self._is_left_behind and self._inbox.put(block, timeout_s, drop=drop)

    def _note_arrival(self) -> None:
        """The first reading of a session, or after silence."""
        self._status.move(SensorState.READING)
        self._status.note_error(None)
        if not self._outage.since_us:
            self._events.report(EventKind.CONNECTED, "")
            return
        self._status.count("reconnects", 1, "")
        away_us = self._clock.monotonic_us() - self._outage.since_us
        attempts = self._outage.attempts
        self._outage = Outage()
        after = f"readings again after {format_duration(round(away_us / 1000) * 1000)}"
        self._events.report(EventKind.CONNECTED, after + (f", {attempts} {plural(attempts, 'attempt')}" if attempts else ""))

    def _note_silence(self) -> None:
        """Nothing arrived. Stale after one heartbeat; after some more the port is opened anew."""
        quiet_us = self._clock.monotonic_us() - self._heard_us
        if quiet_us > self._heartbeat_us and self._status.state is not SensorState.STALE:
            reason = f"no reading for {format_duration(self._heartbeat_us)}"
            self._status.note_error(reason)
            self._status.move(SensorState.STALE)
            self._put_held_back()
            if self._outage.note_cause(reason, self._heard_us):
                self._events.report(EventKind.STALE, self._status.with_examples(reason))
        if quiet_us > self._heartbeat_us * REOPEN_AFTER_HEARTBEATS:
            self._outage.note_attempt()
            raise _Silent("silent")

    def _reset_pauses_if_steady(self) -> None:
        """After a good session the next attempts come quickly, however it ended."""
        lasted_us = self._clock.monotonic_us() - self._session_us
        if self._session_samples >= STEADY_SAMPLES or (self._session_samples and lasted_us >= STEADY_US):
            self._backoff.reset()

    def _note_failure(self, error: BaseException) -> None:
        """Note why a session failed. A new cause is recorded as an event."""
        now_us = self._clock.monotonic_us()
        self._reset_pauses_if_steady()
        reason = fault_text(error)
        self._status.note_error(reason)
        new = self._outage.note_cause(reason, now_us)
        self._outage.note_attempt()
        if new:
            # The traceback is for the author of the driver.
            self._events.report(EventKind.LOST, reason, None if isinstance(error, (DriverError, OSError)) else error)
