"""The health of the daemon. Whether it lives is seen by who holds the database; how it does, by what it wrote or answered last.

The age of its last status alone proves nothing: a daemon that was killed a second ago has left a fresh one.
"""

from __future__ import annotations

import contextlib
import glob
from pathlib import Path
from typing import Any

from sensorlogd.notation import times
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.file.holder import Holder, holder
from sensorlogd.storage.query.log_reader import LogReader

HEARTBEAT_US = 30_000_000  # the daemon writes its status every ten seconds, or with its commits if those are rarer
ALIVE = ("running", "blocked")  # sensors are read in these


def daemon_state(
    facts: dict[str, Any], now: int, database: Path, *, held: Holder | None = None, answered: bool | None = None
) -> tuple[str, str]:
    """(state, explanation): running, blocked, hung, stopped, crashed or never started.

    ``facts``: what the daemon wrote last, overlaid by its answer if it gave one: ``answered`` True; False: it was asked
    and kept silent; None: it was not asked, or it was not allowed. ``held``: who holds the database, where that is known already.
    Cheap: it reads the lock file once.
    """
    if held is None:
        try:
            held = holder(database)
        except OSError as error:
            return _state_by_notes(facts, now, error, database)
    if held is None:
        return _state_without_daemon(facts, now, database)
    if is_verb(held, facts):
        state, explanation = _state_without_daemon(facts, now, database)
        return state, f"{explanation}; pid {held.pid} works on the database now"
    return _state_of_living(facts, now, held, answered)


def is_verb(held: Holder, facts: dict[str, Any]) -> bool:
    """Whether the holder is no daemon, but a verb that does a daemon's work while there is none."""
    return held.control is None and held.pid not in (0, int(facts.get("pid") or 0))


def _spills(database: Path, since_us: int) -> list[str]:
    """What a daemon wrote beside the database after its last note, because that took nothing: see
    ``daemon.writing.disk.spill``."""
    found = []
    for path in database.parent.glob(f"{glob.escape(database.name)}.spill-*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime_ns // 1000 >= since_us:
                found.append(path.name)
    return sorted(found)


def _state_without_daemon(facts: dict[str, Any], now: int, database: Path) -> tuple[str, str]:
    """The state, if nobody holds the database."""
    if not (facts.get("heartbeat_us") or facts.get("started_us") or facts.get("pid")):  # verbs leave notes, too
        return "never started", "no daemon has run on this database"
    if facts.get("backup_us"):
        return "stopped", f"this is a backup made at {times.format_time(int(facts['backup_us']))}, and no daemon has run on it"
    ago = f"{times.format_age(_age_us(facts, now))} ago"
    clean = bool(facts.get("clean_shutdown"))
    if not clean and (spills := _spills(database, int(facts.get("heartbeat_us") or 0))):
        waits = ", ".join(spills)
        return (
            "stopped",
            f"the database took nothing at the end; what could not be stored is in {waits}, the next start takes it up",
        )
    if not clean and facts.get("state") != "stopped":
        return "crashed", f"pid {int(facts.get('pid') or 0)} ended without a clean stop; last sign of life {ago}"
    sentences = [f"stopped cleanly {ago}" if clean else f"stopped {ago}, not everything that was received is stored"]
    if facts.get("state") == "blocked":
        sentences.append(f"it could not write: {facts.get('state_reason') or 'no reason was given'}")
    if facts.get("given_up"):
        sentences.append(f"{int(facts['given_up']):,} {plural(int(facts['given_up']), 'reading was', 'readings were')} given up")
    return "stopped", "; ".join(sentences)


def _state_of_living(facts: dict[str, Any], now: int, held: Holder, answered: bool | None) -> tuple[str, str]:
    """The state, if a daemon holds the database."""
    pid = held.pid or int(facts.get("pid") or 0)
    if answered is not True and (not facts or (held.pid and held.pid != int(facts.get("pid") or 0))):
        return "running", f"pid {pid}, has not written its status yet"
    age = _age_us(facts, now)
    old = answered is not True and age > HEARTBEAT_US + 3 * int(facts.get("commit_interval_us") or 0)
    note = "" if answered is True else f", by its note of {times.format_age(age)} ago"
    if old and answered is False:
        return "hung", f"pid {pid} does not answer and has not written its status for {times.format_age(age)}; see its log"
    if facts.get("state") == "blocked":
        return (
            "blocked",
            f"pid {pid} cannot write{_blocked_since(facts, now)}: {facts.get('state_reason') or 'no reason was given'}{note}",
        )
    if old:
        return "hung", f"pid {pid} cannot write, or hangs: it has not written its status for {times.format_age(age)}; see its log"
    silent = "; it does not answer just now" if answered is False else ""
    return "running", f"pid {pid}, for {times.format_age(now - int(facts.get('started_us', now)))}{silent}{note}"


def _blocked_since(facts: dict[str, Any], now: int) -> str:
    """Words on when writing ended, with a blank in front; empty if that is not known."""
    if facts.get("blocked_since_us"):
        return f", for {times.format_age(now - int(facts['blocked_since_us']))} now"
    if facts.get("last_commit_us"):
        return f" (last commit {times.format_age(now - int(facts['last_commit_us']))} ago)"
    return ""


def _state_by_notes(facts: dict[str, Any], now: int, error: OSError, database: Path) -> tuple[str, str]:
    """The state, if the lock may not be read: only the last status is left to judge by."""
    if not facts or facts.get("clean_shutdown"):
        return _state_without_daemon(facts, now, database)
    age = _age_us(facts, now)
    if age > HEARTBEAT_US + 3 * int(facts.get("commit_interval_us") or 0):
        return "crashed", f"last sign of life {times.format_age(age)} ago; whether it still lives cannot be seen ({error})"
    state = "blocked" if facts.get("state") == "blocked" else "running"
    return state, f"by its note of {times.format_age(age)} ago; whether it still lives cannot be seen ({error})"


def _age_us(facts: dict[str, Any], now: int) -> int:
    """How long ago the last sign of life was, in microseconds; 0 if the clock was set back since."""
    return max(now - int(facts.get("heartbeat_us") or 0), 0)


def newest_by_sensor(log: LogReader, now: int) -> dict[str, int]:
    """When each sensor's newest reading was, current to the last commit (the status tables are seconds older)."""
    newest: dict[str, int] = {}
    for reading in log.latest(log.series(), now):
        if reading is not None:
            newest[reading.series.sensor] = max(newest.get(reading.series.sensor, reading.ts_us), reading.ts_us)
    return newest


SILENCES_UNTIL_FAILED = 3  # heartbeats; by then the daemon has opened the sensor again at least once


def sensor_health(state: str, since_us: int, last_us: int | None, heartbeat_us: int, now: int) -> str:
    """One word for people: ok, stale, reconnecting, waiting, failed; finished, stopped and disabled as they are.

    ``state``: what the daemon wrote, ``since_us`` since when. ``last_us``: of the newest reading.
    """
    if state not in ("reading", "stale", "backing_off", "starting"):
        return state
    silence = now - (since_us if last_us is None or (state == "starting" and last_us < since_us) else last_us)
    if silence > SILENCES_UNTIL_FAILED * heartbeat_us:
        return "failed"
    if state == "starting":
        return "waiting"
    if silence > heartbeat_us or state == "stale":
        return "stale"
    return "reconnecting" if state == "backing_off" else "ok"
