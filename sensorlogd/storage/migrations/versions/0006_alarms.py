"""Alarms: the state of each, what changed when, and what people are notified of."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    """CREATE TABLE alarm(
        id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, subject TEXT NOT NULL, definition TEXT NOT NULL,
        condition TEXT NOT NULL, severity TEXT NOT NULL, unit TEXT NOT NULL DEFAULT '', state TEXT NOT NULL,
        since_us INTEGER NOT NULL, held_at INTEGER, raised_at INTEGER NOT NULL DEFAULT 0, raised_us INTEGER NOT NULL DEFAULT 0,
        told_at INTEGER NOT NULL DEFAULT 0, last_at INTEGER NOT NULL DEFAULT 0, escalated INTEGER NOT NULL DEFAULT 0, value REAL,
        detail TEXT NOT NULL DEFAULT '', raises INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
        shelved_until_at INTEGER NOT NULL DEFAULT 0, shelved_until_us INTEGER, text TEXT NOT NULL DEFAULT '',
        UNIQUE (name, subject)) STRICT""",
    """CREATE TABLE alarm_change(
        id INTEGER NOT NULL PRIMARY KEY, ts INTEGER NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL,
        "before" TEXT NOT NULL, "after" TEXT NOT NULL, value REAL, detail TEXT NOT NULL DEFAULT '') STRICT""",
    "CREATE INDEX alarm_change_ts ON alarm_change (ts)",
    """CREATE TABLE notification(
        id INTEGER NOT NULL PRIMARY KEY, identity TEXT NOT NULL UNIQUE, target TEXT NOT NULL, kind TEXT NOT NULL,
        name TEXT NOT NULL, subject TEXT NOT NULL, made_us INTEGER NOT NULL, body TEXT NOT NULL DEFAULT '{}',
        state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, ended_us INTEGER, message TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '') STRICT""",
    "CREATE INDEX notification_state ON notification (state)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
