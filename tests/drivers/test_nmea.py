"""NMEA 0183 and UBX: what the reference's transport accepts is accepted; nonsense under a right checksum is no reading."""

from __future__ import annotations

import json
from collections import Counter
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.drivers.nmea.driver import NmeaDecoder, NmeaOptions
from sensorlogd.drivers.nmea.fields import KNOWN
from sensorlogd.drivers.nmea.stream import Messages
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from tests import needs
from tests.drivers.decoding import pieces
from tests.needs import CORPUS

COUNTS = json.loads((CORPUS / "COUNTS.json").read_text()) if CORPUS.exists() else {}
# A sentence broken off by another that is whole: the reference counts lines and rejects both, the second one is good.
GLUED = {"isync.log": 1, "triton400.log": 1, "ublox-8.log": 1}


def sentence(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode(), 0):02X}\r\n".encode()


def ubx(kind: int, number: int, payload: bytes) -> bytes:
    body = bytes((kind, number)) + len(payload).to_bytes(2, "little") + payload
    return b"\xb5\x62" + body + CHECKSUMS["fletcher8"].compute(body).to_bytes(2, "big")


def messages(data: bytes, seed: int | None = None) -> tuple[list[str | bytes], Counter[str]]:
    counts: Counter[str] = Counter()

    def count(name: str, n: int, example: str) -> None:
        counts[name] += n

    stream = Messages(count)
    return [message for piece in pieces(data, seed) for message in stream.feed(piece)], counts


def decode(data: bytes, seed: int | None = None) -> tuple[list[dict[str, float]], Counter[str]]:
    counts: Counter[str] = Counter()

    def count(name: str, n: int, example: str) -> None:
        counts[name] += n

    decoder = NmeaDecoder(set(KNOWN) | {"xdr_TempAir"}, count)
    rows = []
    for piece in pieces(data, seed):
        batch = decoder.feed(piece, 0)
        for index in range(len(batch.times_us) if batch else 0):
            assert batch is not None
            rows.append({name: value for name, column in batch.values.items() if (value := column[index]) is not None})
    return rows, counts


def _recording(name: str) -> Path:
    return next((CORPUS / "gpsd-nmea-ubx").rglob(name.replace(".log", ".raw")))


@pytest.mark.parametrize("entry", COUNTS.get("gpsd-nmea-ubx", []), ids=lambda entry: entry["file"])
def test_gpsd_recordings(entry: dict[str, Any]) -> None:
    """Sentences with a right checksum and UBX frames, mixed with each other and with noise, cut anywhere."""
    needs.corpus()
    for seed in (None, 1):
        found, counts = messages(_recording(entry["file"]).read_bytes(), seed)
        sentences = sum(isinstance(message, str) for message in found)
        if entry["file"] != "quectel-l76k-binary.log":  # the reference gave up on its binary part
            assert sentences == entry["checksum_ok"] + GLUED.get(entry["file"], 0)
        assert len(found) - sentences == entry["pyubx2"]["ubx"]
        if entry["group"] != "binary":
            assert counts["bad_checksum"] >= entry["checksum_bad"]


@pytest.mark.parametrize("entry", COUNTS.get("pyubx2-logs", []), ids=lambda entry: entry["file"])
def test_ubx_recordings(entry: dict[str, Any]) -> None:
    """A frame of an unknown kind is a frame; a sentence without its line end, at the end of the recording, is a sentence."""
    needs.corpus()
    found, _ = messages((CORPUS / "pyubx2-logs" / entry["file"]).read_bytes(), 2)
    frames = sum(isinstance(message, bytes) for message in found)
    assert frames == entry["ubx"] + (1 if entry["file"].endswith("MGASF.log") else 0)
    assert len(found) - frames == entry["nmea"] + (1 if entry["file"].endswith("MIXED2.log") else 0)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(st.sampled_from("ABCGPNMEA0123456789.,-"), min_size=6, max_size=70).map(sentence),
            st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40)).map(lambda parts: ubx(*parts)),
            st.binary(max_size=20).filter(lambda noise: not set(noise) & set(b"$!\xb5")),
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
    st.one_of(st.binary(max_size=400), st.text(st.sampled_from("$!*GPAMR,0123.NEWSV\r\n")).map(str.encode)), st.integers(0, 999)
)
def test_nothing_escapes_and_cutting_does_not_matter(data: bytes, seed: int) -> None:
    """Any bytes."""
    assert decode(data, seed)[0] == decode(data)[0]
    assert messages(data, seed)[0] == messages(data)[0]


def test_every_kind_of_sentence() -> None:
    """Values in the units that ``ports``, ``schema`` and the pages name."""
    rows, counts = decode(
        b"".join(
            map(
                sentence,
                (
                    "GPGGA,123519,4807.038,N,01131.000,W,1,08,0.9,545.4,M,46.9,M,,",
                    "GPRMC,123519,A,4807.038,S,01131.000,E,022.4,084.4,230394,003.1,W",
                    "IIMWV,084.0,R,10.4,N,A",
                    "IIMWV,084.0,T,36.0,K,A",
                    "IIVWR,030.0,L,10.0,N,5.1,M,18.5,K",
                    "SDDPT,2.4,0.5",
                    "SDDBT,7.8,f,2.4,M,1.3,F",
                    "IIMTW,17.5,C",
                    "HEHDT,274.1,T",
                    "TIROT,-3.1,A",
                    "WIMDA,29.9,I,1.0132,B,21.3,C,,,55.2,,11.0,C,210.0,T,,M,5.0,N,2.6,M",
                    "WIXDR,C,19.5,C,TempAir,P,1.0150,B,Barometer,A,-1.5,D,PITCH",
                    "IIVHW,,T,,M,5.2,N,,K",
                ),
            )
        )
    )
    assert counts == {}
    assert rows[0] == {
        "fix": 1, "satellites": 8, "latitude": pytest.approx(48.1173), "longitude": pytest.approx(-11.516667), "hdop": 0.9, "altitude": 545.4,
        "geoid_separation": 46.9,
    }  # fmt: skip
    assert rows[1] == {"latitude": pytest.approx(-48.1173), "longitude": pytest.approx(11.516667), "speed": 22.4, "course": 84.4}
    assert rows[2] == {"wind_angle": 84.0, "wind_speed": pytest.approx(5.350, abs=1e-3)}
    assert rows[3] == {"wind_angle_true": 84.0, "wind_speed_true": pytest.approx(10.0)}
    assert rows[4] == {"wind_angle": 330.0, "wind_speed": 5.1}
    assert rows[5:10] == [
        {"depth": 2.4, "transducer_offset": 0.5},
        {"depth": 2.4},
        {"water_temperature": 17.5},
        {"heading": 274.1},
        {"rate_of_turn": -3.1},
    ]
    assert rows[10] == {
        "pressure": pytest.approx(1013.2), "air_temperature": 21.3, "humidity": 55.2, "dew_point": 11.0, "wind_direction": 210.0, "wind_speed_true": 2.6,
    }  # fmt: skip
    assert rows[11] == {"xdr_TempAir": 19.5, "air_temperature": 19.5, "pressure": pytest.approx(1015.0), "pitch": -1.5}
    assert rows[12] == {"water_speed": 5.2}


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
    ],
)
def test_a_right_checksum_over_nonsense_is_not_a_reading(body: str) -> None:
    """It is counted; the next sentence is read."""
    rows, counts = decode(sentence(body) + sentence("HEHDT,274.1,T"))
    assert (rows, counts) == ([{"heading": 274.1}], {"bad_sentences": 1})


def test_no_fix_gives_no_position() -> None:
    """Void and fix 0: whatever stands in the fields is the last thing known, or an invention."""
    rows, _ = decode(
        sentence("GPGGA,235946,8960.0000,N,00000.0000,E,0,0,,137.0,M,13.0,M,,")
        + sentence("GPRMC,235946,V,8960.0,N,00000.0,E,0,0,050180,,,N")
    )
    assert rows == [{"fix": 0.0, "satellites": 0.0}]


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
