"""Hostile floods: how many bytes a second each decoder takes of what is made to cost it much.

    python -m benchmarks.floods [--seconds 0.3] [--kilobytes 400]

Every decoder against every flood, in reads of 4096 bytes; the figure is MB/s of CPU time. Below the floor of 2 MB/s it exits 1: a
port at 921600 baud brings 0.09 MB/s, so a flood there costs at most a twentieth of a core.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable

from tests.drivers.decoders.parsers import parser

FLOOR_MB_S = 2.0
READ = 4096

DECODERS = (
    "csv", "csv whitespace", "csv checksum", "keyvalue", "json", "regex", "times", "length frame", "fixed frame", "short head", "footer", "slip", "ppp",
    "dle", "victron-vedirect", "linky-historic", "dsmr-p1", "nmea", "ubx", "mbus", "bgeigie", "kern-scale", "ultimeter",
)  # fmt: skip


def floods(size: int) -> dict[str, bytes]:
    """By name; each of about ``size`` bytes."""
    noise = random.Random(1).randbytes(size)

    def of(unit: bytes) -> bytes:
        return unit * (size // len(unit))

    return {
        "slashes, wrong CRC": (b"/" * 8000 + b"!1234\r\n") * max(size // 8007, 1),
        "meter heads": of(b"/ISK5"),
        "ends": of(b"/ISK5!0000\r\n"),
        "objects": of(b"1-0:1.8.1(0"),
        "0xAA": of(b"\xaa"),
        "heads, long": of(b"\x42\x4d\x0f\xf0"),
        "heads, longer and longer": b"".join(b"\x42\x4d" + (n % 4080 + 8).to_bytes(2, "big") for n in range(size // 4)),
        "dollars": of(b"$"),
        "sentences broken off": of(b"$GP"),
        "wrong sums": of(b"$GPGLL,1*00\r\n"),
        "ubx heads": of(b"\xb5\x62\x01\x07\xf0\x0f"),
        "rtcm heads": of(b"\xd3\x03\xff\x3e\xd0"),
        "backslashes": of(b"\\"),
        "m-bus heads": of(b"\x68\xf0\xf0\x68"),
        "escapes": of(b"\xdb"),
        "delimiters": of(b"\xc0\x7e"),
        "slip shorts": of(b"\xc0abc"),
        "dle": of(b"\x10"),
        "dle starts": of(b"\x10\x02"),
        "stx": of(b"\x02"),
        "checksum lines": of(b"\r\nChecksum\t:"),
        "aside": of(b":A"),
        "frames, wrong sums": of(b"\xaa\xc0" + b"\1" * 7 + b"\xab"),
        "longer ones": of(b"\x42\x4d\x00\x1c" + b"\1" * 28),
        "digits": of(b"1"),
        "digits, lines": of(b"1" * 4000 + b"\n"),
        "blanks": of(b" " * 2000 + b"\n"),
        "commas": of(b"," * 500 + b"\n"),
        "pairs": of(b"x=1;"),
        "braces": of(b"[" * 900 + b"\n"),
        "json digits": of(b'{"a": ' + b"1" * 4000 + b"}\n"),
        "line ends": of(b"\r\n"),
        "carriage returns": of(b"21.53 48.1\r"),
        "lines of one letter": of(b"x\n"),
        "zeros": of(b"\0"),
        "noise": noise,
    }


def speed(name: str, data: bytes, seconds: float) -> float:
    """MB a second of CPU time; the best of as many runs as fit into ``seconds``."""
    best, began = 0.0, time.monotonic()
    while not best or time.monotonic() - began < seconds:
        feed: Callable[[bytes], object] = parser(name)
        start = time.process_time()
        for at in range(0, len(data), READ):
            feed(data[at : at + READ])
        best = max(best, len(data) / 1e6 / max(time.process_time() - start, 1e-9))
    return best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=0.05, help="for each pair")
    arguments.add_argument("--kilobytes", type=int, default=200)
    arguments.add_argument("--decoder", default="", help="only this one, with all its figures")
    given = arguments.parse_args()
    streams = floods(given.kilobytes * 1000)
    below = 0
    print(f"{'decoder':20} {'slowest':>10}  flood, and the next slowest (MB/s of CPU time)")
    for name in (given.decoder,) if given.decoder else DECODERS:
        figures = sorted((speed(name, data, given.seconds), flood) for flood, data in streams.items())
        below += sum(figure < FLOOR_MB_S for figure, _ in figures)
        next_slowest = [f"{flood} {figure:.1f}" for figure, flood in figures[1 : None if given.decoder else 4]]
        print(f"{name:20} {figures[0][0]:10.1f}  {figures[0][1]}; then {', '.join(next_slowest)}", flush=True)
    print(f"{below} of {len(streams) * len(DECODERS)} below {FLOOR_MB_S:g} MB/s")
    sys.exit(below > 0)


if __name__ == "__main__":
    main()
