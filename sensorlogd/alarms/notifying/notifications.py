"""What people are notified of: one notification for each alarm and target, and messages that gather them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sensorlogd.alarms.judging.alarm import Alarm, Announcement
from sensorlogd.config import conditions
from sensorlogd.config.alarms import TargetOptions
from sensorlogd.notation.durations import format_duration
from sensorlogd.notation.numbers import text as number
from sensorlogd.notation.times import format_time
from sensorlogd.storage.alarms.notifications import WAITING, NoticeRow

# Notifications, changes and events that wait for a commit, while the database takes nothing for days: the oldest give way. The
# sender gets those notifications again and again, and remembers this many so that none is sent twice.
MAX_UNSTORED_RESULTS = 20_000
MAX_LINES = 50
MIN_PATIENCE_S, MAX_PATIENCE_S = 5.0, 60.0
SEVERITIES = ("info", "warning", "critical")
WORDS = {"raised": "", "repeated": "still: ", "escalated": "nobody acknowledges: ", "resolved": "over: ", "test": ""}


def of(announcement: Announcement, targets: Mapping[str, TargetOptions], zone: str) -> list[NoticeRow]:
    """A row for each target that wants to hear of it."""
    rows = []
    for name in announcement.targets:
        target = targets.get(name)
        if target is None or (announcement.kind == "resolved" and not target.resolved):
            continue
        identity = uuid.uuid4().hex
        body = _body(announcement, zone) | {"id": identity}
        alarm = announcement.alarm
        rows.append(NoticeRow(identity, name, announcement.kind, alarm.name, alarm.subject, announcement.ts_us, body, WAITING, 0))
    return rows


def test(target: str, now_us: int, zone: str) -> NoticeRow:
    """A notification that says that it is a test."""
    identity = uuid.uuid4().hex
    line = f"test: if you read this, {target} works"
    body = {
        "id": identity,
        "kind": "test",
        "alarm": "test",
        "severity": "critical",
        "time": format_time(now_us, zone),
        "line": line,
    }
    return NoticeRow(identity, target, "test", "test", "", now_us, body, WAITING, 0)


def fault_of(row: NoticeRow) -> str:
    """Why a stored notification cannot be sent: its body is not one of ``of`` or ``test``, as when another release wrote it. Empty
    if it can."""
    body = row.body
    if not isinstance(body, dict):
        return "its body is not a JSON object"
    missing = [key for key in ("kind", "alarm", "severity", "line") if key not in body]
    if missing:
        return f"its body has no {', '.join(missing)}"
    if body["severity"] not in SEVERITIES:
        return f"its severity is {body['severity']!r}; known: {', '.join(SEVERITIES)}"
    if not isinstance(body.get("patient"), bool | int | float | None):
        return f"its waiting time is {body['patient']!r}, not a number of seconds"
    span = body.get("quiet")
    if span is not None and not (isinstance(span, list | tuple) and [type(minute) for minute in span] == [int, int]):
        return f"its quiet hours are {span!r}, not two minutes of the day"
    return ""


def _body(announcement: Announcement, zone: str) -> dict[str, Any]:
    """What a notification says of one alarm, as targets get it and the database keeps it."""
    alarm, options = announcement.alarm, announcement.alarm.definition.options
    sensor, _, channel = alarm.subject.partition(".")
    unit = "" if alarm.series is None else alarm.series.unit
    return {
        "kind": announcement.kind,
        "alarm": alarm.name,
        "severity": options.severity,
        "sensor": sensor,
        "channel": channel,
        "state": announcement.state.value,
        "value": announcement.value,
        "unit": unit,
        "condition": alarm.definition.words,
        "detail": announcement.detail,
        "text": options.text or "",
        "since": format_time(announcement.raised_us, zone),
        "time": format_time(announcement.ts_us, zone),
        "quiet": options.quiet,
        "patient": _patience_s(alarm),
        "line": _line(announcement),
    }


def _patience_s(alarm: Alarm) -> float:
    """How long to wait for others. Silence and events often come together, and seconds do not count: sensors behind a hub that is
    dead fall silent over the time of one interval, which is a third of their heartbeat."""
    when = alarm.definition.when
    if when is None or alarm.series is None:
        return MIN_PATIENCE_S
    if when.kind != conditions.MISSING:
        return 0.0
    return min(max(alarm.series.heartbeat_us / 3e6, MIN_PATIENCE_S), MAX_PATIENCE_S)


def _line(announcement: Announcement) -> str:
    """One alarm in one line."""
    alarm, options = announcement.alarm, announcement.alarm.definition.options
    text = f"{WORDS[announcement.kind]}{alarm.name}: {sentence(alarm, announcement.value, announcement.detail, ended=announcement.kind == 'resolved')}"
    return f"{text}; {options.text}" if options.text and announcement.kind != "resolved" else text


def sentence(alarm: Alarm, value: float | None, detail: str, *, ended: bool) -> str:
    """One sentence for people about what an alarm has found. ``value``, ``detail``: as they were at that moment."""
    when, subject = alarm.definition.when, alarm.subject
    if when is None:
        return f"{subject + ' ' if subject else ''}{detail}"
    if when.kind == conditions.MISSING:
        assert alarm.series is not None
        silence = format_duration(when.over_us or alarm.series.heartbeat_us)
        return f"{subject} sends again" if ended else f"{subject} has sent nothing for {silence}"
    if when.kind == conditions.STUCK:
        return f"{subject} changes again" if ended else f"{subject} does not change ({value_of(alarm, value)}, {when.text()})"
    if when.kind == conditions.FLAG:
        return f"{subject} is good again" if ended else f"{subject} sends readings with {when.text()}"
    what = subject if when.kind == conditions.VALUE else f"{when.kind} of {subject}"
    return f"{what} is {value_of(alarm, value)} ({alarm.definition.words}{', not any more' if ended else ''})"


def value_of(alarm: Alarm, value: float | None) -> str:
    """With its unit."""
    if value is None:
        return "unknown"
    when, unit = alarm.definition.when, "" if alarm.series is None else alarm.series.unit
    if when is not None and when.kind == conditions.RATE:
        return f"{value * 60:.4g} {unit}/min"
    exact = when is None or when.kind == conditions.VALUE
    return f"{number(value) if exact else f'{value:.6g}'} {unit}".rstrip()


def message(rows: Sequence[NoticeRow], target: str, logger_name: str) -> dict[str, Any]:
    """What a receiver gets: one JSON object. ``message`` is the same for the same notifications, each of which has an ``id``."""
    bodies = [{key: value for key, value in row.body.items() if key not in ("quiet", "patient")} for row in rows]
    identity = hashlib.sha256(" ".join(sorted(row.identity for row in rows)).encode()).hexdigest()[:32]
    severity = max((str(body["severity"]) for body in bodies), key=SEVERITIES.index)
    lines = [str(body["line"]) for body in bodies]
    more = [f"and {len(lines) - MAX_LINES} more"] if len(lines) > MAX_LINES else []
    return {
        "message": identity,
        "logger": logger_name,
        "target": target,
        "severity": severity,
        "title": _title(bodies, severity, logger_name),
        "text": "\n".join(lines[:MAX_LINES] + more),
        "alarms": bodies,
    }


def _title(bodies: Sequence[Mapping[str, Any]], severity: str, logger_name: str) -> str:
    """E.g. "logger: critical: freezer_warm", or of several "logger: warning: 2 alarms, 1 over: a, b, c, ..."."""
    prefix = f"{logger_name}: " if logger_name else ""
    if len(bodies) == 1:
        kind = "over" if bodies[0]["kind"] == "resolved" else severity
        return f"{prefix}{kind}: {bodies[0]['alarm']}"
    raised = sum(body["kind"] != "resolved" for body in bodies)
    names = sorted({str(body["alarm"]) for body in bodies})
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    count = f"{raised} alarm{'s' if raised > 1 else ''}" if raised else ""
    over = f"{len(bodies) - raised} over" if raised < len(bodies) else ""
    return f"{prefix}{severity}: {', '.join(filter(None, (count, over)))}: {shown}"
