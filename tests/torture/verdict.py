"""One seed from plan to verdict, in a folder that keeps the evidence: plan, logs of the daemon, output of the verbs, data, verdict."""

from __future__ import annotations

import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from tests.torture.judge import Violation, judge
from tests.torture.log import read
from tests.torture.plan import plan
from tests.torture.run import run


def verdict(seed: int, seconds: float, folder: Path) -> list[Violation]:
    """Run this seed in ``folder``, which must not be there yet."""
    folder.mkdir(parents=True)
    wanted = plan(seed, seconds)
    (folder / "plan.txt").write_text(f"{wanted}\n")
    try:
        ledger = run(wanted, folder)
        found = judge(ledger, read(folder / "data"))
    except Exception:  # a fault of the torture itself is no verdict on the daemon, and must be seen
        return [Violation("HARNESS", traceback.format_exc())]
    (folder / "verdict.txt").write_text("".join(f"{each.kind}: {each.what}\n" for each in found))
    return found


def send_verdict(to: Connection, seed: int, seconds: float, folder: Path) -> None:
    """For a process of its own: SIGTERM ends it without leaving a daemon behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    to.send(verdict(seed, seconds, folder))
