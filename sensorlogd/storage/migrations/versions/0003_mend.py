"""What was mended afterwards (``flag``, ``recalibrate``), and what it was before, so that it can be taken back."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """CREATE TABLE mend(
        id INTEGER NOT NULL PRIMARY KEY, made_us INTEGER NOT NULL, series_id INTEGER NOT NULL, since_us INTEGER NOT NULL,
        until_us INTEGER NOT NULL, quality INTEGER, scale REAL, "offset" REAL, note TEXT NOT NULL,
        at_us INTEGER NOT NULL, readings INTEGER NOT NULL DEFAULT 0, done_us INTEGER, undone_us INTEGER) STRICT""",
    """CREATE TABLE mended(
        mend_id INTEGER NOT NULL, first_ts INTEGER NOT NULL, n INTEGER NOT NULL, before BLOB NOT NULL,
        PRIMARY KEY(mend_id, first_ts)) STRICT, WITHOUT ROWID""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
