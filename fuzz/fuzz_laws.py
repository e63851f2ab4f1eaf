"""The laws of ``tests.drivers.decoders.laws`` over one random seed after the other.

    make fuzz                                        half of its time
    python -m fuzz.fuzz_laws --seconds 600           ten minutes
    python -m fuzz.fuzz_laws --seed 4711             that one again

A seed that breaks a law is printed with what it breaks; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback

from tests.drivers.decoders import laws

ENOUGH = 10  # findings; the rest is likely of the same kind


def main() -> None:
    """Until the time is over."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--seed", type=int, help="only this one")
    given = arguments.parse_args()
    if given.seed is not None:
        laws.check(given.seed)
        return
    end, tried, broken = time.monotonic() + given.seconds, 0, 0
    seed = random.SystemRandom().randrange(2**48)
    print(f"from seed {seed}", flush=True)
    while time.monotonic() < end and broken < ENOUGH:
        seed += 1
        tried += 1
        try:
            laws.check(seed)
        except Exception:  # whatever a decoder raises is a finding
            broken += 1
            print(f"seed {seed}:\n{traceback.format_exc(limit=-3)}", flush=True)
    print(f"{tried} seeds, {broken} broke a law")
    sys.exit(broken > 0)


if __name__ == "__main__":
    main()
