"""Alembic migrations of the schema, one file a revision under ``versions``."""
