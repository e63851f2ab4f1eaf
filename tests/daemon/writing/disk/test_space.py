"""Which disk is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.daemon.writing.disk.space import Space
from sensorlogd.daemon.writing.recovery.failures import LowSpace


def test_the_disk_of_a_database_behind_a_link_is_the_one_it_lies_on(tmp_path: Path) -> None:
    """SQLite writes beside what the link leads to, and that disk is the one that gets full; also before the file is there."""
    (tmp_path / "card").mkdir()
    link = tmp_path / "log.db"
    link.symlink_to(tmp_path / "card" / "real.db")
    assert Space(link, 1).folder == (tmp_path / "card").resolve()
    assert Space(tmp_path / "plain.db", 1).folder == tmp_path.resolve()


def test_too_little_space_says_where_and_what_to_do(tmp_path: Path) -> None:
    """The folder, what is free there, and which setting asks for more."""
    with pytest.raises(LowSpace) as low:
        Space(tmp_path / "log.db", 1 << 62).check()
    text = str(low.value)
    assert text.startswith(f"{tmp_path.resolve()}: its disk has only ")
    assert f"storage.min_free is {1 << 62:,}; make room, or set min_free lower" in text
