"""``python -m tests.torture --seeds 1-300``: one line a seed; a failing one prints its plan and what was not kept.

The same seed makes the same plan again: ``python -m tests.torture --seeds 17 --keep`` runs it alone and keeps its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.torture.judge import Violation
from tests.torture.plan import plan
from tests.torture.verdict import send_verdict


def _seeds(text: str) -> list[int]:
    """``1-5,9``"""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _alone(seed: int, seconds: float, folder: Path) -> list[Violation]:
    """The verdict of a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=send_verdict, args=(send, seed, seconds, folder))
    process.start()
    send.close()
    with receive:
        try:
            found: list[Violation] = receive.recv()
        except EOFError:
            found = [Violation("HARNESS", "its process ended without a verdict")]
    process.join()
    return found


@contextlib.contextmanager
def _ended_together(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the seeds that run, each of which ends its daemon, and begin no other."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default="1-10", help="e.g. 1-300 or 3,17")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the faults last")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the folders of failing seeds")
    given = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="sensorlogd-torture-"))
    kinds: Counter[str] = Counter()
    failed: list[int] = []
    for seed in given.seeds if len(given.seeds) <= 3 else ():
        print(plan(seed, given.seconds), flush=True)
    began = time.monotonic()
    with ThreadPoolExecutor(given.jobs) as pool, _ended_together(pool):
        running = {pool.submit(_alone, seed, given.seconds, base / f"seed-{seed}"): seed for seed in given.seeds}
        for done in as_completed(running):
            seed, found = running[done], done.result()
            counts = Counter(each.kind for each in found)
            kinds.update(counts.keys())
            print(f"seed {seed}: {', '.join(f'{kind} {n}' for kind, n in counts.items()) or 'ok'}", flush=True)
            if found:
                failed.append(seed)
                print(plan(seed, given.seconds))
                print("".join(f"  {each.kind}: {each.what}\n" for each in found), flush=True)
            if not found or not given.keep:
                shutil.rmtree(base / f"seed-{seed}", ignore_errors=True)
    if given.keep and failed:
        print(f"folders: {base}")
    else:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(given.seeds) - len(failed)} of {len(given.seeds)} seeds hold, in {time.monotonic() - began:.0f} s")
    if failed:
        print(f"seeds by kind: {', '.join(f'{kind} {n}' for kind, n in kinds.most_common())}")
        print(f"again: python -m tests.torture --seeds {','.join(map(str, sorted(failed)))} --seconds {given.seconds:g} --keep")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
