"""What a test needs from the machine. Missing: skipped with the reason, or failed where nothing may be missing.

With SENSORLOGD_TESTS_REQUIRE=1 (CI) a missing tool is a failure, not a skip.
"""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import ModuleType

import pytest

REQUIRE = os.environ.get("SENSORLOGD_TESTS_REQUIRE") == "1"
CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


def _missing(reason: str) -> None:
    if REQUIRE:
        pytest.fail(f"{reason} (and SENSORLOGD_TESTS_REQUIRE=1 allows nothing to be missing)")
    pytest.skip(reason)


def tool(name: str, package: str = "") -> str:
    """The path of a program."""
    found = shutil.which(name)
    if found is None:
        _missing(f"needs the program {name}" + (f": apt-get install {package}" if package else ""))
    return str(found)


def file(path: Path, by: str) -> Path:
    """A file that is not part of the source. ``by``: what makes it."""
    if not path.exists():
        _missing(f"needs {path}: {by}")
    return path


def root() -> None:
    """The right to mount and to start containers."""
    if os.geteuid() != 0:
        _missing("needs to be root")


def corpus(name: str = "") -> Path:
    """A file or folder of the recorded instruments."""
    path = CORPUS / name
    if not path.exists():
        _missing(f"needs the recorded streams: {path} is not there")
    return path


def module(name: str) -> ModuleType:
    """A package of the extra ``dev``."""
    try:
        return importlib.import_module(name)
    except ImportError:
        _missing(f"needs the Python package {name.partition('.')[0]}: pip install -e '.[dev]'")
        raise
