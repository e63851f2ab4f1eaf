"""What computed channels cost the writer: 100 channels over 300 inputs at 1 Hz, in % of a core.

    python -m benchmarks.computed [seconds]

Processor time of this process for computing and treating (not for storing, which costs what any reading costs).
``together``: the three inputs of a channel come from one sensor, in one hand-over. ``apart``: from three sensors, each in a
hand-over of its own, so that each gives a reading: three times as many. ``integral``: as together, with a sum on each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sensorlogd.batch import Block, Column
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.config.loader import load_text
from sensorlogd.daemon.computing.computed_sensor import ComputedSensor
from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.daemon.sensing.build import formulas
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.drivers.registry import options_for
from sensorlogd.quality import GOOD

CHANNELS = 100
S = 1_000_000
T0 = 1_800_000_000 * S


def yaml_of(case: str) -> str:
    """The configuration of one case."""
    signal = "{signal: {constant: {value: 1}}}"
    lines = ["sensors:"]
    channels = f"{{a: {signal}, b: {signal}, c: {signal}}}"
    lines += [f"  s{n}: {{driver: simulated, interval: 1s, channels: {channels}}}" for n in range(CHANNELS)]
    lines += ["computed:", "  made:", "    inputs:"]
    for n in range(CHANNELS):
        other = (n + 1) % CHANNELS, (n + 2) % CHANNELS
        places = (n, *other) if case == "apart" else (n, n, n)
        lines += [f"      {name}{n}: s{place}.{name}" for name, place in zip("abc", places, strict=True)]
    lines.append("    channels:")
    for n in range(CHANNELS):
        text = f"dew_point(a{n} + 20, b{n} * 50) + c{n} / 2"
        text = f"integral({text}, hour)" if case == "integral" else text
        lines.append(f"      m{n}: {{formula: '{text}'}}")
    return "\n".join(lines)


def measure(case: str, seconds: int) -> tuple[float, int]:
    """(processor seconds, computed readings)."""
    config = load_text(yaml_of(case), Path("/nowhere/sensorlogd.yaml"), options_for)
    options = config.sensors["made"]
    assert isinstance(options, ComputedOptions)
    sensor = ComputedSensor("made", options, Clock(), lambda *_: None)
    computing = Computing(formulas(config, {"made": sensor}), lambda *_: None)
    computing._is_warm = True
    blocks = []
    for second in range(seconds):
        for n in range(CHANNELS):
            ts = [T0 + second * S + n * 100]
            blocks.append(Block(f"s{n}", [Column(name, ts, [1.0 + second % 7 / 10], GOOD) for name in "abc"]))
    made = 0
    began = time.process_time()
    for block in blocks:
        for followed in computing.follow(block):
            made += followed.rows
    return time.process_time() - began, made


def main() -> None:
    """Print the table."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"{CHANNELS} computed channels over {3 * CHANNELS} inputs at 1 Hz, {seconds} s")
    print(f"{'case':10}{'readings/s':>12}{'µs each':>10}{'% of a core':>13}")
    for case in ("together", "apart", "integral"):
        took, made = measure(case, seconds)
        print(f"{case:10}{made / seconds:12.0f}{took / made * 1e6:10.1f}{100 * took / seconds:13.2f}")


if __name__ == "__main__":
    main()
