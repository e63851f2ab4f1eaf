"""Run the migrations on one file, all in one transaction: a failed one leaves the file as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine, event
from sqlalchemy.pool import NullPool

from sensorlogd.storage.file.identity import APPLICATION_ID, PAGE_SIZE
from sensorlogd.storage.migrations.views import VIEWS


def upgrade(path: Path, to: str = "head") -> None:
    """Create or upgrade ``path`` to revision ``to``. Raises sqlalchemy.exc.DBAPIError or OSError."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    # isolation_level None: the driver begins no transaction by itself, so DDL is part of the one below.
    engine = create_engine(
        URL.create("sqlite", database=str(path.absolute())),
        poolclass=NullPool,
        connect_args={"isolation_level": None, "timeout": 5.0},
    )
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    environment = EnvironmentContext(
        config, scripts, fn=lambda revision, _: scripts._upgrade_revs(to, revision), destination_rev=to
    )
    try:
        with engine.connect() as conn, environment:
            raw: Any = conn.connection.dbapi_connection
            (tables,) = raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if not tables:  # both take effect only before the first table
                raw.execute(f"PRAGMA page_size = {PAGE_SIZE}")
                raw.execute("PRAGMA auto_vacuum = INCREMENTAL")
            with conn.begin():
                for view in VIEWS:  # altering a table under a view fails half-way
                    conn.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
                environment.configure(connection=conn)
                environment.run_migrations()
                for statement in VIEWS.values():
                    conn.exec_driver_sql(statement)
                conn.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    finally:
        engine.dispose()
