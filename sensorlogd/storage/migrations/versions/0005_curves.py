"""Calibration by curves; and what a counter's roll-ups need to tell a glitch from a reset (see ``storage/rollups/rollup.py``)."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    "ALTER TABLE calibration ADD COLUMN curve TEXT",
    "ALTER TABLE mend ADD COLUMN curve TEXT",
    "ALTER TABLE rollup ADD COLUMN second REAL",
    "ALTER TABLE rollup ADD COLUMN last_but_one REAL",
    # Roll-ups of counters are computed anew, as far back as their readings are kept.
    """INSERT INTO stale(series_id, tier, from_us, generation)
        SELECT id, 60, coalesce((SELECT cut_us - cut_us % 3600000000 FROM retention_cut WHERE series_id = id AND tier = 0),
            -4611686018427387904), 1 FROM series WHERE kind = 'counter'
        ON CONFLICT(series_id, tier) DO UPDATE SET from_us = min(from_us, excluded.from_us), generation = generation + 1""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
