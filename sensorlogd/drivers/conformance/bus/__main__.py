"""Run the drivers that are shipped against the simulated bus; exit status 1 if a value was at the wrong sensor."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from sensorlogd.drivers.conformance.bus.running import run_bus
from sensorlogd.drivers.conformance.bus.shipped import KINDS


def main() -> int:
    """Run one bus after another, each with its own seed, until enough questions have been asked."""
    parser = argparse.ArgumentParser(prog="python -m sensorlogd.drivers.conformance.bus", description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--each", type=int, default=500, help="questions on one bus, before there is a new one with another seed")
    parser.add_argument("--seed", type=int, default=1, help="of the first bus")
    parser.add_argument("--turnaround", type=int, default=60, metavar="MS")
    arguments = parser.parse_args()
    began, questions, wrong, stale, seed = time.monotonic(), 0, 0, 0, arguments.seed
    values: Counter[str] = Counter()
    manners: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    while questions < arguments.questions:
        bus = KINDS[arguments.kind](seed, arguments.turnaround)
        ledger = run_bus(bus, seed=seed, questions=min(arguments.each, arguments.questions - questions))
        for finding in ledger.findings():
            print(f"seed {seed}: {finding}", flush=True)
        questions, wrong, stale = questions + ledger.questions, wrong + len(ledger.wrong), stale + len(ledger.stale)
        values.update(ledger.values)
        manners.update(ledger.manners)
        errors.update(ledger.errors)
        for count in ledger.counts.values():
            counts.update(count)
        seed += 1
        if not ledger.questions:
            print(f"seed {seed - 1}: nothing was asked; errors: {dict(ledger.errors)}", flush=True)
            return 1
    print(f"what the units did: {dict(sorted(manners.items()))}")
    print(f"what was counted: {dict(sorted(counts.items()))}")
    if errors:
        print(f"drivers that were made anew: {dict(sorted(errors.items()))}")
    took_s = time.monotonic() - began
    print(
        f"{arguments.kind}: {questions} questions on {seed - arguments.seed} buses in {took_s:.0f} s, "
        f"{sum(values.values())} values, {wrong} of another, {stale} old"
    )
    return 1 if wrong or stale else 0


if __name__ == "__main__":
    sys.exit(main())
