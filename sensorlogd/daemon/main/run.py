"""The process of the daemon: its locks, its signals and its limits, and inside them the supervisor."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Sequence

from sensorlogd.config.models import Config
from sensorlogd.daemon.control.control_socket import socket_path
from sensorlogd.daemon.main.build import DaemonParts
from sensorlogd.daemon.main.process.lock import DatabaseLock, DataDirLock
from sensorlogd.daemon.main.process.signals import Requested, take_signals
from sensorlogd.daemon.main.supervisor import Supervisor
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.processes.wake_pipe import WakePipe

DESCRIPTORS = 16_384


def run_daemon(
    config: Config,
    load: Callable[[], Config],
    *,
    problems: Sequence[str] = (),
    clock: JudgedClock | None = None,
    pages: bool = True,
) -> int:
    """The whole life of the daemon, on the main thread; returns the exit status (0, 1, or 78 for a database that must not be
    touched). The arguments are those of ``DaemonParts``.

    Raises LockHeld when another daemon owns the data directory or the database, OSError.
    """
    data_dir, path = config.data_dir(), config.database_path()
    data_dir.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The writer gives the GIL away at every statement; a busy driver must not keep it for the default 5 ms each time.
    sys.setswitchinterval(0.001)
    _allow_descriptors()
    with DataDirLock(data_dir) as folder, DatabaseLock(path, socket_path(data_dir)) as lock, WakePipe() as wake:
        requested = Requested()
        restore = take_signals(requested, wake.wake)
        try:
            parts = DaemonParts(config, load, lock, folder, requested, wake, problems=problems, clock=clock, pages=pages)
            return Supervisor(parts, requested, wake).run()
        finally:
            restore()


def _allow_descriptors() -> None:
    """A port takes three descriptors; the usual soft limit of 1024 would end at some three hundred ports."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
