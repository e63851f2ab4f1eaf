"""No byte a device can send raises anything, grows without bound, or takes more than its share of time."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections import deque
from types import FunctionType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers.decoders import laws
from tests.drivers.decoders.parsers import NAMES, cut, parser

# Pieces of what the parsers look for, so that chance gets far into them.
TOKENS = st.sampled_from(
    [
        b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n", b"$", b"*", b"!AIVDM,", b"\\s:a*00\\", b"\xb5b\x01\x07\x5c\x00",
        b"\x42\x4d\x00\x1c", b"\xaa\xc0", b"\xab", b"\xff\x86", b"/KFM5KAIFA\r\n", b"!0000\r\n", b"1-0:1.8.1(000671.578*kWh)\r\n", b"(", b")",
        b"\r\nChecksum\t\x00", b"V\t12800\r\n", b":A0102000543\n", b"\x02", b"\x03", b"ADCO 012345678901 B\r\n", b"\t", b";", b"=", b",", b"\n", b"\r", b"20;",
        b"\x10\x02", b"\x10\x03", b"\xc0", b"\xdb\xdc", b"\x7e", b"\x7d\x5e", b'{"a": 1', b"}", b"[" * 50, b"nan", b"1e999", b"-0", b"0x", b"12.5", b"\xd3\x00\x13",
        b'{"t": 1, "hex": "', b"\x01\x04\x02\x00\x01", b"\x00" * 9, b"\xff" * 9, b"!!!!", b"\x68\x0f\x0f\x68\x08\x05\x72", b"\x68\xff\xff\x68", b"\x16", b"\xe5", b"$BNRDD,300,", b"23 Nov 2013 00:00:60",
    ]
)  # fmt: skip
STREAMS = st.lists(st.one_of(TOKENS, st.binary(max_size=30)), max_size=25).map(b"".join)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_escapes(name: str) -> None:
    """Any bytes in any cutting."""

    @settings(max_examples=80, deadline=None)
    @given(STREAMS, st.integers(0, 100))
    def holds(data: bytes, seed: int) -> None:
        feed = parser(name)
        for piece in cut(data, seed):
            feed(piece)

    holds()


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**48))
def test_the_laws_of_decoders_hold(seed: int) -> None:
    """Random options, random bytes, random cuts (``laws``); ``python -m fuzz.fuzz_laws --seed N`` runs one again."""
    laws.check(seed)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("probe", "recording", "modbus answer")])
def test_a_stream_without_an_end_is_held_in_bounds(name: str) -> None:
    """Much that completes nothing: what is kept of it is no more than the longest frame there can be."""
    for unit in (b"x", b"$", b"/", b"\x42\x4d\xff\xff", b"\x02", b"\xb5b\x01\x07\xff\x1f"):
        feed = parser(name)
        for _ in range(3):
            feed(unit * (20_000 // len(unit)))
        assert held(feed) < 45_000, f"{held(feed)} bytes of {unit!r} are kept"


def held(thing: Any, depth: int = 6) -> int:
    """Bytes and text reachable from a parser, as long as they are its own."""
    if isinstance(thing, (bytes, bytearray, str)):
        return len(thing)
    if depth == 0:
        return 0
    if isinstance(thing, (list, tuple, deque)):
        return sum(held(part, depth - 1) for part in thing)
    if isinstance(thing, FunctionType):
        return sum(held(cell.cell_contents, depth - 1) for cell in thing.__closure__ or ())
    if type(thing).__module__.startswith("sensorlogd.") and hasattr(thing, "__dict__"):
        return sum(held(part, depth - 1) for part in vars(thing).values())
    return 0


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in NAMES if name != "probe"])
def test_time_grows_with_length_not_with_its_square(name: str) -> None:
    """Four times as much of the worst takes about four times as long; sixteen would be quadratic."""
    rng = random.Random(name)
    for unit in (
        b"$",
        b"/A\r\n",
        b"\x42\x4d\x00\x1c",
        b"\xaa\xc0",
        b"1-0:1.8.1(0",
        b"\xb5b\x01\x07\x08\x00",
        b"\x10\x02",
        b"x=1;",
        rng.randbytes(40),
    ):
        small, large = (unit * (length // len(unit)) for length in (6_000, 24_000))
        times = []
        for data in (small, large):
            best = min(_took(name, data) for _ in range(2))
            times.append(best)
        assert times[1] < 10 * times[0] + 0.05, (unit, times)


def _took(name: str, data: bytes) -> float:
    feed = parser(name)
    began = time.process_time()
    for at in range(0, len(data), 1000):
        feed(data[at : at + 1000])
    return time.process_time() - began


@pytest.mark.soak
def test_a_hundred_megabytes_without_a_line_end() -> None:
    """They are discarded and counted."""
    feed = parser("csv")
    tracemalloc.start()
    try:
        for _ in range(100):
            feed(b"7" * 1_000_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 200_000
