"""A spill: readings and events that could not be committed before the daemon had to end. Written to a file beside the database,
and stored exactly once by the next start.

A spill is a text file, ``NAME.spill-<UTC>-<pid>``: a line that says what it is, a line of JSON for each hand-over of a sensor
(the columns of ``batch.Block``) and for each event, and a last line with a CRC-32 of all before it. It is complete or not
there: written under another name, synced, renamed. Taking it up is one transaction, in which the spill's identity is noted;
a crash between that and the removal of the file does not store it twice. The first line also says how many readings were
given up and are counted nowhere yet, and which commit may have taken effect although its COMMIT has not returned, or has raised
an error: what the database has of that one is left out (of readings it is known which are the same).
"""

from __future__ import annotations

import contextlib
import glob
import json
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.intake.unstored import UncertainCommit
from sensorlogd.event_kinds import kind_of
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import events as stored_events
from sensorlogd.storage.ingest.append import Appended, append
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


class SpillDamaged(Exception):
    """The file is not what was written; the text says why."""


@dataclass(frozen=True, slots=True)
class Spill:
    """A spill as read from its file."""

    identity: str
    blocks: Sequence[Block]
    events: Sequence[Event]
    given_up: int = 0
    uncertain: UncertainCommit | None = None

    @property
    def readings(self) -> int:
        return sum(block.rows for block in self.blocks)


def write(
    database: Path,
    blocks: Iterable[Block],
    events: Iterable[Event],
    now_us: int,
    *,
    given_up: int = 0,
    uncertain: UncertainCommit | None = None,
) -> Path:
    """Write a spill for ``database``. Returns the path of its file. ``given_up``: readings that are lost and counted
    nowhere yet. ``uncertain``: the commit that may hold some of this. Raises OSError, MemoryError; then nothing is left. A folder that cannot be synced is only logged: the
    next start takes the file up, unless the power fails first."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(max(now_us, 0) / 1e6))
    target, temporary, descriptor = _claim(database, f"{stamp}-{os.getpid()}")
    try:
        with os.fdopen(descriptor, "wb") as file:
            crc = 0
            first = _first_line(target.name, now_us, given_up, uncertain)
            for line in chain([first], _lines(blocks, events)):  # one at a time: memory may be short
                content = line.encode("utf-8", "backslashreplace") + b"\n"
                crc = zlib.crc32(content, crc)
                file.write(content)
            file.write(f"crc32 {crc:08x}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    try:
        _sync_folder(target.parent)
    except OSError as error:  # an error raised here would count as lost what the next start stores
        logger.warning(
            "writer: %s is written; its folder cannot be synced (%s), so a power cut could still lose it", target, error
        )
    return target


def _first_line(name: str, now_us: int, given_up: int, uncertain: UncertainCommit | None) -> str:
    more = {"given_up": given_up} if given_up else {}
    return json.dumps(
        {"spill": name, "made_us": now_us, **more} | ({} if uncertain is None else {"uncertain": asdict(uncertain)})
    )


def _lines(blocks: Iterable[Block], events: Iterable[Event]) -> Iterator[str]:
    """The lines of a spill between the first and the last one, with the checksum."""
    for block in blocks:
        if block.rows:
            yield json.dumps(_encode_block(block), default=repr)
    for event in events:
        yield json.dumps({"event": list(event)})


def _claim(database: Path, stamp: str) -> tuple[Path, Path, int]:
    """A name for a spill that no other has, its name until it is complete, and the descriptor of that file, which is open for
    writing. Two threads may write a spill at once: the writer, and whoever has given up waiting for it. Raises OSError."""
    number = 0
    while True:
        target = database.with_name(f"{database.name}.spill-{stamp}" + (f"-{number}" if number else ""))
        temporary = target.with_name(f".{target.name}.part")
        number += 1
        if target.exists():
            continue
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except FileExistsError:
            continue
        if not target.exists():  # the other thread has not completed its own meanwhile
            return target, temporary, descriptor
        os.close(descriptor)
        temporary.unlink(missing_ok=True)


def _encode_block(block: Block) -> dict[str, object]:
    # Columns that were sampled together share the list of times, and do so again when they are read.
    times = [list(times_us) for times_us in {id(column.times_us): column.times_us for column in block.columns}.values()]
    index = {
        identity: position for position, identity in enumerate(dict.fromkeys(id(column.times_us) for column in block.columns))
    }
    columns = [
        {"channel": column.channel, "times": index[id(column.times_us)], "values": column.values, "quality": column.quality}
        for column in block.columns
    ]
    return {"sensor": block.sensor, "device_time": block.device_time, "times": times, "columns": columns}


def found(database: Path) -> list[Path]:
    """The spills that wait for ``database``, the oldest first."""
    return sorted(
        path for path in database.parent.glob(f"{glob.escape(database.name)}.spill-*") if not path.name.endswith(".damaged")
    )


def read(path: Path) -> Spill:
    """The spill that a file contains. Raises SpillDamaged, OSError."""
    content = path.read_bytes()
    body, _, last = content.rstrip(b"\n").rpartition(b"\n")
    body += b"\n"
    expected = f"crc32 {zlib.crc32(body):08x}"
    if last != expected.encode():
        end = last[:24].decode("ascii", "backslashreplace")
        raise SpillDamaged(f"{path}: it was cut or changed: its last line should be {expected!r}, and begins with {end!r}")
    try:
        first, *rest = [json.loads(line) for line in body.splitlines()]
        blocks = [_decode_block(line) for line in rest if "sensor" in line]
        events = [_decode_event(*line["event"]) for line in rest if "event" in line]
        uncertain = UncertainCommit(**first["uncertain"]) if "uncertain" in first else None
        return Spill(str(first["spill"]), blocks, events, int(first.get("given_up", 0)), uncertain)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SpillDamaged(f"{path}: {error}") from error


def _decode_event(ts_us: int, kind: str, sensor: str | None, detail: str) -> Event:
    return Event(ts_us, kind_of(kind), sensor, detail)


def _decode_block(line: Mapping[str, object]) -> Block:
    times: list[list[int]] = line["times"]  # type: ignore[assignment]  # as written by _encode_block; anything else raises
    columns = [
        Column(column["channel"], times[column["times"]], column["values"], column["quality"])
        for column in line["columns"]  # type: ignore[attr-defined]
    ]
    return Block(str(line["sensor"]), columns, bool(line["device_time"]))


def take_up(db: OpenDatabase, path: Path, spill: Spill, ids: Mapping[tuple[str, str], int]) -> Appended | None:
    """Store what was read from ``path``, one transaction, and remove that file; one that cannot be removed is not
    stored again. None: it was stored before. ``ids``: (sensor, channel) -> series, under the names of the run that
    wrote it. Raises sqlite3.Error."""
    if meta.get(db.conn, meta.SPILL + spill.identity) is not None:
        _remove(path)
        return None
    with db.transaction() as conn:
        result = append(conn, spill.blocks, ids, db.frontier, retrying=True)
        events, given_up = _without_stored(conn, spill)
        for event in events:
            stored_events.record(conn, *event)
        if given_up:
            meta.put(conn, meta.GIVEN_UP, str(meta.get_int(conn, meta.GIVEN_UP) + given_up))
        meta.put(conn, meta.SPILL + spill.identity, str(result.stored))
    _remove(path)
    return result


def _without_stored(conn: sqlite3.Connection, spill: Spill) -> tuple[Sequence[Event], int]:
    """The events, and the number of readings given up, that the database does not have yet. Raises sqlite3.Error."""
    uncertain = spill.uncertain
    if uncertain is None or meta.get(conn, meta.LAST_COMMIT) != uncertain.key:
        return spill.events, spill.given_up
    return spill.events[uncertain.events :], spill.given_up - uncertain.dropped


def _remove(path: Path) -> None:
    """Remove a spill that is stored; a file that stays costs its room and nothing else."""
    try:
        path.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        logger.warning("writer: %s is stored, and its file cannot be removed (%s); you may remove it", path, error)


def forget_stored(db: OpenDatabase) -> None:
    """Delete the notes of stored spills whose files are gone. Raises sqlite3.Error."""
    names = {path.name for path in found(db.path)}
    gone = [key for key in meta.keys(db.conn, meta.SPILL) if key.removeprefix(meta.SPILL) not in names]
    if gone:
        with db.transaction() as conn:
            meta.remove(conn, gone)


def put_aside(path: Path) -> Path:
    """Rename a damaged spill, so that it is kept for people and not read again. Returns its path: the old one if renaming
    fails."""
    try:
        return path.rename(path.with_name(path.name + ".damaged"))
    except OSError:
        return path


def clear_unfinished(database: Path) -> None:
    """Delete unfinished spills that a kill has left behind. For the holder of the database's lock. Raises nothing."""
    for part in database.parent.glob(f".{glob.escape(database.name)}.spill-*.part"):
        with contextlib.suppress(OSError):
            part.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
