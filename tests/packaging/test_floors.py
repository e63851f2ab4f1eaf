"""The versions that `make lowest` installs are the oldest that are allowed: else it would show nothing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_lowest_is_what_the_project_allows() -> None:
    """Every dependency of the base, with its floor."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    floors = {}
    for requirement in wanted:
        parts = re.fullmatch(r"([\w.-]+)>=([\d.]+)(?:,<\d+)?", requirement)  # zones are versioned by years: no end
        assert parts is not None, requirement
        floors[parts[1]] = parts[2]
    lines = (ROOT / "packages/lowest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: pinned.get(name) for name in floors} == floors


def test_no_page_and_no_message_names_the_project_to_pip() -> None:
    """It is on no index: such a command cannot work."""
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "sensorlogd").rglob("*.py")]
    assert [path.name for path in texts if re.search(r"pip3? install .?sensorlogd\b", path.read_text())] == []
