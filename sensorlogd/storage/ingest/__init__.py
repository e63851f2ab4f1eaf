"""Rows on their way into the tables: readings, the newest of them, events, status."""
