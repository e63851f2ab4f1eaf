"""Checks what ``read`` returned: its form, times and values."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.conformance.watched import Broken, WatchedContext

LATEST_US = 4_102_444_800_000_000  # the year 2100: a later time is in another unit
EARLIEST_US = 100_000_000_000_000  # 1973, likewise, but for devices whose clock was never set


def judge(got: object, known: set[str], host: WatchedContext) -> int:
    """How many samples ``read`` returned. What is wrong with them becomes findings.

    ``known``: the fields that the sensor's channels take. Raises Broken for what is neither a Batch nor samples.
    """
    if isinstance(got, Batch):
        times, columns, device_time = got.times_us, got.values, got.device_time
        if got.stamps is not None and len(got.stamps) != len(times):
            host.findings.append(f"read(): {len(got.stamps)} stamps for {len(times)} times")
        for name, column in columns.items():
            if len(column) != len(times):
                host.findings.append(f"read(): {len(column)} values of {name!r} for {len(times)} times")
    elif isinstance(got, Sequence) and all(isinstance(sample, Sample) for sample in got):
        times = [sample.time_us for sample in got if sample.time_us is not None]
        columns = {}
        for sample in got:
            for name, value in sample.values.items():
                columns.setdefault(name, []).append(value)
                if value is None:
                    host.findings.append(
                        f"read(): {name!r} is None; a channel without a value is left out, a missing value is NaN"
                    )
        device_time = False
    else:
        raise Broken(f"read() returned {got!r:.80}; must be a Batch or a list of Sample")
    _judge_times(times, device_time, host)
    if columns and not known & set(columns):
        host.findings.append(f"read() gives {', '.join(columns)}; the sensor's channels take {', '.join(sorted(known))}")
    for name, column in columns.items():
        _judge_values(name, column, host)
    return len(got.times_us if isinstance(got, Batch) else got)


def _judge_times(times: Sequence[object], device_time: bool, host: WatchedContext) -> None:
    """The first time that is in another unit or no int becomes a finding."""
    for time_us in times:
        if isinstance(time_us, bool) or not isinstance(time_us, int):
            host.findings.append(f"read(): the time {time_us!r} is not an int; times are microseconds since 1970")
            return
        if not (0 if device_time else EARLIEST_US) <= time_us <= LATEST_US:
            host.findings.append(f"read(): the time {time_us} is not in microseconds since 1970")
            return


def _judge_values(name: object, column: Sequence[object], host: WatchedContext) -> None:
    """The first value of the channel that is no float, or infinite, becomes a finding."""
    if not isinstance(name, str):
        host.findings.append(f"read(): the channel {name!r} is not a text")
    for value in column:
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            host.findings.append(f"read(): {name} = {value!r} is {type(value).__name__}; values are float")
            return
        if isinf(value):
            host.findings.append(f"read(): {name} is infinite; what the device does not know is NaN")
            return
