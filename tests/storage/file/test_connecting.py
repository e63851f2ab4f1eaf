"""Connecting: to the file that is named, and to no other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.storage.file.connecting import connect_to_read, connect_to_write


@pytest.mark.parametrize("name", ["log.db", "a?mode=rwc", "50 % #1.db", "Größe.db"])
def test_the_file_of_that_name_is_opened_and_none_is_made(tmp_path: Path, name: str) -> None:
    """Whatever in the name has a meaning in the address of a file: whoever reads cannot write, whoever writes can."""
    path = tmp_path / name
    for connect in (connect_to_read, connect_to_write):
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            connect(path, timeout_s=0.0)
    assert list(tmp_path.iterdir()) == []
    path.touch()
    with closing(connect_to_write(path, timeout_s=0.0)) as conn:
        conn.execute("CREATE TABLE t(x)")
    for unchanging in (False, True):
        with closing(connect_to_read(path, unchanging=unchanging)) as conn:
            assert conn.execute("SELECT count(*) FROM t").fetchone() == (0,)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                conn.execute("INSERT INTO t VALUES (1)")
    assert list(tmp_path.iterdir()) == [path]
