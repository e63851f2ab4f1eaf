"""The modbus driver against pymodbus' server, which knows nothing of it: over a pty and over TCP, well and badly behaved."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import DriverError
from sensorlogd.drivers.modbus import ModbusDriver
from sensorlogd.drivers.modbus.options import ModbusOptions
from tests.drivers.serial.test_transport import WatchedContext
from tests.modbus_rig import Cable, Units, device, f32, question_of
from tests.rig import Port, until

METER = {
    "voltage": {"register": "30001", "type": "f32", "unit": "V"},
    "current": {"register": "30003", "type": "f32", "unit": "A"},
}
UNIT = device(1, input={0: f32(230.5, 1.25)})


class Unit:
    """A driver that reads one unit, in a context of its own."""

    def __init__(self, port: object, **more: Any) -> None:
        self.lent = WatchedContext()
        self.examples: dict[str, str] = {}
        options = {"driver": "modbus", "port": str(port), "interval": "10ms", "turnaround": "10s", "channels": METER} | more
        self.driver = ModbusDriver(ModbusOptions.model_validate(options), self.lent.context)

    def sample(self) -> dict[str, float]:
        """The next one, however long it takes."""
        return dict(until(lambda: self.read(1.0), "a sample")[0].values)

    def read(self, timeout_s: float) -> list[Sample]:
        got = self.driver.read(timeout_s)
        assert not isinstance(got, Batch)
        return list(got)

    def counted(self, name: str, n: int = 1) -> None:
        """Read until so much of something was counted."""
        until(lambda: self.driver.read(0.05) is None or self.lent.counts.get(name, 0) >= n, f"{n} {name}")

    def __enter__(self) -> Unit:
        self.driver.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.close()
        self.lent.close()


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    made = Cable(tmp_path)
    yield made
    made.close()


@pytest.fixture
def units(cable: Cable) -> Iterator[Units]:
    with Units([UNIT], "rtu", cable.far) as running:
        yield running


@pytest.mark.parametrize("framing", ["rtu", "ascii", "tcp"])
def test_everything_a_unit_has(framing: str, cable: Cable) -> None:
    """Each kind of register and each type, in each framing."""
    everything = device(
        7,
        coil={3: [1, 0, 1]},
        discrete={0: [0, 1]},
        holding={10: [0xFFFE, 0xFFFF, 0xFFFE, 0, 0, 0, 9, 0x1234, 0b0110_0000]},
        input={0: f32(230.5), 100: f32(math.nan)},
    )
    channels = {
        "on": {"address": 3, "function": "coil", "kind": "state"},
        "off": {"register": "00005"},
        "alarm": {"register": "10002"},
        "u16": {"address": 10},
        "i16": {"address": 10, "type": "i16"},
        "i32": {"register": "40012", "type": "i32"},
        "u64": {"address": "0x0D", "type": "u64"},
        "bcd": {"address": 17, "type": "bcd16"},
        "bits": {"address": 18, "bits": [5, 2]},
        "f32": {"address": 0, "function": "input", "type": "f32"},
        "nothing": {"register": "30101", "type": "f32"},
    }
    with Units([everything], framing, "" if framing == "tcp" else cable.far) as running:
        port = f"tcp://127.0.0.1:{running.tcp_port}" if framing == "tcp" else cable.port.path
        with Unit(port, unit=7, framing=framing, channels=channels) as unit:
            values = unit.sample()
    assert math.isnan(values.pop("nothing"))
    assert values == {
        "on": 1, "off": 0, "alarm": 1, "u16": 0xFFFE, "i16": -2, "i32": -2, "u64": 9, "bcd": 1234, "bits": 3, "f32": 230.5,
    }  # fmt: skip
    assert unit.lent.counts == {}


def test_neighbours_are_asked_for_together(cable: Cable) -> None:
    """One question for what is near; across a gap only where that is allowed."""
    spread = device(1, input={0: list(range(60))})
    channels = {f"r{n}": {"address": n, "function": "input"} for n in (0, 1, 2, 5, 50)}
    with Units([spread], "rtu", cable.far):
        for more, expected in (
            ({}, [(0, 3), (5, 1), (50, 1)]),
            ({"max_gap": 2}, [(0, 6), (50, 1)]),
            ({"max_gap": 50}, [(0, 51)]),
            ({"max_gap": 50, "max_registers": 5}, [(0, 3), (5, 1), (50, 1)]),
        ):
            with Unit(cable.port.path, channels=channels, **more) as unit:
                cable.asked.clear()
                assert unit.sample() == {"r0": 0, "r1": 1, "r2": 2, "r5": 5, "r50": 50}
                asked = [question_of(question)[2:] for question in cable.asked[: len(expected)]]
            assert asked == expected


def test_a_wrong_address_is_named_and_costs_only_itself(cable: Cable, units: Units) -> None:
    """The exception is counted by its name; what was asked for together is cut in two until the register to blame is known."""
    with Unit(cable.port.path, channels=METER | {"wrong": {"register": "30005"}}) as unit:
        assert unit.sample() == {"voltage": 230.5, "current": 1.25}
        assert unit.sample() == {"voltage": 230.5, "current": 1.25}
    assert unit.lent.counts == {"exception_illegal_data_address": 4, "refused_registers": 1}


def test_a_damaged_answer_is_asked_for_again(cable: Cable, units: Units) -> None:
    """A wrong CRC is counted and costs nothing but the time; one that stays wrong costs its own channels only."""

    def damage(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1]) if len(cable.answered) == 1 else data

    cable.up = damage
    with Unit(cable.port.path) as unit:
        assert unit.sample() == {"voltage": 230.5, "current": 1.25}
        assert unit.lent.counts == {"bad_frames": 1}
    channels = METER | {"far": {"register": "30001", "type": "u16"}, "other": {"address": 0, "function": "coil"}}
    cable.up = lambda data: data if data[1] & 0x80 else data[:-1] + bytes([data[-1] ^ 1])
    with Unit(cable.port.path, channels=channels, turnaround="2s", retries=2) as unit:
        unit.counted("exception_illegal_data_address", 2)
    assert unit.lent.counts["bad_frames"] >= 3
    assert "unanswered" not in unit.lent.counts


def test_a_short_answer_is_damaged(cable: Cable, units: Units) -> None:
    """What begins as the answer and does not go on is asked for again at once."""
    cable.up = lambda data: data[:-2] if len(cable.answered) == 1 else data
    with Unit(cable.port.path, turnaround="1s") as unit:
        assert unit.sample() == {"voltage": 230.5, "current": 1.25}
    assert unit.lent.counts["bad_frames"] == 1


def test_noise_before_the_answer_does_no_harm(cable: Cable, units: Units) -> None:
    """Neither stray bytes nor what was on the line before the question."""
    rng = random.Random(3)
    cable.up = lambda data: rng.randbytes(5) + data
    with Unit(cable.port.path) as unit:
        for _ in range(20):
            cable.port.send(rng.randbytes(5))
            assert unit.sample() == {"voltage": 230.5, "current": 1.25}
    assert set(unit.lent.counts) == {"unasked_bytes"}


@pytest.mark.parametrize(("framing", "ignores_echo"), [("rtu", False), ("rtu", True), ("ascii", True)])
def test_an_echo_is_skipped(framing: str, ignores_echo: bool, cable: Cable) -> None:
    """RTU needs not be told that the adapter hears itself; ASCII does."""

    def echo(data: bytes) -> bytes:
        cable.port.send(data)
        return data

    cable.down = echo
    with Units([UNIT], framing, cable.far), Unit(cable.port.path, framing=framing, ignore_echo=ignores_echo) as unit:
        assert unit.sample() == {"voltage": 230.5, "current": 1.25}
    with Unit(cable.port.path, framing=framing, ignore_echo=ignores_echo, turnaround="20ms") as unit:
        unit.counted("unanswered", 2)
    assert "bad_frames" not in unit.lent.counts


def test_a_late_answer_is_counted_and_not_taken(cable: Cable, units: Units) -> None:
    """It is waited for, and the next question is asked when it has come."""
    channels = {"a": {"register": "30001", "type": "f32"}, "b": {"register": "30003", "type": "f32"}}
    withheld: list[bytes] = []

    def withhold_one(data: bytes) -> bytes:
        if withheld:
            return data
        withheld.append(data)
        return b""

    cable.up = withhold_one
    with Unit(cable.port.path, channels=channels, max_registers=2, turnaround="1s") as unit:
        unit.counted("unanswered")
        cable.port.send(withheld[0])
        assert unit.sample() == {"b": 1.25}
        assert unit.sample() == {"a": 230.5, "b": 1.25}
    assert unit.lent.counts == {"unanswered": 1, "late_answers": 1}


def test_answers_that_come_at_any_time_are_never_mixed_up(cable: Cable, units: Units) -> None:
    """Two questions with answers of one length: however late an answer comes, up to the quiet time, no value is the other's."""
    turnaround_s, chance = 0.1, random.Random(4)
    timers: list[threading.Timer] = []
    asked_at: deque[float] = deque()

    def answer(data: bytes, began: float) -> None:
        """A timer that rings beyond the quiet time, on a machine that is kept busy, is an answer that never came."""
        if time.monotonic() < began + 3.5 * turnaround_s:
            cable.port.send(data)

    def delay(data: bytes) -> bytes:
        began = asked_at.popleft()
        at = began + turnaround_s * chance.choice((0, 0, 0.5, 1.2, 2, 3))
        timers.append(threading.Timer(max(at - time.monotonic(), 0), answer, (data, began)))
        timers[-1].start()
        return b""

    cable.up = delay
    channels = {"a": {"register": "30001", "type": "f32"}, "b": {"register": "30003", "type": "f32"}}
    seen: list[Any] = []
    with Unit(cable.port.path, channels=channels, max_registers=2, turnaround="100ms", interval="1ms") as unit:
        write = unit.driver.port.write

        def noted(data: bytes) -> None:
            asked_at.append(time.monotonic())
            write(data)

        unit.driver.port.write = noted  # type: ignore[method-assign]  # listened to
        while len(seen) < 30:
            seen += unit.read(1.0)
    for timer in timers:
        timer.join()
    assert {name: {sample.values[name] for sample in seen if name in sample.values} for name in "ab"} == {
        "a": {230.5},
        "b": {1.25},
    }
    assert unit.lent.counts["late_answers"] > 3


def test_babble_is_not_an_answer(tmp_path: Path) -> None:
    """A line that never stops talking makes the unit unanswered, and the driver still ends when told."""
    port = Port(tmp_path / "tty")
    babbling = threading.Event()

    def babble() -> None:
        rng = random.Random(5)
        while not babbling.is_set():
            try:
                port.send(rng.randbytes(500), 0.05)
            except AssertionError:
                continue

    thread = threading.Thread(target=babble)
    thread.start()
    with Unit(port.path, turnaround="20ms") as unit:
        unit.counted("unanswered", 3)
        babbling.set()
        thread.join()
    port.close()


def test_a_stop_does_not_wait_for_the_answer(cable: Cable) -> None:
    """Told to stop in the middle of a question, read returns."""
    with Unit(cable.port.path, turnaround="60s") as unit:
        timer = threading.Timer(0.05, unit.lent.wake)
        timer.start()
        began = time.monotonic()
        assert unit.read(600.0) == []
        assert time.monotonic() - began < 30
        timer.join()


def test_units_that_go_away_and_come_back() -> None:
    """A lost connection is a driver error; a new driver reads on."""
    with Units([UNIT]) as running:
        port = running.tcp_port
        first = Unit(f"tcp://127.0.0.1:{port}").__enter__()
        assert first.sample() == {"voltage": 230.5, "current": 1.25}
    with pytest.raises(DriverError, match=r"gone|refused|reset"):
        until(lambda: first.driver.read(0.1) and False, "an error")
    first.__exit__()
    refused = Unit(f"tcp://127.0.0.1:{port}")
    with pytest.raises(DriverError, match="refused"):
        refused.driver.open()
    refused.__exit__()
    again = Units([UNIT])
    again.tcp_port = port
    with again, Unit(f"tcp://127.0.0.1:{port}") as unit:
        assert unit.sample() == {"voltage": 230.5, "current": 1.25}


def test_unplugged_in_the_middle_of_a_question(tmp_path: Path) -> None:
    """The adapter that vanishes while an answer is awaited is a driver error at once."""
    port = Port(tmp_path / "tty")
    with Unit(port.path, turnaround="60s") as unit:
        timer = threading.Timer(0.05, port.unplug)
        timer.start()
        with pytest.raises(DriverError):
            unit.driver.read(60.0)
        timer.join()


def test_a_tcp_answer_to_an_earlier_question_is_left(tmp_path: Path) -> None:
    """Its number tells; the unit needs not be left in peace before it is asked again."""
    import socket

    server = socket.create_server(("127.0.0.1", 0))
    with Unit(f"tcp://127.0.0.1:{server.getsockname()[1]}", turnaround="1s") as unit:
        line, _ = server.accept()
        unit.counted("unanswered")
        first = line.recv(100)
        samples: list[Sample] = []
        reader = threading.Thread(target=lambda: samples.extend(unit.read(60.0)))
        reader.start()
        second = line.recv(100)
        for question, volts in ((first, 1.0), (second, 230.5)):
            pdu = bytes((1, 4, 8)) + b"".join(word.to_bytes(2, "big") for word in f32(volts, 1.25))
            line.sendall(question[:4] + len(pdu).to_bytes(2, "big") + pdu)
        reader.join()
        assert samples[0].values == {"voltage": 230.5, "current": 1.25}
        line.close()
    server.close()
    assert unit.lent.counts["late_answers"] == 1


def test_a_gateway_that_cannot_reach_a_unit_says_so(cable: Cable) -> None:
    """Its exception is counted by name, and the rest of the round is left out as after silence."""
    from tests.drivers.buses.test_modbus_codec import _with_crc

    channels = {"a": {"register": "30001"}, "b": {"register": "30101"}}
    with Unit(cable.port.path, channels=channels, interval="20ms") as unit:
        reader = _answering(cable, lambda question: _with_crc("rtu", bytes((question[0], question[1] | 0x80, 11, 0, 0)), 0))
        unit.counted("exception_gateway_target_failed_to_respond", 3)
        reader()
    assert {question_of(question)[2] for question in cable.asked} == {0}


def _answering(cable: Cable, answer: Callable[[bytes], bytes]) -> Callable[[], None]:
    """Answer every question by hand from now on; call what is returned to end it."""

    def down(data: bytes) -> bytes:
        cable.port.send(answer(data))
        return b""

    cable.down = down
    return lambda: setattr(cable, "down", lambda data: data)
