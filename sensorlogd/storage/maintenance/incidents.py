"""Damage is an incident: a folder of its own with every file of the database that was set aside, and a note of what happened.

    DIR/damaged/20261125T101500Z/incident.json     reason, when, which files; state "moving", then "whole"
                                 log.db            the main file, its -wal and its -shm, under the names they had
                                 log.db-wal
    DIR/log.db.corrupt-20261125T101500Z            a symbolic link into the folder, one for each file

A database, its WAL and its shm belong together: without the WAL, committed rows are gone; with another's, everything is.
No two incidents share a name, so one file's WAL never meets another's main file. The note is on the disk before the first
file moves, and the main file moves last: cut off anywhere, the next call completes the same incident. Nothing here opens
the files of the database, because a process that has it open would lose its locks on it: they are only renamed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.storage.file.identity import file_identity

logger = logging.getLogger(__name__)

FOLDER = "damaged"
NOTE = "incident.json"
SIDES = ("-shm", "-wal")  # in the order in which they move
_MOVING, _WHOLE = "moving", "whole"


@dataclass(frozen=True, slots=True)
class Incident:
    """What was set aside at one time. ``files``: name -> size in bytes, of those that were moved here.

    ``main``: the main file; None if it was missing, or stayed because only side files were foreign. ``is_whole``: False
    while files are still to be moved. ``salvaged``: all that can be read of it is back in a database.
    """

    folder: Path
    name: str
    database: str
    when_us: int
    reason: str
    files: Mapping[str, int]
    main: Path | None
    is_whole: bool
    salvaged: bool
    is_wanted: bool = True  # False: it is only kept; whoever exchanged the file wanted the other one

    @property
    def wal(self) -> Path | None:
        """Its WAL; None if there is none."""
        name = f"{self.database}-wal"
        return self.folder / name if name in self.files else None


def set_aside(database: Path, now_us: int, reason: str, *, only_side_files: bool = False) -> Incident:
    """Move the database and its side files into a folder of their own. Raises OSError; call it again to complete it.

    ``only_side_files``: the main file stays, its WAL is another's. A connection may be open to the database: closing it
    afterwards is harmless as long as no new database was made under the old name.
    """
    done = finish_unfinished(database)
    database = _resolved(database)
    suffixes = SIDES if only_side_files else (*SIDES, "")
    planned = {f"{database.name}{suffix}": _identity(_beside(database, suffix)) for suffix in suffixes}
    if done is not None and not any(planned.values()):
        return done
    folder = _new_folder(database, now_us)
    note = {
        "database": database.name,
        "when_us": now_us,
        "reason": reason,
        "state": _MOVING,
        "files": {name: identity for name, identity in planned.items() if identity is not None},
        "salvaged": False,
        "is_wanted": not only_side_files,
    }
    try:
        _write_note(folder, note)
    except OSError:  # a full disk: no file has moved yet
        _remove_folder(folder)
        raise
    return _complete_move(database, folder, note, is_certain=True)


def keep(database: Path, now_us: int, reason: str, fill: Callable[[Path], None], *, is_wanted: bool) -> Incident:
    """An incident whose main file ``fill(path)`` writes: a copy of what has no name any more. Raises what it raises, and
    OSError; nothing is left then."""
    database = _resolved(database)
    folder = _new_folder(database, now_us)
    try:
        fill(folder / database.name)
        _sync_folder(folder)
        note = {
            "database": database.name,
            "when_us": now_us,
            "reason": reason,
            "state": _WHOLE,
            "files": {database.name: None},
            "salvaged": False,
            "is_wanted": is_wanted,
        }
        _write_note(folder, note)
    except BaseException:
        _remove_folder(folder)
        raise
    _make_link(database, folder, database.name)
    return _incident_of(folder, note)


def finish_unfinished(database: Path) -> Incident | None:
    """Complete the incident that was cut off, if there is one: to be called before the database is opened. Raises OSError."""
    database = _resolved(database)
    for folder, note in _notes(database):
        if note["state"] == _MOVING:
            return _complete_move(database, folder, note)
    return None


def all_incidents(database: Path) -> list[Incident]:
    """What was set aside of this database, the newest last; whatever else lies there is passed over."""
    return [_incident_of(folder, note) for folder, note in _notes(_resolved(database))]


def unfinished_salvage(database: Path) -> list[Incident]:
    """The incidents whose readings are not all back, the newest last."""
    return [
        incident for incident in all_incidents(database) if incident.is_whole and incident.is_wanted and not incident.salvaged
    ]


def find(database: Path, name: str) -> Incident | None:
    """The incident of that name (of its folder)."""
    database = _resolved(database)
    folder = database.parent / FOLDER / name
    note = _read_note(folder) if name and Path(name).name == name else None
    return None if note is None or note["database"] != database.name else _incident_of(folder, note)


def mark_salvaged(incident: Incident) -> None:
    """Note, on the disk, that all that can be read is back. Raises OSError."""
    note = _read_note(incident.folder)
    if note is not None:
        _write_note(incident.folder, {**note, "salvaged": True})


def remove(incident: Incident) -> None:
    """Delete its files and links; the note last, so that what was cut off can be seen and done again. Raises OSError."""
    parent = incident.folder.parent.parent
    for link in parent.glob(f"{_escaped(incident.database)}.corrupt-{incident.name}*"):
        if link.is_symlink() and Path(os.readlink(link)).parent == Path(FOLDER, incident.name):
            link.unlink(missing_ok=True)
    for file in incident.folder.iterdir():
        if file.name != NOTE:
            file.unlink(missing_ok=True)
    (incident.folder / NOTE).unlink(missing_ok=True)
    incident.folder.rmdir()
    _sync_folder(incident.folder.parent)
    _sync_folder(parent)


def _remove_folder(folder: Path) -> None:
    """Delete a folder for which the incident could not be completed, with its files. Raises nothing."""
    with contextlib.suppress(OSError):
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
        folder.rmdir()


# ---- moving ------------------------------------------------------------------------------------------------------------


def _complete_move(database: Path, folder: Path, note: dict[str, Any], *, is_certain: bool = False) -> Incident:
    """Move what has not been moved yet, make the links, and note that it is whole. May be repeated.

    ``is_certain``: nothing came between the plan and this. Otherwise, while the main file waits, whatever lies beside it
    belongs to it; once it has gone, a side file under its name may be that of a new database.
    """
    planned: Mapping[str, Any] = note["files"]
    main_waits = database.name in planned and not (folder / database.name).exists()
    for suffix in SIDES:
        name = f"{database.name}{suffix}"
        if name in planned:
            _move(_beside(database, suffix), folder / name, None if is_certain or main_waits else planned[name])
    _sync_folder(folder)
    _sync_folder(database.parent)  # the main file does not go before its WAL has gone for certain
    if main_waits:
        _move(database, folder / database.name, None)
        _sync_folder(folder)
        _sync_folder(database.parent)
    for name in planned:
        _make_link(database, folder, name)
    _sync_folder(database.parent)
    whole = {**note, "state": _WHOLE}
    _write_note(folder, whole)
    return _incident_of(folder, whole)


def _move(source: Path, target: Path, identity: Sequence[int] | None) -> None:
    """Move a file, unless ``target`` is there already. ``identity``: move it only if it is still that file."""
    if target.exists() or (identity is not None and _identity(source) != list(identity)):
        return
    with contextlib.suppress(FileNotFoundError):
        source.rename(target)


def _make_link(database: Path, folder: Path, name: str) -> None:
    if not (folder / name).exists():
        return
    link = database.with_name(_link_name(database.name, folder.name, name))
    # A convenience for people: a file system without links (FAT), or one that is full, goes without.
    try:
        link.symlink_to(Path(FOLDER, folder.name, name))
    except FileExistsError:
        return
    except (OSError, NotImplementedError) as error:
        logger.warning("%s: no link to %s could be made: %s", link, folder / name, error)


def _link_name(database: str, incident: str, name: str) -> str:
    return f"{database}.corrupt-{incident}{name.removeprefix(database)}"


def _new_folder(database: Path, now_us: int) -> Path:
    """A folder whose name, and the names of whose links, nobody has. On the disk when this returns."""
    damaged = database.parent / FOLDER
    damaged.mkdir(exist_ok=True)
    _sync_folder(database.parent)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_us / 1e6))
    number = 0
    while True:
        folder = damaged / (f"{stamp}-{number}" if number else stamp)
        number += 1
        names = [f"{database.name}{suffix}" for suffix in (*SIDES, "")]
        if any(os.path.lexists(database.with_name(_link_name(database.name, folder.name, name))) for name in names):
            continue  # of a former release, which left the files there
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            _sync_folder(damaged)
            return folder


# ---- the note ----------------------------------------------------------------------------------------------------------


def _notes(database: Path) -> list[tuple[Path, dict[str, Any]]]:
    """(folder, note) of this database's incidents, the newest last."""
    return sorted(_each_note(database), key=lambda found: (found[1]["when_us"], _number_in_name(found[0].name)))


def _each_note(database: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    try:
        folders = list((database.parent / FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for folder in folders:
        note = _read_note(folder)
        if note is not None and note["database"] == database.name:
            yield folder, note


def _number_in_name(name: str) -> int:
    """The number at the end of a folder's name, which tells incidents of one second apart; 0 if there is none."""
    _, _, number = name.partition("-")
    return int(number) if number.isdecimal() else 0


def _read_note(folder: Path) -> dict[str, Any] | None:
    """The note in ``folder``; None if there is none that makes sense."""
    try:
        note = json.loads((folder / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    wanted = {"database": str, "when_us": int, "reason": str, "state": str, "files": dict}
    if not isinstance(note, dict) or any(not isinstance(note.get(name), kind) for name, kind in wanted.items()):
        return None
    return note


def _write_note(folder: Path, note: Mapping[str, Any]) -> None:
    """All of it or nothing, on the disk when this returns."""
    temporary = folder / f"{NOTE}.new"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(note, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / NOTE)
    _sync_folder(folder)


def _incident_of(folder: Path, note: Mapping[str, Any]) -> Incident:
    """The incident that a note tells of; ``files`` are those of the note that are in the folder."""
    sizes: dict[str, int] = {}
    for name in note["files"]:
        with contextlib.suppress(OSError):
            sizes[name] = (folder / name).stat().st_size
    database = note["database"]
    return Incident(
        folder,
        folder.name,
        database,
        note["when_us"],
        note["reason"],
        sizes,
        folder / database if database in sizes else None,
        note["state"] == _WHOLE,
        note.get("salvaged") is True,
        note.get("is_wanted") is not False,
    )


# ---- files -------------------------------------------------------------------------------------------------------------


def _resolved(database: Path) -> Path:
    """The file that a symbolic link leads to, because SQLite follows links and puts the WAL beside that file."""
    return Path(os.path.realpath(database))


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def _identity(path: Path) -> list[int] | None:
    """[device, inode, changed at]; None if there is no such file. An inode alone is given to the next file that is made."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return [*file_identity(status), status.st_mtime_ns]


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
