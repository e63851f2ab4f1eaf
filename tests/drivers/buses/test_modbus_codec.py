"""Modbus as bytes: recorded questions and answers, whole and cut anywhere, clean and in noise."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerAscii
from pymodbus.pdu import DecodePDU

from sensorlogd.drivers.modbus.codec import FUNCTIONS, Answer, AwaitedResponse, Framing, request
from sensorlogd.drivers.modbus.registers import Register, questions
from sensorlogd.drivers.modbus.sniffer import Sniffer
from tests.needs import CORPUS, corpus

NAMES = {code: name for name, code in FUNCTIONS.items()}
PAIRS = CORPUS / "modbus" / "minimalmodbus.GOOD_RTU_RESPONSES.jsonl"
CAPTURES = ("flowmeter_graph_tool", "flowmeter_target0_val0", "flowmeter_target_0liter_per_min", "wizmodbus")


def _pairs() -> list[tuple[bytes, bytes]]:
    corpus("modbus")
    entries = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    return [(bytes.fromhex(entry["request"]), bytes.fromhex(entry["response"])) for entry in entries]


def _reads() -> list[tuple[bytes, bytes]]:
    return [pair for pair in _pairs() if pair[0][1] in NAMES]


def _cut(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """In pieces of random length, down to single bytes."""
    at = 0
    longest = rng.choice((1, 3, 20, 1000))
    while at < len(data):
        size = rng.randint(1, longest)
        yield data[at : at + size]
        at += size


def _fed(awaited: AwaitedResponse, data: bytes, rng: random.Random) -> Answer | None:
    for piece in _cut(data, rng):
        answer = awaited.feed(piece)
        if answer is not None:
            return answer
    return None


def _ask(framing: Framing, recorded: bytes) -> Any:
    unit, function, address, count = struct.unpack(">BBHH", recorded[:6])
    return request(framing, unit, NAMES[function], address, count, 0x1234)


def _expected(recorded: bytes, response: bytes) -> list[int]:
    decoded = DecodePDU(is_server=False).decode(response[1:-2])
    assert decoded is not None
    count = int.from_bytes(recorded[4:6], "big")
    return [int(value) for value in decoded.registers or decoded.bits][:count]


# ---- recorded pairs ------------------------------------------------------------------------------------------------


def test_questions_are_the_recorded_ones() -> None:
    """Byte for byte, CRC included."""
    reads = _reads()
    assert len(reads) == 49
    for recorded, _ in reads:
        assert _ask("rtu", recorded).sent == recorded


@pytest.mark.parametrize("framing", ["rtu", "ascii", "tcp"])
@pytest.mark.parametrize("noise", [False, True])
def test_recorded_answers_in_any_framing(framing: Framing, noise: bool) -> None:
    """Each recorded answer is found and decoded as pymodbus decodes it, wherever it is cut and whatever precedes it."""
    rng = random.Random(1)
    reads = _reads()
    assert len(reads) > 3
    for recorded, response in reads:
        asked = _ask(framing, recorded)
        for _ in range(20):
            line = _framed(framing, response, asked.transaction)
            if noise:
                line = rng.randbytes(rng.randint(1, 40)) + line
            answer = _fed(AwaitedResponse(asked), line, rng)
            assert answer is not None, (recorded.hex(), line.hex())
            assert list(answer.values) == _expected(recorded, response)


def _framed(framing: Framing, rtu: bytes, transaction: int) -> bytes:
    unit, pdu = rtu[0], rtu[1:-2]
    if framing == "tcp":
        return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu
    if framing == "ascii":
        return b":%s%02X\r\n" % (rtu[:-2].hex().upper().encode(), FramerAscii.compute_LRC(rtu[:-2]))
    return rtu


@pytest.mark.parametrize("framing", ["rtu", "ascii", "tcp"])
def test_an_answer_to_another_question_is_none(framing: Framing) -> None:
    """Of another unit, function, length (RTU, ASCII) or number (TCP)."""
    asked = request(framing, 1, "input", 0, 2, 7)
    good = bytes.fromhex("01040400010002") + b"\0\0"
    others = [b"\x02" + good[1:], b"\x01\x03" + good[2:], bytes.fromhex("0104020001") + b"\0\0"]
    for other in others[1:] if framing == "tcp" else others:
        assert AwaitedResponse(asked).feed(_with_crc(framing, other, 7)) is None
    if framing == "tcp":
        assert AwaitedResponse(asked).feed(_with_crc(framing, good, 6)) is None
    assert AwaitedResponse(asked).feed(_with_crc(framing, good, 7)) == Answer([1, 2])


def _with_crc(framing: Framing, frame: bytes, transaction: int) -> bytes:
    from pymodbus.framer import FramerRTU

    return _framed(framing, frame[:-2] + FramerRTU.compute_CRC(frame[:-2]).to_bytes(2, "big"), transaction)


@pytest.mark.parametrize("framing", ["rtu", "ascii", "tcp"])
def test_a_second_answer_behind_the_first_is_found(framing: Framing) -> None:
    """Also in the same burst, and each only once."""
    awaited = AwaitedResponse(request(framing, 1, "holding", 0, 1, 7))
    first, second = (_with_crc(framing, bytes((1, 3, 2, 0, value, 0, 0)), 7) for value in (1, 2))
    assert [awaited.feed(data) for data in (first + second, b"", b"", second)] == [Answer([1]), Answer([2]), None, Answer([2])]


@pytest.mark.parametrize("framing", ["rtu", "ascii", "tcp"])
def test_an_exception_is_an_answer(framing: Framing) -> None:
    """It carries its code."""
    asked = request(framing, 1, "holding", 0, 2, 7)
    assert AwaitedResponse(asked).feed(_with_crc(framing, b"\x01\x83\x02\0\0", 7)) == Answer((), 2)


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
def test_any_wrong_bit_makes_it_none(framing: Framing) -> None:
    """No answer whose checksum is wrong is taken; and the good one right behind it is not lost."""
    asked = request(framing, 1, "input", 0, 2)
    good = _with_crc(framing, bytes.fromhex("01040443480000") + b"\0\0", 0)
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        awaited = AwaitedResponse(asked)
        if framing == "ascii" and (bytes(bad).upper() == good or bad[:-2] == good[:-2]):
            continue  # another way to write the same
        assert awaited.feed(bytes(bad)) is None, bytes(bad)
        assert awaited.feed(good) == Answer([0x4348, 0]), bytes(bad)


def test_what_was_damaged_is_known() -> None:
    """Damaged is not silent: such a question may be asked again at once."""
    asked = request("rtu", 1, "input", 0, 2)
    good = _with_crc("rtu", bytes.fromhex("01040443480000") + b"\0\0", 0)
    damaged, short, noise = AwaitedResponse(asked), AwaitedResponse(asked), AwaitedResponse(asked)
    damaged.feed(good[:4] + b"\0" + good[5:])
    short.feed(good[:-3])
    noise.feed(b"\xff\x00\xff")
    assert damaged.damaged
    assert short.begun()
    assert not noise.damaged
    assert not noise.begun()


@given(st.binary(max_size=600), st.sampled_from(["rtu", "ascii", "tcp"]), st.integers(1, 125), st.randoms(use_true_random=False))
def test_no_bytes_make_it_raise(data: bytes, framing: Framing, count: int, chance: random.Random) -> None:
    """Whatever arrives; and what is kept of it is bounded."""
    awaited = AwaitedResponse(request(framing, 1, "holding", 0, count))
    for piece in _cut(data * 5, chance):
        awaited.feed(piece)
        assert len(awaited._buffer) <= 600


# ---- overheard buses -----------------------------------------------------------------------------------------------


def _sniffed(pieces: Iterator[bytes]) -> list[tuple[Any, Any]]:
    sniffer = Sniffer()
    found = [both for piece in pieces for both in sniffer.feed(piece)]
    return found + list(sniffer.feed(b"", end=True))


def _capture(name: str) -> list[bytes]:
    """The frames of a capture in order of time."""
    folder = corpus("sigrok-uart/modbus_rtu")
    return [bytes.fromhex(json.loads(line)["hex"]) for line in (folder / f"{name}.timing.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_give_what_the_reference_counts(name: str) -> None:
    """Requests, responses, exceptions and each transaction's values, wherever the bytes are cut."""
    folder = corpus("sigrok-uart/modbus_rtu")
    entries = json.loads((folder.parents[1] / "COUNTS.json").read_text())["sigrok-uart/modbus_rtu"]
    (counts,) = [entry for entry in entries if entry["file"] == name]
    expected = [json.loads(line) for line in (folder / f"{name}.expected.jsonl").read_text().splitlines()]
    line = b"".join(_capture(name))
    for seed in range(20):
        found = _sniffed(_cut(line, random.Random(seed)))
        answers = [both for both in found if both[1] is not None]
        assert len(found) == counts["frames"]
        assert len(found) - len(answers) == counts["pymodbus_requests_ok"]
        assert len(answers) == counts["pymodbus_responses_ok"]
        assert sum(answer.exception > 0 for _, answer in answers) == counts["exceptions"]
        assert len(expected) == counts["transactions"]
        for (asked, answer), want in zip(answers, expected, strict=True):
            assert (asked.unit, asked.function, asked.address) == (want["unit"], want["fc"], want["addr"])
            if want["fc"] in FUNCTIONS.values():
                assert answer.values() == want["registers"]


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_in_noise_lose_nothing(name: str) -> None:
    """With noise between all frames, every frame is still found, in order, and nothing else."""
    frames = _capture(name)
    clean = [_shown(both) for both in _sniffed(iter(frames))]
    for seed in range(20):
        rng = random.Random(seed)
        noisy = b"".join(rng.randbytes(rng.randint(0, 12)) + frame for frame in frames)
        assert [_shown(both) for both in _sniffed(_cut(noisy, rng))] == clean


def _shown(both: tuple[Any, Any]) -> str:
    asked, answer = both
    frame = answer if answer is not None else asked
    return f"{'answer' if answer is not None else 'question'} {frame.unit} {frame.pdu.hex()}"


def test_all_96_recorded_pairs_are_overheard() -> None:
    """Reading and writing functions alike: each pair is one question and its answer, byte for byte."""
    pairs = _pairs()
    assert len(pairs) == 96
    rng = random.Random(2)
    for recorded, response in pairs:
        (question, nothing), (asked, answer) = _sniffed(_cut(recorded + response, rng))
        assert nothing is None
        assert asked is question
        for frame, bytes_ in ((question, recorded), (answer, response)):
            assert bytes((frame.unit,)) + frame.pdu == bytes_[:-2]


# ---- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        ("u16", [0xFFFE], 65534),
        ("i16", [0xFFFE], -2),
        ("u32", [0x0001, 0x0002], 65538),
        ("i32", [0xFFFF, 0xFFFE], -2),
        ("u64", [0, 0, 1, 2], 65538),
        ("i64", [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], -2),
        ("f32", [0x4366, 0x0000], 230.0),
        ("f64", [0x406C, 0xC000, 0, 0], 230.0),
        ("bcd16", [0x1234], 1234),
        ("bcd32", [0x0012, 0x3456], 123456),
    ],
)
def test_types_and_orders(kind: str, words: list[int], value: float) -> None:
    """Each type in each of the four orders."""
    swapped = [word >> 8 | (word & 0xFF) << 8 for word in words]
    assert Register("holding", 0, kind).value(words) == value
    assert Register("holding", 0, kind, word_order="little").value(words[::-1]) == value
    assert Register("holding", 0, kind, byte_order="little").value(swapped) == value
    assert Register("holding", 0, kind, word_order="little", byte_order="little").value(swapped[::-1]) == value


def test_bits_and_missing_values() -> None:
    """Bits of a number; raw numbers and floats that are no value."""
    assert Register("holding", 0, bits=(4, 4)).value([0xABCD]) == 0xC
    assert Register("holding", 0, "u32", bits=(15, 2)).value([0x0001, 0x8000]) == 3
    assert Register("coil", 0).value([1]) == 1
    assert math.isnan(Register("input", 0, "i16", missing=frozenset({-32768})).value([0x8000]))
    assert math.isnan(Register("input", 0, "f32").value([0x7FC0, 0]))
    assert math.isnan(Register("input", 0, "f32").value([0x7F80, 0]))
    with pytest.raises(ValueError, match="12ab is not BCD"):
        Register("input", 0, "bcd16").value([0x12AB])


registers = st.builds(
    Register,
    st.sampled_from(["holding", "input", "coil"]),
    st.integers(0, 300),
    st.sampled_from(["u16", "f32", "f64"]),
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), registers, min_size=1, max_size=30), st.integers(0, 20), st.integers(4, 60)
)
def test_questions_hold_every_register_once(maps: dict[str, Register], max_gap: int, most: int) -> None:
    """Each channel is in exactly one question, whole; no question is longer than allowed or reads over too wide a gap."""
    asked = questions(maps, max_gap, most)
    assert sorted(name for question in asked for name in question.names) == sorted(maps)
    for question in asked:
        held = sorted((maps[name] for name in question.names), key=lambda register: register.address)
        assert all(register.function == question.function for register in held)
        assert question.address == held[0].address
        assert question.address + question.count == max(register.end for register in held)
        assert question.count <= most
        reached = held[0].end
        for register in held[1:]:
            assert register.address - reached <= max_gap
            reached = max(reached, register.end)
