"""Bytes to lines to samples: any cutting gives the same, nothing escapes, memory stays bounded."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Batch
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.options import SerialOptions
from sensorlogd.drivers.serial.text.formats import LineParser
from sensorlogd.drivers.serial.text.lines import LineSplitter
from tests import needs

NOW = 1_750_000_000_000_000


class Counts(dict[str, int]):
    """Collects what a parser counts."""

    def __call__(self, name: str, n: int, example: str) -> None:
        self[name] = self.get(name, 0) + n


def options(**more: Any) -> SerialOptions:
    return SerialOptions.model_validate({"driver": "serial", "port": "/dev/null"} | more)


def parse(lines: list[str | bytes], **more: Any) -> tuple[list[dict[str, float | None]], Counts]:
    """The samples of ``lines`` (after one good line, so that the first is no special case) and the counts."""
    counts = Counts()
    parser = LineParser(options(**more), counts)
    parser.first = False
    batch = parser.parse([line.encode() if isinstance(line, str) else line for line in lines], NOW)
    return samples(batch), counts


def samples(batch: Batch | None) -> list[dict[str, float | None]]:
    if batch is None:
        return []
    return [
        {name: column[n] for name, column in batch.values.items() if column[n] is not None} for n in range(len(batch.times_us))
    ]


# ---- lines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminator", "data", "expected"),
    [
        (b"\n", b"a\r\nb\n\nc\r\r\nrest", [b"a", b"b", b"c"]),
        (b"\r", b"a\rb\r\rc", [b"a", b"b"]),
        (b"any", b"a\rb\nc\r\nd", [b"a", b"b", b"c"]),
        (b"\x03\x04", b"a\x03\x04b\x03c\x04\x03\x04", [b"a", b"b\x03c\x04"]),
    ],
)
def test_terminators(terminator: bytes, data: bytes, expected: list[bytes]) -> None:
    """LF takes a CR along, 'any' is either, others are taken literally; empty lines are none."""
    assert LineSplitter(terminator, 100, Counts()).feed(data) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=300), st.text("\r\na", max_size=60).map(str.encode)),
    st.lists(st.integers(0, 300), max_size=8),
    st.sampled_from([b"\n", b"\r", b"any", b"\r\n", b"\x03\x04"]),
)
@example(b"\r" * 5 + b"a" * 8 + b"\r" + b"a" * 4 + b"\r" + b"a" * 3 + b"\raaa", [22], b"\n")  # too long before the last line end
def test_any_cutting_gives_the_same_lines(data: bytes, cuts: list[int], terminator: bytes) -> None:
    """Bytes arrive in whatever pieces; lines and counts do not depend on it: of those too long, of line ends of another kind."""
    data = data.replace(b"\x01", terminator if terminator != b"any" else b"\r")
    whole_counts, cut_counts = Counts(), Counts()
    whole, cut = LineSplitter(terminator, 20, whole_counts), LineSplitter(terminator, 20, cut_counts)
    edges = sorted({0, len(data), *(c for c in cuts if c < len(data))})
    found: list[bytes] = []
    for a, b in itertools.pairwise(edges):
        found += cut.feed(data[a:b])
    expected = whole.feed(data)
    end = b"\r" if terminator == b"any" else terminator
    expected += whole.feed(end)
    found += cut.feed(end)
    assert found == expected
    assert cut_counts == whole_counts


def test_a_hundred_megabytes_without_a_terminator() -> None:
    """One overlong line, counted once, in bounded memory; the line behind it is not lost."""
    counts = Counts()
    splitter = LineSplitter(b"\n", 4096, counts)
    chunk = b"x" * 65_536
    for _ in range(1600):
        assert splitter.feed(chunk) == []
        assert splitter.pending <= 4096 + len(chunk)
    assert splitter.feed(b"\ngood\n") == [b"good"]
    assert counts == {"too_long": 1}


# ---- formats -----------------------------------------------------------------------------------------------------------


def test_csv_means_what_it_says() -> None:
    """Fields by position, blanks around them, skipped ones, missing and infinite ones; everything else is a bad line."""
    form = {"type": "csv", "fields": ["a", None, "b"]}
    good, counts = parse(
        ["1,x,2", " 1.5 , , -3e2 ", "nan,,NA", "1,2", "1,2,3,4", "1,2,1_000", "١,2,3", "inf,1,2", "1e999,0,1"], format=form
    )
    assert good[:2] == [{"a": 1, "b": 2}, {"a": 1.5, "b": -300}]
    assert [{name: str(value) for name, value in row.items()} for row in good[2:]] == [
        {"a": "nan", "b": "nan"}, {"a": "nan", "b": "2.0"}, {"a": "nan", "b": "1.0"},
    ]  # fmt: skip
    assert counts == {"bad_lines": 4}


def test_csv_options() -> None:
    """Runs of blanks, other separators, decimal comma, comments, a prefix, further fields."""
    assert parse(["  1   2\t3 "], format={"separator": "whitespace", "fields": ["a", "b", "c"]})[0] == [{"a": 1, "b": 2, "c": 3}]
    assert parse(["1,5;2"], format={"separator": ";", "fields": ["a", "b"], "decimal_comma": "true"})[0] == [{"a": 1.5, "b": 2}]
    good, counts = parse(["# hello", "1"], format={"fields": ["a"], "comment": "#"})
    assert (good, counts) == ([{"a": 1}], {"comments": 1})
    assert parse(["T:1,2,x"], format={"fields": ["a", "b"], "prefix": "T:", "extra_fields": "yes"})[0] == [{"a": 1, "b": 2}]


def test_keyvalue_json_and_regex() -> None:
    """What is not configured is counted as unmapped, not stored."""
    channels = {"t": {}, "pressure": {"source": "p.hpa"}}
    assert parse(["t=1.5;x=2"], format={"type": "keyvalue", "separator": ";"}, channels={"t": {}}) == (
        [{"t": 1.5}],
        {"unmapped": 1},
    )
    line = json.dumps({"t": 2, "p": {"hpa": 1013.25}, "on": True, "list": [1]})
    assert parse([line], format={"type": "json"}, channels=channels) == (
        [{"t": 2, "p.hpa": 1013.25}],
        {"unmapped": 2},
    )
    assert parse(["{", "[1]", "nonsense"], format={"type": "json"}, channels=channels) == ([], {"bad_lines": 3})
    assert parse(["+12.5 G S", "x"], format={"type": "regex", "pattern": r"^(?P<w>[+-][\d.]+) ?G"}) == (
        [{"w": 12.5}],
        {"bad_lines": 1},
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [("nmea", b"GPGLL,5057.970,N,00146.110,E,142451,A", "27"), ("sum8", b"123456789", "DD"), ("sum8_negated", b"123456789", "23"),
     ("sum16", b"123456789", "01DD"), ("crc16_xmodem", b"123456789", "31C3")],
)  # fmt: skip
def test_checksums_give_their_published_values(name: str, text: bytes, expected: str) -> None:
    """NMEA 0183's example sentence; the check values of the CRC catalogue for "123456789"."""
    assert CHECKSUMS[name].text(text) == expected


def test_a_wrong_checksum_is_never_stored() -> None:
    """The line behind it is."""
    good_line = f"$V,5*{CHECKSUMS['nmea'].text(b'V,5')}"
    found, counts = parse(
        [good_line, f"$V,6*{CHECKSUMS['nmea'].text(b'V,5')}", "$V,7"],
        format={"type": "regex", "pattern": r"V,(?P<v>\d+)"},
        checksum={"type": "nmea", "start": "$"},
    )
    assert (found, counts) == ([{"v": 5}], {"bad_lines": 2})


@pytest.mark.parametrize(
    ("text", "form", "zone", "expected"),
    [
        ("23 Nov 2013 00:00:21", "%d %b %Y %H:%M:%S", "UTC", 1_385_164_821_000_000),
        ("2026-01-31T12:00:00.25", "iso", "Europe/Berlin", 1_769_857_200_250_000),
        ("2026-01-31T12:00:60", "iso", "UTC", 1_769_860_860_000_000),
        ("1767225600.5", "epoch", "UTC", 1_767_225_600_500_000),
        ("1767225600500", "epoch_ms", "UTC", 1_767_225_600_500_000),
    ],
)
def test_device_time(text: str, form: str, zone: str, expected: int) -> None:
    """In the device's zone; a sixtieth second is the next minute's first."""
    parser = LineParser(
        options(format={"type": "csv", "fields": ["when", "v"]}, time={"field": "when", "format": form, "zone": zone}), Counts()
    )
    batch = parser.parse([f"{text},1".encode()], NOW)
    assert batch is not None
    assert (batch.times_us, batch.device_time) == ([expected], True)
    assert set(batch.values) == {"v"}


def test_an_impossible_time_is_a_bad_line() -> None:
    """The 31st of February is not a reading."""
    found, counts = parse(["2026-02-31T00:00:00,1"], format={"fields": ["when", "v"]}, time={"field": "when"})
    assert (found, counts) == ([], {"bad_lines": 1})


_cell = st.one_of(
    st.floats().map(str), st.integers().map(str), st.sampled_from(["", "nan", "-", "1e5", "+.5", "1_0", "x", " 2 ", "5."])
)


@settings(max_examples=300)
@given(st.lists(st.lists(_cell, min_size=1, max_size=4).map(",".join), min_size=5, max_size=12))
def test_the_fast_way_is_the_exact_way(lines: list[str]) -> None:
    """Many CSV lines at once give what each line by itself gives."""
    form = {"format": {"type": "csv", "fields": ["a", "b"]}}
    together, counts = parse(list(lines), **form)
    alone_counts = Counts()
    alone: list[dict[str, float | None]] = []
    parser = LineParser(options(**form), alone_counts)
    parser.first = False
    for line in lines:
        alone += samples(parser.parse([line.encode()], NOW))
    assert repr(together) == repr(alone)
    assert counts == alone_counts


_FORMATS: list[dict[str, Any]] = [
    {"format": {"type": "csv", "fields": ["a", "b"]}},
    {
        "format": {"type": "csv", "fields": ["a"], "separator": "whitespace"},
        "time": {"field": "a+a", "format": "%d %m", "year": "from_host"},
    },
    {"format": {"type": "keyvalue"}, "channels": {"a": {}}},
    {"format": {"type": "json"}, "channels": {"a": {}}},
    {"format": {"type": "regex", "pattern": r"(?P<a>.+),(?P<b>.*)"}, "checksum": {"type": "crc16_xmodem", "before": ""}},
    {"format": {"type": "csv", "fields": ["a", "b"]}, "checksum": {"type": "nmea", "start": "$"}, "encoding": "utf-16"},
    {"format": {"type": "csv", "fields": ["when", "b"]}, "time": {"field": "when", "format": "epoch"}},
]


@settings(max_examples=400)
@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.text(max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass"))), max_size=8
    ),
    st.sampled_from(_FORMATS),
)
def test_nothing_escapes_a_parser(lines: list[bytes], form: dict[str, Any]) -> None:
    """Whatever the line: samples or a count."""
    counts = Counts()
    parser = LineParser(options(**form), counts)
    batch = parser.parse(lines, NOW)
    good = 0 if batch is None else len(batch.times_us)
    counted = sum(counts.get(name, 0) for name in ("bad_lines", "first_partial", "comments", "other_lines"))
    assert good + counted == len(lines)
    assert all(
        value is None or isinstance(value, float) for column in (batch.values.values() if batch else ()) for value in column
    )


@pytest.mark.parametrize(
    ("folder", "form"),
    [
        ("metbk_a", {"type": "csv", "separator": "whitespace", "fields": [f"f{n}" for n in range(12)]}),
        ("ctdbp", {"type": "regex", "pattern": r"^#\s*(?P<t>-?[\d.]+),\s*(?P<c>-?[\d.]+),\s*(?P<p>-?[\d.]+)(,\s*[^,]+)+$"}),
    ],
)
def test_recorded_lines_are_accepted_as_the_reference_counts(folder: str, form: dict[str, Any]) -> None:
    """Every file of two instruments: as many good lines as the reference has valid ones, or fewer than it has lines."""
    records = json.loads(needs.corpus("COUNTS.json").read_text())["ooi-serial-logs"]
    compared = 0
    for record in records:
        path: Path = needs.corpus("ooi-serial-logs") / folder / record["file"].replace(".log", ".raw")
        if record["kind"] != folder or not path.exists() or not record["device_lines"]:
            continue
        lines = LineSplitter(b"\n", 4096, Counts()).feed(path.read_bytes())
        good, _ = parse([*lines], format=form)
        if record["valid_by_our_regex_or_checksum"] == record["upstream_expected"] or record["upstream_expected"] is None:
            if folder == "metbk_a":
                assert len(good) == record["valid_by_our_regex_or_checksum"], record["file"]
            compared += 1
    assert compared


def test_a_key_that_a_line_has_again_is_another_quantity() -> None:
    """Two probes that call themselves alike; what no channel takes is counted."""
    form = {"type": "keyvalue", "separator": ";"}
    rows, counts = parse(["T=1;T=2;H=3;T=4"], format=form, channels={"T": {}, "T_b": {}, "H": {}})
    assert rows == [{"T": 1.0, "T_b": 2.0, "H": 3.0}]
    assert counts == {"unmapped": 1}
    rows, counts = parse(["T=1;" * 26, "T=1;" * 27], format=form, channels={"T": {}, "T_z": {}})
    assert (rows, counts) == ([{"T": 1.0, "T_z": 1.0}], {"unmapped": 24, "bad_lines": 1})
