"""Files of bytes: recordings with times of arrival, or raw bytes, which are played at the speed of the line."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.recording import EPOCH_FROM_S, OURS, BadRecording, Header, looks_like_one, parse_line
from sensorlogd.drivers.serial.options import PortOptions

CHUNK_S = 0.05  # raw bytes come in pieces of this much line time
FIRST_LINE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class PlayedBytes:
    """Bytes that are played at once. ``at_us``: when they came, since 1970 if ``absolute``, else from an unknown origin."""

    at_us: int
    data: bytes
    absolute: bool


def pieces(path: Path, options: PortOptions, count: Count) -> Generator[PlayedBytes]:
    """The pieces of the file, in its order. Raises OSError."""
    with path.open("rb") as file:
        first = file.readline(FIRST_LINE_BYTES)
    if looks_like_one(first.decode("utf-8", "replace")):
        yield from _recorded_pieces(path, count)
    else:
        yield from _raw_pieces(path, options)


def _recorded_pieces(path: Path, count: Count) -> Generator[PlayedBytes]:
    """The pieces of a recording. Its first entry says whether the times have a date."""
    start_us: int | None = None
    dated: bool | None = None
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                parsed = parse_line(line)
            except BadRecording as bad:
                count("bad_entries", 1, f"line {number} {bad}")  # the last line, if the recording was broken off
                continue
            if isinstance(parsed, Header):
                start_us = parsed.start_us
            elif parsed is not None and parsed.direction in OURS:
                count("our_entries", 1, "")
            elif parsed is not None:
                large = parsed.at_s >= EPOCH_FROM_S
                if dated is None:
                    dated = large or start_us is not None
                if start_us is None and dated is not large:
                    count("bad_entries", 1, f"line {number}: t is {parsed.at_s:g}, unlike in the lines before")
                    continue
                yield PlayedBytes((start_us or 0) + round(parsed.at_s * 1e6), parsed.data, dated)


def _raw_pieces(path: Path, options: PortOptions) -> Generator[PlayedBytes]:
    """The bytes of the file in pieces of CHUNK_S, with the times at which the line would have brought them."""
    bits = 1 + options.bytesize + (options.parity != "none") + options.stopbits
    size = max(round(options.baudrate / bits * CHUNK_S), 1)
    per_byte_us = 1e6 * bits / options.baudrate
    sent = 0
    with path.open("rb") as file:
        while data := file.read(size):
            sent += len(data)
            yield PlayedBytes(round(sent * per_byte_us), data, False)
