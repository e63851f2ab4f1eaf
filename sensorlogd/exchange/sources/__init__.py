"""Reads files that are not tables of text: workbooks, Parquet, SQLite files of other programs, line protocol."""
