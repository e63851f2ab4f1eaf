"""SQL is written in ``storage`` only: whoever reads the tables must know their borders, cuts and edges. And of the tables of
readings ``storage/reading_tables`` alone: code that takes ``history`` for all that is old is wrong as soon as there is another table.

Where a transaction begins and ends is the business of whoever owns the connection, and not looked at here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "sensorlogd"
SQL = re.compile(
    r"\b(SELECT\b.+\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|CREATE (TABLE|INDEX|VIEW)|PRAGMA \w+)\b",
    re.DOTALL,
)
# A temporary file of its own, which holds an import until it has been looked at; it is no log.
OWN_FILES = {"exchange/sorting.py"}
# Databases of other programs, read to be imported.
OTHERS = "exchange/sources/"
READINGS = {"recent", "history"}
OF_READINGS = re.compile(rf"\b(FROM|INTO|JOIN|UPDATE|TABLE|EXISTS)\s+({'|'.join(READINGS)})\b")
NAMED = re.compile(rf"\b({'|'.join(READINGS)})\b")
# The one place, what makes the tables, and the views over them.
KNOW_READING_TABLES = ("storage/reading_tables/", "storage/migrations/")
# Tables with one owner; migrations and views name them too, and what reads a damaged file or joins them with readings.
OWNERS = {
    "latest": {"storage/ingest/latest.py"},
    "dirty": {"storage/rollups/outdated.py", "storage/salvage/former.py"},
    "stale": {"storage/rollups/outdated.py", "storage/salvage/former.py", "storage/reading_tables/survey.py"},
    "meta": {"storage/meta.py"},
    "work": {"storage/work.py"},
    "event": {"storage/ingest/events.py", "storage/salvage/former.py", "storage/salvage/restoring.py"},
    "daemon_status": {"storage/ingest/status.py", "storage/schema/check.py"},
    "sensor_status": {"storage/ingest/status.py"},
    "alarm": {"storage/alarms/states.py"},
    "alarm_change": {"storage/alarms/changes.py"},
    "notification": {"storage/alarms/notifications.py"},
    "retention_cut": {"storage/cuts.py", "storage/salvage/former.py", "storage/reading_tables/survey.py"},
    "calibration": {"storage/calibrations.py"},
    "mend": {
        "storage/corrections/mend_rows.py",
        "storage/corrections/originals.py",
        "storage/salvage/former.py",
        "storage/maintenance/inspection.py",
    },
}
# Tables that many read and one module writes.
WRITERS = {
    "rollup": "storage/rollups/stored_rollups.py",
    "mend": "storage/corrections/mend_rows.py",
    "mended": "storage/corrections/originals.py",
}
# Tables in which one module makes rows, whoever changes them.
MAKERS = {"sensor": "storage/series/rows.py", "series": "storage/series/rows.py"}
MADE = re.compile(rf"\b(?:INSERT (?:OR \w+ )?INTO|REPLACE INTO)\s+({'|'.join(MAKERS)})\b")
WRITTEN = re.compile(rf"\b(?:INSERT (?:OR \w+ )?INTO|REPLACE INTO|UPDATE|DELETE FROM)\s+({'|'.join(WRITERS)})\b")
OF_OWNED = re.compile(rf"\b(FROM|INTO|JOIN|UPDATE)\s+({'|'.join(OWNERS)})\b")


GAP = "_"  # stands for what an f-string puts in


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of each string that is no docstring; an f-string is one string, whatever is put into it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    seen = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):  # an f-string comes before its parts
        if isinstance(node, ast.JoinedStr) and id(node) not in seen:
            seen |= {id(part) for part in node.values if isinstance(part, ast.Constant)}
            yield node.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen:
            yield node.lineno, node.value


def statements(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of each string that is SQL."""
    yield from ((line, text) for line, text in strings(ast.parse(source)) if SQL.search(text))


def names_of_readings(source: str, *, in_storage: bool) -> Iterator[tuple[int, str]]:
    """(line, text) of what names the tables of readings: in SQL or a part of it; both names together in one literal, from which
    SQL is made; and in storage, where it means nothing else, either name alone."""
    tree = ast.parse(source)
    for line, text in strings(tree):
        if OF_READINGS.search(text) or (SQL.search(text) and NAMED.search(text)) or (in_storage and text in READINGS):
            yield line, text
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict):
            named = {text for _, text in strings(node) if text in READINGS}
            if named == READINGS:
                yield node.lineno, ast.unparse(node)


def test_no_sql_outside_storage() -> None:
    """Others call a function of storage."""
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text[:60]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] != "storage"
        and str(path.relative_to(PACKAGE)) not in OWN_FILES
        and not path.relative_to(PACKAGE).as_posix().startswith(OTHERS)
        for line, text in statements(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_sql"),
    [
        ('conn.execute("SELECT 1 FROM series")', True),
        ('conn.execute(f"PRAGMA incremental_vacuum({n})")', True),
        ('"select a sensor from the list"', False),
        ('"""Docstring: SELECT a FROM b."""', False),
        ('X = "INSERT INTO recent VALUES (1)"', True),
        ('X = f"SELECT {columns} FROM rollup"', True),
        ('X = f"SELECT {columns}" f" FROM ({some}) GROUP BY tile"', True),
        ('X = f"INSERT INTO {table} VALUES (1)"', True),
        ('X = f"UPDATE {table} SET x = 1"', True),
        ('X = f"select {one} from {other}"', False),
        ('X = f"{some!r:>{width}}"', False),
    ],
)
def test_what_is_taken_for_sql(text: str, is_sql: bool) -> None:
    """The look itself sees what it must see."""
    assert bool(list(statements(text))) is is_sql


def test_only_one_room_knows_the_tables_of_readings() -> None:
    """Others ask ``storage.reading_tables``."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(KNOW_READING_TABLES):
            named = names_of_readings(path.read_text(), in_storage=name.startswith("storage/"))
            found += [f"{name}:{line}: {text[:60]}" for line, text in named]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_seen"),
    [
        ('conn.execute("SELECT 1 FROM recent")', True),
        ('conn.execute("SELECT 1 FROM series, history WHERE id = series_id")', True),
        ('X = "DELETE FROM history WHERE ts < ?"', True),
        ('X = "INSERT INTO history SELECT * FROM other"', True),
        ('X = "UPDATE recent SET value = 1"', True),
        ('X = ("SELECT (SELECT min(ts)"\n  " FROM history)")', True),
        ('span = f"FROM recent WHERE ts >= ? {some}"', True),
        ('X = f"SELECT {columns} " f"FROM\\n history AS h"', True),
        ('X = {table: f"SELECT 1 FROM {table}" for table in ("recent", "history")}', True),
        ('for table in ["history", "rollup", "recent"]: pass', True),
        ('X = {"history": 1, "recent": 2}', True),
        ('find.format("recent")', True),
        ('table = "history"', True),
        ('X = "SELECT 1 FROM readings"', False),
        ('X = "its history goes on"', False),
        ('X = "from recent readings"', False),
        ('"""Docstring: SELECT ts FROM history."""', False),
        ('X = "SELECT * FROM history_of_others"', False),
    ],
)
def test_what_is_taken_for_a_table_of_readings(text: str, is_seen: bool) -> None:
    """The look itself sees what it must see."""
    assert bool(list(names_of_readings(text, in_storage=True))) is is_seen


def test_outside_storage_history_is_also_a_word() -> None:
    """Of SQL, and of both names together, it is none."""
    assert not list(names_of_readings('state = "history"', in_storage=False))
    assert list(names_of_readings('TABLES = ("recent", "history")', in_storage=False))


def test_a_table_with_an_owner_is_named_by_nobody_else() -> None:
    """Others call the owner, which knows when a reading is the newest and when a mark may go."""
    found = [
        f"{name}:{line}: {text[:60]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not (name := path.relative_to(PACKAGE).as_posix()).startswith("storage/migrations/")
        for line, text in strings(ast.parse(path.read_text()))
        for _, table in OF_OWNED.findall(text)
        if name not in OWNERS[table]
    ]
    assert found == []


def test_a_table_with_one_writer_is_written_by_nobody_else() -> None:
    """Others call it, so that each column is filled in one place."""
    found = [
        f"{name}:{line}: {text[:60]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not (name := path.relative_to(PACKAGE).as_posix()).startswith(("storage/migrations/", "storage/schema.py"))
        for line, text in strings(ast.parse(path.read_text()))
        for table in (*WRITTEN.findall(text), *MADE.findall(text))
        if name != (WRITERS | MAKERS)[table]
    ]
    assert found == []


@pytest.mark.parametrize("table", MAKERS)
def test_what_is_taken_for_making_a_row(table: str) -> None:
    """The look itself sees what it must see, and the maker is one."""
    assert MADE.findall(f"INSERT INTO {table}(a) VALUES (1)") == [table]
    assert not MADE.findall(f"UPDATE {table} SET a = 1")
    assert table in {
        found for _, text in strings(ast.parse((PACKAGE / MAKERS[table]).read_text())) for found in MADE.findall(text)
    }


@pytest.mark.parametrize("table", WRITERS)
def test_what_is_taken_for_writing(table: str) -> None:
    """The look itself sees what it must see, and the writer is the one that writes."""
    for text in (f"INSERT INTO {table}(a) VALUES (1)", f"UPDATE {table} SET a = 1", f"DELETE FROM {table} WHERE a = 1"):
        assert WRITTEN.findall(text) == [table]
    assert not WRITTEN.findall(f"SELECT a FROM {table}")
    source = (PACKAGE / WRITERS[table]).read_text()
    assert table in {found for _, text in strings(ast.parse(source)) for found in WRITTEN.findall(text)}
