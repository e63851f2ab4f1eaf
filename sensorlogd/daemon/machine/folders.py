"""The folders of the log: whether they can be written, and for how long there is space."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sensorlogd.config.footprint import estimate
from sensorlogd.config.models import Config
from sensorlogd.daemon.machine.finding import Finding
from sensorlogd.daemon.machine.user import ENTER, READ, WRITE, User, user_name
from sensorlogd.notation.durations import format_size

SOON_DAYS = 90
KERNEL = (("proc",), ("sys",))  # what the kernel shows there looks like folders, and takes no file


def folders(config: Config, user: User) -> Iterator[Finding]:
    """Folder of the data, folder and file of the database."""
    data, database = config.data_dir(), config.database_path()
    found = folder("daemon.data_dir", data, user)
    if found is not None:
        yield found
    elsewhere = folder("storage.url", database.parent, user, of=database) if database.parent != data else None
    if elsewhere is not None or found is not None:
        yield from filter(None, [elsewhere])
    elif (file := _check_file(database, user)) is not None:
        yield file


def folder(where: str, path: Path, user: User, of: Path | None = None) -> Finding | None:
    """Why ``user`` cannot keep files in a folder (or make it, if it is not there); None if nothing is in the way."""
    meant = of or path
    place = nearest(path)
    try:
        if not place.is_dir():
            return Finding(where, f"{meant}: {place} is a file, not a folder", "name another folder, or move that file away")
        if place != path and place.resolve().parts[1:2] in KERNEL:
            return Finding(where, f"{meant}: cannot be made: {place} holds no files of users", "name a folder on a disk")
        if user.may(place, WRITE | ENTER) and (place != path or user.may(place, READ)):
            return None
        read_only = bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError as error:
        return Finding(where, f"{meant}: cannot be looked at: {error.strerror}", _cure_for_owner(place, user))
    if read_only:
        return Finding(where, f"{meant}: {place} is on a disk that is mounted read-only", "name a folder on another disk")
    what = "cannot be written" if place == path else f"cannot be made: {place} cannot be written"
    return Finding(where, f"{meant}: {what} by the user {user.name}", _cure_for_owner(place, user))


def nearest(path: Path) -> Path:
    """``path`` if it exists, otherwise its nearest parent that does."""
    for place in (path, *path.parents):
        if os.path.lexists(place):
            return place
    return Path("/")


def _cure_for_owner(place: Path, user: User) -> str:
    """What to do about a file or folder that ``user`` may not use."""
    try:
        owner = user_name(place.stat().st_uid)
    except OSError:
        owner = ""
    if owner and owner not in (user.name, "root"):
        return f"it belongs to {owner}: if the daemon runs as {owner}, check as {owner}: sudo -u {owner} sensorlogd check ..."
    return f"name another folder, or give it to the user: sudo install -d -o {user.name} FOLDER"


def _check_file(database: Path, user: User) -> Finding | None:
    """Why ``user`` cannot use the file of the database; None if nothing is in the way, or it is not there yet."""
    try:
        if not database.exists():
            return None
        if not database.is_file():
            return Finding("storage.url", f"{database} is no file", "name the file of a database, or one that is not there yet")
        if not user.may(database, READ | WRITE):
            what = f"{database}: cannot be written by the user {user.name}"
            return Finding("storage.url", what, _cure_for_owner(database, user))
        names = database.stat().st_nlink
    except OSError as error:
        return Finding(
            "storage.url", f"{database}: cannot be looked at: {error.strerror}", _cure_for_owner(database.parent, user)
        )
    if names == 1:
        return None
    return Finding(
        "storage.url",
        f"{database} has {names} names (hard links): whoever opens it by another one damages it, and a backup made of links"
        " changes with it",
        f"find the others (find / -xdev -samefile {database}) and remove them; 'sensorlogd backup' makes copies",
    )


def space(config: Config, now_us: int) -> Iterator[Finding]:
    """Room for the database: now, and for the next months."""
    where = config.database_path().parent
    place = nearest(where)
    try:
        file_system = os.statvfs(place)
    except OSError:
        return
    free, least = file_system.f_bavail * file_system.f_frsize, config.storage.min_free
    free_space = f"{format_size(free)} are free for {where}"
    if free <= least:
        happens = (
            "the oldest readings are dropped" if config.storage.when_full == "drop_oldest" else "nothing is written any more"
        )
        yield Finding(
            "storage.min_free",
            f"{free_space}, below min_free: {format_size(least)}: {happens}",
            "make room, or name another disk",
        )
        return
    a_year = estimate(config).bytes_per_year
    days = (free - least) / (a_year / 365) if a_year else SOON_DAYS + 1
    if days <= SOON_DAYS and config.retention.readings is None:
        on = datetime.fromtimestamp(now_us / 1e6, UTC) + timedelta(days=days)
        yield Finding(
            "storage",
            f"{free_space}, which is used up about {on:%Y-%m-%d} ({format_size(a_year)} a year)",
            "keep less (retention: readings: 30d, or a longer interval:), or name a larger disk",
        )
    if file_system.f_files and not file_system.f_favail:
        yield Finding(
            "storage", f"{place}: the disk has room, but no file can be made any more (no inodes)", "remove files there"
        )
