"""The changes that the verb ``alarms`` asks for: made in the running daemon, which holds all alarms in memory, or in the stored
tables while no daemon runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.keeping.keeper import Keeper
from sensorlogd.alarms.notifying import notifications, targets
from sensorlogd.alarms.stored import StoredAlarms
from sensorlogd.config.models import Config
from sensorlogd.config.validation.names import closest
from sensorlogd.daemon.control.answers import Acknowledged, Muted, Tested
from sensorlogd.daemon.control.handlers.dispatch import Handlers
from sensorlogd.daemon.control.requests.alarms import AlarmAckRequest, AlarmMuteRequest, AlarmTestRequest
from sensorlogd.daemon.control.waiting import answer_of
from sensorlogd.daemon.writing.between_commits.once import Once
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.storage.open_database import OpenDatabase

T = TypeVar("T")
ANSWER_S = 20.0
TEST_WITHIN_US = 30_000_000  # the client waits for this long at most, and so do the requests queued after it


class LiveAlarmHandlers:
    """Changes in the running daemon. They are made in memory, so they work while nothing can be committed, too."""

    def __init__(self, keeper: Keeper, config: Callable[[], Config]) -> None:
        self._keeper = keeper
        self._config = config

    def handlers(self) -> Handlers:
        """What is done by the kind of request; each from any thread but the writer's, and raises ValueError."""
        return {AlarmAckRequest: self.acknowledge, AlarmMuteRequest: self.mute, AlarmTestRequest: self.test}

    def acknowledge(self, request: AlarmAckRequest) -> Acknowledged:
        judge = self._keeper.judge
        return Acknowledged(self._do_on_writer(lambda at, now_us: acknowledge(judge, request, now_us)))

    def mute(self, request: AlarmMuteRequest) -> Muted:
        judge = self._keeper.judge
        return Muted(self._do_on_writer(lambda at, now_us: mute(judge, request, at, now_us)))

    def test(self, request: AlarmTestRequest) -> Tested:
        config = self._config()
        return Tested(send_test(config, request.target, self._keeper.judge.roster.plan.logger_name, self._keeper.clocks.now_us()))

    def _do_on_writer(self, do: Callable[[int, int], T]) -> T:
        """Have the keeper call ``do`` on the writer thread. Raises ValueError if that does not come to it in time, and what
        ``do`` raises."""
        future = self._keeper.ask(do)
        try:
            return future.result(ANSWER_S)
        except TimeoutError:
            what = "nothing was changed" if future.cancel() else "it may still be done, so look before you repeat it"
            raise ValueError(f"not done within {ANSWER_S:.0f} s: the writer is busy; {what}") from None


class OfflineAlarmHandlers:
    """Changes that are made without a daemon, on the writer of this process: see ``alarms.stored``."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def handlers(self) -> Handlers:
        """As above; a test needs no database."""
        return {AlarmAckRequest: self.acknowledge, AlarmMuteRequest: self.mute}

    def acknowledge(self, request: AlarmAckRequest) -> Acknowledged:
        def do(alarms: StoredAlarms) -> tuple[str, ...]:
            return acknowledge(alarms.judge, request, alarms.now_us)

        return Acknowledged(self._change_stored(do))

    def mute(self, request: AlarmMuteRequest) -> Muted:
        """Mute alarms, or end that. An alarm that is raised when its mute ends has to be announced, which only the daemon does;
        so such a mute ends when the daemon starts."""

        def do(alarms: StoredAlarms) -> Muted:
            later = [] if request.for_us else alarms.hold_for_the_daemon(_find_alarms(alarms.judge, request.alarms))
            return Muted(mute(alarms.judge, request, alarms.watched_us, alarms.now_us, later), tuple(map(_name_of, later)))

        return self._change_stored(do)

    def _change_stored(self, do: Callable[[StoredAlarms], T]) -> T:
        now_us = self._writer.now_us()

        def run(db: OpenDatabase) -> T:
            alarms = StoredAlarms(db.conn, now_us)
            done = do(alarms)
            alarms.save()
            return done

        return answer_of(self._writer, self._writer.submit("alarms", Once(run)))


def acknowledge(judge: Judge, request: AlarmAckRequest, now_us: int) -> tuple[str, ...]:
    """Acknowledge alarms. Returns those that were waiting for it. Raises ValueError for an unknown name."""
    return tuple(
        _name_of(alarm) for alarm in _find_alarms(judge, request.alarms) if judge.actions.acknowledge(alarm, now_us, request.note)
    )


def mute(judge: Judge, request: AlarmMuteRequest, at: int, now_us: int, but: Sequence[Alarm] = ()) -> tuple[str, ...]:
    """Mute the alarms that ``request`` names, except those in ``but``. Raises ValueError for an unknown name."""
    found = _find_alarms(judge, request.alarms)
    for alarm in found:
        if request.for_us:
            judge.actions.shelve(alarm, at + request.for_us, now_us, request.note)
        elif alarm not in but:
            judge.actions.unshelve(alarm, at, now_us, request.note or "it was ended")
    return tuple(map(_name_of, found))


def send_test(config: Config, target: str, logger: str, now_us: int) -> str:
    """Why the target did not take it; empty if it did. Raises ValueError for one that is not configured."""
    if target not in config.notify:
        known = ", ".join(config.notify) or "none"
        raise ValueError(f"no target {target!r} under notify:{closest(target, config.notify)}; known: {known}")
    message = notifications.message([notifications.test(target, now_us, config.daemon.timezone)], target, logger)
    wanted = config.notify[target]
    try:
        targets.send(wanted.model_copy(update={"timeout": min(wanted.timeout, TEST_WITHIN_US)}), message)
    except targets.SendError as error:
        return str(error)
    return ""


def _find_alarms(judge: Judge, names: Sequence[str]) -> list[Alarm]:
    for name in names:
        if not judge.roster.find([name]):
            known = sorted({alarm.name for alarm in judge.roster.alarms.values()})
            there = f"known: {', '.join(known)}" if known else "none is configured under alarms:"
            raise ValueError(f"no alarm {name!r}{closest(name, known)}; {there}")
    return judge.roster.find(names)


def _name_of(alarm: Alarm) -> str:
    return f"{alarm.name}/{alarm.subject}"
