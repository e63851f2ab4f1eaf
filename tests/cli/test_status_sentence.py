"""The first line of ``status``: the one sentence that matters."""

from __future__ import annotations

from typing import Any

import pytest

from sensorlogd.cli import status_sentence
from sensorlogd.cli.daemon_condition import Condition

WRITING: dict[str, Any] = {"state": "writing", "pid": 7}


def row(sensor: str, state: str = "reading", error: str | None = None) -> dict[str, Any]:
    return {"sensor": sensor, "state": state, "error": error}


FINE = [row("a"), row("b", "finished"), row("c", "disabled")]


@pytest.mark.parametrize(
    ("state", "facts", "rows", "said", "how"),
    [
        ("running", {}, FINE, "All is well: all 3 sensors are read and stored.", "good"),
        ("running", {}, [row("a")], "All is well: the one sensor is read and stored.", "good"),
        ("running", {}, [row("a", "starting"), row("b")], "Starting: of 2 sensors 1 is yet to be heard.", "warn"),
        ("running", {}, [], "The daemon runs, and no sensor is configured.", "warn"),
        ("running", {}, [row("a", "backing_off", "no such port; plug it in"), row("b")],
         "a is silent (no such port); 1 of 2 sensors is read and stored.", "bad"),
        ("running", {}, [row("a", "stale"), row("b", "stale")], "Nothing is heard: a and b are silent.", "bad"),
        ("running", {}, [*(row(name, "stale") for name in "abcde"), row("f")],
         "a, b and 3 more are silent; 1 of 6 sensors is read and stored.", "bad"),
        ("running", {"config_errors": ["x", "y"]}, FINE,
         "All 3 sensors are read and stored, but not as the file says: the configuration has 2 mistakes.", "bad"),
        ("running", {"config_errors": ["x"]}, [row("a", "stale"), row("b")],
         "a is silent; 1 of 2 sensors is read and stored. The configuration has a mistake.", "bad"),
        ("running", {"given_up": 5, "parts": {"web": "no room"}}, FINE,
         "All 3 sensors are read and stored; but see given up and web below.", "warn"),
        ("running", {"state": "opening"}, FINE, "The daemon is opening: nothing is stored just now.", "warn"),
        ("blocked", {"state": "blocked", "state_reason": "the disk is full"}, FINE,
         "Nothing is stored: the daemon reads its sensors but cannot write (the disk is full).", "bad"),
        ("stopped", {}, FINE, "Nothing is logged: the daemon is stopped; so it is.", "bad"),
        ("crashed", {}, FINE, "Nothing is logged: the daemon has crashed; so it is.", "bad"),
        ("hung", {}, FINE, "Nothing is logged: the daemon hangs; so it is.", "bad"),
        ("never started", {}, [], "Nothing is logged yet: no daemon has run on this database. Start one: sensorlogd run", "warn"),
        ("never started", {}, [row("a", "imported")], "This log was imported: 1 sensor, and no daemon that would add to it.", "good"),
    ],
)  # fmt: skip
def test_what_matters_most_is_said(state: str, facts: dict[str, Any], rows: list[dict[str, Any]], said: str, how: str) -> None:
    found = Condition(state, "so it is", True, WRITING | facts, [])
    assert status_sentence.of(found, rows) == (said, how)
