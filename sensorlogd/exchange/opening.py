"""Finds out which kind of file it is by its first bytes, and opens it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from sensorlogd.exchange.mapping import planning
from sensorlogd.exchange.options import Options, PointOptions, RecordOptions, taken_of
from sensorlogd.exchange.plan import ImportPlan
from sensorlogd.exchange.sources import homeassistant, influx, parquet, sqlite, table, weewx, workbook
from sensorlogd.exchange.text.lines import FileError, Lines

FILE_KINDS = ("text", "excel", "parquet", "sqlite", "weewx", "homeassistant", "influx")
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"
_MAX_COMMENT_LINES = 20  # lines that may be comments before the first point


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file, and what was said of it.

    path      None for a pipe
    name      for people
    encoding  of a text file
    kind      one of FILE_KINDS; None: found out
    table     a table or sheet of the file; None: found out
    """

    file: IO[bytes]
    path: Path | None
    name: str
    encoding: str = "utf-8"
    kind: str | None = None
    table: str | None = None


def opened(source: FileToRead, options: Options, stack: ExitStack) -> tuple[Lines, ImportPlan]:
    """(lines, how they are read): by the kind that was said, else by the first bytes, else by the first line. ``stack``: closes what
    is opened.

    Raises FileError, ValueError (options that do not fit).
    """
    file, path = source.file, source.path
    begin = b""
    if path is not None and file.seekable():
        begin = file.read(16)
        file.seek(0)
    file_kind = source.kind or _kind_of_bytes(begin)
    if file_kind in ("excel", "parquet", "sqlite", "weewx", "homeassistant"):
        if path is None:
            raise FileError(source.name, 0, f"{file_kind} is read from a file, not from a pipe; save it and name the file")
        if file_kind == "excel":
            lines, understood_as = workbook.lines(path, source.table, options.decimal, stack)
            return lines, _plan_table(lines, options, understood_as)
        if file_kind == "parquet":
            lines = parquet.lines(path, options.decimal, stack)
            return lines, _plan_table(lines, options, "Parquet")
        return _open_database(path, file_kind, options, source.table, stack)
    if source.table is not None:
        raise ValueError(f"--table {source.table!r}: this is a text file, which has no tables; leave --table out")
    text = Lines(file, source.name, source.encoding)
    if file_kind == "influx" or (file_kind is None and not options.times and not options.columns and _is_influx(text)):
        taken = taken_of(PointOptions, options, "line protocol")
        understood_as = f"line protocol, times in {taken.time_format if taken.time_format != 'iso' else 'nanoseconds'}"
        return text, ImportPlan(True, understood_as, influx.Points(text, taken), text, options)
    return text, planning.plan(text, options)


def _kind_of_bytes(begin: bytes) -> str | None:
    if begin.startswith(_ZIP):
        return "excel"
    if begin.startswith(_PARQUET):
        return "parquet"
    return "sqlite" if begin.startswith(sqlite.MAGIC) else None


def _is_influx(lines: Lines) -> bool:
    first = next((line for line in lines.peek(_MAX_COMMENT_LINES) if line.strip() and not line.startswith("#")), "")
    return influx.looks_like(first)


def _plan_table(lines: Lines, options: Options, understood_as: str) -> ImportPlan:
    """The plan for a table of cells. Raises FileError, ValueError."""
    if options.delimiter is not None:
        raise ValueError(f"--delimiter {options.delimiter!r}: this file has cells, which nothing divides; leave --delimiter out")
    found = planning.plan(lines, replace(options, delimiter=table.DELIMITER))
    return replace(found, understood_as=f"{understood_as}: {found.understood_as}")


def _open_database(path: Path, kind: str, options: Options, chosen: str | None, stack: ExitStack) -> tuple[Lines, ImportPlan]:
    """(lines, how they are read) of a SQLite file: those of weewx and Home Assistant are known by their tables unless a column is
    said. Raises FileError."""
    conn = sqlite.connect(path, stack)
    nothing = table.TableLines(iter(()), str(path))
    names = sqlite.tables(conn)
    said = bool(options.times or options.columns)
    if kind == "weewx" or (kind == "sqlite" and not said and chosen in (None, weewx.TABLE) and weewx.has_archive(conn)):
        if not weewx.has_archive(conn):
            raise FileError(
                str(path), 0, f"there is no table {weewx.TABLE!r} with {', '.join(weewx.KEYS)}: this is not a database of weewx"
            )
        archive = weewx.Archive(conn, str(path), taken_of(RecordOptions, options, "a database of weewx"))
        return nothing, ImportPlan(True, "archive of weewx", archive, nothing, options)
    if kind == "homeassistant" or (
        kind == "sqlite" and not said and chosen in (None, *homeassistant.TABLES) and homeassistant.is_recorder(names)
    ):
        table_name = chosen or "states"
        if table_name not in homeassistant.TABLES:
            raise FileError(str(path), 0, f"--table {table_name!r}: of Home Assistant {', '.join(homeassistant.TABLES)} are read")
        taken = taken_of(RecordOptions, options, "a database of Home Assistant")
        more = "; 'statistics' reach back further: --table statistics" if chosen is None and "statistics" in names else ""
        recorder = homeassistant.Recorder(conn, table_name, str(path), taken)
        return nothing, ImportPlan(True, f"Home Assistant, table {table_name!r}{more}", recorder, nothing, options)
    lines, understood_as = sqlite.lines(conn, str(path), chosen, options.decimal, stack)
    return lines, _plan_table(lines, options, understood_as)
