"""What was set aside can be seen and, once it is back, deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from sensorlogd.cli.incidents_verb import incidents as verb
from sensorlogd.storage.maintenance import incidents
from tests.storage import salvage_rig as rig


@pytest.fixture
def aside(fresh: Path, tmp_path: Path) -> Path:
    """An empty log was set aside; its salvage is ordered."""
    path = Path(shutil.copy(fresh, tmp_path / "log.db"))
    rig.set_aside(path, fresh)
    return path


def ask(path: Path, *options: str, answer: str | None = None) -> tuple[int, str, str]:
    found = CliRunner().invoke(verb, ["--db", str(path), *options], input=answer)
    return found.exit_code, found.stdout, found.stderr


def test_it_tells_when_why_how_large_and_what_came_back(aside: Path, fresh: Path) -> None:
    """For people and for programs; while it is coming back, and after."""
    (row,) = json.loads(ask(aside, "--format", "json")[1])
    assert (row["name"], row["reason"], row["salvage"]) == ("20241004T150000Z", "test", "waiting")
    assert row["bytes"] >= row["files"]["log.db"] > 0
    assert "bringing it back" in ask(aside)[1]
    assert rig.run(aside, fresh)
    (row,) = json.loads(ask(aside, "--format", "json")[1])
    assert (row["salvage"], row["readings_back"]) == ("done", 0)
    assert "0 readings from damaged/20241004T150000Z are back" in row["outcome"]
    status, out, _ = ask(aside, "--tz", "Europe/Berlin")
    assert (status, "2024-10-04T17:00:00+02:00" in out, row["outcome"] in out) == (0, True, True)


def test_nothing_set_aside_is_no_mistake(path_of_empty: Path) -> None:
    """An empty list, whether or not there is a log."""
    assert ask(path_of_empty, "--format", "json")[:2] == (0, "[]\n")
    assert ask(path_of_empty)[0] == 0


@pytest.fixture
def path_of_empty(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def test_it_is_deleted_when_it_is_back_and_that_is_meant(aside: Path, fresh: Path) -> None:
    """Not before, not without an answer; with its links."""
    status, _, err = ask(aside, "--remove", "20241004T150000Z", "--yes")
    assert (status, "--force" in err) == (1, True)
    assert rig.run(aside, fresh)
    assert ask(aside, "--remove", "20241004T150000Z", answer="n\n")[0] == 1
    assert len(incidents.all_incidents(aside)) == 1
    assert ask(aside, "--remove", "20241004T150000Z", answer="y\n")[0] == 0
    assert incidents.all_incidents(aside) == []
    assert not list(aside.parent.glob("*corrupt*"))


def test_force_deletes_what_is_not_back(aside: Path) -> None:
    assert ask(aside, "--remove", "20241004T150000Z", "--yes", "--force")[0] == 0
    assert incidents.all_incidents(aside) == []


def test_an_unknown_one_is_named_with_those_there_are(aside: Path) -> None:
    status, _, err = ask(aside, "--remove", "nonsense")
    assert (status, "20241004T150000Z" in err) == (2, True)


def test_one_that_is_only_kept_is_told_so_and_deleted_without_force(fresh: Path, tmp_path: Path) -> None:
    """Whoever put another file in its place meant that one: nothing of this one comes back, and nothing waits for it."""
    path = Path(shutil.copy(fresh, tmp_path / "log.db"))
    incidents.keep(path, 1_728_054_000_000_000, "replaced", lambda target: target.touch(), is_wanted=False)
    (row,) = json.loads(ask(path, "--format", "json")[1])
    assert row["salvage"] == "kept"
    assert "nothing will" in ask(path)[1]
    assert ask(path, "--remove", row["name"], "--yes")[0] == 0
    assert incidents.all_incidents(path) == []
