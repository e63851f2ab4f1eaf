"""The object of this package that the writer holds: it shows readings and events to the judge, and stores the results.

While commits succeed, whatever the writer is about to commit is judged first, and changes, states and notifications go into the
same transaction; after the commit the sender gets the notifications. While nothing can be committed the readings that wait are
judged all the same, the sender gets the notifications at once, and all of it is stored with the first commit that succeeds. A
kill before that forgets it together with the readings, so the next run judges them, or their successors, again.

Threads: ``note``, ``ask``, ``hold``, ``facts`` from any; the rest on the writer's. A fault in this module costs alarms, never a
commit.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.judging.watch import WatchClock, mark
from sensorlogd.alarms.keeping.recall import recall
from sensorlogd.alarms.keeping.unstored import MAX_STORE_TRIES, Unstored
from sensorlogd.alarms.notifying import notifications
from sensorlogd.alarms.notifying.sender import Sender
from sensorlogd.alarms.plan import Plan
from sensorlogd.batch import Block
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import meta
from sensorlogd.storage.alarms import notifications as stored_notifications
from sensorlogd.storage.alarms.notifications import NoticeRow
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)

T = TypeVar("T")

MARK_EVERY_US = 10_000_000
# If the database cannot be opened or read within this time, alarms are judged and notified without what it remembers.
BLIND_AFTER_US = 5_000_000
OBSERVE_WHILE_BLOCKED_US = 500_000
MAX_WAITING_EVENTS = 10_000
REPORT_FAULT_EVERY_US = 600_000_000


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of the keeper, in microseconds. ``now_us``: stamps. ``steady_us``: never steps."""

    now_us: Callable[[], int]
    steady_us: Callable[[], int]


class Keeper:
    """Shows the judge what passes through the writer, and stores the results. ``emit``: records an event. ``wake``: the writer
    should observe soon."""

    def __init__(self, plan: Plan, sender: Sender, clocks: Clocks, emit: Emit, wake: Callable[[], None]) -> None:
        self.sender = sender
        self.clocks = clocks
        self._emit = emit
        self._wake = wake
        self.judge = Judge()
        self._watch = WatchClock()
        self._events: deque[tuple[int, str, str | None, str]] = deque(maxlen=MAX_WAITING_EVENTS)
        self._requests: deque[tuple[Callable[[int, int], Any], Future[Any]]] = deque()
        self._seen: dict[int, Block] = {}  # judged and not committed; held on to, so that no id means two blocks
        self._unstored = Unstored()
        self._loaded = False
        self._to_recall: OpenDatabase | None = None
        self._to_recall_since_us = 0
        self._began_us = clocks.steady_us()
        self._marked_at = 0
        self._unwatched = ""  # the spans in which no run watched, for the next ones
        self._is_unwatched_stored = False
        self._observed_us = 0
        self._fault_reported_us = -REPORT_FAULT_EVERY_US
        self._facts: dict[str, Any] = {}
        self._use_plan(plan, self._watch.now(self._began_us), clocks.now_us())

    # ---- any thread ------------------------------------------------------------------------------------------------

    def note(self, event: tuple[int, str, str | None, str]) -> None:
        """(ts_us, kind, sensor, detail): to be judged at the next observation."""
        self._events.append(event)

    def ask(self, do: Callable[[int, int], T]) -> Future[T]:
        """Call ``do(at, now_us)`` on the writer thread at its next observation, which is soon; it may use ``judge``."""
        future: Future[T] = Future()
        self._requests.append((do, future))
        self._wake()
        return future

    def use(self, plan: Plan) -> Future[None]:
        """Judge by the plan of a configuration that was read again."""
        return self.ask(lambda at, now_us: self._use_plan(plan, at, now_us))

    def hold(self) -> None:
        """The sensors end now: that nothing comes from them any more is not silence, however long the end takes."""
        self._watch.hold()

    def facts(self) -> dict[str, Any]:
        """For ``status``, as of the last observation."""
        return {**self._facts, "targets": self.sender.facts()}

    def _use_plan(self, plan: Plan, watched_us: int, now_us: int) -> None:
        self.sender.use(plan.targets, plan.zone, plan.logger_name)
        self.judge.use(plan, watched_us, now_us)

    # ---- the writer's thread ---------------------------------------------------------------------------------------

    @property
    def urgent(self) -> bool:
        """Whether there is something that should be committed now, and not with the next readings."""
        return self._unstored.is_urgent or bool(self.sender.outcomes)

    def note_opened(self, db: OpenDatabase) -> None:
        """Learn what the database remembers. At a later opening this process knows better, and stores all of its alarms there."""
        self._to_recall, self._to_recall_since_us = db, self.clocks.steady_us()
        self._recall()

    def _recall(self) -> None:
        """Read the stored alarms; if that fails now, the next observation tries again."""
        db = self._to_recall
        if db is None:
            return
        waiting: list[NoticeRow] = []
        try:
            if not self._loaded:
                waiting = stored_notifications.waiting(db.conn)
            watched_us, now_us = self._watch.now(self.clocks.steady_us()), self.clocks.now_us()
            unwatched = recall(self.judge, db, watched_us, now_us, first=not self._loaded)
            self._unwatched = self._unwatched if unwatched is None else unwatched.text()
            self._is_unwatched_stored = False
        except sqlite3.Error as error:
            self._report_fault("what the database remembers cannot be read now and is tried again", error)
            return
        except Exception as error:
            self._report_fault("what the database remembers could not be read", error)
        self._to_recall, self._loaded = None, True
        self.sender.put(waiting)

    def _is_recall_overdue(self, steady: int) -> bool:
        """Whether the database is open and what it remembers has been unreadable for long. Until that is read nothing can be stored, so
        people are told before it is."""
        return self._to_recall is not None and steady - self._to_recall_since_us >= BLIND_AFTER_US

    def observe(self, blocks: Iterable[Block], *, well: bool) -> None:
        """Judge the blocks that were not judged before, the events noted since, and what time alone brings. ``well``: commits
        succeed; while they do not, or hold no alarms, notifications go to the sender at once. A fault is reported and costs alarms only."""
        steady = self.clocks.steady_us()
        if not well and steady - self._observed_us < OBSERVE_WHILE_BLOCKED_US and not self._requests:
            return
        self._observed_us = steady
        try:
            watched_us, now_us = self._watch.now(steady), self.clocks.now_us()
            if well:
                self._recall()
            self._answer_requests(watched_us, now_us)
            if not self._loaded and steady - self._began_us < BLIND_AFTER_US:
                return
            if not self.judge.roster.plan and not self._unstored and not self.judge.found.gone:
                self._events.clear()
                return
            held = list(blocks)
            self._judge_blocks(held, watched_us, now_us)
            if not well or len(self._seen) > 2 * len(held) + 1000:
                self._forget_dropped(held)
            self._take_findings(now_us)
            if not well or self._is_recall_overdue(steady):
                self.sender.put(self._unstored.notices)
        except Exception as error:
            self._report_fault("an observation failed", error)

    def _judge_blocks(self, blocks: Iterable[Block], watched_us: int, now_us: int) -> None:
        """Show the judge each block once, then the events, then the time."""
        seen = self._seen
        for block in blocks:
            if block.rows and id(block) not in seen:
                seen[id(block)] = block
                self.judge.judge_readings(block, watched_us, now_us)
        while self._events:
            ts_us, kind, sensor, detail = self._events.popleft()
            self.judge.judge_event(kind, sensor, detail, ts_us, watched_us, now_us)
        self.judge.tick(watched_us, now_us)

    def _take_findings(self, now_us: int) -> None:
        """Take over what the judge has found, to be stored with the next commit."""
        found = self.judge.take_findings()
        for fault in found.faults:
            self._emit(EventKind.ALARM_FAILED, None, f"{fault}; it is judged no more until the configuration is read again")
        for trouble in found.troubles:
            self._emit(EventKind.ALARMS_FAILED, None, trouble)
        if not found.is_to_be_stored():
            return
        plan = self.judge.roster.plan
        for announcement in found.announced:
            self._unstored.notices += notifications.of(announcement, plan.targets, plan.zone)
        self._unstored.add(found)
        self._facts = self.judge.roster.facts()

    def _answer_requests(self, watched_us: int, now_us: int) -> None:
        """Call what was put by ``ask``; each caller gets the result or the error."""
        while self._requests:
            do, future = self._requests.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(do(watched_us, now_us))
                except Exception as error:  # the error belongs to whoever called ``ask``
                    future.set_exception(error)

    def record(self, conn: sqlite3.Connection) -> bool:
        """Store the results in a savepoint of the caller's transaction. Returns whether they are in it. Raises sqlite3.Error if the
        database itself is in trouble."""
        if not self._loaded or self._to_recall is not None:
            return False
        outcomes = len(self.sender.outcomes)
        watched_us, now_us = self._watch.now(self.clocks.steady_us()), self.clocks.now_us()
        has_mark = bool(self.judge.roster.plan) and watched_us - self._marked_at >= MARK_EVERY_US
        if not (self._unstored or outcomes or has_mark):
            return False
        conn.execute("SAVEPOINT alarms")
        is_stored = False
        try:
            self._unstored.outcomes += [self.sender.outcomes.popleft() for _ in range(outcomes)]
            self._unstored.store(conn, watched_us, now_us)
            meta.put(conn, meta.ALARMS_WATCHED, mark(watched_us, now_us))
            if not self._is_unwatched_stored and self._unwatched:
                meta.put(conn, meta.ALARMS_UNWATCHED, self._unwatched)
            self._marked_at = watched_us
            is_stored = True
        except Exception as error:
            if _is_trouble(error) or not conn.in_transaction:
                raise
            conn.execute("ROLLBACK TO alarms")
            self._note_refusal(error)
        conn.execute("RELEASE alarms")
        return is_stored

    def _note_refusal(self, error: Exception) -> None:
        """The results are refused. People are notified all the same, because after some refusals the results are dropped, which is an
        event of its own."""
        self.sender.put(self._unstored.notices)
        self._report_fault("changes could not be stored", error)
        changes, notices = len(self._unstored.changes), len(self._unstored.notices)
        if self._unstored.note_refusal() and (changes or notices):
            lost = f"{changes} {plural(changes, 'change')} of alarms and {notices} {plural(notices, 'notification')}"
            detail = f"{lost} are not recorded, because the database has refused them {MAX_STORE_TRIES} times: {error}; the notifications are sent"
            logger.error("alarms: %s", detail)
            self._emit(EventKind.ALARMS_FAILED, None, detail)

    def note_recorded(self, blocks: Iterable[Block], *, kept: bool) -> None:
        """These blocks were committed (or left out): forget them. ``kept``: ``record`` stored the results, and they were committed
        with the blocks, so the notifications may be sent."""
        for block in blocks:
            self._seen.pop(id(block), None)
        if kept:
            self._is_unwatched_stored = True
            self.sender.put(self._unstored.notices)
            self._unstored.note_stored()

    def _forget_dropped(self, held: Iterable[Block]) -> None:
        """Forget the blocks that the inbox had to drop: of all that were seen only ``held`` still wait."""
        ids = {id(block) for block in held}
        self._seen = {key: block for key, block in self._seen.items() if key in ids}

    def _report_fault(self, what: str, error: Exception) -> None:
        """Report a fault of this package to the journal and as an event, at most every ten minutes."""
        steady = self.clocks.steady_us()
        if steady - self._fault_reported_us >= REPORT_FAULT_EVERY_US:
            self._fault_reported_us = steady
            logger.error("alarms: %s; logging goes on", what, exc_info=error)
            self._emit(EventKind.ALARMS_FAILED, None, f"{what}: {type(error).__name__}: {error}; logging goes on")


def _is_trouble(error: Exception) -> bool:
    """Whether the error means trouble of the database, not a fault in what was to be stored."""
    if not isinstance(error, sqlite3.Error):
        return False
    return classify(error) not in (Failure.CONSTRAINT, Failure.OTHER)
