"""What roll-ups of counters and states need, and a note of roll-ups that are to be computed anew.

Roll-ups of counters did not know small dips, those of states neither transitions nor times: both are noted as stale, and
the aggregator computes them anew from the readings there are.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE series ADD COLUMN wrap REAL",
    "ALTER TABLE series ADD COLUMN dip REAL NOT NULL DEFAULT 0.1",
    "ALTER TABLE rollup ADD COLUMN transitions INTEGER",
    "ALTER TABLE rollup ADD COLUMN states TEXT",
    """CREATE TABLE stale(
        series_id INTEGER NOT NULL, tier INTEGER NOT NULL, from_us INTEGER NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY(series_id, tier)) STRICT, WITHOUT ROWID""",
    # Cuts through an hour used to delete the part before them; from now on an hour is kept as a whole or not at all.
    "UPDATE retention_cut SET cut_us = cut_us + 3600000000 - cut_us % 3600000000 WHERE cut_us % 3600000000 != 0",
    """INSERT INTO stale SELECT id, 60, coalesce((SELECT cut_us FROM retention_cut
        WHERE series_id = series.id AND tier = 0), -4611686018427387904), 1
        FROM series WHERE kind IN ('counter', 'state')""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
