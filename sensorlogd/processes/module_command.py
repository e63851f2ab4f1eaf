"""How a module of this package is started as a program of its own, in another process."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def module_command(module: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command and the environment that start it.

    The other process finds this package where this one has found it, and takes nothing from the current folder: a folder called
    alembic may lie there, or a file json.py."""
    home = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH")
    environment = os.environ | {"PYTHONPATH": f"{home}{os.pathsep}{inherited}" if inherited else home}
    return [sys.executable, "-P", "-m", module, *arguments], environment
