"""The failing disk and the wrong clock of one run: builds ``shim.c``, writes its plan while the daemon runs.

    machine = Machine(folder / "machine.plan", prefix=folder / "data", seed=7)
    process = subprocess.Popen(command, env=os.environ | machine.environment())
    machine.set(faults=[("pwrite", "ENOSPC", 1000)], free_bytes=10_000, clock_s=-3600)

What a plan may say is told at the head of ``shim.c``.
"""

from __future__ import annotations

import functools
import mmap
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
CALLS = ("pwrite", "write", "fdatasync", "fsync", "ftruncate", "rename", "unlink")
_BYTES = 4096

Fault = tuple[str, str, int]  # (call, ENOSPC | EIO | SHORT | GROW, in how many of a thousand calls)


@functools.cache
def library() -> Path:
    """The shim, compiled once a session. Raises FileNotFoundError without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("needs a C compiler: apt-get install gcc libc6-dev")
    folder = Path(tempfile.gettempdir()) / f"sensorlogd-torture-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    built = folder / f"shim-{SOURCE.stat().st_mtime_ns}.so"
    if not built.exists():
        part = built.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", part, SOURCE, "-ldl", "-pthread"], check=True)
        part.replace(built)
    return built


class Machine:
    """The disk and the clock of the processes that are started with ``environment()``. A context manager."""

    def __init__(self, plan: Path, prefix: Path, seed: int) -> None:
        """``prefix``: only files whose absolute path begins with it can fail."""
        self.plan, self.prefix, self.seed = plan, prefix, seed
        self.faults: list[Fault] = []
        self.free_bytes = -1
        self.clock_s = 0
        self._version = 0
        plan.write_bytes(bytes(_BYTES))
        with plan.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _BYTES)
        self.set()

    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(library()), "TORTURE_PLAN": str(self.plan), "TORTURE_PREFIX": str(self.prefix)}

    def set(self, *, faults: Sequence[Fault] | None = None, free_bytes: int | None = None, clock_s: int | None = None) -> None:
        """Change what is given; it holds from the next call of any process on."""
        self.faults = self.faults if faults is None else list(faults)
        self.free_bytes = self.free_bytes if free_bytes is None else free_bytes
        self.clock_s = self.clock_s if clock_s is None else clock_s
        self._version += 1
        lines = [f"seed {self.seed}", f"clock {self.clock_s}", f"free {self.free_bytes}"]
        lines += [f"{call} {what} {permille}" for call, what, permille in self.faults]
        body = ("\n" + "\n".join(lines) + "\n").encode()
        self._map[:12] = b"0" * 12
        self._map[12:] = body.ljust(_BYTES - 12, b"\0")
        self._map[:12] = b"%012d" % self._version

    def heal(self) -> None:
        """Nothing fails any more and the clock is right."""
        self.set(faults=[], free_bytes=-1, clock_s=0)

    def close(self) -> None:
        self._map.close()

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
