"""Sends notifications: one thread for each target, so that a slow target delays neither another one nor the log.

At least once: a notification is ``waiting`` until its target has taken it, and the keeper stores its outcome. What was
taken just before a kill is sent again by the next run, with the same ``id``.

What waits for one target goes in one message: after a moment for the first of them, after the wait for a target that fails,
at the end of quiet hours, and when the limit of messages an hour allows it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sensorlogd.alarms.notifying import notifications, quiet, targets
from sensorlogd.config.alarms import TargetOptions
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.storage.alarms.notifications import GIVEN_UP, SENT, WAITING, NoticeRow, NotificationOutcome

logger = logging.getLogger(__name__)

MAX_NOTICES_PER_MESSAGE = 500
MAX_WAITING_NOTICES = 10_000  # notifications for one target: an alarm that flaps for a week must fill neither memory nor log; the oldest are given up
FIRST_RETRY_S, MAX_RETRY_S = 2.0, 1800.0
GROUP_S = 0.5
MIN_TRIES = 10  # in a row, before anything is given up: some half an hour, whatever the clock was set to
HOUR_S = 3600.0

Send = Callable[[TargetOptions, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """The settings that all targets share. ``emit``: records an event. ``announce_outcomes``: called when there are
    new ones in ``Sender.outcomes``. ``logger_name``: how messages name this machine."""

    now_us: Callable[[], int]
    emit: Emit
    announce_outcomes: Callable[[], None]
    send: Send = targets.send
    zone: str = "UTC"
    logger_name: str = ""


class Sender:
    """Sends notifications, each target in a thread of its own. ``use``, ``put``, ``stop``, ``facts`` from any thread.
    ``outcomes``: the outcomes of notifications, for whoever stores it."""

    def __init__(self, settings: SenderSettings) -> None:
        self.settings = settings
        self.outcomes: deque[NotificationOutcome] = deque()
        self._targets: dict[str, TargetSender] = {}
        self._taken: dict[str, None] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def use(self, targets: Mapping[str, TargetOptions], zone: str, logger_name: str) -> None:
        """The targets of this configuration. What waits for one that is no more is given up."""
        with self._lock:
            self.settings = replace(self.settings, zone=zone, logger_name=logger_name)
            removed = [target for name, target in self._targets.items() if name not in targets]
            self._targets = {name: target for name, target in self._targets.items() if name in targets}
            for name, options in targets.items():
                if name in self._targets:
                    self._targets[name].use(options, self.settings)
                else:
                    self._targets[name] = TargetSender(name, options, self.settings, self.outcomes)
        for target in removed:
            target.remove()

    def put(self, rows: Iterable[NoticeRow]) -> None:
        """Queue notifications; one that was put before is not taken again."""
        undelivered: Counter[str] = Counter()
        faults: list[str] = []
        with self._lock:
            new = [row for row in rows if row.identity not in self._taken]
            self._taken |= dict.fromkeys(row.identity for row in new)
            while len(self._taken) > notifications.MAX_UNSTORED_RESULTS:
                del self._taken[next(iter(self._taken))]
            for row in new:
                target = self._targets.get(row.target)
                if fault := notifications.fault_of(row):
                    self.outcomes.append(
                        NotificationOutcome(row.identity, GIVEN_UP, row.tries, self.settings.now_us(), "", fault)
                    )
                    faults.append(f"{row.target}: a notification of {row.name} is not sent: {fault}")
                elif target is None:
                    self.outcomes.append(_without_target(row, self.settings.now_us()))
                    undelivered[row.target] += 1
                elif not self._stopped:
                    target.put(row)
        for name, n in undelivered.items():
            _report_target_gone(self.settings, name, n)
        for fault in faults:
            logger.error("notify.%s", fault)
            self.settings.emit(EventKind.NOTIFY_GIVEN_UP, None, fault)

    def facts(self) -> list[dict[str, Any]]:
        """For ``status``: one for each target."""
        with self._lock:
            return [target.facts() for target in self._targets.values()]

    def stop(self, within_s: float) -> None:
        """What is being sent may end; what waits is sent by the next run. Idempotent."""
        with self._lock:
            self._stopped = True
            to_stop = list(self._targets.values())
        for target in to_stop:
            target.stop()
        until = time.monotonic() + within_s
        for target in to_stop:
            target.join(max(until - time.monotonic(), 0.0))


def _without_target(row: NoticeRow, now_us: int) -> NotificationOutcome:
    return NotificationOutcome(row.identity, GIVEN_UP, row.tries, now_us, "", f"there is no target {row.target!r} any more")


def _report_target_gone(settings: SenderSettings, target: str, n: int) -> None:
    text = f"{target}: {n} notifications were not delivered: there is no such target any more"
    logger.warning("notify.%s", text)
    settings.emit(EventKind.NOTIFY_GIVEN_UP, None, text)


@dataclass(slots=True)
class _Waiting:
    """A notification that waits to be sent."""

    row: NoticeRow
    since_s: float  # monotonic


class TargetSender:
    """One target: what waits for it, and the thread that sends it, started when there is something to send."""

    def __init__(self, name: str, options: TargetOptions, settings: SenderSettings, outcomes: deque[NotificationOutcome]) -> None:
        self.name, self.options, self.settings = name, options, settings
        self.outcomes = outcomes
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._stopping = self._removed = False
        self._thread: threading.Thread | None = None
        self._retry_at = 0.0
        self._failures = 0  # in a row
        self._last_error = ""
        self._failing_since_us = 0
        self._sent_within_hour: deque[float] = deque()  # when messages were sent; monotonic
        self._sent_count = 0
        self._is_overflowing = False  # since the target last took a message

    def use(self, options: TargetOptions, settings: SenderSettings) -> None:
        """Go on with changed settings. If the target itself changed, what waits is tried at once."""
        with self._changed:
            if options != self.options:
                self._retry_at = 0.0  # the new settings may have mended the target
            self.options, self.settings = options, settings
            self._changed.notify()

    def put(self, row: NoticeRow) -> None:
        """Queue a notification, and start the thread if there is none. When too many wait, the oldest are given up."""
        with self._changed:
            self._waiting.append(_Waiting(row, time.monotonic()))
            dropped = [waiting.row for waiting in self._waiting[:-MAX_WAITING_NOTICES]]
            del self._waiting[:-MAX_WAITING_NOTICES]
            is_news, self._is_overflowing = bool(dropped) and not self._is_overflowing, self._is_overflowing or bool(dropped)
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_when_due, name=f"notify-{self.name}", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no thread to be had: the next one tries again
                    self._thread = None
            self._changed.notify()
            settings = self.settings
        why = f"more than {MAX_WAITING_NOTICES} wait"
        self.outcomes.extend(
            NotificationOutcome(row.identity, GIVEN_UP, row.tries, settings.now_us(), "", why) for row in dropped
        )
        if is_news:
            logger.error("notify.%s: %s; the oldest are given up", self.name, why)
            settings.emit(EventKind.NOTIFY_GIVEN_UP, None, f"{self.name}: {why}; the oldest are given up until it takes some")

    def stop(self) -> None:
        """End the thread after the message under way. What still waits stays in the database for the next run."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def remove(self) -> None:
        """The target is not configured any more."""
        with self._changed:
            self._stopping = self._removed = True
            rows, self._waiting = [waiting.row for waiting in self._waiting], []
            self._changed.notify()
        self.outcomes.extend(_without_target(row, self.settings.now_us()) for row in rows)
        if rows:
            _report_target_gone(self.settings, self.name, len(rows))
        self.settings.announce_outcomes()

    def join(self, within_s: float) -> None:
        thread = self._thread
        if thread is not None:
            thread.join(within_s)

    def facts(self) -> dict[str, Any]:
        """For ``status``. ``sent``: since the start; ``failing_since_us``: 0 while the target takes messages."""
        with self._changed:
            return {
                "target": self.name,
                "way": self.options.way,
                "waiting": len(self._waiting),
                "sent": self._sent_count,
                "failing_since_us": self._failing_since_us,
                "error": self._last_error,
            }

    # ---- its thread ------------------------------------------------------------------------------------------------

    def _send_when_due(self) -> None:
        """The thread of the target: wait until something is due, send it, until ``stop`` or ``remove``."""
        while True:
            with self._changed:
                while True:
                    if self._stopping:
                        return
                    wait_s = self._wait_s()
                    if wait_s <= 0:
                        break
                    self._changed.wait(wait_s)
                chosen = self._sendable()[:MAX_NOTICES_PER_MESSAGE]
                options, settings = self.options, self.settings
            self._send_message([waiting.row for waiting in chosen], options, settings)

    def _sendable(self) -> list[_Waiting]:
        """The notifications that quiet hours do not hold back now."""
        now, zone = self.settings.now_us(), self.settings.zone
        return [
            waiting
            for waiting in self._waiting
            if waiting.row.body.get("severity") == "critical" or not quiet.is_quiet(waiting.row.body.get("quiet"), now, zone)
        ]

    def _wait_s(self) -> float:
        """Until there is something to do."""
        ready = self._sendable()
        if not ready:
            return 20.0 if self._waiting else HOUR_S  # quiet hours end at a full minute, by a clock that may be set
        due = min(waiting.since_s + self._group_s(waiting.row) for waiting in ready)
        due = max(due, self._retry_at)
        now = time.monotonic()
        while self._sent_within_hour and self._sent_within_hour[0] <= now - HOUR_S:
            self._sent_within_hour.popleft()
        if len(self._sent_within_hour) >= self.options.limit and not any(waiting.row.kind == "test" for waiting in ready):
            due = max(due, self._sent_within_hour[0] + HOUR_S)
        return min(due - now, 20.0)

    def _group_s(self, row: NoticeRow) -> float:
        """How long the notification waits for others that can go in the same message, in seconds."""
        if self.options.group is not None:
            return self.options.group / 1e6
        patience = row.body.get("patient")
        if patience is True:  # stored by an older release, which knew one waiting time only
            return notifications.MIN_PATIENCE_S
        return max(float(patience or 0), GROUP_S)

    def _send_message(self, rows: list[NoticeRow], options: TargetOptions, settings: SenderSettings) -> None:
        """Send the notifications as one message, and note the outcome."""
        message = notifications.message(rows, self.name, settings.logger_name)
        try:
            settings.send(options, message)
            error = ""
        except Exception as failure:  # a fault of ours must not end the thread
            error = str(failure) or type(failure).__name__
            if not isinstance(failure, targets.SendError):
                logger.error("notify.%s: a fault of its own: %s", self.name, type(failure).__name__)
        if error:
            self._note_failure(rows, error, settings)
        else:
            self._note_delivery(rows, str(message["message"]), settings)
        settings.announce_outcomes()

    def _note_delivery(self, rows: list[NoticeRow], message: str, settings: SenderSettings) -> None:
        """The target took the message: its notifications are sent, and failures before it are over."""
        now_us = settings.now_us()
        with self._changed:
            self._forget(rows)
            self._sent_within_hour.append(time.monotonic())
            self._sent_count += 1
            was_failing, self._failures, self._failing_since_us, self._last_error = self._failures, 0, 0, ""
            self._retry_at = 0.0
            self._is_overflowing = False
        self.outcomes.extend(NotificationOutcome(row.identity, SENT, row.tries + 1, now_us, message, "") for row in rows)
        if was_failing:
            logger.info("notify.%s: works again", self.name)
            settings.emit(EventKind.NOTIFY_RECOVERED, None, f"{self.name}: works again after {was_failing} failures")

    def _note_failure(self, rows: list[NoticeRow], error: str, settings: SenderSettings) -> None:
        """The target did not take the message: try again later, and give up what has become too old. A removed target notes
        nothing."""
        now_us = settings.now_us()
        with self._changed:
            if self._removed:
                return
            self._failures += 1
            self._last_error = error
            self._failing_since_us = self._failing_since_us or now_us
            self._retry_at = time.monotonic() + min(FIRST_RETRY_S * 2 ** min(self._failures - 1, 20), MAX_RETRY_S)
            too_old = self.options.give_up if self._failures >= MIN_TRIES else 1 << 62
            lost = [row for row in rows if now_us - row.made_us > too_old]
            self._forget(lost)
            tried = {row.identity for row in rows}
            for waiting in self._waiting:
                if waiting.row.identity in tried:
                    waiting.row = waiting.row._replace(tries=waiting.row.tries + 1)
            first = self._failures == 1
        self.outcomes.extend(NotificationOutcome(row.identity, GIVEN_UP, row.tries + 1, now_us, "", error) for row in lost)
        self.outcomes.extend(
            NotificationOutcome(row.identity, WAITING, row.tries + 1, None, "", error) for row in rows if row not in lost
        )
        if first:
            logger.warning("notify.%s: %s; it is tried again", self.name, error)
            settings.emit(EventKind.NOTIFY_FAILING, None, f"{self.name}: {error}; it is tried again")
        if lost:
            logger.error("notify.%s: %d notifications are given up: %s", self.name, len(lost), error)
            settings.emit(
                EventKind.NOTIFY_GIVEN_UP, None, f"{self.name}: {len(lost)} notifications could not be delivered: {error}"
            )

    def _forget(self, rows: list[NoticeRow]) -> None:
        gone = {row.identity for row in rows}
        self._waiting = [waiting for waiting in self._waiting if waiting.row.identity not in gone]
