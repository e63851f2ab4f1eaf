"""Which disk is looked at."""

from __future__ import annotations

from pathlib import Path

from sensorlogd.daemon.writing.disk.space import Space


def test_the_disk_of_a_database_behind_a_link_is_the_one_it_lies_on(tmp_path: Path) -> None:
    """SQLite writes beside what the link leads to, and that disk is the one that gets full; also before the file is there."""
    (tmp_path / "card").mkdir()
    link = tmp_path / "log.db"
    link.symlink_to(tmp_path / "card" / "real.db")
    assert Space(link, 1).folder == (tmp_path / "card").resolve()
    assert Space(tmp_path / "plain.db", 1).folder == tmp_path.resolve()
