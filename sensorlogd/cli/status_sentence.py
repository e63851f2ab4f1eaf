"""Says in a sentence what matters most about a log: is it logged, is it stored, and if not, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensorlogd.cli import daemon_condition
from sensorlogd.cli.daemon_condition import Condition
from sensorlogd.notation.plurals import plural

WELL = ("reading", "finished", "disabled", "starting")
NOT_RUN = "never run"  # state of a configured sensor that no daemon has read yet
MAX_REASON_CHARACTERS = 80  # a reason that is longer stands in the table only
MAX_SENSORS_NAMED = 3  # sensors that are named; of more it is said how many


def of(judged: Condition, rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """(sentence, its colour). ``rows``: those of ``status``, one for each sensor."""
    if judged.state == "never started":
        return _without_daemon(rows)
    if judged.state == "stopped" and judged.facts.get("backup_us"):
        return f"Nothing is logged: {judged.explanation}.", "good"
    if judged.state in ("stopped", "crashed", "hung"):
        why = judged.explanation
        return f"Nothing is logged: the daemon {_verb(judged.state)}; {why}.", "bad"
    if judged.state == "blocked":
        return f"Nothing is stored: the daemon reads its sensors but cannot write ({_reason(judged)}).", "bad"
    wrong = _mistakes(judged.facts)
    silent = [row for row in rows if row["state"] not in WELL]
    if silent:
        return _silence(rows, silent) + (f" {wrong}" if wrong else ""), "bad"
    if wrong:
        return f"{_all_sensors(rows)} read and stored, but not as the file says: {wrong[0].lower()}{wrong[1:]}", "bad"
    if judged.facts.get("state", "writing") != "writing":
        return f"The daemon is {judged.facts['state']}: nothing is stored just now.", "warn"
    besides = [label for label, _ in daemon_condition.remarks(judged.facts) if label not in ("work", "wal")]
    if besides:
        return f"{_all_sensors(rows)} read and stored; but see {_listed(list(dict.fromkeys(besides)))} below.", "warn"
    starting = sum(row["state"] == "starting" for row in rows)
    if starting:
        return (
            f"Starting: of {len(rows)} {plural(len(rows), 'sensor')} {starting} {plural(starting, 'is', 'are')} yet to be heard.",
            "warn",
        )
    if not rows:
        return "The daemon runs, and no sensor is configured.", "warn"
    return f"All is well: {_all_sensors(rows, capital=False)} read and stored.", "good"


def _without_daemon(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    if not rows:
        return "Nothing is logged yet: no daemon has run on this database. Start one: sensorlogd run", "warn"
    unread = sum(row["state"] == NOT_RUN for row in rows)
    if unread:
        imported = len(rows) - unread
        beside = f" {imported} {plural(imported, 'sensor was', 'sensors were')} imported." if imported else ""
        return (
            f"Nothing is logged yet: {unread} {plural(unread, 'sensor is', 'sensors are')} configured, and no daemon has run."
            f"{beside} Start one: sensorlogd run",
            "warn",
        )
    what = f"{len(rows)} {plural(len(rows), 'sensor')}"
    return f"This log was imported: {what}, and no daemon that would add to it.", "good"


def _verb(state: str) -> str:
    return {"stopped": "is stopped", "crashed": "has crashed", "hung": "hangs"}[state]


def _reason(condition: Condition) -> str:
    return str(condition.facts.get("state_reason") or "no reason was given")


def _mistakes(facts: Mapping[str, Any]) -> str:
    problems = facts.get("config_errors") or []
    if not problems:
        return ""
    return "The configuration has a mistake." if len(problems) == 1 else f"The configuration has {len(problems)} mistakes."


def _silence(rows: Sequence[Mapping[str, Any]], silent: Sequence[Mapping[str, Any]]) -> str:
    """The sentence about sensors that are silent, ``silent`` of all ``rows``; the reason, if it is one sensor and short."""
    names = [str(row["sensor"]) for row in silent]
    shown = (
        _listed(names)
        if len(names) <= MAX_SENSORS_NAMED
        else f"{_listed(names[: MAX_SENSORS_NAMED - 1], '')} and {len(names) - MAX_SENSORS_NAMED + 1} more"
    )
    verb = "is" if len(names) == 1 else "are"
    why = str(silent[0]["error"] or "").partition(";")[0]
    if len(names) == 1 and why and len(why) <= MAX_REASON_CHARACTERS and why.isprintable():
        silence = f"{shown} is silent ({why})"
    else:
        silence = f"{shown} {verb} silent"
    if len(silent) == len(rows):
        return f"Nothing is heard: {silence}."
    heard = len(rows) - len(silent)
    return f"{silence}; {heard} of {len(rows)} sensors {plural(heard, 'is', 'are')} read and stored."


def _all_sensors(rows: Sequence[Mapping[str, Any]], *, capital: bool = True) -> str:
    if len(rows) == 1:
        return f"{'The' if capital else 'the'} one sensor is"
    return f"{'All' if capital else 'all'} {len(rows)} sensors are"


def _listed(names: Sequence[str], last: str = " and ") -> str:
    if len(names) < 2 or not last:
        return ", ".join(names)
    return ", ".join(names[:-1]) + last + names[-1]
