"""Finds out how the daemon and its sensors are: from the daemon itself if it runs, else from what it wrote last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensorlogd.notation.plurals import plural
from sensorlogd.storage.file.holder import Holder, holder
from sensorlogd.storage.ingest.status import StoredStatus
from sensorlogd.storage.query.health import daemon_state, is_verb
from sensorlogd.storage.query.log_reader import LogReader

ANSWER_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of daemon and sensors. ``facts``: the daemon's, current if ``answered``, else as written last. ``sensors``:
    likewise."""

    state: str
    explanation: str
    answered: bool
    facts: dict[str, Any]
    sensors: list[StoredStatus]


def condition(log: LogReader, now: int, patience_s: float = ANSWER_WITHIN_S) -> Condition:
    """Ask the daemon, or read what it wrote last. ``now``: µs since 1970. Raises sqlite3.Error."""
    return judge(log.path, log.daemon(), log.sensors(), now, patience_s)


def judge(
    database: Path, written: dict[str, Any], sensors: list[StoredStatus], now: int, patience_s: float = ANSWER_WITHIN_S
) -> Condition:
    """Combine what was written with the daemon's answer. ``written``: the daemon's last note, empty if it could not be read."""
    try:
        held = holder(database)
    except OSError:
        held = None  # then go by the note alone
    reported, answered = ({}, None) if held is None or is_verb(held, written) else _ask(held, patience_s)
    facts = written | reported.get("daemon", {})
    if answered:
        sensors = [_with_report(sensor, reported.get("sensors", []), now) for sensor in sensors]
    state, explanation = daemon_state(facts, now, database, held=held, answered=answered)
    return Condition(state, explanation, bool(answered), facts, sensors)


def _ask(held: Holder, patience_s: float) -> tuple[dict[str, Any], bool | None]:
    """(answer, whether the daemon answered; None if it could not be asked)."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import StatusRequest
    from sensorlogd.daemon.control.requests.registry import encode

    if held.control is None or held.control.name != control_socket.NAME:
        return {}, None
    try:
        reply = control_socket.ask(held.control.parent, encode(StatusRequest()), patience_s)
    except (PermissionError, FileNotFoundError):  # no permission to ask; or it is in another container, starting, or stopping
        return {}, None
    except (OSError, ValueError):
        return {}, False
    good = bool(reply.get("ok")) and isinstance(reply.get("daemon"), dict) and isinstance(reply.get("sensors", []), list)
    return (reply, True) if good else ({}, False)


def _with_report(stored: StoredStatus, reported: list[Mapping[str, Any]], now: int) -> StoredStatus:
    """The stored state of a sensor with what the daemon reports of it now."""
    for sensor in reported:
        if sensor.get("sensor") == stored.sensor:
            return replace(
                stored,
                state=sensor.get("state", stored.state),
                last_error=sensor.get("last_error", stored.last_error),
                counters=sensor.get("counters", stored.counters),
                examples=sensor.get("examples", {}),
                updated_us=now,
            )
    return stored


def remarks(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, sentence) of everything in ``facts`` that is out of the ordinary."""
    remarks_made = []
    if facts.get("given_up"):
        lost = int(facts["given_up"])
        what = plural(lost, "reading could not be stored and is", "readings could not be stored and are")
        remarks_made.append(("given up", f"{lost:,} {what} lost"))
    if facts.get("incidents"):
        remarks_made.append(
            (
                "incidents",
                f"{int(facts['incidents']):,} {plural(int(facts['incidents']), 'time')}"
                " a damaged or replaced file was set aside: see 'db incidents'",
            )
        )
    for piece in _as_list(facts.get("work")):
        if isinstance(piece, Mapping):
            total = f" of {int(piece['total']):,}" if piece.get("total") else ""
            outcome = f"; {piece['outcome']}" if piece.get("outcome") else ""
            remarks_made.append(("work", f"{piece.get('kind')}: {int(piece.get('done') or 0):,}{total}{outcome}"))
    if facts.get("wal_held_by"):
        who = facts["wal_held_by"]
        names = ", ".join(map(str, who)) if isinstance(who, list) else str(who)
        size = f"{int(facts['wal_bytes']) / 1e6:,.1f} MB, " if facts.get("wal_bytes") else ""
        remarks_made.append(("wal", f"{size}kept from shrinking by {names}"))
    for part, why in sorted((facts.get("parts") or {}).items()):
        remarks_made.append((part, f"could not start: {why}"))
    remarks_made += _alarms(facts.get("alarms"))
    if facts.get("rollup_error"):
        remarks_made.append(("roll-ups", str(facts["rollup_error"])))
    return remarks_made


def _alarms(reported: Any) -> list[tuple[str, str]]:
    """(label, sentence) about raised alarms, and about targets that messages do not reach."""
    if not isinstance(reported, Mapping):
        return []
    remarks_made = []
    counts = {str(word): int(n) for word, n in dict(reported.get("counts") or {}).items() if word not in ("normal", "pending")}
    if counts:
        some = [
            f"{alarm['alarm']} of {alarm['subject'] or 'the daemon'} ({alarm['severity']})"
            for alarm in _as_list(reported.get("shown"))[:3]
        ]
        more = ", ..." if sum(counts.values()) > len(some) else ""
        count = ", ".join(f"{n} {word}" for word, n in sorted(counts.items()))
        remarks_made.append(("alarms", f"{count}: {', '.join(some)}{more}"))
    return remarks_made + [
        ("notify", f"{target['target']} does not take messages: {target['error']}; {target['waiting']} wait")
        for target in _as_list(reported.get("targets"))
        if target.get("error")
    ]


def clock(facts: Mapping[str, Any]) -> str:
    """A remark on the clock; empty if all is well."""
    reported = facts.get("clock")
    if isinstance(reported, Mapping) and reported.get("sentence") and reported.get("state") != "believed":
        return str(reported["sentence"])
    return "" if facts.get("clock_synchronised", True) else "not synchronised: readings are marked clock_unsynced"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
