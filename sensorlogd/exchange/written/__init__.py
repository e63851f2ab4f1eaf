"""Writes rows as files: text for programs, text and workbooks for spreadsheets, Parquet."""
