"""A register map: which registers are requested together, and how their contents become numbers. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sensorlogd.batch import whole
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.sentinels import raw_numbers

WORDS = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4, "bcd16": 1, "bcd32": 2}
_FLOATS = {"f32": ">f", "f64": ">d"}


@dataclass(frozen=True, slots=True)
class Register:
    """The place and coding of one number. ``missing``: raw numbers that mean "no value".

    Raises ValueError when that makes no sense.
    """

    function: str
    address: int
    type: str = "u16"
    word_order: str = "big"
    byte_order: str = "big"
    bits: tuple[int, int] | None = None
    missing: frozenset[int | float] = frozenset()

    def __post_init__(self) -> None:
        if self.end > 65536:
            raise ValueError(f"address: {self.type} at {self.address} goes beyond the last register, 65535")
        if self.bits is not None:
            low, count = self.bits
            if self.single_bit:
                raise ValueError(f"bits: a {self.function} is a bit already; leave bits: out")
            if not self.type.startswith("u") or low < 0 or count < 1 or low + count > 16 * WORDS[self.type]:
                raise ValueError(
                    f"bits: [{low}, {count}] does not fit into {self.type}; write [the lowest bit from 0, how many], of a type u..."
                )
        kind, width = ("u1", None) if self.single_bit else (self.type, None if self.bits is None else self.bits[1])
        object.__setattr__(self, "missing", raw_numbers(kind, self.missing, width=width))

    @property
    def single_bit(self) -> bool:
        """Whether the number is a coil or a discrete input, that is a single bit."""
        return self.function in ("coil", "discrete")

    @property
    def end(self) -> int:
        """The address after its last register."""
        return self.address + (1 if self.single_bit else WORDS[self.type])

    def value(self, words: Sequence[int]) -> float:
        """The number in ``words`` (16 bits each, or one bit); NaN for "no value". Raises ValueError for a wrong BCD digit."""
        raw: float = words[0] if self.single_bit else self._raw_number(words)
        if not math.isfinite(raw) or raw in self.missing:
            return math.nan
        return whole(raw) if type(raw) is int else raw

    def _raw_number(self, words: Sequence[int]) -> float:
        """The number as its type and ``bits`` have it; NaN for a BCD number that is none and means "no value". Raises ValueError
        for a wrong BCD digit."""
        ordered = words if self.word_order == "big" else reversed(words)
        data = b"".join(word.to_bytes(2, "big" if self.byte_order == "big" else "little") for word in ordered)
        if self.type in _FLOATS:
            return float(struct.unpack(_FLOATS[self.type], data)[0])
        if self.type.startswith("bcd"):
            if not data.hex().isdecimal():
                if int.from_bytes(data, "big") in self.missing:  # FFFF is no BCD, and may be no value
                    return math.nan
                raise ValueError(f"{data.hex()} is not BCD")
            return int(data.hex())
        whole = int.from_bytes(data, "big", signed=self.type.startswith("i"))
        if self.bits is not None:
            low, count = self.bits
            whole = whole >> low & ((1 << count) - 1)
        return whole


def readings(registers: Mapping[str, Register], first: int, values: Sequence[int], count: Count) -> dict[str, float]:
    """The numbers in ``values``, which begin at address ``first``. Contents that are no number are counted."""
    found = {}
    for name, register in registers.items():
        try:
            found[name] = register.value(values[register.address - first : register.end - first])
        except ValueError as error:
            count("bad_values", 1, f"{name}: {error}")
    return found


@dataclass(frozen=True, slots=True)
class RegisterQuestion:
    """One question: ``count`` registers (or bits) of ``function`` from ``address`` on, for the channels ``names``."""

    function: str
    address: int
    count: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        last = self.address + self.count - 1
        return f"{self.function} {self.address}" + (f"-{last}" if last > self.address else "")


def questions(registers: Mapping[str, Register], max_gap: int, max_registers: int) -> list[RegisterQuestion]:
    """The smallest number of questions within the limits, by function and address. A number is never split between two."""
    out: list[RegisterQuestion] = []
    for name, register in sorted(registers.items(), key=lambda item: (item[1].function, item[1].address)):
        last = out[-1] if out and out[-1].function == register.function else None
        if last is not None:
            last_end = last.address + last.count
            if register.address <= last_end + max_gap and max(register.end, last_end) - last.address <= max_registers:
                count = max(register.end, last_end) - last.address
                out[-1] = RegisterQuestion(last.function, last.address, count, (*last.names, name))
                continue
        out.append(RegisterQuestion(register.function, register.address, register.end - register.address, (name,)))
    return out
