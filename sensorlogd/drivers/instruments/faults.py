"""The faults that a pretend instrument can have: ``name``, ``name:0.1``, ``name:key=value,key=value``.

    dropout:P           a frame is not sent, with probability P
    garbage:P           random bytes are sent before a frame
    bit-errors:P        every bit flips with probability P
    wrong-checksum:P    the checksum is wrong (protocols that have one)
    hang:after=N,for=T  after N frames nothing is sent for T, once
    slow:T              a pause of T after every byte (default 20 ms)
    disconnect:every=N,for=T  after every N frames the port goes away for T
    clock-drift:PPM     the device's own clock runs fast by this many millionths
    babble:after=N,for=T  after N frames random bytes as fast as they go for T, once

Seeded: two runs make the same faults.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sensorlogd.notation.durations import parse_duration

# name -> keys with their defaults; the first is what stands directly after the colon
KNOWN: dict[str, dict[str, str]] = {
    "dropout": {"p": "0.1"},
    "garbage": {"p": "0.1"},
    "bit-errors": {"p": "0.0001"},
    "wrong-checksum": {"p": "0.1"},
    "hang": {"after": "10", "for": "30s"},
    "slow": {"pause": "20ms"},
    "disconnect": {"every": "20", "for": "2s"},
    "clock-drift": {"ppm": "100"},
    "babble": {"after": "10", "for": "5s"},
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault with its numbers; durations in seconds."""

    name: str
    numbers: dict[str, float]


def parse(text: str) -> Fault:
    """The fault that a text describes. Raises ValueError that lists the faults."""
    name, _, rest = text.strip().partition(":")
    if name not in KNOWN:
        from difflib import get_close_matches

        near = get_close_matches(name, KNOWN, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown fault {name!r}{hint}; known: {', '.join(KNOWN)}")
    texts = dict(KNOWN[name])
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            key, value = next(iter(texts)), key
        if key.strip() not in texts:
            raise ValueError(f"fault {name} has no {key.strip()!r}; it has {', '.join(texts)}")
        texts[key.strip()] = value.strip()
    numbers = {key: _parse_number(name, key, value) for key, value in texts.items()}
    if not 0 <= numbers.get("p", 0) <= 1:
        raise ValueError(f"fault {name}: {texts['p']} is not a probability; write a number from 0 to 1")
    return Fault(name, numbers)


def _parse_number(name: str, key: str, text: str) -> float:
    """A duration in seconds, or any other number. Raises ValueError."""
    try:
        return parse_duration(text) / 1e6 if key in ("for", "pause") else float(text)
    except ValueError as error:
        raise ValueError(f"fault {name}: {key}: {error}") from None


@dataclass(slots=True)
class Plan:
    """What to do with the next frame. ``data``: None if it is not sent. ``intact``: whether it is sent as it was built."""

    data: bytes | None
    intact: bool = True
    silent_s: float = 0.0
    away_s: float = 0.0
    babble_s: float = 0.0
    byte_pause_s: float = 0.0


@dataclass(slots=True)
class Faults:
    """The faults that were requested. ``made`` counts what was done."""

    faults: list[Fault]
    seed: int = 0
    made: Counter[str] = field(default_factory=Counter)
    _rng: random.Random = field(init=False)
    _frames: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(f"{self.seed}/faults")

    def drifted(self, elapsed_us: int) -> int:
        """By how much a drifting clock of the device is ahead after this long."""
        return round(sum(elapsed_us * fault.numbers["ppm"] / 1e6 for fault in self.faults if fault.name == "clock-drift"))

    def plan(self, frame: bytes, damage: Callable[[bytes], bytes] | None, tail: int = 0) -> Plan:
        """The plan for one frame. ``tail``: this many bytes at its end get no bit errors."""
        plan = Plan(frame)
        self._frames += 1
        for fault in self.faults:
            self._apply(fault, plan, damage, tail)
        return plan

    def _apply(self, fault: Fault, plan: Plan, damage: Callable[[bytes], bytes] | None, tail: int) -> None:
        """Write into the plan what the fault does to the present frame. Counted is what it does to this one; a slow line and a
        drifting clock are not."""
        numbers, rng = fault.numbers, self._rng
        hit = rng.random() < numbers["p"] if "p" in numbers and fault.name != "bit-errors" else False
        match fault.name:
            case "hang" if self._frames == int(numbers["after"]) + 1:
                plan.silent_s = numbers["for"]
            case "babble" if self._frames == int(numbers["after"]) + 1:
                plan.babble_s = numbers["for"]
            case "disconnect" if self._frames > 1 and (self._frames - 1) % max(int(numbers["every"]), 1) == 0:
                plan.away_s = numbers["for"]
            case "slow":
                plan.byte_pause_s = numbers["pause"]
                return
            case "clock-drift":
                return
            case "dropout" if hit:
                plan.data, plan.intact = None, False
            case "wrong-checksum" if hit and damage is not None and plan.data is not None:
                plan.data, plan.intact = damage(plan.data), False
            case "garbage" if hit and plan.data is not None:
                # Ends in a line end, so that the frame after it begins where a reader may find it.
                plan.data = bytes(rng.randrange(128, 256) for _ in range(rng.randint(1, 40))) + b"\r\n" + plan.data
            case "bit-errors" if plan.data is not None:
                flipped = self._flip_bits(plan.data, numbers["p"], tail)
                if flipped == plan.data:
                    return
                plan.data, plan.intact = flipped, False
            case _:
                return
        self.made[fault.name] += 1

    def _flip_bits(self, data: bytes, p: float, tail: int) -> bytes:
        """The data with each of its bits flipped with probability ``p``, but for the last ``tail`` bytes."""
        rng = self._rng
        bits = bytearray(data)
        for bit in range(8 * (len(bits) - tail)):
            if rng.random() < p:
                bits[bit // 8] ^= 1 << bit % 8
        return bytes(bits)

    def noise(self, size: int) -> bytes:
        """Random bytes, as a babbling device sends."""
        return self._rng.randbytes(size)
