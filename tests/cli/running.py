"""A verb as a person starts it: the real command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path | None = None, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Fails unless the exit status is ``check`` (None: any) and nothing was raised."""
    done = subprocess.run(
        [sys.executable, "-m", "sensorlogd", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd or ROOT,
        check=False,
        timeout=120,
    )
    if check is not None:
        assert done.returncode == check, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done
