"""NMEA 0183 and UBX: what the reference's transport accepts is accepted; nonsense under a right checksum is no reading."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Batch
from sensorlogd.drivers.nmea.decoder import NmeaDecoder
from sensorlogd.drivers.nmea.known import KNOWN
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.nmea.sentences import NAMES
from sensorlogd.drivers.nmea.stream import MAX_SENTENCE_BYTES, MAX_UBX_BYTES, Messages
from sensorlogd.drivers.nmea.ubx import FRAMES
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from tests import needs
from tests.drivers.decoders.decoding import pieces
from tests.needs import CORPUS

COUNTS = json.loads((CORPUS / "COUNTS.json").read_text()) if CORPUS.exists() else {}
# A sentence broken off by another that is whole: the reference counts lines and rejects both, the second one is good.
GLUED = {"isync.log": 1, "triton400.log": 1, "ublox-8.log": 1}


def sentence(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode('latin-1'), 0):02X}\r\n".encode("latin-1")


def sent(*bodies: str) -> bytes:
    return b"".join(map(sentence, bodies))


def ubx(kind: int, number: int, payload: bytes) -> bytes:
    body = bytes((kind, number)) + len(payload).to_bytes(2, "little") + payload
    return b"\xb5\x62" + body + CHECKSUMS["fletcher8"].compute(body).to_bytes(2, "big")


def messages(data: bytes, seed: int | None = None) -> tuple[list[str | bytes], Counter[str]]:
    counts: Counter[str] = Counter()

    def count(name: str, n: int, example: str) -> None:
        counts[name] += n

    stream = Messages(count)
    return [message for piece in pieces(data, seed) for message in stream.feed(piece)], counts


def options(**more: Any) -> NmeaOptions:
    """Every field there is, unless ``channels`` says otherwise."""
    channels: dict[str, Any] = {name: {} for name in (*KNOWN, "xdr_TempAir", "xdr_ENGT")}
    return NmeaOptions.model_validate({"driver": "nmea", "port": "/dev/x", "channels": channels} | more)


def decoded(pieces_of: Iterable[tuple[int, bytes]], **more: Any) -> tuple[list[tuple[int, dict[str, float]]], Counter[str]]:
    """(time, values) of each sample, and the counters; ``pieces_of``: (time of arrival, bytes)."""
    counts: Counter[str] = Counter()

    def count(name: str, n: int, example: str) -> None:
        counts[name] += n

    decoder = NmeaDecoder(options(**more), count)
    rows = []
    for now_us, piece in pieces_of:
        batch = decoder.feed(piece, now_us) or Batch([], {})
        for index, at_us in enumerate(batch.times_us):
            rows.append((at_us, {name: value for name, column in batch.values.items() if (value := column[index]) is not None}))
    return rows, counts


def decode(data: bytes, seed: int | None = None, **more: Any) -> tuple[list[dict[str, float]], Counter[str]]:
    rows, counts = decoded(((0, piece) for piece in pieces(data, seed)), **more)
    return [values for _, values in rows], counts


def _recording(name: str) -> Path:
    return next((CORPUS / "gpsd-nmea-ubx").rglob(name.replace(".log", ".raw")))


# ---- against the references ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", COUNTS.get("gpsd-nmea-ubx", []), ids=lambda entry: entry["file"])
def test_gpsd_recordings(entry: dict[str, Any]) -> None:
    """Sentences with a right checksum and UBX frames, mixed with each other and with noise, cut anywhere."""
    needs.corpus()
    data = _recording(entry["file"]).read_bytes()
    for seed in (None, 1):
        found, counts = messages(data, seed)
        sentences = sum(isinstance(message, str) for message in found)
        if entry["file"] != "quectel-l76k-binary.log":  # the reference gave up on its binary part
            assert sentences == entry["checksum_ok"] + GLUED.get(entry["file"], 0)
        assert len(found) - sentences == entry["pyubx2"]["ubx"]
        assert counts["rtcm_frames"] == entry["pyubx2"]["rtcm"]
        if entry["group"] != "binary":
            assert counts["bad_checksum"] + counts["cut_short"] >= entry["checksum_bad"]


@pytest.mark.parametrize("entry", COUNTS.get("pyubx2-logs", []), ids=lambda entry: entry["file"])
def test_ubx_recordings(entry: dict[str, Any]) -> None:
    """A frame of an unknown kind is a frame; a sentence without its line end, at the end of the recording, is a sentence."""
    needs.corpus()
    found, counts = messages((CORPUS / "pyubx2-logs" / entry["file"]).read_bytes(), 2)
    frames = sum(isinstance(message, bytes) for message in found)
    assert frames == entry["ubx"] + (1 if entry["file"].endswith("MGASF.log") else 0)
    assert len(found) - frames == entry["nmea"] + (1 if entry["file"].endswith("MIXED2.log") else 0)
    assert counts["rtcm_frames"] == entry["rtcm"]


@pytest.mark.parametrize("entry", COUNTS.get("pyais", []), ids=lambda entry: entry["file"])
def test_ais_recordings(entry: dict[str, Any]) -> None:
    """Every line that begins with ! and has a right checksum, comments and other sentences between them."""
    data = needs.corpus(f"pyais/{entry['file']}").read_bytes()
    good = []
    for line in data.splitlines():
        body, star, digits = line.strip()[1:].rpartition(b"*")
        if line[:1] in (b"!", b"$") and star and int(digits, 16) == reduce(xor, body, 0):
            good.append(body.decode())
    for seed in (None, 3):
        found, _ = messages(data, seed)
        assert found == good
        assert sum(text.startswith("AIVDM") for text in good) in (entry["bang"], entry["bang"] - entry["bad"])


@pytest.mark.parametrize("group", ["clean", "marine", "dirty"])
def test_values_are_those_of_a_parser_library(group: str) -> None:
    """Sentence by sentence, wherever the library finds the sentence valid."""
    from pynmeagps import NMEAReader

    needs.corpus()
    names = {
        "GGA": {"satellites": "numSV", "hdop": "HDOP", "altitude": "alt", "geoid_separation": "sep", "fix": "quality"},
        "RMC": {"speed": "spd", "course": "cog"},
        "VTG": {"speed": "sogn", "course": "cogt"},
        "GSA": {"pdop": "PDOP", "hdop": "HDOP", "vdop": "VDOP", "fix_mode": "navMode"},
        "GLL": {},
        "GNS": {"satellites": "numSV", "hdop": "HDOP"},
        "HDT": {"heading": "headingT"},
        "ROT": {"rate_of_turn": "rot"},
        "DPT": {"depth": "depth"},
        "MTW": {"water_temperature": "temp"},
    }
    compared = 0
    for path in sorted((CORPUS / "gpsd-nmea-ubx" / group).iterdir()):
        for text in messages(path.read_bytes())[0]:
            if not isinstance(text, str) or text[0] == "P" or text[2:5] not in names:
                continue
            rows, _ = decode(sentence(text))
            if not rows:
                continue
            theirs = NMEAReader.parse(sentence(text), validate=1)
            for ours, name in (names[text[2:5]] | {"latitude": "lat", "longitude": "lon"}).items():
                if ours in rows[0]:
                    assert rows[0][ours] == pytest.approx(float(getattr(theirs, name)), abs=1e-9), (path.name, text)
                    compared += 1
    assert compared > 80


def test_ubx_values_are_those_of_the_text_beside_them() -> None:
    """A receiver that sends GGA and NAV-PVT of the same fixes gives the same position in both."""
    found, _ = decode(needs.corpus("pyubx2-logs/pygpsdata-MIXED2.log").read_bytes())
    positions = [row for row in found if "latitude" in row]
    assert len(positions) > 5
    for row in positions:
        assert row["latitude"] == pytest.approx(positions[0]["latitude"], abs=1e-3)
        assert row["longitude"] == pytest.approx(positions[0]["longitude"], abs=1e-3)


# ---- the stream ----------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(st.sampled_from("ABCGPNMEA0123456789.,-"), min_size=6, max_size=70).map(sentence),
            st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40)).map(lambda parts: ubx(*parts)),
            st.binary(max_size=20).filter(lambda noise: not set(noise) & set(b"$!\\\xb5\xd3")),
        ),
        max_size=10,
    ),
    st.integers(0, 999),
)
def test_what_was_sent_is_found(parts: list[bytes], seed: int) -> None:
    """In order, however it is cut."""
    found, _ = messages(b"".join(parts), seed)
    expected: list[str | bytes] = [
        part if part[:1] == b"\xb5" else part[1:-5].decode()
        for part in parts
        if part[:1] == b"\xb5" or (part[:1] == b"$" and b"*" in part)
    ]
    assert found == expected


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=400), st.text(st.sampled_from("$!*\\GPAMR,0123.NEWSVc:\r\n")).map(str.encode)),
    st.integers(0, 999),
)
def test_nothing_escapes_and_cutting_does_not_matter(data: bytes, seed: int) -> None:
    """Any bytes."""
    assert decode(data, seed)[0] == decode(data)[0]
    assert messages(data, seed)[0] == messages(data)[0]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(sorted(FRAMES)), st.binary(max_size=120)).map(lambda parts: ubx(0x01, *parts)),
            st.tuples(
                st.sampled_from(NAMES), st.lists(st.text(st.sampled_from("0123456789.-ANSEWVRT,Kf"), max_size=10), max_size=20)
            ).map(lambda parts: sentence(f"{parts[0] if parts[0][0] == 'P' else 'GP' + parts[0]},{','.join(parts[1])}")),
        ),
        max_size=6,
    ),
    st.sampled_from(["arrival", "device"]),
)
def test_whatever_stands_in_them_nothing_escapes(parts: list[bytes], time: str) -> None:
    """Sentences and frames of every known kind with anything in them: possible values or none."""
    rows, _ = decoded([(n, part) for n, part in enumerate(parts)], time=time)
    for _, values in rows:
        assert all(name.startswith("xdr_") or KNOWN[name].low <= value <= KNOWN[name].high for name, value in values.items())


def test_random_noise_between_costs_nothing() -> None:
    """Every recorded message is found with bursts of binary noise between them, cut anywhere."""
    data = needs.corpus("pyubx2-logs/pygpsdata-MIXED.log").read_bytes()
    known, _ = messages(data)
    rng = random.Random(4)
    for seed in range(5):
        noisy = bytearray()
        for message in known:
            noisy += sentence(message) if isinstance(message, str) else message
            noisy += bytes(byte for byte in rng.randbytes(rng.randrange(60)) if byte not in b"$!\\")
        found, _ = messages(bytes(noisy) + bytes(MAX_UBX_BYTES + 8), seed)  # enough to end whatever the noise began
        missing = Counter(known) - Counter(found)
        # Noise that looks like the head of a frame reaches over what follows, until the sum is found to be wrong.
        assert not missing


@pytest.mark.parametrize(
    ("data", "found", "counts"),
    [
        (b"$GPGGA,030130$GPGLL,1,N*2F\r\n", ["GPGLL,1,N"], {"cut_short": 1}),
        (b"!AIVDM,1,1,,A,13u!AIVDM,1,1,,B,,0*25\r\n", ["AIVDM,1,1,,B,,0"], {"bad_checksum": 1}),
        (b"!AIVDM,1,1,,A\x01!AIVDM,1,1,,B,,0*25\r\n", ["AIVDM,1,1,,B,,0"], {"cut_short": 1, "skipped_bytes": 1}),
        (b"$GPGLL,1,N*2F$GPGLL,1,N*2F$GPGLL,1,N*2f", ["GPGLL,1,N"] * 3, {}),
        (b"log: $GPGLL,1,N*2F trailing words\r\n", ["GPGLL,1,N"], {"skipped_bytes": 18}),
        (b"$GPGLL,1,N\r\n", [], {"no_checksum": 1}),
        (b"$GPGLL,1,N*2C\r\n", [], {"bad_checksum": 1}),
        (b"costs $5 and more\r\n", [], {"skipped_bytes": 17}),
        (sentence("GPTXT,a*b,50%"), ["GPTXT,a*b,50%"], {}),
        (b"$GPTXT,21\xb0C*" + b"%02X\r\n" % reduce(xor, b"GPTXT,21\xb0C"), ["GPTXT,21\xb0C"], {}),
        (b"$" + b"A" * (MAX_SENTENCE_BYTES + 1) + b"*00\r\n$GPGLL,1,N*2F", ["GPGLL,1,N"], {"too_long": 1, "skipped_bytes": 3}),
        (b"\\s:r1,c:1577836800*7E\\!AIVDM,1,1,,B,,0*25\r\n", ["AIVDM,1,1,,B,,0"], {}),
        (b"\\s:r1,c:1577836800*00\\!AIVDM,1,1,,B,,0*25\r\n", ["AIVDM,1,1,,B,,0"], {"bad_checksum": 1}),
        (b"C:\\temp $GPGLL,1,N*2F", ["GPGLL,1,N"], {"skipped_bytes": 7}),
    ],
)
def test_what_is_found_and_what_is_counted(data: bytes, found: list[str], counts: dict[str, int]) -> None:
    """Glued, broken off, without or with a wrong checksum, within other text, too long: nothing goes uncounted."""
    for seed in (None, 0, 1, 2):
        got, counted = messages(data, seed)
        assert got == found
    assert {name: n for name, n in counted.items() if name != "skipped_bytes"} == {
        name: n for name, n in counts.items() if name != "skipped_bytes"
    }
    assert (counted["skipped_bytes"] > 0) == ("skipped_bytes" in counts)


def test_a_hundred_megabytes_without_an_end_cost_no_memory_and_little_time() -> None:
    """Of whatever could begin something: work is by the byte, so 256 kB of each tell."""
    counts: Counter[str] = Counter()

    def count(name: str, n: int, example: str) -> None:
        counts[name] += n

    for unit in (b"A", b"$", b"!", b"!AIVDM,", b"\\", b"\xb5\x62", b"\xd3\x03\xff\x3e\xd0", b"*", b"$A*4"):
        stream = Messages(count)
        chunk = unit * (65536 // len(unit))
        for _ in range(4):
            assert not list(stream.feed(chunk))
        assert len(stream._buffer) <= MAX_UBX_BYTES + 8
    assert counts["skipped_bytes"] > 1_000_000
    assert counts["too_long"] > 100


def test_what_only_looks_like_the_head_of_a_frame_does_not_hold_back_for_ever() -> None:
    """Binary noise announces a long frame; when nothing more comes, the sentence behind it is given."""
    for head in (b"\xb5\x62\x01\x07\xff\x0f", b"\xd3\x03\xff\x43\x50"):
        stream = Messages(lambda *_: None)
        assert list(stream.feed(head + sentence("GPGLL,1,N"))) == []
        assert list(stream.give_up()) == ["GPGLL,1,N"]
        assert list(stream.feed(sentence("GPGLL,2,N"))) == ["GPGLL,2,N"]


# ---- what sentences say --------------------------------------------------------------------------------------------------


POSITION = {"latitude": pytest.approx(48.1173), "longitude": pytest.approx(-11.516667)}


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (
            "GPGGA,123519,4807.038,N,01131.000,W,1,08,0.9,545.4,M,46.9,M,,",
            POSITION | {"fix": 1, "satellites": 8, "hdop": 0.9, "altitude": 545.4, "geoid_separation": 46.9},
        ),
        (
            "GPRMC,123519,A,4807.038,N,01131.000,W,022.4,084.4,230394,003.1,W",
            POSITION | {"speed": 22.4, "course": 84.4, "magnetic_variation": -3.1},
        ),
        ("GPRMC,1,A,4807.038,N,01131.000,W,,,230394,999.9,E", POSITION),  # 999.9: unknown
        ("GNRMC,1,A,4807.038,N,01131.000,W,0.0,,230394,,,A,V", POSITION | {"speed": 0.0}),
        (
            "GNGNS,112257.00,4807.038,N,01131.000,W,RR,03,10.5,93.0,58.7,,,S",
            POSITION | {"satellites": 3, "hdop": 10.5, "altitude": 93.0, "geoid_separation": 58.7},
        ),
        ("GNGNS,112257.00,,,,,NN,00,99.99,,,,", {"satellites": 0}),
        ("GPGLL,4807.038,N,01131.000,W,225444,A,A", POSITION),
        ("GPGLL,4807.038,N,01131.000,W", POSITION),  # NMEA 1.5: no time, no status
        ("LCGLL,4807.038,N,01131.000,W,225444", POSITION),
        ("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K", {"course": 54.7, "speed": 5.5}),
        ("GPVTG,,T,,M,0.033,N,0.061,K,A", {"speed": 0.033}),
        ("GPVTG,054.7,034.4,005.5,010.2", {"course": 54.7, "speed": 5.5}),  # without letters
        ("GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1", {"fix_mode": 3, "pdop": 2.5, "hdop": 1.3, "vdop": 2.1}),
        ("GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99", {"fix_mode": 1}),
        ("GPGSV,3,1,11,03,03,111,00", {"gps_in_view": 11}),
        ("GAGSV,1,1,04,03,03,111,00,7", {"galileo_in_view": 4}),
        ("GPGST,024603.00,3.2,6.6,4.7,47.3,3,4,22.0", {"horizontal_accuracy": 5.0, "vertical_accuracy": 22.0}),
        (
            "PUBX,00,081350.00,4807.038,N,01131.000,W,546.589,G3,2.1,2.0,1.852,77.52,0.5,,0.92,1.19,0.77,9,0,0",
            POSITION
            | {
                "horizontal_accuracy": 2.1,
                "vertical_accuracy": 2.0,
                "speed": pytest.approx(1.0),
                "course": 77.52,
                "climb": -0.5,
                "hdop": 0.92,
                "vdop": 1.19,
                "satellites": 9,
            },
        ),
        ("PGRME,15.0,M,45.0,M,25.0,M", {"horizontal_accuracy": 15.0, "vertical_accuracy": 45.0}),
        ("PGRMZ,246,f,3", {"altitude": pytest.approx(74.9808)}),
        (
            "PASHR,085335.000,224.19,T,-01.26,+00.83,+00.10,0.1,0.1,0.2,1,0",
            {"heading": 224.19, "roll": -1.26, "pitch": 0.83, "heave": 0.1},
        ),
        ("IIMWV,084.0,R,10.4,N,A", {"wind_angle": 84.0, "wind_speed": pytest.approx(5.350, abs=1e-3)}),
        ("IIMWV,084.0,T,36.0,K,A", {"wind_angle_true": 84.0, "wind_speed_true": pytest.approx(10.0)}),
        ("IIVWR,030.0,L,10.0,N,5.1,M,18.5,K", {"wind_angle": 330.0, "wind_speed": 5.1}),
        ("IIVWT,030.0,R,10.0,N,,,,", {"wind_angle_true": 30.0, "wind_speed_true": pytest.approx(5.144, abs=1e-3)}),
        (
            "WIMWD,210.0,T,208.0,M,5.0,N,2.6,M",
            {"wind_direction": 210.0, "wind_direction_magnetic": 208.0, "wind_speed_true": 2.6},
        ),
        ("SDDPT,2.4,0.5", {"depth": 2.4, "transducer_offset": 0.5}),
        ("SDDPT,2.4,", {"depth": 2.4}),
        ("SDDBT,7.8,f,2.4,M,1.3,F", {"depth": 2.4}),
        ("SDDBT,10,f,,M,,F", {"depth": pytest.approx(3.048)}),
        ("SDDBK,7.8,f,2.4,M,1.3,F", {"depth_below_keel": 2.4}),
        ("SDDBS,7.8,f,2.4,M,1.3,F", {"depth_below_surface": 2.4}),
        ("IIMTW,17.5,C", {"water_temperature": 17.5}),
        ("IIMTW,68,F", {"water_temperature": pytest.approx(20.0)}),
        ("HEHDT,274.1,T", {"heading": 274.1}),
        ("HEHDT, 274.1,T", {"heading": 274.1}),
        ("HETHS,274.1,A", {"heading": 274.1}),
        ("HCHDG,358.0,3.0,E,2.5,W", {"heading_magnetic": 1.0, "magnetic_variation": -2.5}),
        ("HCHDM,358.0,M", {"heading_magnetic": 358.0}),
        ("TIROT,-3.1,A", {"rate_of_turn": -3.1}),
        ("AGRSA,-5.5,A,,", {"rudder": -5.5}),
        ("IIRPM,E,1,2400,,A", {"rpm": 2400}),
        ("IIRPM,,,2400,,A", {"rpm": 2400}),
        ("IIVHW,,T,,M,5.2,N,,K", {"water_speed": 5.2}),
        ("VMVLW,1234.5,N,12.3,N", {"distance": 1234.5, "distance_trip": 12.3}),
        ("VMVDR,10.0,T,12.0,M,1.5,N", {"current_direction": 10.0, "current_speed": 1.5}),
        ("VDVBW,4.1,0.2,A,4.3,0.1,A", {"water_speed": 4.1}),
        (
            "WIMDA,29.9,I,1.0132,B,21.3,C,,,55.2,,11.0,C,210.0,T,,M,5.0,N,2.6,M",
            {
                "pressure": pytest.approx(1013.2),
                "air_temperature": 21.3,
                "humidity": 55.2,
                "dew_point": 11.0,
                "wind_direction": 210.0,
                "wind_speed_true": 2.6,
            },
        ),
        ("WIMMB,29.9213,I,,B", {"pressure": pytest.approx(1013.25, abs=0.01)}),
        ("WIMTA,-3.5,C", {"air_temperature": -3.5}),
        ("WIMHU,55.2,,,C", {"humidity": 55.2}),
        (
            "WIXDR,C,19.5,C,TempAir,P,1.0150,B,Barometer,A,-1.5,D,PITCH,C,85,C,ENGT",
            {"xdr_TempAir": 19.5, "air_temperature": 19.5, "pressure": pytest.approx(1015.0), "pitch": -1.5, "xdr_ENGT": 85.0},
        ),
        ("WIXDR,A,,D,PITCH,A,2.5,D,ROLL", {"roll": 2.5}),
    ],
)
def test_every_kind_of_sentence(body: str, values: dict[str, Any]) -> None:
    """Values in the units that ``KNOWN`` and the pages name; empty fields give nothing."""
    rows, counts = decode(sentence(body))
    assert rows == [values]
    assert set(counts) <= {"bad_fields"}


NAV = {
    0x07: bytes(20) + b"\x03\x01\x00\x0c"
    + b"".join(n.to_bytes(4, "little", signed=True) for n in (115_166_667, 481_173_000, 500_000, 450_000, 2_000, 3_000))
    + b"".join(n.to_bytes(4, "little", signed=True) for n in (0, 0, -500, 5144, -9_000_000, 100, 100)) + b"\x96\x00" + bytes(14),
    0x02: bytes(4) + b"".join(n.to_bytes(4, "little", signed=True) for n in (115_166_667, 481_173_000, 500_000, 450_000, 2_000, 3_000)),
    0x12: bytes(12) + b"".join(n.to_bytes(4, "little", signed=True) for n in (25, 514, 514, 9_000_000, 30, 100)),
    0x04: bytes(4) + b"".join(n.to_bytes(2, "little") for n in (300, 250, 100, 200, 150, 90, 80)),
    0x06: bytes(10) + b"\x03" + bytes(36) + b"\x09" + bytes(4),
    0x03: bytes(4) + b"\x02" + bytes(11),
    0x35: bytes(5) + b"\x02\x00\x00" + bytes(24),
    0x05: bytes(8) + b"".join(n.to_bytes(4, "little", signed=True) for n in (-100_000, 200_000, 27_000_000, 0, 0, 0)),
}  # fmt: skip
FIX = {
    "latitude": 48.1173,
    "longitude": pytest.approx(11.5166667),
    "altitude": 450.0,
    "horizontal_accuracy": 2.0,
    "vertical_accuracy": 3.0,
}


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (
            0x07,
            FIX
            | {
                "fix_mode": 3,
                "satellites": 12,
                "speed": pytest.approx(9.999, abs=1e-3),
                "course": 270.0,
                "climb": 0.5,
                "pdop": 1.5,
            },
        ),
        (0x02, FIX),
        (0x12, {"speed": pytest.approx(9.991, abs=1e-3), "course": 90.0, "climb": -0.25}),
        (0x04, {"hdop": 1.5, "vdop": 2.0, "pdop": 2.5}),
        (0x06, {"fix_mode": 3, "satellites": 9}),
        (0x03, {"fix_mode": 2}),
        (0x35, {"satellites_in_view": 2}),
        (0x05, {"roll": -1.0, "pitch": 2.0, "heading": 270.0}),
    ],
)
def test_every_kind_of_frame(number: int, values: dict[str, Any]) -> None:
    """In the same units as sentences."""
    rows, counts = decode(ubx(0x01, number, NAV[number]))
    assert (rows, counts) == ([values], {})


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(FRAMES)), st.binary(min_size=100, max_size=100))
def test_the_reference_reads_the_same_numbers(number: int, payload: bytes) -> None:
    """A library made for these frames, on payloads of anything."""
    from pyubx2 import UBXReader

    from sensorlogd.drivers.nmea.known import Nonsense, Void
    from sensorlogd.drivers.nmea.ubx import of_frame

    name, length = FRAMES[number]
    frame = ubx(0x01, number, payload[:length])
    try:
        found = of_frame(frame)
    except (Void, Nonsense):
        return
    assert found is not None
    theirs = UBXReader.parse(frame)
    for ours, field, unit in (
        ("latitude", "lat", 1), ("longitude", "lon", 1), ("altitude", "hMSL", 1000), ("horizontal_accuracy", "hAcc", 1000),
        ("vertical_accuracy", "vAcc", 1000), ("pdop", "pDOP", 1), ("hdop", "hDOP", 1), ("vdop", "vDOP", 1), ("roll", "roll", 1),
        ("pitch", "pitch", 1), ("climb", "velD", {"NAV-PVT": -1000}.get(name, -100)), ("satellites", "numSV", 1),
        ("satellites_in_view", "numSvs", 1),
    ):  # fmt: skip
        if ours in found[0]:
            assert found[0][ours] == pytest.approx(getattr(theirs, field) / unit, abs=1e-9), ours


def test_a_frame_without_a_fix_gives_no_position() -> None:
    """The receiver says so by a flag, or by an accuracy of thousands of kilometres."""
    no_fix = bytearray(NAV[0x07])
    no_fix[20:22] = b"\x00\x00"
    rows, counts = decode(ubx(1, 0x07, bytes(no_fix)) + ubx(1, 0x02, NAV[0x02][:20] + b"\xff" * 8) + ubx(1, 0x02, b"short"))
    assert rows == [{"fix_mode": 0, "satellites": 12}]
    assert counts == {"void_sentences": 1, "bad_sentences": 1}


@pytest.mark.parametrize(
    "body",
    [
        "GPGGA,123519,9907.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,123519,4867.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPRMC,123519,A,4807.038,N,19931.000,E,022.4,084.4,230394,003.1,W",
        "GPRMC,123519,A,4807.038,X,01131.000,E,022.4,084.4,230394,003.1,W",
        "GPRMC,123519,A,4807.038,N,01131.000,E,022.4,484.4,230394,003.1,W",
        "SDDBT,7.8,f,two,M,1.3,F",
        "SDDBT,7.8,f,-2.4,M,1.3,F",
        "IIMTW,400,C",
        "GPGGA,,,",
        "GPRMC,1,A,9999,N,9999,E,,,230394",
        "GPRMC,1,A,4807.038,N,,,022.4,084.4,230394,,",
        "IIMWV,084.0,X,10.4,N,A",
        "IIMTW,1_7,C",
        "IIMTW,inf,C",
        "IIMTW,\u0661\u0662".encode().decode("latin-1"),
    ],
)
def test_a_right_checksum_over_nonsense_is_not_a_reading(body: str) -> None:
    """It is counted; the next sentence is read."""
    rows, counts = decode(sentence(body) + sentence("HEHDT,274.1,T"))
    assert (rows, counts) == ([{"heading": 274.1}], {"bad_sentences": 1})


@pytest.mark.parametrize(
    "body",
    [
        "GPRMC,235946,V,8960.0,N,00000.0,E,0,0,050180,,,N",
        "GPGLL,8960.0,N,00000.0,E,235946,V,N",
        "GPVTG,0,T,0,M,0,N,0,K,N",
        "HETHS,0,V",
        "TIROT,0,V",
        "IIMWV,0,R,0,N,V",
        "PUBX,00,235946.00,0000.0,N,00000.0,E,0,NF,5303302,3750001,0,0,0,,99,99,99,0,0,0",
    ],
)
def test_what_says_itself_that_it_is_void_gives_nothing(body: str) -> None:
    """Whatever stands in the fields is the last thing known, or an invention."""
    assert decode(sentence(body)) == ([], {"void_sentences": 1})


def test_a_fix_of_zero_is_a_reading_and_its_position_is_none() -> None:
    """GGA with quality 0."""
    rows, _ = decode(sentence("GPGGA,235946,8960.0000,N,00000.0000,E,0,0,,137.0,M,13.0,M,,"))
    assert rows == [{"fix": 0.0, "satellites": 0.0}]


def test_talkers_and_sentences_can_be_chosen() -> None:
    """Two instruments on one multiplexer; the rest is counted."""
    data = sent("GPRMC,1,A,4807.038,N,01131.000,W,1,2,230394", "IIRMC,1,A,4807.038,N,01131.000,W,3,4,230394", "PGRMZ,246,f,3")
    data += ubx(1, 0x04, NAV[0x04])
    wanted: dict[str, Any] = {"speed": {}, "altitude": {}, "hdop": {}}
    assert decode(data, channels=wanted, talkers=["II"]) == ([{"speed": 3}, {"hdop": 1.5}], {"other_sentences": 2})
    found, counts = decode(data, channels=wanted, sentences=["PGRMZ"])
    assert [list(row) for row in found] == [["altitude"]]
    assert found[0]["altitude"] == pytest.approx(74.9808)
    assert counts == {"other_sentences": 3}
    assert decode(data, channels=wanted, sentences=["NAV-DOP", "RMC"], talkers=["GP"])[0] == [{"speed": 1}, {"hdop": 1.5}]


def test_engines_and_shafts_are_told_apart() -> None:
    """``rpm`` is of the first one that is heard, alone."""
    wanted: dict[str, Any] = {"rpm": {}, "rpm_engine_2": {}, "shaft": {"source": "rpm_shaft_1"}}
    bodies = ["IIRPM,E,1,1500,10,A", "IIRPM,E,2,3000,10,A", "IIRPM,S,01,600,10,A", "IIRPM,E,1,1600,10,A"]
    found, _ = decode(sent(*bodies), channels=wanted)
    assert found == [{"rpm": 1500}, {"rpm_engine_2": 3000}, {"rpm_shaft_1": 600}, {"rpm": 1600}]
    assert options(channels=wanted).channel_options()["shaft"].unit == "1/min"
    with pytest.raises(ValueError, match="rpm_engine_N"):
        options(channels={"rpm_engine_port": {}})


# ---- the device's clock --------------------------------------------------------------------------------------------------

SECOND = 1_000_000
NOON = 764_424_000_000_000  # 1994-03-23T12:00:00Z in microseconds


def rmc(time: str, date: str = "230394", status: str = "A", speed: str = "1.0") -> bytes:
    return sentence(f"GPRMC,{time},{status},4807.038,N,01131.000,W,{speed},2,{date}")


def test_the_fix_is_stamped_with_its_own_time() -> None:
    """All sentences of one fix get one time; what several of them give is taken once; before the first date there is none."""
    wanted: dict[str, Any] = {"speed": {}, "altitude": {}, "hdop": {}}
    fix = "GPGGA,120001.50,4807.038,N,01131.000,W,1,08,0.9,545.4,M,46.9,M,,"
    data = (
        sent(fix, "GPVTG,2,T,,M,1.0,N,,K") + rmc("120000") + sent(fix, "GPVTG,2,T,,M,1.0,N,,K", "GPGSA,A,3,,,,,,,,,,,,,1,0.9,1")
    )
    rows, counts = decoded([(1_000, data)], channels=wanted, time="device")
    assert rows == [
        (NOON, {"speed": 1.0}),
        (NOON + 1_500_000, {"hdop": 0.9, "altitude": 545.4}),
        (NOON + 1_500_000, {"speed": 1.0}),
    ]
    assert counts == {"undated": 3, "repeated_fields": 1}


def test_fixes_more_often_than_once_a_second_have_times_of_their_own() -> None:
    """Though the receiver tells whole seconds; the same sentence once more is the same fix."""
    fixes = [f"GPGGA,120000,4807.038,N,01131.000,W,1,08,0.9,{altitude},M,46.9,M,," for altitude in (1, 2, 2, 3)]
    pieces = [(0, rmc("120000")), *((5 + n * 200_000, sentence(fix)) for n, fix in enumerate(fixes))]
    rows, counts = decoded(pieces, channels={"altitude": {}}, time="device")
    assert rows == [
        (NOON, {"altitude": 1.0}), (NOON + 200_005, {"altitude": 2.0}), (NOON + 600_005, {"altitude": 3.0}),
    ]  # fmt: skip
    assert counts["repeated_fields"] == 1


def test_numbered_transducers_are_told_apart_by_kind() -> None:
    """As Vaisala's WXT520 numbers them."""
    names = ("air_temperature", "humidity", "pressure", "xdr_0", "xdr_C0", "xdr_C1", "xdr_P0")
    body = "WIXDR,C,73.4,F,0,C,25.5,C,1,H,40.1,P,0,P,1009.5,H,0"
    rows, _ = decoded([(0, sentence(body))], channels={name: {} for name in names})
    (fields,) = [fields for _, fields in rows]
    assert fields == {
        "xdr_C0": 73.4, "air_temperature": pytest.approx(23), "xdr_C1": 25.5, "humidity": 40.1, "pressure": 1009.5, "xdr_P0": 1009.5,
    }  # fmt: skip


@pytest.mark.parametrize("first", ["85.2", ""])
def test_transducers_that_share_a_name_are_told_apart_by_kind(first: str) -> None:
    """Also where one of them has nothing to say."""
    names = ("xdr_ENGINE#0", "xdr_CENGINE#0", "xdr_TENGINE#0", "xdr_OILP")
    body = f"ERXDR,C,{first},C,ENGINE#0,P,2.1,B,OILP,T,800,R,ENGINE#0"
    rows, _ = decoded([(0, sentence(body))], channels={f"c{n}": {"source": name} for n, name in enumerate(names)})
    (fields,) = [fields for _, fields in rows]
    assert fields == {"xdr_TENGINE#0": 800.0, "xdr_OILP": 2.1} | ({"xdr_CENGINE#0": 85.2} if first else {})


@pytest.mark.parametrize(
    ("before", "date", "of_day", "expected_us"),
    [
        ("235959", "230394", "000000.5", NOON + 43_200_500_000),  # the date is told later than the time
        ("000000", "240394", "235959.9", NOON + 43_199_900_000),
        ("235959", "311299", "000001", 946_684_801_000_000),
        ("235960", "230394", "000000", NOON + 43_200_000_000),  # a leap second
    ],
)
def test_around_midnight(before: str, date: str, of_day: str, expected_us: int) -> None:
    """A time of day belongs to the day that brings it nearest to the last full time."""
    fix = f"GPGGA,{of_day},4807.038,N,01131.000,W,1,08,0.9,545.4,M,46.9,M,,"
    rows, _ = decoded([(0, rmc(before, date) + sentence(fix))], channels={"altitude": {}}, time="device")
    assert rows == [(expected_us, {"altitude": 545.4})]


def _in_a_sentence(kind: str, at_us: int, altitude: int) -> bytes:
    """A sentence of this kind that tells the time ``at_us`` behind noon, and a fix where it has room for one."""
    at = datetime(1994, 3, 23, 12, tzinfo=UTC) + timedelta(microseconds=at_us)
    time, place = f"{at:%H%M%S}.{at.microsecond // 10_000:02}", "4807.038,N,01131.000,W"
    return sentence(
        {
            "RMC": f"GPRMC,{time},A,{place},{altitude}.0,2,{at:%d%m%y}",
            "ZDA": f"GPZDA,{time},{at:%d,%m,%Y},00,00",
            "GGA": f"GPGGA,{time},{place},1,08,0.9,{altitude},M,46.9,M,,",
            "GNS": f"GPGNS,{time},{place},A,08,0.9,{altitude},46.9,,",
            "GLL": f"GPGLL,{place},{time},A,A",
            "GST": f"GPGST,{time},,,,,{altitude}.0,{altitude}.0,1.0",
        }[kind]
    )


_CLOCK_SENTENCES = ("RMC", "ZDA", "GGA", "GNS", "GLL", "GST")


@given(
    st.permutations(_CLOCK_SENTENCES),
    st.sampled_from(("RMC", "ZDA")),
    st.integers(-3, 1),
    st.sampled_from((SECOND, SECOND // 5)),
)
def test_whatever_the_order_of_the_sentences_each_has_its_own_second(
    order: list[str], first: str, begin: int, step_us: int
) -> None:
    """Once the date is known: around midnight, too, and whichever sentence begins the epoch."""
    midnight_us = 12 * 3600 * SECOND
    wanted: dict[str, Any] = {"latitude": {}, "altitude": {}, "speed": {}, "vertical_accuracy": {}}
    pieces_of = [(0, _in_a_sentence(first, midnight_us + (begin - 1) * step_us, 9))]
    for n in range(3):
        at_us = midnight_us + (begin + n) * step_us
        pieces_of += [((n + 1) * step_us + index, _in_a_sentence(kind, at_us, n + 1)) for index, kind in enumerate(order)]
    rows, _ = decoded(pieces_of, channels=wanted, time="device")
    told = {(int(at_us), name) for at_us, values in rows for name in values if at_us >= NOON + midnight_us + begin * step_us}
    assert told == {(NOON + midnight_us + (begin + n) * step_us, name) for n in range(3) for name in wanted}
    assert [at_us for at_us, _ in rows] == sorted(at_us for at_us, _ in rows)


@pytest.mark.parametrize("old_s", [0, 1, 30])
def test_a_date_that_lags_behind_midnight_does_not_set_the_clock_back(old_s: int) -> None:
    """Some receivers tell the new day's time with the old day's date for a moment. A clock that really is set goes along."""
    pieces_of = [(0, rmc("235959"))]
    pieces_of += [(SECOND * (n + 1), rmc(f"0000{n:02}", "230394" if n <= old_s else "240394", speed=f"{n}.0")) for n in range(32)]
    rows, _ = decoded(pieces_of, channels={"speed": {}}, time="device")
    assert [at_us for at_us, _ in rows] == [NOON + (12 * 3600 - 1 + n) * SECOND for n in range(33)]
    rows, _ = decoded([(0, rmc("120000")), (SECOND, rmc("000001", "230394"))], channels={"speed": {}}, time="device")
    assert rows[-1][0] == NOON - 12 * 3600 * SECOND + SECOND


@pytest.mark.parametrize("silent_h", [1, 7, 13, 20, 100])
def test_behind_a_long_silence_a_time_of_day_waits_for_a_date(silent_h: int) -> None:
    """After half a day it would be taken for the day before."""
    at_us = silent_h * 3600 * SECOND
    pieces_of = [(0, rmc("120000")), (at_us, _in_a_sentence("GGA", at_us, 7)), (at_us + 1, _in_a_sentence("RMC", at_us, 7))]
    rows, counts = decoded([*pieces_of, (at_us + 2, _in_a_sentence("GGA", at_us, 7))], channels={"altitude": {}}, time="device")
    assert rows == [(NOON + at_us, {"altitude": 7.0})]
    assert counts["undated"] == (silent_h > 6)


def test_behind_days_of_silence_a_frame_waits_for_a_date() -> None:
    """After half a week its time of the week would be taken for that of the week before; frames that come all the time are dated."""

    def dop(at_s: int) -> bytes:
        return ubx(1, 0x04, (at_s * 1000 % 604_800_000).to_bytes(4, "little") + NAV[0x04][4:])

    date = (1994).to_bytes(2, "little") + bytes((3, 23, 12, 0, 0, 7)) + bytes(8)
    begin = (0, ubx(1, 0x07, bytes(4) + date + NAV[0x07][20:]))
    step_s = 3 * 3600
    rows, _ = decoded(
        [begin, *((n * step_s * SECOND, dop(n * step_s)) for n in range(1, 60))], channels={"hdop": {}}, time="device"
    )
    assert [at_us for at_us, _ in rows] == [NOON + n * step_s * SECOND for n in range(1, 60)]
    for jump_s in (3 * 86_400, -3 * 86_400):  # its clock jumps: a second jump could lead into another week
        rows, counts = decoded([begin, (SECOND, dop(jump_s)), (2 * SECOND, dop(2)), begin], channels={"hdop": {}}, time="device")
        assert (rows, counts["undated"]) == ([], 2)
    at_s = 5 * 86_400
    rows, counts = decoded([begin, (at_s * SECOND, dop(at_s))], channels={"hdop": {}}, time="device")
    assert (rows, counts["undated"]) == ([], 1)


def test_instruments_without_a_clock_get_the_devices_time_that_has_gone_by() -> None:
    """A depth sounder beside a receiver: each reading its own time, none lost as a repetition."""
    wanted: dict[str, Any] = {"depth": {}}
    pieces_of = [(5_000_000, sentence("SDDBT,,f,1.0,M,,F")), (6_000_000, rmc("120000"))]
    pieces_of += [(6_200_000 + n, sentence("SDDBT,,f,2.0,M,,F")) for n in (0, 100_000)]
    pieces_of += [(7_000_000, rmc("120000.9", status="V")), (7_100_000, sentence("SDDBT,,f,3.0,M,,F"))]
    rows, counts = decoded(pieces_of, channels=wanted, time="device")
    assert rows == [(NOON + 200_000, {"depth": 2.0}), (NOON + 300_000, {"depth": 2.0})]
    assert counts["undated"] == 2


def test_a_tag_block_dates_the_sentence_behind_it() -> None:
    """As multiplexers send it, in seconds or milliseconds."""
    body = "SDDBT,,f,2.0,M,,F"
    tagged = b""
    for tag in ("s:r1,c:764424000", "c:764424000500,s:r1"):
        tagged += b"\\%s*%02X\\" % (tag.encode(), reduce(xor, tag.encode())) + sentence(body)
    rows, counts = decoded([(1, tagged + sentence(body))], channels={"depth": {}}, time="device")
    assert rows == [(NOON, {"depth": 2.0}), (NOON + 500_000, {"depth": 2.0})]
    assert counts == {"undated": 1}


def test_ubx_tells_the_time_in_pvt_and_the_other_frames_by_the_week() -> None:
    """Across the end of a week, too."""

    def dop(week_ms: int) -> bytes:
        return ubx(1, 0x04, week_ms.to_bytes(4, "little") + NAV[0x04][4:])

    end = 604_800_000
    clock = (
        (2026).to_bytes(2, "little")
        + bytes((3, 14, 23, 59, 59, 3))
        + bytes(4)
        + (-250_000_000).to_bytes(4, "little", signed=True)
    )
    pvt = (end - 250).to_bytes(4, "little") + clock + NAV[0x07][20:]
    data = dop(end - 1250) + ubx(1, 0x07, pvt) + dop(end - 250) + dop(750)
    rows, counts = decoded([(0, data)], channels={"hdop": {}, "speed": {}}, time="device")
    at = 1_773_532_798_750_000
    assert [(at_us, set(values)) for at_us, values in rows] == [(at, {"speed"}), (at, {"hdop"}), (at + 1_000_000, {"hdop"})]
    assert counts == {"undated": 1}


def test_ubx_frames_behind_a_sentence_of_their_second_belong_to_that_second() -> None:
    """A receiver that sends both: the sentence tells the new second before the frames do."""
    wanted: dict[str, Any] = {"hdop": {}, "speed": {}, "satellites": {}}

    def second(n: int) -> bytes:
        week_ms = (100_000_000 + n * 1000).to_bytes(4, "little")
        date = (1994).to_bytes(2, "little") + bytes((3, 23, 12, 0, n, 7)) + bytes(8)
        pvt = week_ms + date + NAV[0x07][20:]
        return rmc(f"12000{n}", speed=f"{n}.0") + ubx(1, 0x04, week_ms + NAV[0x04][4:]) + ubx(1, 0x07, pvt)

    rows, counts = decoded([(n * 1_000_000, second(n)) for n in range(3)], channels=wanted, time="device")
    assert [(at_us - NOON, sorted(values)) for at_us, values in rows] == [
        (n * 1_000_000, [name]) for n in range(3) for name in ("speed", "hdop", "satellites")
    ]
    assert counts["undated"] == 0


# ---- options -------------------------------------------------------------------------------------------------------------


def test_the_default_channels_know_their_units() -> None:
    """Nothing but a port is needed; what the file says wins."""
    chosen = NmeaOptions.model_validate({"driver": "nmea", "port": "/dev/x"}).channel_options()
    assert (chosen["latitude"].unit, chosen["course"].kind) == ("°", "angle")
    mine = NmeaOptions.model_validate(
        {"driver": "nmea", "port": "/dev/x", "channels": {"tiefe": {"source": "depth"}, "speed": {"unit": "kt"}}}
    )
    assert {name: channel.unit for name, channel in mine.channel_options().items()} == {"tiefe": "m", "speed": "kt"}
    with pytest.raises(ValueError, match="did you mean 'depth'"):
        NmeaOptions.model_validate({"driver": "nmea", "port": "/dev/x", "channels": {"dept": {}}})
