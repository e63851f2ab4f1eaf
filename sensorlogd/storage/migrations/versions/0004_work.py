"""Work that is kept until it is done (salvage, mends and their undoing, conversion of units), whatever ends in between."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """CREATE TABLE work(
        id INTEGER NOT NULL PRIMARY KEY, kind TEXT NOT NULL, series_id INTEGER, request TEXT NOT NULL DEFAULT '{}',
        progress TEXT NOT NULL DEFAULT '{}', state TEXT NOT NULL, made_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,
        ended_us INTEGER, done INTEGER NOT NULL DEFAULT 0, total INTEGER, outcome TEXT NOT NULL DEFAULT '') STRICT""",
    # 'change': flag or recalibrate; 'replace': what an import with --replace changed.
    "ALTER TABLE mend ADD COLUMN kind TEXT NOT NULL DEFAULT 'change'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
