"""What an installation lacks is installed by the command that it names: for this Python, by names that an index knows."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from sensorlogd import extras

TOLD = [
    ("excel", "openpyxl"),
    ("parquet", "pyarrow"),
    ("regex", "google-re2"),
    ("mbus", "pymeterbus"),
    ("units", "pint"),
    ("frame", "pandas"),
    ("plot", "matplotlib"),
    ("prometheus", "promql-parser"),
]


@pytest.mark.parametrize(("extra", "package"), TOLD)
def test_the_packages_are_named_not_the_project(extra: str, package: str) -> None:
    """The project is on no index: 'sensorlogd[...]' could not be found there."""
    advice = extras.advice(extra)
    assert package in advice.lower()
    assert "sensorlogd[" not in advice
    assert sys.executable in advice


def test_versions_are_those_of_the_metadata() -> None:
    """A part that is too new is as bad as one that is not there."""
    assert any(line.lower().startswith("pandas") and "<4" in line for line in extras.needed("frame"))
    assert extras.needed("no-such-part") == []


def test_where_pipx_installed_it_pipx_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which forgets what pip puts there at the next upgrade."""
    (tmp_path / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert extras.advice("units").startswith("pipx inject sensorlogd ")


def test_an_environment_without_pip_is_served_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Debian package has it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert f"python3 -m pip --python {sys.executable} install " in extras.advice("units")
