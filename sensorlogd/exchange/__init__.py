"""Reads and writes files of readings: CSV, NDJSON and others, our own formats and those of other programs."""
