"""The alarms of the running configuration: the keeper, which has them judged on the writer's thread, and its sender of
messages."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from sensorlogd.alarms.keeping.keeper import Clocks, Keeper
from sensorlogd.alarms.notifying.sender import Sender, SenderSettings
from sensorlogd.alarms.plan import Plan, plan
from sensorlogd.config.models import Config
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.event_kinds import Emit

STOP_WITHIN_S = 0.5


class Alarms:
    """Owns the ``keeper``, which watches what the writer stores, and its sender.

    ``emit``: writes an event. ``wake``: ends the writer's wait for readings.
    """

    def __init__(self, config: Config, clock: JudgedClock, emit: Emit, wake: Callable[[], None]) -> None:
        self._sender = Sender(SenderSettings(clock.now_us, emit, wake))
        self.keeper = Keeper(plan_of(config), self._sender, Clocks(clock.now_us, clock.monotonic_us), emit, wake)

    def use(self, plan: Plan) -> None:
        """The alarms and targets of another configuration; the writer's thread takes them at its next observation."""
        self.keeper.use(plan)

    def facts(self) -> dict[str, Any]:
        """What ``status`` shows of the alarms."""
        return self.keeper.facts()

    def hold(self) -> None:
        """Stop the time watched, because the sensors are about to end: their silence is no alarm. Idempotent."""
        self.keeper.hold()

    def stop(self) -> None:
        """End the sender. Called before the writer ends, so that its last commit stores what was delivered; the next run sends
        the rest. Idempotent."""
        self._sender.stop(STOP_WITHIN_S)


def plan_of(config: Config) -> Plan:
    """The alarms and targets of a configuration, for this machine."""
    return plan(config, socket.gethostname())
