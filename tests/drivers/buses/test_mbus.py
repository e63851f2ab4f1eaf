"""M-Bus: recorded meters against an independent decode, and a pretend meter on a pty."""

from __future__ import annotations

import os
import re
import select
import socket
import string
import threading
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.conformance import check_driver
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.mbus import MbusDriver
from sensorlogd.drivers.mbus import driver as mbus_driver
from sensorlogd.drivers.mbus.answers import Acknowledged, Telegram
from sensorlogd.drivers.mbus.driver import MbusOptions
from sensorlogd.drivers.mbus.frames import FCB, REQ_UD2, SND_NKE, LongFrames, records, short_frame
from sensorlogd.drivers.mbus.round import Round
from sensorlogd.drivers.transactions import Fate, Outcome, Question
from tests.drivers.decoders.decoding import pieces
from tests.needs import corpus
from tests.rig import Port


def long_frame(address: int, body: bytes) -> bytes:
    """CI 72 with a header of twelve bytes and ``body``."""
    data = bytes((0x08, address, 0x72)) + bytes.fromhex("78563412 2423 01 07 05 00 0000".replace(" ", "")) + body
    return bytes((0x68, len(data), len(data), 0x68)) + data + bytes((sum(data) & 0xFF, 0x16))


# DIF 0C VIF 13: volume in litres, eight BCD digits. DIF 02 VIF 5A: flow temperature in 0.1 °C. DIF 04 VIF 03: energy in Wh.
BODY = bytes.fromhex("0C1321430500" + "025A2A03" + "0403A0860100")
VALUES = {"volume": 54.321, "flow_temperature": 81.0, "energy_wh": 100_000.0}


def add(counts: Counter[str], name: str, n: int, example: str) -> None:
    counts.update({name: n})


def test_every_recorded_meter_is_decoded_as_the_reference_has_it() -> None:
    """Each frame is found whole; every number that the reference shows for a quantity is among ours, in its base unit."""
    files = sorted(corpus("mbus/test-frames").glob("*.hex"))
    assert len(files) == 61
    undecoded = []
    compared = 0
    for file in files:
        counts: Counter[str] = Counter()
        count = partial(add, counts)
        data = bytes.fromhex("".join(file.read_text().split()))
        (frame,) = LongFrames(count).feed(data)
        assert frame == data
        assert not counts
        values, _, _ = records(frame, count)
        if counts["undecoded_frames"]:
            undecoded.append(file.stem)
            continue
        wanted = list(_reference(file.with_suffix(".norm.xml")))
        for quantity, number in wanted:
            close = [
                value for value in values.values() if value == pytest.approx(number, rel=1e-6, abs=5e-7)
            ]  # it prints six decimals
            assert close, (file.stem, quantity, number, values)
            compared += 1
    assert undecoded == ["manual_frame2"]  # a fixed data structure, which the library does not know
    assert compared > 300


def _reference(path: Path) -> Iterator[tuple[str, float]]:
    """Quantities with a value that is a number, of the kinds that both decodes put into the same base unit."""
    if not path.exists():
        return
    root = ElementTree.fromstring(path.read_bytes())
    for record in root.iter("DataRecord"):
        quantity, value, unit = (record.findtext(tag) or "" for tag in ("Quantity", "Value", "Unit"))
        known = quantity in ("Volume", "Energy", "Power", "Volume flow", "Flow temperature", "Return temperature")
        if known and unit in ("m^3", "Wh", "W", "m^3/h", "°C", "C") and re.fullmatch(r"-?\d+\.\d+", value):
            yield quantity, float(value)


@given(st.binary(max_size=40).filter(lambda noise: b"\x68" not in noise and b"\xe5" not in noise), st.integers(0, 50))
def test_a_frame_behind_noise_is_found_in_any_cutting(noise: bytes, seed: int) -> None:
    """And the one behind a damaged one."""
    good = long_frame(5, BODY)
    bad = good[:-2] + bytes((good[-2] ^ 1, 0x16))
    counts: Counter[str] = Counter()
    frames = LongFrames(lambda name, n, _: counts.update({name: n}))
    found = [frame for piece in pieces(noise + bad + good + good, seed) for frame in frames.feed(piece)]
    assert found == [good, good]
    assert counts["bad_checksum"] == 1


@given(st.binary(max_size=250))
def test_no_content_of_a_frame_raises(body: bytes) -> None:
    """A right checksum over anything."""
    frame = long_frame(1, body[:230])
    values, units, _ = records(frame, lambda *_: None)
    assert units.keys() <= values.keys()
    assert list(LongFrames(lambda *_: None).feed(frame)) == [frame]


def test_records_have_names_one_can_guess() -> None:
    """Units are base units; alike ones get a letter."""
    values, units, more = records(long_frame(5, BODY + bytes.fromhex("0C1300000100")), lambda *_: None)
    assert values == {**VALUES, "volume_b": 10.0}
    assert not more
    assert units["volume"]


def test_records_of_a_second_telegram_have_names_of_their_own() -> None:
    """A meter with two tariffs in two telegrams: neither value is lost, and what no name is left for is counted."""
    counts: Counter[str] = Counter()
    round_ = Round()
    round_.note_acknowledged(0.0)
    for body in (BODY + b"\x1f", bytes.fromhex("0C1300000100")):
        frame = long_frame(5, body)
        round_.take_answer(frame, records(frame, partial(add, counts), round_.values), 0, 0.0)
    assert round_.values == {**VALUES, "volume_b": 10.0}
    assert not counts
    names = ["volume", *(f"volume_{letter}" for letter in string.ascii_lowercase[1:])]
    values, _, _ = records(long_frame(5, BODY), partial(add, counts), names)
    assert set(values) == VALUES.keys() - {"volume"}
    assert counts == {"bad_records": 1}


class Meter(threading.Thread):
    """Answers at address 5; the first answer says that more follow."""

    def __init__(self, port: Port, *, silent: bool = False, damaged: bool = False) -> None:
        super().__init__()
        self.port = port
        self.silent, self.damaged = silent, damaged
        self.asked: list[bytes] = []
        self.stop = threading.Event()

    def run(self) -> None:
        first, second = long_frame(5, BODY + b"\x1f"), long_frame(5, bytes.fromhex("022D2A00"))
        bad = first[:-2] + bytes((first[-2] ^ 1, 0x16))
        while not self.stop.is_set():
            if not select.select([self.port.master], [], [], 0.02)[0]:
                continue
            question = os.read(self.port.master, 100)
            self.asked.append(question)
            if self.silent:
                continue
            if question == short_frame(SND_NKE, 5):
                self.port.send(b"\xe5")
            elif question == short_frame(REQ_UD2 | FCB, 5):
                self.port.send(bad if self.damaged else first)
            elif question == short_frame(REQ_UD2 & ~FCB, 5):
                self.port.send(second)


@contextmanager
def asking(port: Port | str, counts: Counter[str], **more: object) -> Iterator[MbusDriver]:
    options = MbusOptions.model_validate(
        {
            "driver": "mbus", "port": port if isinstance(port, str) else str(port.path), "address": 5, "interval": "100ms", "turnaround": "300ms",
            "channels": {"volume": {}, "flow_temperature": {}, "power": {"source": "power_w"}}, **more,
        }
    )  # fmt: skip
    wake_r, wake_w = os.pipe()
    context = DriverContext(
        "s", wake_r, threading.Event().wait, lambda: 7, lambda name, n, _: counts.update({name: n}), lambda *_: None
    )
    driver = MbusDriver(options, context)
    try:
        driver.open()
        yield driver
    finally:
        driver.close()
        os.close(wake_r)
        os.close(wake_w)


@contextmanager
def behind_a_server(*, closes: bool, stays_open: int = 0) -> Iterator[tuple[str, list[bytes]]]:
    """The same meter behind a serial server: (port, what was asked). ``closes``: the connection after each answer; ``stays_open``: so many
    answers in one connection at first."""
    server = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []
    first, second = long_frame(5, BODY + b"\x1f"), long_frame(5, bytes.fromhex("022D2A00"))
    answers = {
        short_frame(SND_NKE, 5): b"\xe5",
        short_frame(REQ_UD2 | FCB, 5): first,
        short_frame(REQ_UD2 & ~FCB, 5): second,
    }

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                while question := line.recv(5):
                    asked.append(question)
                    line.sendall(answers[question])
                    if closes and len(asked) > stays_open:
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


WHOLE = {"volume": 54.321, "flow_temperature": 81.0, "power_w": 4200.0}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("stays_open", [0, 1, 2, 4])
def test_a_server_that_closes_after_each_answer_costs_nothing(shared: bool, stays_open: int) -> None:
    """What was answered stands: each round asks what it asks of an open connection, in the same order, and nothing twice."""
    counts: Counter[str] = Counter()
    with (
        behind_a_server(closes=True, stays_open=stays_open) as (address, asked),
        asking(address, counts, shared=shared, turnaround="5s") as driver,
    ):
        for _ in range(6):
            assert _first(driver, 8) == WHOLE
    in_turn = [short_frame(SND_NKE, 5), short_frame(REQ_UD2 | FCB, 5), short_frame(REQ_UD2 & ~FCB, 5)]
    # A close that comes when the next question is on its way already makes that one be asked again.
    assert [asked[n] for n in range(len(asked)) if n == 0 or asked[n] != asked[n - 1]] == in_turn * 6
    assert counts["reopened"] >= 6
    assert not counts["unanswered"]


def test_a_round_that_cannot_go_on_ends_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is not free for so long that another telegram would be of another time."""
    counts: Counter[str] = Counter()
    with behind_a_server(closes=False) as (address, _), asking(address, counts, turnaround="5s") as driver:
        ask_now = driver.asker.ask_now
        fates: list[Fate] = []

        def busy(question: Question) -> Outcome:
            if len(fates) >= 2:
                return Outcome(Fate.NOT_YET)
            fates.append((outcome := ask_now(question)).fate)
            return outcome

        monkeypatch.setattr(driver.asker, "ask_now", busy)
        assert not driver.read(1.0)
        assert not driver.read(1.0)
        monkeypatch.setattr(mbus_driver, "PAUSE_S", -15.0)
        got = driver.read(1.0)
        assert not isinstance(got, Batch)
        (sample,) = got
        assert isinstance(sample, Sample)
        assert sample.values == {"volume": 54.321, "flow_temperature": 81.0}


def _first(driver: MbusDriver, reads: int = 30) -> dict[str, float]:
    for _ in range(reads):
        got = driver.read(1.0)
        if got and not isinstance(got, Batch):
            return dict(got[0].values)
    return {}


def test_a_meter_is_asked_until_it_has_told_everything(tmp_path: Path) -> None:
    """Reset, question, question with the count bit flipped; what no channel takes is counted."""
    port = Port(tmp_path / "tty")
    meter = Meter(port)
    meter.start()
    counts: Counter[str] = Counter()
    try:
        with asking(port, counts, turnaround="5s") as driver:
            values = _first(driver)
        assert values["volume"] == 54.321
        assert values["flow_temperature"] == 81.0
        assert meter.asked[:3] == [short_frame(SND_NKE, 5), short_frame(REQ_UD2 | FCB, 5), short_frame(REQ_UD2 & ~FCB, 5)]
        assert counts["unmapped"] >= 1
    finally:
        meter.stop.set()
        meter.join()
        port.close()


@pytest.mark.parametrize("fault", ["silent", "damaged"])
def test_a_meter_that_does_not_answer_is_counted(tmp_path: Path, fault: str) -> None:
    """Silence and wrong checksums give no reading."""
    port = Port(tmp_path / "tty")
    meter = Meter(port, **{fault: True})
    meter.start()
    counts: Counter[str] = Counter()
    try:
        with asking(port, counts) as driver:
            assert _first(driver, 3) == {}
        assert counts["unanswered"] >= 1
        assert counts["bad_checksum"] == 0 or fault == "damaged"
    finally:
        meter.stop.set()
        meter.join()
        port.close()


def test_what_is_left_of_an_answer_is_not_taken_into_the_next() -> None:
    """Half a frame that never ended does not swallow the good one behind the next question."""
    cut = Telegram(5)
    assert cut.feed(bytes.fromhex("68FFFF68") + bytes(20), 0) is None
    assert cut.begun()
    good = long_frame(5, BODY)
    assert cut.fresh().feed(good, 0) == good


def test_another_meters_telegram_is_none() -> None:
    """It is counted as foreign; whoever asks for any address takes it; one sent twice is taken once."""
    telegram = Telegram(5)
    assert telegram.feed(long_frame(6, BODY), 0) is None
    assert telegram.foreign == 1
    good = long_frame(5, BODY)
    assert telegram.feed(good, 0) == good
    assert Telegram(254).feed(long_frame(6, BODY), 0) == long_frame(6, BODY)
    assert Telegram(5, before=good).feed(good, 0) is None
    assert not telegram.like(Telegram(6))
    assert telegram.like(Telegram(254))


def test_what_another_master_sends_to_the_meter_is_none() -> None:
    """A long frame with its address and the control field of SND_UD, as when two masters share a bus."""
    order = bytes((0x73, 5, 0x51)) + BODY
    frame = bytes((0x68, len(order), len(order), 0x68)) + order + bytes((sum(order) & 0xFF, 0x16))
    telegram = Telegram(5)
    assert telegram.feed(frame, 0) is None
    assert telegram.foreign == 1
    assert telegram.feed(long_frame(5, BODY), 0) == long_frame(5, BODY)


def test_what_comes_behind_an_answer_is_looked_at_by_the_next_call() -> None:
    """Two telegrams and an acknowledgement in one piece: each is given once, in their order, whatever is asked in between."""
    first, second = long_frame(5, BODY), long_frame(5, BODY[:7])
    telegram = Telegram(5)
    assert telegram.feed(first + second, 0) == first
    assert telegram.begun()
    assert telegram.feed(b"", 0) == second
    assert telegram.feed(b"", 0) is None
    assert not telegram.begun()
    acknowledged = Acknowledged()
    assert acknowledged.feed(first + b"\xe5" + second, 0) is True
    assert acknowledged.foreign == 2
    assert acknowledged.feed(b"", 0) is None


def test_it_keeps_to_the_contract(port: Port) -> None:
    """The conformance test, with a meter that goes bad on the way."""
    meter = Meter(port)
    meter.start()

    def spoil() -> None:
        meter.damaged = True

    keys = {
        "driver": "mbus", "port": str(port.path), "address": 5, "interval": "100ms", "turnaround": "200ms", "channels": {"volume": {}},
    }  # fmt: skip
    try:
        check_driver(
            MbusDriver,
            keys,
            bad_options=[keys | {"address": 255}, keys | {"channels": {}}, keys | {"parity": "mark"}],
            missing=keys | {"port": "/dev/does-not-exist"},
            spoil=spoil,
            rows=2,
        )
    finally:
        meter.stop.set()
        meter.join()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "tty")
    yield made
    made.close()
