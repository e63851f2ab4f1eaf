"""Values per second through treatment, one core: batches of 1000 samples x 50 channels, every test configured.

    python -m benchmarks.treatment

"good" is data that no test objects to, which is answered by column; "flagged" has one reading out of range in every
column of every batch, so that every column is walked sample by sample.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sensorlogd.batch import Batch
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.treatment import Treatment

CHANNELS, SAMPLES, STEP_US = 50, 1000, 1_000_000


def ignore(*_: object) -> None:
    """Nothing is counted here."""


def rate(options: ChannelOptions, spike: bool, jitter_us: int = 0, alike: Callable[[float], float] = float) -> float:
    """The best of five runs of 20 batches, in values per second."""
    best = 0.0
    for _ in range(5):
        treatment = Treatment("sensor", {f"c{n}": options for n in range(CHANNELS)}, 10**9, ignore)
        batches = []
        for b in range(20):
            numbers = range(b * SAMPLES, (b + 1) * SAMPLES)
            times = [n * STEP_US + (n * 7919 % 1000) * jitter_us // 1000 for n in numbers]
            columns: dict[str, list[float | None]] = {
                f"c{c}": [alike(20 + 5 * math.sin(n / 300 + c)) for n in numbers] for c in range(CHANNELS)
            }
            if spike:
                for column in columns.values():
                    column[SAMPLES // 2] = 999.0
            batches.append(Batch(times, columns))
        began = time.perf_counter()
        for batch in batches:
            treatment.process(batch)
        best = max(best, len(batches) * SAMPLES * CHANNELS / (time.perf_counter() - began))
    return best


def main() -> None:
    scaled = {"scale": 1.5, "offset": -2.0, "valid": (-40, 85)}
    every = ChannelOptions.model_validate(scaled | {"max_rate": "5/min", "stuck_after": "10min"})
    for name, options, spike, jitter_us, alike in (
        ("all tests, good", every, False, 0, float),
        ("all tests, good, jittering times", every, False, 300_000, float),
        ("all tests, good, values to 0.01", every, False, 0, lambda value: round(value, 2)),
        ("valid only, good", ChannelOptions(valid=(-40, 85)), False, 0, float),
        ("no tests", ChannelOptions(), False, 0, float),
        ("all tests, flagged", every, True, 0, float),
    ):
        print(f"{name:34} {rate(options, spike, jitter_us, alike) / 1e6:6.2f} million values/s")


if __name__ == "__main__":
    main()
