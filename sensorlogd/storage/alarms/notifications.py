"""The table ``notification``: every notification until it is sent or given up, and of those the newest 10,000.

The caller of what writes owns the transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

KEEP = 10_000  # of those that are sent or given up
WAITING, SENT, GIVEN_UP = "waiting", "sent", "given up"


class NoticeRow(NamedTuple):
    """A row of ``notification``. ``body``: what a receiver gets of it."""

    identity: str
    target: str
    kind: str
    name: str
    subject: str
    made_us: int
    body: dict[str, Any]
    state: str
    tries: int


class NotificationOutcome(NamedTuple):
    """The outcome of a notification."""

    identity: str
    state: str
    tries: int
    ended_us: int | None
    message: str
    error: str


_NOTICE = (
    "INSERT INTO notification(identity, target, kind, name, subject, made_us, body, state, tries) VALUES (?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(identity) DO NOTHING"
)
_OUTCOME = "UPDATE notification SET state = ?2, tries = ?3, ended_us = ?4, message = ?5, error = ?6 WHERE identity = ?1 AND state = 'waiting'"


def add(conn: sqlite3.Connection, notices: Iterable[NoticeRow]) -> None:
    """Store the notifications; one whose identity is stored already stays as it is."""
    for notice in notices:
        conn.execute(_NOTICE, (*notice[:6], json.dumps(notice.body, ensure_ascii=False), *notice[7:]))


def end(conn: sqlite3.Connection, outcomes: Sequence[NotificationOutcome]) -> None:
    """Note the outcomes of notifications, and delete the oldest finished ones beyond ``KEEP``."""
    for outcome in outcomes:
        conn.execute(_OUTCOME, outcome)
    if any(outcome.state != WAITING for outcome in outcomes):
        conn.execute(
            "DELETE FROM notification WHERE state <> 'waiting' AND id <= (SELECT max(id) FROM notification) - ?", (KEEP,)
        )


def waiting(conn: sqlite3.Connection) -> list[NoticeRow]:
    """The notifications that are still to be sent, the oldest first."""
    found = conn.execute(
        "SELECT identity, target, kind, name, subject, made_us, body, state, tries FROM notification WHERE state = 'waiting' ORDER BY id"
    )
    return [
        NoticeRow(identity, target, kind, name, subject, made, json.loads(body), state, tries)
        for identity, target, kind, name, subject, made, body, state, tries in found
    ]


def counts(conn: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """(target, state, how many notifications)."""
    return conn.execute(
        "SELECT target, state, count(*) FROM notification GROUP BY target, state ORDER BY target, state"
    ).fetchall()
