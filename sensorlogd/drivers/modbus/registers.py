"""A register map: which registers to ask for together, and what their contents mean. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sensorlogd.drivers.modbus.options import RegisterOptions
from sensorlogd.scaling import divisor

_FLOATS = {"f32": ">f", "f64": ">d"}


@dataclass(slots=True)
class Question:
    """One request: ``count`` registers (or bits) of ``function`` from ``address`` on, and the fields they hold."""

    function: str
    address: int
    count: int
    fields: list[str] = field(default_factory=list)


def questions(registers: Mapping[str, RegisterOptions], max_gap: int, max_registers: int) -> list[Question]:
    """As few requests as the limits allow, in the order of the map's first fields."""
    out: list[Question] = []
    for name, options in sorted(registers.items(), key=lambda item: (item[1].function, item[1].address)):
        last = out[-1] if out else None
        end = options.address + options.words()
        if (
            last is not None
            and last.function == options.function
            and options.address <= last.address + last.count + max_gap
            and end - last.address <= max(max_registers, options.words())
        ):
            last.count = max(last.count, end - last.address)
            last.fields.append(name)
        else:
            out.append(Question(options.function, options.address, options.words(), [name]))
    return out


def value(options: RegisterOptions, words: Sequence[int]) -> float:
    """The number in ``words`` (16 bits each, or one bit); NaN for "no value". Raises ValueError for digits that are none."""
    if options.function in ("coil", "discrete"):
        raw: float = int(words[0])
    else:
        data = b"".join(
            word.to_bytes(2, options.byte_order) for word in (words if options.word_order == "big" else reversed(words))
        )
        raw = _raw(options, data)
    if not math.isfinite(raw) or raw in options.missing:
        return math.nan
    by = divisor(options.scale)
    return (raw * options.scale if by is None else raw / by) + options.offset


def _raw(options: RegisterOptions, data: bytes) -> float:
    kind = options.type
    if kind in _FLOATS:
        return float(struct.unpack(_FLOATS[kind], data)[0])
    if kind.startswith("bcd"):
        if not data.hex().isdigit():
            raise ValueError(f"{data.hex()} is not BCD")
        return int(data.hex())
    whole = int.from_bytes(data, "big", signed=kind.startswith("i"))
    if options.bits is not None:
        low, count = options.bits
        whole = whole >> low & ((1 << count) - 1)
    return whole
