"""A database of the newest schema, made in one transaction from ``fresh.sql``.

That file is what the migrations make of an empty one: ``python -m sensorlogd.storage.schema.creation > sensorlogd/storage/schema/fresh.sql``,
after a new migration (a test compares the two). Running the migrations themselves takes Alembic and SQLAlchemy in a child
process, 0.4 s on a fast machine and ten on the smallest Pi."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from pathlib import Path

from sensorlogd.storage.file.transaction import transaction

FRESH = Path(__file__).with_name("fresh.sql")


def create(path: Path, page_size: int) -> bool:
    """Create the schema in ``path``. Returns False, and changes nothing, if the file is not empty. Raises sqlite3.Error and
    leaves the file empty."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5.0)) as conn:
        conn.execute(f"PRAGMA page_size = {page_size}")  # both take effect only before the first table
        conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
        with transaction(conn):
            if conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                return False
            for statement in FRESH.read_text().split(";\n\n"):
                conn.execute(statement)
    return True


def script() -> str:
    """What ``fresh.sql`` should hold."""
    import tempfile

    from sensorlogd.storage.migrations.upgrade import upgrade

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        upgrade(path)
        with contextlib.closing(sqlite3.connect(path)) as conn:
            (identity,) = conn.execute("PRAGMA application_id").fetchone()
            statements = [
                statement.rstrip(";") for statement in conn.iterdump() if statement not in ("BEGIN TRANSACTION;", "COMMIT;")
            ]
    return ";\n\n".join([*statements, f"PRAGMA application_id = {identity}"]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(script())
