"""Where a counter begins: its offset (see ``sensorlogd/counters.py``).

It is filled when the configuration is next read, which makes the roll-ups of the counters that have one outdated.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = ("ALTER TABLE series ADD COLUMN zero REAL NOT NULL DEFAULT 0.0",)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
