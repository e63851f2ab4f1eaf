"""What holds of every decoder, whatever its options and whatever comes. A seed decides both; ``check(seed)`` raises what it finds.

- Any cutting of the same bytes gives the same readings and the same counts.
- The quick way gives what the exact way gives.
- No exception escapes.
- What is read was there: each line or frame is a piece of the bytes between two silences, none is glued of two.
- What a device would send is read as what it means.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from sensorlogd.batch import Batch
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.serial.decoders import LineDecoder, decoder_for
from sensorlogd.drivers.serial.framing.frame_options import BlockFormat, ObisFormat
from sensorlogd.drivers.serial.framing.frames import FrameDecoder
from sensorlogd.drivers.serial.options import LineFormat, SerialOptions
from tests.drivers.decoders import random_formats as formats

NOW = 1_700_000_000_000_000
TOKENS = (
    b"$GPGLL,5057.970,N,00146.110,E,142451,A*27\r\n", b"$", b"*", b"!AIVDM,", b"\\s:a*00\\", b"\xb5b\x01\x07\x5c\x00", b"\xb5b\x01\x07\x00\x04", b"\xd3\x03\xff\x3e\xd0",
    b"\x42\x4d\x00\x1c", b"\xaa", b"\xaa\x55", b"\xab", b"\x02", b"\x03", b"\x10\x02", b"\x10\x03", b"\xc0", b"\x7e", b"\xdb\xdc", b"\x7d\x5e", b"\r\n", b"\n\r", b"\n", b"\r", b";",
    b"21.5", b"1,2", b"T:", b"T=", b"a=1", b"# hi", b"ON", b"-", b"1e999", b"nan", b"1" * 50, b"{", b'{"a": 1}', b"\r\nV\t12", b"\r\nChecksum\t", b":A0102\n", b":",
    b"/KFM5KAIFA\r\n", b"/", b"!0000\r\n", b"!\r\n", b"1-0:1.7.0(00.512*kW)\r\n", b"BEGIN", b"END", b"\x68\x03\x03\x68\x08\x01\x72\x7b\x16", b"\x68\xf0\xf0\x68", b"\xe5", b"\x42\x4d\x0f\xf0", b"\xaa\x55\x0f",
    b"\xb5b\x01\x03\x10\x00" + bytes(16) + b"\x14\x6d", b"\nV 12 1\r", b"\x00" * 9, b"\xff" * 9, b" " * 5,
)  # fmt: skip
FLOODS = (
    b"\xaa",
    b"\x42\x4d\x01",
    b"\xaa\x55\x0f\xf0",
    b"\x02",
    b"x",
    b"/ISK5",
    b"\xd3\x03\xff\x3e\xd0",
    b"\xb5b\x01\x07\xf0\x0f",
    b"$G",
    b"\\",
    b"\x68\xf0\xf0\x68",
    b"12",
)
Decoder = Any


class Kept:
    """A decoder, its counts, and the pieces it took for lines or frames."""

    def __init__(self, make: Callable[[Any], Decoder]) -> None:
        self.counts: Counter[str] = Counter()
        self.rows: list[tuple[tuple[str, str], ...]] = []
        self.pieces: list[bytes] = []
        self.decoder = make(self.count)
        if isinstance(self.decoder, LineDecoder):
            parse = self.decoder.parser.parse

            def listened(lines: list[bytes], now_us: int) -> Batch | None:
                self.pieces.extend(lines)
                return parse(lines, now_us)

            self.decoder.parser.parse = listened  # type: ignore[method-assign]  # listened to
        elif isinstance(self.decoder, FrameDecoder):
            row = self.decoder._row

            def kept(frame: bytes) -> dict[str, float] | None:
                self.pieces.append(frame)
                return row(frame)

            self.decoder._row = kept  # type: ignore[method-assign]  # listened to

    def count(self, name: str, n: int, example: str) -> None:
        assert n > 0
        self.counts[name] += n

    def take(self, batch: Batch | None) -> None:
        if batch is None:
            return
        for index in range(len(batch.times_us)):
            self.rows.append(
                tuple((name, repr(column[index])) for name, column in sorted(batch.values.items()) if column[index] is not None)
            )

    def run(self, segments: list[bytes], rng: random.Random | None) -> None:
        """Each segment, in pieces of any size where there is an ``rng``, and the silence behind it."""
        for segment in segments:
            for piece in cut(segment, rng):
                self.take(self.decoder.feed(piece, NOW))
            self.take(self.decoder.idle(NOW))


class MBus:
    """Its frames as samples."""

    def __init__(self, count: Any) -> None:
        from sensorlogd.drivers.mbus.frames import LongFrames

        self.frames = LongFrames(count)

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        found = list(self.frames.feed(data))
        return Batch([now_us] * len(found), {"frame": [float(sum(frame)) for frame in found]}) if found else None

    def idle(self, now_us: int) -> None:
        self.frames.reset()


def cut(data: bytes, rng: random.Random | None) -> list[bytes]:
    """In one piece, or in pieces of any size."""
    if rng is None:
        return [data] if data else []
    pieces, at = [], 0
    most = rng.choice((1, 3, 20, 200))
    while at < len(data):
        size = rng.randint(1, most)
        pieces.append(data[at : at + size])
        at += size
    return pieces


def drawn(rng: random.Random) -> tuple[Callable[[Any], Decoder], SerialOptions | None]:
    """A decoder by chance: how it is made, and its options where what it reads can be built."""
    midway = rng.random() < 0.5
    kind = rng.random()
    if kind < 0.02:
        return MBus, None
    if kind < 0.12:
        from sensorlogd.drivers.nmea.decoder import NmeaDecoder

        nmea = NmeaOptions.model_validate(
            {
                "driver": "nmea",
                "port": "/dev/x",
                "heartbeat": "10s",
                "checksum": rng.random() < 0.7,
                "channels": {"latitude": {}, "fix_mode": {}},
            }
        )
        return lambda count: NmeaDecoder(nmea, count, midway=midway), None
    while True:
        chosen = (formats.lines if kind < 0.5 else formats.frames if kind < 0.88 else formats.others)(rng)
        try:
            how = formats.options(chosen)
        except ValueError:
            continue
        return partial(_serial, how, midway), how


def _serial(how: SerialOptions, midway: bool, count: Any) -> Decoder:
    return decoder_for(how, count, midway=midway)


def stream(rng: random.Random, how: SerialOptions | None) -> list[bytes]:
    """Segments between silences: units of the device, whole, damaged and cut short, tokens, noise, and floods of one thing."""
    segments = []
    for _ in range(rng.randint(1, 4)):
        parts = []
        for _ in range(rng.randint(0, 14)):
            whole = formats.unit(rng, how) if how is not None else None
            kind = rng.random()
            if whole and kind < 0.45:
                parts.append(whole)
            elif whole and kind < 0.55:
                parts.append(whole[: rng.randint(0, len(whole))])
            elif whole and kind < 0.65:
                spoilt = bytearray(whole)
                spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
                parts.append(bytes(spoilt))
            elif kind < 0.9:
                parts.append(rng.choice(TOKENS))
            elif kind < 0.98:
                parts.append(rng.randbytes(rng.randint(0, 30)))
            else:
                parts.append((whole or rng.choice(TOKENS)) * rng.choice((20, 300, 300, 3000)))
        if rng.random() < 0.03:  # so much that looks like something that no more of it is looked at closely
            parts.insert(rng.randint(0, len(parts)), rng.choice(FLOODS) * rng.randint(1000, 5000))
        segments.append(b"".join(parts))
    return segments


def check(seed: int) -> None:
    """Raises AssertionError, or whatever a decoder raises."""
    rng = random.Random(seed)
    make, how = drawn(rng)
    segments = stream(rng, how)
    whole, pieces = Kept(make), Kept(make)
    whole.run(segments, None)
    pieces.run(segments, rng)
    assert pieces.rows == whole.rows, "cutting changes readings"
    assert pieces.counts == whole.counts, f"cutting changes counts: {pieces.counts} of {whole.counts} in one piece"
    if how is None:
        return
    if isinstance(how.format, BlockFormat | ObisFormat):
        return
    _was_there(how, segments, whole.pieces)
    _fast_is_exact(make, how, segments, whole)
    _means_what_was_sent(rng, make, how)


def _was_there(how: SerialOptions, segments: list[bytes], pieces: list[bytes]) -> None:
    escape = getattr(how.format, "escape", "none")
    for piece in pieces:
        forms = [piece]
        if escape != "none":
            stuffed = formats.stuffed(escape, piece)
            forms = [stuffed[1:-1] if escape in ("slip", "ppp") else stuffed]
        found = any(form in segment for segment in segments for form in forms)
        if not found and escape == "ppp":
            continue  # there are several ways to escape a byte
        assert found, f"{piece!r} is in nothing that came between two silences"


def _fast_is_exact(make: Callable[[Any], Decoder], how: SerialOptions, segments: list[bytes], whole: Kept) -> None:
    if not isinstance(how.format, LineFormat):
        return
    exact = Kept(make)
    exact.decoder.parser._fast = None
    exact.run(segments, None)
    assert exact.rows == whole.rows, "the quick way gives other readings"
    assert exact.counts == whole.counts, "the quick way gives other counts"


def _means_what_was_sent(rng: random.Random, make: Callable[[Any], Decoder], how: SerialOptions) -> None:
    kept = Kept(make)
    kept.take(kept.decoder.idle(NOW))  # a quiet line is an honest start
    expected = []
    for _ in range(rng.randint(1, 8)):
        values = formats.values_for(rng, how)
        framed: Any = how.format  # of frames, if it is none of lines
        sent = formats.line(rng, how, values) if isinstance(how.format, LineFormat) else formats.frame(framed, values)
        if sent is None:
            continue
        for piece in cut(sent, rng):
            kept.take(kept.decoder.feed(piece, NOW))
        if how.ends_by_silence():
            kept.take(kept.decoder.idle(NOW))
        wanted = {
            name: repr(float(f"{value:g}") if isinstance(how.format, LineFormat) else float(value))
            for name, value in values.items()
        }
        expected.append(tuple(sorted(wanted.items())))
    got = [tuple((name, repr(float(value))) for name, value in row) for row in kept.rows]
    assert got == expected, f"sent {expected}, read {got}, counted {kept.counts}"
