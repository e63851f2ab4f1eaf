"""Looks at what a driver's ``read`` returned: a batch, or samples to make one of; anything else is reported to the driver's
author."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Mapping, Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverError

WANTED = (
    "return a list of samples, e.g. [Sample(None, {'temperature': 21.5})], empty if nothing came,"
    " or a Batch (docs/writing-drivers.md)"
)

_repr = reprlib.Repr()
_repr.maxother = _repr.maxstring = 80


def batch_of(driver: Driver, got: object, now_us: int) -> Batch:
    """What ``read`` returned, as a batch; empty for None. A sample without a time gets ``now_us``. Raises DriverError,
    which names the driver's file, for what is neither a Batch nor a sequence of samples."""
    if isinstance(got, Batch):
        return got
    if got is None:
        return Batch([], {})
    samples = _samples(got)
    problem = _problem(got) if samples is None else _problem_within(samples)
    if samples is None or problem:
        raise DriverError(f"{_where(driver)} returned {problem}", WANTED)
    return Batch.of(samples, now_us)


def _samples(got: object) -> Sequence[Sample] | None:
    """What may hold samples; None for what does not. A generator can be gone through only once, and a bare sample is a tuple."""
    return got if isinstance(got, Sequence) and not isinstance(got, (str, bytes, bytearray, Sample)) else None


def _problem(got: object) -> str:
    return (
        f"one sample without a list around it: {_shown(got)}" if isinstance(got, Sample) else f"{_shown(got)}, which is no list"
    )


def _problem_within(samples: Sequence[object]) -> str:
    """What is wrong with the first entry that is no proper sample; empty if none is."""
    for number, sample in enumerate(samples):
        if not isinstance(sample, Sample):
            return f"a {type(samples).__name__} whose entry {number} is no Sample: {_shown(sample)}"
        if not isinstance(sample.values, Mapping):
            return f"a Sample whose values are no mapping of channels to numbers: {_shown(sample.values)}"
        if sample.time_us is not None and (not isinstance(sample.time_us, int) or isinstance(sample.time_us, bool)):
            return (
                f"a Sample whose time is {_shown(sample.time_us)}; a time is an integer, microseconds since 1970 UTC,"
                " or None for now"
            )
    return ""


def _shown(thing: object) -> str:
    """Shortly, with its type, whatever its own ``__repr__`` does."""
    return f"{_repr.repr(thing)} ({type(thing).__name__})"


def _where(driver: Driver) -> str:
    """``Acme.read() in /etc/acme.py``: the class and its file."""
    kind = type(driver)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return f"{kind.__name__}.read()" + (f" in {file}" if file else "")
