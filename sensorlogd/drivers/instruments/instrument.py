"""The interface of a pretend instrument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity. ``step``: the protocol's resolution. ``signal``: as the simulated driver's."""

    unit: str
    step: float
    signal: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument of which only the bytes are real. ``build`` makes what it sends by itself. ``answer`` makes its answer to a
    question; None: the question was not for it.

    build(values, time in µs UTC) -> bytes; answer(request, values) -> bytes | None.
    ``config``: the keys of a sensor that reads it, with {port} in place of the port.
    ``damage``: makes a checksum wrong; None where the protocol has none. ``tail``: bytes after the checksum (a line end), in
    which no bit errors are made, since they are none to the protocol.
    """

    name: str
    summary: str
    channels: Mapping[str, Channel]
    config: str
    build: Callable[[Values, int], bytes] | None = None
    answer: Callable[[bytes, Values], bytes | None] | None = None
    damage: Callable[[bytes], bytes] | None = None
    tail: int = 0
    baudrate: int = 9600
    interval_us: int = 1_000_000

    def rounded(self, values: Values) -> dict[str, float]:
        """The values at the resolution of the protocol."""
        return {name: quantized(value, self.channels[name].step) for name, value in values.items()}


def quantized(value: float, step: float) -> float:
    """The nearest multiple of ``step``, without the noise of binary fractions: 0.1 * 3 is 0.3."""
    count = round(value / step)
    return count / round(1 / step) if step < 1 else float(count * step)
