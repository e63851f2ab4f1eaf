"""Which file is meant, and what marks one as a log of sensorlogd: an application id, the revision of its schema, its page size."""

from __future__ import annotations

import os
from pathlib import Path

APPLICATION_ID = 0x534C4F47  # "SLOG"
REVISION = "0007"
PAGE_SIZE = 2048


def file_identity(file: Path | int | os.stat_result) -> tuple[int, int]:
    """(device, inode) of a name, a descriptor or what is known of a file: to notice that it was removed or replaced. Raises
    OSError."""
    found = file if isinstance(file, os.stat_result) else os.stat(file)
    return found.st_dev, found.st_ino


def side(path: Path, suffix: str) -> Path:
    """The file beside it: SQLite names them after what the links lead to."""
    resolved = Path(os.path.realpath(path))
    return resolved.with_name(resolved.name + suffix)
