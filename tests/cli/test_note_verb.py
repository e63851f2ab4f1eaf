"""What people note about sensors is an event, with the daemon and without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd import notes
from tests.cli.running import run
from tests.cli.test_looking_after import write_config
from tests.rig import Daemon


def noted(path: Path) -> list[dict[str, Any]]:
    shown = run("events", "--db", str(path), "--format", "ndjson", "--tz", "UTC", check=None).stdout
    return [event for event in map(json.loads, shown.splitlines()) if event["kind"] == "note"]


def test_a_note_without_a_daemon(log: Path) -> None:
    """Of a sensor now, of a series at its time; who said so stands behind it."""
    run("note", "lab", "cleaned\nthe probe", "--db", str(log))
    run("note", "lab.t", "moved", "--at", "2026-01-02T03:04:05Z", "--by", "Ada", "--db", str(log))
    first, second = noted(log)
    assert (first["sensor"], first["detail"]) == ("lab", "cleaned the probe")
    assert (second["sensor"], second["detail"]) == ("lab", "t: moved (Ada)")
    assert second["time"].startswith("2026-01-02T03:04:05")


def test_a_note_of_the_future_is_stored_with_a_warning(log: Path) -> None:
    """It cannot be removed, so a typing error in the year should not pass unseen; the present needs no warning."""
    done = run("note", "lab", "replaced", "--at", "2099-01-01", "--utc", "--db", str(log))
    assert "warning: --at 2099-01-01 lies in the future (2099-01-01T00:00:00Z); notes cannot be removed" in done.stderr
    assert "future" not in run("note", "lab", "seen", "--at", "now", "--db", str(log)).stderr
    assert sorted(event["detail"] for event in noted(log)) == ["replaced", "seen"]


def test_a_note_through_the_daemon(tmp_path: Path) -> None:
    """It holds the database and writes it."""
    config = write_config(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        sensor = json.loads(run("latest", "-c", str(config), "--format", "ndjson").stdout.splitlines()[0])["sensor"]
        assert "through the daemon" in run("note", sensor, "here", "-c", str(config)).stderr
        run("note", sensor, "then", "--at", "2026-01-02T03:04:05Z", "-c", str(config))
        daemon.commit()
        assert sorted(event["detail"] for event in noted(tmp_path / "data" / "sensorlogd.db")) == ["here", "then"]
        assert daemon.ask("note", kind="note", sensor=sensor, detail="x", at_us=10**30)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lab.tt", "x"), "did you mean"),
        (("lab", " \n "), "nothing to note"),
        (("lab", "x" * 2000), "at most 1000"),
        (("lab", "x", "--by", "y" * 101), "at most 100"),
        (("lab", "x", "--at", "someday"), "someday"),
    ],
)
def test_mistakes_of_notes_are_told(log: Path, arguments: tuple[str, ...], message: str) -> None:
    """Nothing is stored then."""
    assert message in run("note", *arguments, "--db", str(log), check=2).stderr
    assert noted(log) == []


@given(st.text(max_size=1500), st.text(max_size=150))
def test_a_note_is_always_one_printable_line(text: str, by: str) -> None:
    """Whatever is written: nothing that moves a cursor or breaks a table."""
    try:
        made = notes.said(text, by)
    except ValueError:
        return
    assert made.isprintable()
    assert made == made.strip()
