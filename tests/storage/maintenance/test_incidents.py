"""Damaged files are set aside whole, and stay apart: whatever cuts the move off, and whatever was set aside before."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.storage.maintenance import incidents
from tests.connections import connect_writer

T0 = 1_750_000_000_000_000
SUFFIXES = ("", "-wal", "-shm")
CALLS = ("rename", "replace", "fsync", "mkdir", "symlink", "open", "stat")


class PowerCut(BaseException):  # nothing that handles errors sees it
    """Everything ends here."""


def make(path: Path, text: str, suffixes: tuple[str, ...] = SUFFIXES) -> dict[str, bytes]:
    """A set of files, told apart by what is in them."""
    content = {suffix: f"{text}{suffix}".encode() for suffix in suffixes}
    for suffix, raw in content.items():
        path.with_name(path.name + suffix).write_bytes(raw)
    return content


def held(incident: incidents.Incident) -> dict[str, bytes]:
    """What is in its folder, by suffix."""
    return {name.removeprefix(incident.database): (incident.folder / name).read_bytes() for name in incident.files}


def test_the_set_moves_as_one_and_is_told(tmp_path: Path) -> None:
    """Folder, note, links under the names of former releases; nothing left where it was."""
    path = tmp_path / "log.db"
    content = make(path, "a")
    made = incidents.set_aside(path, T0, "page 7 is damaged")
    assert (made.name, made.reason, made.when_us, made.is_whole, made.salvaged) == (
        "20250615T150640Z", "page 7 is damaged", T0, True, False,
    )  # fmt: skip
    assert made.main == tmp_path / "damaged/20250615T150640Z/log.db"
    assert made.wal == tmp_path / "damaged/20250615T150640Z/log.db-wal"
    assert held(made) == content
    assert made.files == {"log.db": 1, "log.db-wal": 5, "log.db-shm": 5}
    links = {link.name: link.read_bytes() for link in tmp_path.iterdir() if link.is_symlink()}
    assert links == {f"log.db.corrupt-20250615T150640Z{suffix}": raw for suffix, raw in content.items()}
    assert {entry.name for entry in tmp_path.iterdir()} == {*links, "damaged"}
    assert incidents.all_incidents(path) == [made]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_it_completes_where_no_link_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Links are a convenience: a full disk, or a file system without them, leaves a warning only."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    content = make(path := tmp_path / "log.db", "a")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    made = incidents.set_aside(path, T0, "page 7 is damaged")
    assert (made.is_whole, held(made)) == (True, content)
    assert incidents.finish_unfinished(path) is None
    assert os.strerror(code) in caplog.text


def test_sqlite_opens_it_through_the_link(path: Path) -> None:
    """People and scripts use the names of before; the WAL is found, because SQLite follows the link."""
    conn = connect_writer(path)
    try:
        conn.execute("INSERT INTO meta VALUES ('a', 'b')")
        crashed = path.with_name("crashed.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
    finally:
        conn.close()
    made = incidents.set_aside(crashed, T0, "test")
    with contextlib.closing(sqlite3.connect(path.with_name(f"crashed.db.corrupt-{made.name}"))) as again:
        assert again.execute("SELECT * FROM meta").fetchall() == [("a", "b")]


def test_an_open_connection_keeps_writing_to_what_was_set_aside(path: Path) -> None:
    """The move needs no descriptor on the database: the locks of this process stay, and nothing committed is lost."""
    with contextlib.closing(connect_writer(path)) as conn:
        conn.execute("INSERT INTO meta VALUES ('a', 'b')")
        made = incidents.set_aside(path, T0, "test")
        conn.execute("INSERT INTO meta VALUES ('c', 'd')")
        assert made.main is not None
        with contextlib.closing(sqlite3.connect(made.main, timeout=0)) as other:
            assert other.execute("SELECT count(*) FROM meta").fetchone() == (2,)


def test_several_within_a_second_have_folders_of_their_own(tmp_path: Path) -> None:
    """Names are never shared, nor those that a former release left beside the database."""
    path = tmp_path / "log.db"
    (tmp_path / "log.db.corrupt-20250615T150640Z-1-wal").write_bytes(b"of a former release")
    contents = []
    for number in range(12):
        contents.append(make(path, f"set {number}"))
        incidents.set_aside(path, T0, f"number {number}")
    found = incidents.all_incidents(path)
    assert [incident.reason for incident in found] == [f"number {number}" for number in range(12)]
    assert [held(incident) for incident in found] == contents
    assert [incident.name for incident in found[:3]] == ["20250615T150640Z", "20250615T150640Z-2", "20250615T150640Z-3"]


def test_a_foreign_wal_goes_without_the_main_file(tmp_path: Path) -> None:
    """After a restored backup the database stays, what belonged to the one before it goes."""
    path = tmp_path / "log.db"
    content = make(path, "a")
    made = incidents.set_aside(path, T0, "the WAL is of another file", only_side_files=True)
    assert path.read_bytes() == content.pop("")
    assert (made.main, held(made)) == (None, content)
    assert [entry.name for entry in sorted(tmp_path.glob("log.db*"))] == [
        "log.db", "log.db.corrupt-20250615T150640Z-shm", "log.db.corrupt-20250615T150640Z-wal",
    ]  # fmt: skip


def test_a_linked_database_is_set_aside_where_it_is(tmp_path: Path) -> None:
    """The link stays and leads to the next database; the files move within their own file system."""
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk/real.db", tmp_path / "log.db"
    content = make(real, "a")
    link.symlink_to(real)
    made = incidents.set_aside(link, T0, "test")
    assert (made.folder.parent, held(made)) == (tmp_path / "disk/damaged", content)
    assert link.is_symlink()
    assert incidents.all_incidents(link) == [made]


def test_removing_takes_the_links_along_and_nothing_else(tmp_path: Path) -> None:
    """Files of former releases and other incidents stay."""
    path = tmp_path / "log.db"
    make(path, "a")
    first = incidents.set_aside(path, T0, "first")
    make(path, "b")
    second = incidents.set_aside(path, T0, "second")
    (tmp_path / f"log.db.corrupt-{first.name}-shm").unlink()
    (tmp_path / f"log.db.corrupt-{first.name}-shm").write_bytes(b"a file of its own")
    (first.folder / "rebuilt.db").write_bytes(b"made from it")
    incidents.remove(first)
    assert incidents.all_incidents(path) == [second]
    assert not first.folder.exists()
    assert {entry.name for entry in tmp_path.iterdir()} == {
        "damaged", f"log.db.corrupt-{first.name}-shm", *(f"log.db.corrupt-{second.name}{suffix}" for suffix in SUFFIXES),
    }  # fmt: skip


def test_what_was_salvaged_is_remembered(tmp_path: Path) -> None:
    """A new database asks for the others only."""
    path = tmp_path / "log.db"
    made = []
    for text in "abc":
        make(path, text)
        made.append(incidents.set_aside(path, T0, text))
    incidents.mark_salvaged(made[1])
    assert [incident.name for incident in incidents.unfinished_salvage(path)] == [made[0].name, made[2].name]
    found = incidents.find(path, made[1].name)
    assert found is not None
    assert found.salvaged


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b'{"database": "log.db"}', b"\xff\xfe", b'{"database":1,"when_us":"x"}'])
def test_junk_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    """Folders without a note, notes that are none, files where folders should be, another database's incidents."""
    path, other = tmp_path / "log.db", tmp_path / "other.db"
    make(path, "a")
    make(other, "b")
    made = incidents.set_aside(path, T0, "test")
    incidents.set_aside(other, T0, "another's")
    (tmp_path / "damaged/empty").mkdir()
    (tmp_path / "damaged/file").write_bytes(junk)
    (tmp_path / "damaged/odd").mkdir()
    (tmp_path / "damaged/odd/incident.json").write_bytes(junk)
    assert incidents.all_incidents(path) == [made]


# ---- cut off anywhere --------------------------------------------------------------------------------------------------


def cut_at(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> Callable[[], bool]:
    """Everything ends before (``after``: right after) the ``at``-th change of the file system. Returns: did it come so far?"""
    calls = 0

    def wrap(name: str) -> None:
        real: Callable[..., Any] = (
            (lambda descriptor: None) if name == "fsync" else getattr(os, name)
        )  # to wait for a disk proves nothing here

        def wrapped(*args: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at and not after:
                raise PowerCut(name)
            result = real(*args, **named)
            if calls == at:
                if name == "open":
                    os.close(result)
                raise PowerCut(name)
            return result

        monkeypatch.setattr(os, name, wrapped)

    for name in CALLS:
        wrap(name)
    return lambda: calls >= at


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("suffixes", [SUFFIXES, ("", "-wal"), ("-wal", "-shm"), ("",)], ids=["all", "no shm", "no main", "main"])
@pytest.mark.parametrize("only_sides", [False, True], ids=["whole", "only side files"])
@pytest.mark.parametrize("then", ["finish", "set aside again"])
def test_cut_off_anywhere_the_next_call_completes_it(
    tmp_path: Path, after: bool, suffixes: tuple[str, ...], only_sides: bool, then: str
) -> None:
    """All files are in one incident in the end, none is lost, none is mixed with those of the database that follows."""
    at = 0
    while True:
        at += 1
        folder = tmp_path / f"{at}"
        folder.mkdir()
        path = folder / "log.db"
        content = make(path, "a", suffixes)
        with pytest.MonkeyPatch.context() as monkeypatch:
            reached = cut_at(monkeypatch, at, after=after)
            with contextlib.suppress(PowerCut):
                incidents.set_aside(path, T0, "first", only_side_files=only_sides)
            if not reached():
                break
        before_fresh = incidents.finish_unfinished(path)
        stays = {suffix: raw for suffix, raw in content.items() if not suffix} if only_sides else {}
        if then == "finish" and before_fresh is None and not incidents.all_incidents(path):
            # It was cut off before anything was noted: nothing has moved.
            assert {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in content} == content
            continue
        if then == "set aside again" and not incidents.all_incidents(path):
            incidents.set_aside(path, T0, "first", only_side_files=only_sides)
        (incident,) = incidents.all_incidents(path)
        assert incident.is_whole
        assert held(incident) == {suffix: raw for suffix, raw in content.items() if suffix not in stays}
        left = {entry.name for entry in folder.glob("log.db*") if not entry.is_symlink()}
        assert left == {f"log.db{suffix}" for suffix in stays}
        links = {link.name for link in folder.iterdir() if link.is_symlink()}
        assert links == {f"log.db.corrupt-{incident.name}{name.removeprefix('log.db')}" for name in incident.files}
    assert at > 15


@pytest.mark.parametrize("suffixes", [SUFFIXES, ("-wal", "-shm")], ids=["all", "no main"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_fresh_database_is_not_taken_for_the_rest_of_an_unfinished_one(
    tmp_path: Path, after: bool, suffixes: tuple[str, ...]
) -> None:
    """Somebody made a new database after the main file had gone: its WAL stays with it."""
    at = 0
    while True:
        at += 1
        folder = tmp_path / f"{at}"
        folder.mkdir()
        path = folder / "log.db"
        content = make(path, "a", suffixes)
        with pytest.MonkeyPatch.context() as monkeypatch:
            reached = cut_at(monkeypatch, at, after=after)
            with contextlib.suppress(PowerCut):
                incidents.set_aside(path, T0, "first")
            if not reached():
                break
        if path.exists() or not incidents.all_incidents(path):
            continue
        for suffix in SUFFIXES:  # as SQLite does with a WAL that has no main file
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        fresh = make(path, "fresh")
        incidents.finish_unfinished(path)
        (incident,) = incidents.all_incidents(path)
        assert held(incident).items() <= content.items()
        assert "" not in content or held(incident) == content
        assert {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in SUFFIXES} == fresh


def test_the_note_is_written_before_anything_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the main file is the last to go."""
    path = tmp_path / "log.db"
    make(path, "a")
    moved: list[str] = []
    real = os.rename

    def rename(source: Any, target: Any, **named: Any) -> None:
        note = json.loads((Path(target).parent / incidents.NOTE).read_text())
        assert note["state"] == "moving"
        moved.append(Path(source).name)
        real(source, target, **named)

    monkeypatch.setattr(os, "rename", rename)
    incidents.set_aside(path, T0, "test")
    assert moved == ["log.db-shm", "log.db-wal", "log.db"]


def test_what_is_asked_is_done_after_what_was_cut_off(tmp_path: Path) -> None:
    """Side files were to go and were cut off; now the main file is found damaged, too: two incidents, nothing left."""
    path = tmp_path / "log.db"
    make(path, "a")
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut_at(monkeypatch, 12, after=False)
        with contextlib.suppress(PowerCut):
            incidents.set_aside(path, T0, "foreign", only_side_files=True)
    assert not any(incident.is_whole for incident in incidents.all_incidents(path))
    made = incidents.set_aside(path, T0 + 1, "damaged")
    assert [(incident.reason, list(incident.files)) for incident in incidents.all_incidents(path)] == [
        ("foreign", ["log.db-shm", "log.db-wal"]),
        ("damaged", ["log.db"]),
    ]
    assert made.main is not None
