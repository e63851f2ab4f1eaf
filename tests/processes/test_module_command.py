"""Starting a module of the package: ours is found, and nothing that lies about."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import sensorlogd
from sensorlogd.processes.module_command import module_command


@pytest.mark.parametrize("inherited", ["", "elsewhere"])
def test_the_current_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inherited: str) -> None:
    """And what PYTHONPATH named before is still found, after the package."""
    monkeypatch.setenv("PYTHONPATH", inherited and str(tmp_path / inherited))
    for folder in (tmp_path, tmp_path / "elsewhere"):
        (folder / "sensorlogd").mkdir(parents=True)
        (folder / "sensorlogd" / "__init__.py").write_text("raise SystemExit('not the package')")
    (tmp_path / "json.py").write_text("raise SystemExit('not the library')")
    command, environment = module_command("sensorlogd", "--version")
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sensorlogd.__version__ in ended.stdout
    assert environment["PYTHONPATH"].endswith(inherited or str(Path(sensorlogd.__file__).parents[1]))
