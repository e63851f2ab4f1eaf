"""What is done to files and processes from outside. Pages are told apart by their first byte, as the file format has it."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.torture.ledger import event_counts

PAGE = 2048
LEAVES = (0x0A, 0x0D)
GRACE_S = 10.0


def remove(path: Path, *, side_files: bool) -> None:
    for suffix in ("", "-wal", "-shm") if side_files else ("",):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def replace(path: Path, copy: Path, *, side_files: bool) -> dict[str, int]:
    """Put a copy where the database is, by mv. Returns the events that the copy holds."""
    new = path.with_name("restored")
    shutil.copyfile(copy, new)
    with contextlib.closing(sqlite3.connect(f"file:{copy}?mode=ro", uri=True)) as conn:
        counts = event_counts(conn)
    if side_files:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    return counts


def truncate(path: Path, part: float) -> tuple[int, bool]:
    """Keep this part of the file. Returns how many pages went, and whether they were all leaves."""
    pages = path.stat().st_size // PAGE
    kept = int(pages * part)
    lost = _kinds(path, range(kept, pages))
    os.truncate(path, kept * PAGE)
    return len(lost), all(kind in LEAVES for kind in lost)


def overwrite(path: Path, count: int, where: int) -> tuple[int, bool]:
    """Fill some pages with 0xFF. Returns how many, and whether they were all leaves."""
    rng = random.Random(where)
    pages = path.stat().st_size // PAGE
    chosen = rng.sample(range(pages), min(count, pages))
    lost = _kinds(path, chosen)
    with path.open("r+b") as file:
        for page in chosen:
            file.seek(page * PAGE)
            file.write(b"\xff" * PAGE)
    return len(lost), all(kind in LEAVES for kind in lost)


def _kinds(path: Path, pages: Iterable[int]) -> list[int]:
    """The first byte of each page; the first page counts as one that leads to others."""
    found = []
    with path.open("rb") as file:
        for page in pages:
            file.seek(page * PAGE)
            found.append((file.read(1) or b"\0")[0] if page else 0)
    return found


# ---- processes ---------------------------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def aggregators(pid: int) -> list[int]:
    """The roll-up processes of a daemon."""
    with contextlib.suppress(OSError):
        children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
        return [int(child) for child in children if b"rollups.spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return []


def _of_sessions(sessions: set[int]) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) in sessions and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def await_sessions_end(sessions: list[int], observe: Callable[[str, str], None]) -> None:
    """Every daemon was started in a session of its own: nothing of them may be left after a moment."""
    end = time.monotonic() + GRACE_S
    while left := _of_sessions(set(sessions)):
        if time.monotonic() > end:
            observe("left running", f"processes {left} outlive their daemon")
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)
