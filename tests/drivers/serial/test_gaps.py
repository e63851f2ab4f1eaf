"""The clock for gaps, with time in the test's hand; and what decoders make of a gap and of an opening in the midst of things."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sensorlogd.batch import Batch
from sensorlogd.drivers.nmea.decoder import NmeaDecoder
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.decoders import decoder_for
from sensorlogd.drivers.serial.gaps import GapClock, gap_s
from sensorlogd.drivers.serial.options import PortOptions, SerialOptions
from tests.drivers.decoders.decoding import options

GAP = 0.05


class Line:
    """What comes and when, on a clock that only polls move. ``stalls``: the n-th poll ends so many seconds late."""

    def __init__(self, *arrivals: tuple[float, bytes], stalls: dict[int, float] | None = None) -> None:
        self.now = 0.0
        self.arrivals = list(arrivals)
        self.stalls = stalls or {}
        self.polls = 0

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        late = self.stalls.get(self.polls, 0.0)
        self.polls += 1
        end = self.now + timeout_s
        if self.arrivals and self.arrivals[0][0] <= end:
            at, data = self.arrivals.pop(0)
            self.now = max(self.now, at)
            return round(self.now * 1e6), data
        self.now = end + late
        return round(self.now * 1e6), b""


def heard(line: Line, until_s: float, timeout_s: float = 1.0) -> list[bytes | None]:
    """What the clock gives until then; None is a gap."""
    clock = GapClock(line, GAP, lambda: line.now)
    found: list[bytes | None] = []
    while line.now < until_s:
        arrived = clock.read(timeout_s)
        assert arrived is not None
        _, data, quiet = arrived
        if quiet:
            found.append(None)
        elif data:
            found.append(data)
    return found


def test_a_gap_is_told_once_after_each_burst_and_once_after_opening() -> None:
    """However long the silence lasts."""
    line = Line((0.2, b"a"), (0.22, b"b"), (3.0, b"c"))
    assert heard(line, 6.0) == [None, b"a", b"b", None, b"c", None]


def test_a_pause_that_is_shorter_is_none() -> None:
    """49 ms of 50."""
    assert heard(Line((0.0, b"a"), (0.049, b"b")), 0.049) == [b"a", b"b"]


def test_short_polls_add_up() -> None:
    """A driver that polls for 10 ms at a time has waited for as long."""
    assert heard(Line((0.0, b"a"), (1.0, b"b")), 1.02, timeout_s=0.01) == [b"a", None, b"b"]


def test_a_host_that_stood_still_cuts_nothing() -> None:
    """The poll behind the first piece ends two seconds late; the second piece is in the kernel by then."""
    line = Line((0.0, b"21"), (0.06, b".5\n"), stalls={1: 2.0})
    assert heard(line, 2.5)[:2] == [b"21", b".5\n"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"port": "/dev/ttyUSB0", "baudrate": 115200}, 0.05),
        ({"port": "/dev/ttyUSB0", "baudrate": 1200}, 20 * 10 / 1200),
        ({"port": "/dev/ttyUSB0", "baudrate": 300, "parity": "even", "stopbits": 2}, 20 * 12 / 300),
        ({"port": "socket://bridge:23"}, 1.0),
        ({"port": "/dev/pts/7"}, 1.0),
        ({"port": "/dev/rfcomm0"}, 1.0),
        ({"port": "/dev/ttyUSB0", "gap": "1.5s"}, 1.5),
    ],
)
def test_how_long_a_gap_is(keys: dict[str, Any], expected: float) -> None:
    """Twenty characters or 50 ms on a wire; a second where a network, a radio or a program is between; as configured."""
    made = PortOptions.model_validate({"driver": "serial", "heartbeat": "10s", **keys})
    assert gap_s(made) == pytest.approx(expected)


# ---- decoders ----------------------------------------------------------------------------------------------------------


class Opened:
    """A decoder of a port that was just opened. ``|`` in what it is fed is a silence."""

    def __init__(self, how: SerialOptions | NmeaOptions) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.decoder: Any = (
            NmeaDecoder(how, self.count, midway=True)
            if isinstance(how, NmeaOptions)
            else decoder_for(how, self.count, midway=True)
        )

    def count(self, name: str, n: int, example: str) -> None:
        self.counts[name] += n
        self.examples[name] = example

    def values(self, *bursts: bytes) -> list[float]:
        """Of all fields, in order; silence between the bursts, none behind the last."""
        found: list[float] = []
        for index, burst in enumerate(bursts):
            batches: list[Batch | None] = [self.decoder.idle(0)] if index else []
            batches.append(self.decoder.feed(burst, 0))
            for batch in batches:
                if batch is not None:
                    found += [value for row in zip(*batch.values.values(), strict=True) for value in row if value is not None]
        return found


def lines(more: str = "") -> Opened:
    return Opened(options("driver: serial, format: {fields: [t]}" + more))


def test_a_line_cut_short_never_glues_to_the_next() -> None:
    """21, silence, 21.5: the half is counted with its text."""
    made = lines()
    assert made.values(b"\n21.5\r\n21", b"21.5\r\n") == [21.5, 21.5]
    assert (made.counts, made.examples) == ({"cut_short": 1}, {"cut_short": "'21'"})


def test_the_tail_of_a_line_at_opening_is_no_reading() -> None:
    """Though it fits the format."""
    made = lines()
    assert made.values(b"3.5\r\n123.5\r\n") == [123.5]
    assert made.counts == {"first_partial": 1}


def test_behind_silence_the_first_line_is_whole() -> None:
    """The port was quiet after opening."""
    made = lines()
    assert made.values(b"", b"123.5\r\n") == [123.5]
    assert not made.counts


def test_a_line_that_silence_cuts_at_opening_is_its_tail() -> None:
    """Not complete, and not the head of anything."""
    made = lines()
    assert made.values(b"3.5", b"123.5\n") == [123.5]
    assert made.counts == {"first_partial": 1}


def test_line_feed_before_carriage_return_loses_no_line() -> None:
    """LF CR, with a prefix that must be at the beginning."""
    made = Opened(options("driver: serial, format: {fields: [t], prefix: 'T:'}"))
    assert made.values(b"", b"T:1\n\rT:2\n\rT:3\n\r") == [1, 2, 3]
    assert not made.counts


@pytest.mark.parametrize(
    ("terminator", "end", "hint"),
    [
        (r"\n", b"\r", r"try terminator: '\r'"),
        (r"\r", b"\n", r"try terminator: '\n'"),
        (r"\r\n", b"\n\r", r"try terminator: '\n\r'"),
    ],
)
def test_lines_that_end_otherwise_are_noticed_and_said(terminator: str, end: bytes, hint: str) -> None:
    """Long before the line is too long."""
    made = lines(f", terminator: '{terminator}'")
    assert made.values(*[b"", b"21.5".join([end] * 6)]) == []
    assert made.counts == {"wrong_terminator": 1}
    assert hint in made.examples["wrong_terminator"]


def test_silence_as_the_end_of_a_line() -> None:
    """``terminator: silence``: what comes between two of them, its line ends taken off."""
    made = lines(", terminator: silence")
    assert made.values(b"", b"21.5", b"22\r\n", b"") == [21.5, 22]
    assert not made.counts


def test_silence_as_the_end_of_a_frame() -> None:
    """``length: silence``: header, checksum and nothing behind it."""
    made = Opened(
        options(
            "driver: serial, format: {type: frame, header: FE, length: silence, checksum: {type: sum8}, fields: {v: {at: 1, type: u16}}}"
        )
    )
    good = b"\xfe\x01\x02"
    good += bytes((sum(good) & 0xFF,))
    assert made.values(b"", good, good + b"\x00", good[:3], good, b"") == [258, 258]
    assert made.counts == {"bad_frames": 2}


FRAME = (
    "driver: serial, format: {type: frame, header: AA 55, length: {at: 2, type: u16, plus: 4}, fields: {v: {at: 4, type: u16}}%s}"
)


@pytest.mark.parametrize(
    ("check", "claim"), [("", 4000), ("", 65000), (", checksum: {type: sum8}", 4000), (", checksum: {type: sum8}", 60000)]
)
def test_a_length_that_lies_hides_a_few_frames(check: str, claim: int) -> None:
    """They come one by one, without a pause: what follows is read before as many bytes have come as the length claims."""
    good = b"\xaa\x55\x00" + (b"\x03" if check else b"\x02") + b"\x01\x02"
    good += CHECKSUMS["sum8"].compute(good).to_bytes(1, "big") if check else b""
    made = Opened(options(FRAME % check))
    assert made.values(good + b"\xaa\x55" + claim.to_bytes(2, "big") + good * 5) == [258] * 6
    assert made.counts["bad_length"] == 1


def test_a_frame_cut_short_hides_nothing_behind_a_silence() -> None:
    """And what whole frames it seemed to contain are read."""
    good = b"\xaa\x55\x00\x02\x01\x02"
    made = Opened(options(FRAME % ""))
    assert made.values(good + b"\xaa\x55\x00\x40" + good, good) == [258] * 3
    assert made.counts == {"cut_short": 1, "skipped_bytes": 4}


def test_a_second_header_before_the_footer_begins_anew() -> None:
    """STX ... ETX: the end of the first was lost."""
    made = Opened(
        options("driver: serial, format: {type: frame, header: '02', footer: '03', fields: {v: {at: 1, type: ascii, length: 2}}}")
    )
    assert made.values(b"\x0221\x0222\x03") == [22]
    assert made.counts["cut_short"] == 1


def test_what_comes_before_the_first_header_is_told_of() -> None:
    """It is no noise in the midst of the stream."""
    made = Opened(options(FRAME % ""))
    assert made.values(b"\x01\x02\xaa\x55\x00\x02\x01\x02\x00") == [258]
    assert made.counts == {"first_partial": 1, "skipped_bytes": 3}


def test_the_first_block_is_taken_only_behind_a_silence() -> None:
    """A sum of 8 bits fits by chance, once in 256."""
    block = b"\r\nV\t12800\r\nChecksum\t"
    block += bytes((-sum(block) & 0xFF,))
    how = options("driver: serial, format: {type: block, last: Checksum}, channels: {V: {}}")
    made = Opened(how)
    assert made.values(block + block, block[:9], block) == [12800, 12800]
    assert made.counts == {"first_partial": 1, "cut_short": 1}


def test_a_telegram_cut_short_does_not_swallow_the_next() -> None:
    """Without CRC (DSMR 2 and 3) it would be glued."""
    whole = b"/ISK5\r\n1-0:1.7.0(00.512*kW)\r\n!\r\n"
    made = Opened(options("driver: serial, format: {type: obis}, channels: {p: {source: 1.7.0}}"))
    assert made.values(whole[:25], whole) == [0.512]
    assert made.counts == {"cut_short": 1, "unmapped": 1}


def test_a_binary_head_between_sentences_hides_two_of_them() -> None:
    """An RTCM head that claims a kilobyte; the sentences behind it prove it wrong."""
    how = NmeaOptions.model_validate(
        {"driver": "nmea", "port": "/dev/x", "heartbeat": "10s", "channels": {"t": {"source": "water_temperature"}}}
    )
    body = b"IIMTW,21.5,C"
    sentence = b"$" + body + b"*%02X\r\n" % CHECKSUMS["nmea"].compute(body)
    made = Opened(how)
    assert made.values(sentence + b"\xd3\x03\xff" + (1005 << 4).to_bytes(2, "big") + sentence * 8) == [21.5] * 9
    assert made.counts["bad_length"] == 1


def test_a_sentence_cut_short_is_counted() -> None:
    """Silence in the middle of it."""
    how = NmeaOptions.model_validate(
        {"driver": "nmea", "port": "/dev/x", "heartbeat": "10s", "channels": {"t": {"source": "water_temperature"}}}
    )
    made = Opened(how)
    assert made.values(b"$IIMTW,2", b"1.5,C*11\r\n") == []
    assert made.counts["cut_short"] == 1
