"""Coverage-guided fuzzing of every parser of strangers' bytes, with atheris (extra ``fuzz``).

    make fuzz                       half an hour, half of it here
    make fuzz FUZZ_SECONDS=3600     an hour

The first byte of an input chooses the parser, the second how the rest is cut. Any exception is a finding; libFuzzer's own limits
catch what takes for ever or eats the memory.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sensorlogd"]):
    from tests.drivers.decoders.parsers import NAMES, cut, parser

for _name in NAMES:  # what is loaded late is loaded now
    parser(_name)(b"")


def try_input(data: bytes) -> None:
    """One input."""
    if len(data) < 3:
        return
    feed = parser(NAMES[data[0] % len(NAMES)])
    for piece in cut(data[2:], data[1]):
        feed(piece)


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], "-rss_limit_mb=1500", "-timeout=20", *sys.argv[1:]], try_input)
    atheris.Fuzz()
