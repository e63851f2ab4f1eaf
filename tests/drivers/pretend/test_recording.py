"""Recordings: bytes come back exactly as they were; foreign and damaged ones are understood or refused in words."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.drivers.recording import (
    BadRecording,
    Entry,
    Header,
    RecordingWriter,
    entries,
    format_entry,
    looks_like_one,
    parse_line,
)
from tests import needs
from tests.needs import CORPUS

START = 1_773_489_600_000_000


@given(st.binary(max_size=60), st.integers(-(10**12), 10**15), st.sampled_from(["rx", "tx", "bus"]))
def test_bytes_and_times_come_back_exactly(data: bytes, offset_us: int, direction: str) -> None:
    """Any bytes, to the microsecond, before and after the start."""
    file = io.StringIO()
    RecordingWriter(file, START, {"port": "/dev/ttyÜ"}).write(START + offset_us, data, direction)
    header, entry = entries(file.getvalue().splitlines())
    assert isinstance(header, Header)
    assert isinstance(entry, Entry)
    assert (header.start_us, header.more["port"]) == (START, "/dev/ttyÜ")
    assert (START + round(entry.at_s * 1e6), entry.data, entry.direction) == (START + offset_us, data, direction)


@given(st.binary(max_size=60))
def test_what_is_clean_text_is_written_as_text(data: bytes) -> None:
    """A person can read it with any editor; everything else is hexadecimal, never half of it."""
    written = json.loads(format_entry(Entry(1.5, data)))
    clean = all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in data)
    assert written == {"t": 1.5, "data": data.decode("latin-1")} if clean else {"t": 1.5, "hex": data.hex()}


def test_foreign_forms_are_read() -> None:
    """Latin-1 text, base64, further keys, seconds since 1970."""
    assert parse_line('{"t": 82.009, "valid": true, "data": "21 \\u00b0C\\r\\n"}') == Entry(82.009, b"21 \xb0C\r\n")
    assert parse_line('{"t": 3, "t_end": 4, "dir": "tx", "hex": "FF 01"}') == Entry(3.0, b"\xff\x01", "tx")
    assert parse_line(json.dumps({"t": 1.7e9, "base64": base64.b64encode(b"\0\1").decode()})) == Entry(1.7e9, b"\0\1")
    assert parse_line('{"recording": 1}') == Header(None, {"recording": 1})
    assert parse_line("  \n") is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("23.5,48", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "not an object"),
        ('{"data": "x"}', "t is 'None', should be a number of seconds"),
        ('{"t": "1", "data": "x"}', "should be a number"),
        ('{"t": NaN, "data": "x"}', "should be a number"),
        ('{"t": 1e300, "data": "x"}', "should be a number"),
        ('{"t": 1' + "0" * 400 + ', "data": "x"}', "should be a number"),
        ('{"t": true, "data": "x"}', "should be a number"),
        ('{"t": 1}', "exactly one of data, hex, base64"),
        ('{"t": 1, "data": "x", "hex": "00"}', "exactly one of"),
        ('{"t": 1, "hex": "0"}', "hex: '0' does not stand for bytes"),
        ('{"t": 1, "base64": "?"}', "does not stand for bytes"),
        ('{"t": 1, "data": "\\u20ac"}', "does not stand for bytes"),
        ('{"recording": 1, "start": "noon"}', "'noon' is not a time"),
    ],
)
def test_what_is_no_entry_says_why(line: str, why: str) -> None:
    """With the number of its line."""
    with pytest.raises(BadRecording, match=r"line 2 .*" + why.replace("'", ".").replace("(", r"\(")):
        list(entries(['{"t": 0, "data": ""}', line]))
    assert not looks_like_one(line)


KEYS = st.sampled_from(["t", "data", "hex", "base64", "dir", "recording", "start"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just("00ff"),
    st.lists(st.integers(), max_size=2),
)


@settings(max_examples=400)
@given(
    st.one_of(
        st.text(max_size=50),
        st.text(st.sampled_from('{}":,tdaexh01.'), max_size=50),
        st.dictionaries(KEYS, VALUES).map(json.dumps),
        VALUES.map(json.dumps),
        st.builds(
            lambda key, text: json.dumps({"t": 1.5, key: text}), st.sampled_from(["data", "hex", "base64"]), st.text(max_size=5)
        ),
    )
)
def test_nothing_but_bad_recording_is_raised(line: str) -> None:
    """Any text, and objects that are nearly entries; what is one is written again the same."""
    try:
        found = parse_line(line)
    except BadRecording as mistake:
        assert str(mistake)
        return
    assert (found is None) == (not line.strip())
    if isinstance(found, Entry):
        again = parse_line(format_entry(found))
        assert isinstance(again, Entry)
        assert (again.data, again.direction) == (found.data, found.direction)


def test_every_recorded_instrument_is_read_and_written_again_the_same() -> None:
    """All timed files of the corpus: as many bytes as beside them, and a round trip of each."""
    needs.corpus()
    files = sorted(CORPUS.rglob("*.timing.jsonl"))
    assert len(files) > 90
    for path in files:
        found = [entry for entry in entries(path.read_text().splitlines()) if isinstance(entry, Entry)]
        assert [parse_line(format_entry(entry)) for entry in found] == found
        raw = path.with_name(path.name.replace(".timing.jsonl", ".raw"))
        if raw.exists():
            assert b"".join(entry.data for entry in found) == raw.read_bytes()


def test_a_line_is_on_its_way_at_once(tmp_path: Path) -> None:
    """A recording that is broken off holds everything that was written."""
    path = tmp_path / "x.jsonl"
    with path.open("w") as file:
        RecordingWriter(file, START).write(START, b"1\n")
        assert len(path.read_text().splitlines()) == 2
