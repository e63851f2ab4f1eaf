"""Drivers that are one file: loaded, and loaded anew once the file says something else.

The file must not be writable by group or others, because the daemon runs what it finds there. Each form that it has had stays
loaded: sensors go on with the one that they were configured with until the next reload of the configuration.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

from sensorlogd.config.loader import DriverUnavailable

_forms: dict[Path, dict[str, ModuleType]] = {}  # file -> digest of its text -> module, the one loaded last at the end


def load(file: Path) -> ModuleType:
    """The file as it is now; the same module as before if it says the same. Raises DriverUnavailable."""
    text = _read(file)
    digest = hashlib.sha256(text).hexdigest()
    known = _forms.setdefault(file, {})
    module = known.pop(digest, None) or _run(file, text, digest)
    known[digest] = module
    return module


def forms(file: Path) -> list[ModuleType]:
    """Every form of the file that was loaded so far, newest first."""
    return list(reversed(_forms.get(file, {}).values()))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise DriverUnavailable(f"driver file {file} is writable by others than its owner; chmod go-w {file}")
            return opened.read()
    except OSError as error:
        raise DriverUnavailable(f"driver file {file}: {error.strerror}") from error


def _run(file: Path, text: bytes, digest: str) -> ModuleType:
    """Not through the import system, whose cached byte code takes a change within one second for none."""
    spec = importlib.util.spec_from_file_location(f"sensorlogd_driver_{file.stem}_{digest[:16]}", file)
    if spec is None:
        raise DriverUnavailable(f"driver file {file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic resolves annotations through the module
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except Exception as error:  # whatever the file does wrong concerns its own sensors only
        del sys.modules[spec.name]
        raise DriverUnavailable(f"driver file {file} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
