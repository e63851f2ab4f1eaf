"""Drivers that are single files: they are loaded, and loaded again when the file has changed.

The file must not be writable by group or others, because the daemon runs what it finds there. Each form that it has had stays
loaded: sensors go on with the one that they were configured with until the next reload of the configuration. Modules that it
imports from its own folder are a part of it: where one of them says something else, the file is loaded anew with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import stat
import sys
from pathlib import Path
from types import ModuleType

from sensorlogd.config.loader import DriverUnavailable

_forms: dict[Path, dict[str, ModuleType]] = {}  # file -> digest of its texts -> module, the one loaded last at the end
_beside: dict[Path, dict[str, Path]] = {}  # file -> name of a module that it imported from its folder -> where that is


def load(file: Path) -> ModuleType:
    """The module of the file as it is now; the same object as before if the file has not changed. Raises DriverUnavailable."""
    text = _read_trusted(file)
    known = _forms.setdefault(file, {})
    module = known.pop(_digest(file, text), None)
    if module is None:
        module = _run_anew(file, text)
    known[_digest(file, text)] = module
    return module


def forms(file: Path) -> list[ModuleType]:
    """Every version of the file that was loaded so far, newest first."""
    return list(reversed(_forms.get(file, {}).values()))


def _digest(file: Path, text: bytes) -> str:
    """A digest of the file and of the modules beside it that it imported when it was last run. Files that are gone count as
    empty."""
    digest = hashlib.sha256(text)
    for name, path in sorted(_beside.get(file, {}).items()):
        with contextlib.suppress(OSError):
            digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _run_anew(file: Path, text: bytes) -> ModuleType:
    """Run the file with the present modules beside it. If that fails, everything is as it was before. Raises DriverUnavailable."""
    former = {name: module for name in _beside.get(file, {}) if (module := sys.modules.pop(name, None)) is not None}
    before, writes = set(sys.modules), sys.dont_write_bytecode
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True  # cached byte code takes a change within one second for none
    try:
        module = _execute(file, text, _digest(file, text))
    except DriverUnavailable:
        sys.modules.update(former)
        raise
    finally:
        sys.dont_write_bytecode = writes
    used = {
        getattr(member, "__name__" if isinstance(member, ModuleType) else "__module__", "") for member in vars(module).values()
    }
    found = {
        name: getattr(loaded, "__file__", None)
        for name, loaded in list(sys.modules.items())
        if name not in before or name in used
    }
    _beside[file] = {name: Path(path) for name, path in found.items() if path and _is_beside(Path(path), file)}
    return module


def _is_beside(path: Path, file: Path) -> bool:
    """Whether a module lies beside the file. Packages that are installed below the folder do not count; they stay loaded."""
    return path.suffix == ".py" and path != file and path.parent == file.parent


def _read_trusted(file: Path) -> bytes:
    """The text of the file. Raises DriverUnavailable, also where others than its owner may write it."""
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise DriverUnavailable(f"driver file {file} is writable by others than its owner; chmod go-w {file}")
            return opened.read()
    except OSError as error:
        raise DriverUnavailable(f"driver file {file}: {error.strerror}") from error


def _execute(file: Path, text: bytes, digest: str) -> ModuleType:
    """Run the source directly. The import system would use its cached byte code when a file changes within one second."""
    spec = importlib.util.spec_from_file_location(f"sensorlogd_driver_{file.stem}_{digest[:16]}", file)
    if spec is None:
        raise DriverUnavailable(f"driver file {file} is not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic resolves annotations through the module
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except Exception as error:  # whatever the file does wrong concerns its own sensors only
        del sys.modules[spec.name]
        raise DriverUnavailable(f"driver file {file} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
