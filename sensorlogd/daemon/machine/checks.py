"""Runs all checks of this machine, in the order of the configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from sensorlogd.config import profiles
from sensorlogd.config.models import Config
from sensorlogd.daemon.machine import addresses, folders, ports, sources
from sensorlogd.daemon.machine.finding import Finding
from sensorlogd.daemon.machine.user import User
from sensorlogd.daemon.timekeeping import sync_sources
from sensorlogd.storage.file.holder import holder

_NOT_BEFORE_US = 1_735_689_600_000_000  # 2025: a clock before that has lost its time


def check(config: Config, *, user: User | None = None, now_us: int | None = None, names: bool = True) -> list[Finding]:
    """Everything of this machine that does not fit. ``user``: who is going to run the daemon; None: found out.
    ``names``: whether machines are looked up in the network.

    Where a daemon has the database already, it has shown that it may write there; its ports and its address are its own.
    """
    now = time.time_ns() // 1000 if now_us is None else now_us
    running = _pid_of_daemon(config)
    user = user or _user_of_service(config)
    own_pids = {os.getpid(), running}
    found = [] if running else list(folders.folders(config, user))
    found += folders.space(config, now)
    found += addresses.check(config, user.uid, own_pids)
    found += _check_clock(now)
    found += ports.check(config, user, own_pids=own_pids)
    found += sources.check(config, user, names=names)
    found += _check_profiles(config)
    return found


def _pid_of_daemon(config: Config) -> int:
    """The pid of the process that has the database open; 0 if none can be seen."""
    try:
        owner = holder(config.database_path())
    except OSError:
        return 0
    return 0 if owner is None else owner.pid


def _user_of_service(config: Config) -> User:
    """This user; for root the one that the data folder belongs to, which is the user of the service."""
    me = User.current()
    if me.uid == 0:
        return User.owner_of(config.data_dir()) or me
    return me


def _check_clock(now_us: int) -> Iterator[Finding]:
    if now_us < _NOT_BEFORE_US:
        on = datetime.fromtimestamp(now_us / 1e6, UTC)
        yield Finding(
            "clock", f"this machine believes that it is {on:%Y-%m-%d}", "set it: sudo timedatectl set-ntp true, or date -s"
        )
    elif sync_sources.synchronised() is False:
        yield Finding(
            "clock",
            "no time server sets the clock of this machine, so times of readings drift",
            "sudo timedatectl set-ntp true; or, if it is right, 'sensorlogd clock --believe'",
        )


def _check_profiles(config: Config) -> Iterator[Finding]:
    """Profiles of the user that stand before one of the package."""
    known: dict[str, profiles.Profile] | None = None
    for name, sensor in config.sensors.items():
        if sensor.profile is None:
            continue
        known = profiles.available(config.base_dir) if known is None else known
        profile = known.get(sensor.profile)
        if profile is not None and profile.own and (profiles.SHIPPED / f"{sensor.profile}.yaml").exists():
            yield Finding(
                f"sensors.{name}.profile",
                f"{sensor.profile} is taken from {profile.path}, not from the package, which has one of this name",
                "if that is not meant, remove or rename the file",
            )
