"""Files that are no tables of text: workbooks, Parquet, SQLite files of other programs, line protocol."""
