"""Says how an optional part (an extra) is installed into this very installation.

The command names the packages of the extra themselves: that works for a checkout, a wheel, pipx and the Debian package alike, and
needs no index that knows this project.
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib import util
from pathlib import Path

PROJECT = "sensorlogd"


def advice(extra: str) -> str:
    """The command that installs what ``extra`` needs, as it is typed in a shell."""
    packages = needed(extra)
    if not packages:  # run from its files without being installed: no metadata tell the versions
        return f"what pyproject.toml lists for {extra!r}, by pip"
    wanted = " ".join(shlex.quote(package) for package in packages)
    if Path(sys.prefix, "pipx_metadata.json").exists():
        return f"pipx inject {PROJECT} {wanted}"
    python = shlex.quote(sys.executable or "python3")
    sudo = "" if os.access(_packages(), os.W_OK) else "sudo "
    if util.find_spec("pip") is not None:
        return f"{sudo}{python} -m pip install {wanted}"
    # The private environment of a Debian package: pip (apt-get install python3-pip) works on it from outside.
    return f"{sudo}python3 -m pip --python {python} install {wanted}"


def needed(extra: str) -> list[str]:
    """The requirements of ``extra`` in the installed metadata, e.g. ``["pandas<4,>=2.2"]``; empty without metadata."""
    from importlib import metadata  # late: every verb that reads imports this module, and metadata takes 10 ms

    try:
        lines = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return []
    split = (line.partition(";") for line in lines)
    return [package.strip() for package, _, marker in split if marker.strip().replace('"', "'") == f"extra == '{extra}'"]


def _packages() -> Path:
    """The folder into which packages are installed."""
    found = util.find_spec("yaml")
    return Path(found.origin).parents[1] if found is not None and found.origin else Path(sys.prefix)
