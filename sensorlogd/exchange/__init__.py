"""Readings as files: CSV and NDJSON, ours and those of others, read and written."""
