"""Listening to a bus that somebody else asks on: an answer belongs to the question that was heard right before it, or to none."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from sensorlogd.drivers.conformance.bus import heard, spoken
from sensorlogd.drivers.modbus.frames import crc
from sensorlogd.drivers.modbus.listener import FORGOTTEN, LEARNED, Listener, Pairing
from sensorlogd.drivers.modbus.options import ModbusOptions
from tests.drivers.serial.test_transport import WatchedContext

ADDRESSES = (0, 10, 20)


class Bus:
    """A port whose bytes and time come from the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: deque[tuple[float, bytes]] = deque()

    def read(self, timeout_s: float) -> tuple[int, bytes]:
        if not self.due:
            self.now += timeout_s
            return int(self.now * 1e6), b""
        at, data = self.due[0]
        if at > self.now + timeout_s:
            self.now += timeout_s
            return int(self.now * 1e6), b""
        self.due.popleft()
        self.now = max(self.now, at)
        return int(self.now * 1e6), data


def question(address: int) -> bytes:
    frame = bytes((1, 3)) + address.to_bytes(2, "big") + b"\0\2"
    return frame + crc(frame)


def answer(address: int, round_: int) -> bytes:
    frame = bytes((1, 3, 4)) + spoken(1, address, round_).to_bytes(4, "big")
    return frame + crc(frame)


def hurt(frame: bytes, rng: random.Random) -> bytes:
    """A bit is wrong, the end is missing, or nothing was heard of it."""
    fate = rng.randrange(3)
    if fate == 0:
        return b""
    if fate == 1:
        return frame[: rng.randrange(1, len(frame))]
    at = rng.randrange(len(frame))
    return frame[:at] + bytes((frame[at] ^ 1 << rng.randrange(8),)) + frame[at + 1 :]


@pytest.mark.parametrize("seed", range(6))
def test_a_missed_question_does_not_shift_the_answers(seed: int) -> None:
    """A fifth of all frames is damaged or not heard, and units are silent now and then: no register has another's value."""
    chance, bus, lent = random.Random(seed), Bus(), WatchedContext()
    at = bus.now
    for n in range(3000):
        address = ADDRESSES[n % 3]
        asked, answered = question(address), answer(address, n)
        well = n < LEARNED + 2  # until it is known how fast the units are
        if chance.random() < 0.2 and not well:
            asked = hurt(asked, chance)
        if chance.random() < 0.2 and not well:
            answered = hurt(answered, chance)
        silent = chance.random() < 0.1
        for delay, data in ((0.2, asked), (chance.uniform(0.005, 0.03), b"" if silent else answered)):
            at += delay
            if data:
                bus.due.append((at, data))
    options: dict[str, Any] = {"driver": "modbus", "port": "/dev/x", "listen_only": True, "type": "u32"}
    channels = {f"r{address}": {"address": address} for address in ADDRESSES}
    listening = Listener(ModbusOptions.model_validate(options | {"channels": channels}), lent.context, bus, lambda: bus.now)  # type: ignore[arg-type]  # all that it uses of a Port
    found = 0
    while bus.due:
        for sample in listening.read(0.1):
            for name, value in sample.values.items():
                assert heard(value)[:2] == (1, int(name[1:])), (name, value)
                found += 1
    assert found > 1200
    assert lent.counts["unpaired_answers"] > 50
    lent.close()


def test_units_that_became_slower_are_heard_again() -> None:
    """Once some answers in a row came later than was learned, it is learned anew."""
    pairing, now = Pairing(10.0), 0.0
    for _ in range(LEARNED):
        pairing.question_heard(now)
        assert not pairing.too_late(now + 0.01)
        pairing.note_answer(now + 0.01, paired=True)
        now += 1
    late = []
    for _ in range(2 * FORGOTTEN):
        pairing.question_heard(now)
        late.append(pairing.too_late(now + 0.5))
        pairing.note_answer(now + 0.5, paired=not late[-1])
        now += 1
    assert late == [True] * FORGOTTEN + [False] * FORGOTTEN
