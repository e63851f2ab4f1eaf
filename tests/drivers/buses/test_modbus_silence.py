"""Modbus: what is silent, refused or closed costs only itself."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.modbus.blocks import Block, Blocks
from sensorlogd.drivers.modbus.codec import Answer
from sensorlogd.drivers.modbus.master import Master
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.modbus.registers import Register
from sensorlogd.drivers.serial.port import OwnPort
from sensorlogd.drivers.transactions import Asker, AskingPace, Fate, Outcome, Question
from sensorlogd.drivers.transactions.asking import MAX_HANG_UPS
from tests.drivers.buses.test_modbus import Unit
from tests.rig import until

Pdu = Callable[[int, int, int], bytes | None]  # (function, address, count) -> the answer's PDU, None for silence


HANGS_UP = b""


@contextmanager
def answering(pdu: Pdu, *, closes: bool = False) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """A Modbus TCP device: (its TCP port, what it was asked for)."""
    server = socket.create_server(("127.0.0.1", 0))
    asked: list[tuple[int, int]] = []

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                while len(question := line.recv(12)) == 12:
                    number, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", question)
                    asked.append((address, count))
                    answer = pdu(function, address, count)
                    if answer == HANGS_UP:
                        break
                    if answer is not None:
                        with contextlib.suppress(BrokenPipeError):  # whoever asked did not wait for it
                            line.sendall(struct.pack(">HHHB", number, 0, len(answer) + 1, unit) + answer)
                        if closes:
                            break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1], asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(10)


def registers(function: int, address: int, count: int) -> bytes:
    """Every register holds its address."""
    return bytes((function, 2 * count)) + struct.pack(f">{count}H", *range(address, address + count))


def test_a_silent_register_costs_only_itself() -> None:
    """It is found by halves, named once, and asked for less and less often; its neighbours are read in every round."""
    with answering(lambda f, at, n: None if at <= 5 < at + n else registers(f, at, n)) as (port, asked):
        channels = {f"r{n}": {"address": n} for n in (*range(10), 200)}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels, turnaround="400ms") as unit:  # longer than a stall of the machine
            wanted = {f"r{n}": float(n) for n in (*range(10), 200) if n != 5}
            until(lambda: unit.sample() == wanted, "all but the silent one")
            unit.counted("silent_registers")
            asked.clear()
            for _ in range(20):
                assert unit.sample() == wanted
    assert unit.lent.counts["silent_registers"] == 1
    assert sum(at <= 5 < at + n for at, n in asked) < 8


def test_a_unit_of_one_block_with_a_silent_register_is_not_dead() -> None:
    """Though nothing of it answers at first."""
    with answering(lambda f, at, n: None if at <= 0 < at + n else registers(f, at, n)) as (port, _):
        channels = {f"r{n}": {"address": n} for n in range(4)}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels, turnaround="60ms") as unit:
            until(lambda: unit.sample() == {"r1": 1.0, "r2": 2.0, "r3": 3.0}, "the others")


def test_a_dead_unit_is_asked_less_often_and_comes_back_whole() -> None:
    """Silence for a while makes no block smaller for good."""
    dead = threading.Event()
    dead.set()
    with answering(lambda f, at, n: None if dead.is_set() else registers(f, at, n)) as (port, asked):
        channels = {f"r{n}": {"address": n} for n in range(4)}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels, turnaround="30ms") as unit:
            unit.counted("backed_off", 5)
            dead.clear()
            wanted = {f"r{n}": float(n) for n in range(4)}
            until(lambda: unit.sample() == wanted, "everything")
            asked.clear()
            until(lambda: unit.sample() == wanted and asked[-1] == (0, 4), "one question for all")


def test_a_device_that_closes_after_each_answer_is_read_whole() -> None:
    """The connection is opened again within the round."""
    with answering(registers, closes=True) as (port, _):
        channels = {"a": {"address": 1}, "b": {"address": 200}}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels) as unit:
            for _ in range(3):
                assert unit.sample() == {"a": 1.0, "b": 200.0}
    assert unit.lent.counts["reopened"] >= 5


@pytest.mark.parametrize("where", [0, 200, 400], ids=["first", "middle", "last"])
def test_a_device_that_hangs_up_at_a_register_is_read_without_it(where: int) -> None:
    """Wherever in the round it is: what was answered is kept, what follows is asked in a new connection."""
    with answering(lambda f, at, n: HANGS_UP if at == where else registers(f, at, n)) as (port, asked):
        channels = {f"r{n}": {"address": n} for n in (0, 200, 400)}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels) as unit:
            wanted = {f"r{n}": float(n) for n in (0, 200, 400) if n != where}
            until(lambda: unit.sample() == wanted, "all but that one")
            unit.counted("silent_registers")
            asked.clear()
            for _ in range(20):
                assert unit.sample() == wanted
    assert sum(at == where for at, _ in asked) < 20  # it is asked for less and less often


def test_a_device_that_hangs_up_whatever_it_is_asked_is_lost() -> None:
    with answering(lambda f, at, n: HANGS_UP) as (port, asked):
        channels = {f"r{n}": {"address": n} for n in (0, 200, 400)}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels) as unit, pytest.raises(DriverError):
            for _ in range(1_000):
                unit.driver.read(0.1)
    assert len(asked) <= MAX_HANG_UPS + 1


@given(st.integers(1, 24), st.data())
def test_the_registers_to_blame_are_found(size: int, data: st.DataObject) -> None:
    """Whichever of a block are silent: in the end each of them is alone, and every other one is read."""
    maps = {f"r{n}": Register("holding", n) for n in range(size)}
    silent = data.draw(st.sets(st.sampled_from(sorted(maps)), max_size=min(size - 1, 4)))
    blocks = Blocks(maps, 0, 100, interval_s=1.0, cap_s=60.0)
    read: set[str] = set()
    for _ in range(80):
        read = set()
        for block in list(blocks.round(0.0)):
            if block not in blocks.all:
                continue
            if silent & set(block.question.names):
                if not block.single:
                    blocks.cut(block)
            else:
                read |= set(block.question.names)
                blocks.note_answer(block)
        _whole(blocks, maps)
    assert read >= set(maps) - silent
    assert {block.question.names[0] for block in blocks.all if block.single} >= silent


def _whole(blocks: Blocks, maps: dict[str, Register]) -> None:
    names = [name for block in blocks.all for name in block.question.names]
    assert sorted(names) == sorted(maps)


@given(st.integers(1, 12), st.integers(0, 3), st.lists(st.tuples(st.sampled_from("cars"), st.integers(0, 40)), max_size=60))
def test_however_blocks_are_cut_and_joined_each_register_is_in_one(size: int, max_gap: int, steps: list[tuple[str, int]]) -> None:
    """The invariant of ``Blocks``: in the order of the registers, and no block beside one that it was cut out of. Also when a
    block answers that has been joined or cut meanwhile."""
    maps = {f"r{n}": Register("holding", n + n // 3) for n in range(size)}
    blocks = Blocks(maps, max_gap, 100, interval_s=1.0, cap_s=60.0)
    made = list(blocks.all)
    for step, which in steps:
        block = blocks.all[which % len(blocks.all)]
        if step == "c" and not block.single:
            made += blocks.cut(block)
        elif step == "a":
            blocks.note_answer(made[which % len(made)])
        elif step == "r":
            block.refused = True
        else:
            blocks.begin_elsewhere()
        assert [name for each in blocks.all for name in each.question.names] == list(maps)
        assert sorted(map(id, blocks.round(0.0))) == sorted(map(id, blocks.all))
        for each in blocks.all:
            parent = each.parent
            while parent is not None:
                assert parent not in blocks.all
                parent = parent.parent


@given(st.text("ASRB", min_size=1, max_size=60))
@example("ASASASAASSAAS")  # both parts of a block have answered once, and one of them is silent where the other answers
@example("ASASASAASSAAR")
def test_whatever_becomes_of_questions_every_register_stays_in_one_block(fates: str) -> None:
    """Answered, silent, refused or busy, question by question over many rounds."""
    channels = {"z": {"address": 0}} | {f"r{n}": {"address": 100 + n} for n in range(3)}
    options = ModbusOptions.model_validate({"driver": "modbus", "port": "/dev/x", "interval": "1ms", "channels": channels})
    context = DriverContext("s", -1, lambda _: False, lambda: 0, lambda *_: None, lambda *_: None)
    master = Master(options, context, OwnPort(options, context, asks=True))
    to_come = iter(fates)

    def ask(asker: Asker, question: Question, wait_s: float) -> Outcome:
        fate = next(to_come, "A")
        count = master._todo[0].question.count
        answers = {"A": Answer([1] * count), "R": Answer([], 2), "B": Answer([], 6)}
        return Outcome(Fate.SILENT) if fate == "S" else Outcome(Fate.ANSWERED, answers[fate], 1)

    with mock.patch.object(Asker, "ask", ask), mock.patch.object(AskingPace, "due", return_value=True):
        for _ in range(20):
            master.read(10.0)
            _whole(master.blocks, options.registers())


def test_parts_that_answer_become_whole_again_but_not_for_ever() -> None:
    """A device that never answers so many at once stays cut."""
    blocks = Blocks({f"r{n}": Register("holding", n) for n in range(4)}, 0, 100, interval_s=1.0, cap_s=60.0)
    seen = []
    for _ in range(12):
        for block in list(blocks.all):
            if len(block.question.names) > 2:
                blocks.cut(block)
            else:
                blocks.note_answer(block)
        seen.append(len(blocks.all))
    assert seen[0] == 2
    assert seen[1] == 1
    assert seen[-4:] == [2, 2, 2, 2]


def test_what_is_refused_stays_cut() -> None:
    """An exception is no accident."""
    blocks = Blocks({f"r{n}": Register("holding", n) for n in range(2)}, 0, 100, interval_s=1.0, cap_s=60.0)
    whole: Block = blocks.all[0]
    whole.refused = True
    for part in blocks.cut(whole):
        blocks.note_answer(part)
    assert len(blocks.all) == 2


@pytest.mark.parametrize("code", [2, 3, 4])
def test_a_refused_register_is_named(code: int) -> None:
    """With the exception's name; the others are read in the same round."""

    def pdu(function: int, address: int, count: int) -> bytes:
        return bytes((function | 0x80, code)) if address <= 6 < address + count else registers(function, address, count)

    with answering(pdu) as (port, _):
        channels = {f"r{n}": {"address": n} for n in range(8)}
        with Unit(f"tcp://127.0.0.1:{port}", channels=channels) as unit:
            assert unit.sample() == {f"r{n}": float(n) for n in range(8) if n != 6}
            unit.counted("refused_registers")
