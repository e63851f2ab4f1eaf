"""Recorded instruments, replayed byte for byte through a pty into a running daemon: exactly the valid lines arrive."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.rig import Daemon, Port, reading, rows, until

Values = dict[str, float]
METBK = [
    "pressure", "humidity", "temperature", "longwave", "precipitation", "sea_temperature",
    "sea_conductivity", "shortwave", "wind_east", "wind_north", "spare", "battery",
]  # fmt: skip
CTDBP = ("temperature", "conductivity", "pressure", "salinity", "sound_speed")


@dataclass
class Instrument:
    """A stream, how to configure it, and what must be in the database: per valid line its values."""

    stream: str
    sensor: dict[str, Any]
    expected: Callable[[Path], list[Values]]
    count: Callable[[dict[str, Any]], int]
    channels: dict[str, Any] = field(default_factory=dict)


def _counts(group: str, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def find(counts: dict[str, Any]) -> dict[str, Any]:
        (record,) = [record for record in counts[group] if record["file"].rsplit("/", 1)[-1] == name]
        return dict(record)

    return find


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_bytes().decode("latin-1").splitlines() if line.strip()]


def _metbk(path: Path) -> list[Values]:
    return [dict(zip(METBK, map(float, line.split()), strict=True)) for line in _lines(path)]


def _ctdbp(path: Path) -> list[Values]:
    found = []
    for line in _lines(path):
        cells = [cell.strip() for cell in line.lstrip("#").split(",")]
        if len(cells) == 9:
            found.append(dict(zip(CTDBP, map(float, cells[:5]), strict=True)))
    return found


def _nmea(path: Path) -> list[Values]:
    """The time of every sentence whose checksum is right; computed here without the product's code."""
    found = []
    for raw in path.read_bytes().split(b"\n"):
        match = re.fullmatch(rb"\$(.*)\*([0-9A-Fa-f]{2})", raw.strip())
        if match is None:
            continue
        checksum = 0
        for byte in match[1]:
            checksum ^= byte
        if checksum == int(match[2], 16):
            found.append({"utc": float(match[1].split(b",")[1])})
    return found


def _kern(path: Path) -> list[Values]:
    return [{"weight": float(match)} for match in re.findall(r"^([+-][\d.]+) ?G S", path.read_bytes().decode(), re.MULTILINE)]


INSTRUMENTS = {
    "metbk": Instrument(
        "ooi-serial-logs/metbk_a/20140901.metbk2.raw",
        {"format": {"type": "csv", "separator": "whitespace", "fields": METBK}},
        _metbk,
        lambda counts: _counts("ooi-serial-logs", "20140901.metbk2.log")(counts)["valid_by_our_regex_or_checksum"],
    ),
    "ctdbp": Instrument(
        "ooi-serial-logs/ctdbp/20131123.ctdbp1.raw",
        {"format": {"type": "csv", "prefix": "#", "fields": [*CTDBP, None, None, None, None]}},
        _ctdbp,
        lambda counts: _counts("ooi-serial-logs", "20131123.ctdbp1.log")(counts)["valid_by_our_regex_or_checksum"],
    ),
    "ctdbp_invalid": Instrument(
        "ooi-serial-logs/ctdbp/20131123.ctdbp1_many_1inval.raw",
        {
            "format": {"type": "csv", "prefix": "#", "fields": [*CTDBP, "when", None, None, None]},
            "time": {"field": "when", "format": "%d %b %Y %H:%M:%S"},
        },
        _ctdbp,
        lambda counts: _counts("ooi-serial-logs", "20131123.ctdbp1_many_1inval.log")(counts)["valid_by_our_regex_or_checksum"],
    ),
    "kern": Instrument(
        "sigrok-uart/kern_scale/kern_ew_6200-2nm_tare.rx.raw",
        {"baudrate": 1200, "format": {"type": "regex", "pattern": r"^(?P<weight>[+-][\d.]+) ?G S"}},
        _kern,
        lambda counts: _counts("sigrok-uart", "kern_ew_6200-2nm_tare.sr")(counts)["rx"]["bytes"] // 14,  # one frame is 14 bytes
    ),
}


def configuration(folder: Path, port: Path, sensor: dict[str, Any]) -> Path:
    path = folder / "sensorlogd.yaml"
    path.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(folder / "data")},
                "storage": {"commit_interval": "50ms", "min_free": "0B"},
                "sensors": {"device": {"driver": "serial", "port": str(port), "heartbeat": "1h"} | sensor},
            }
        )
    )
    return path


def stored(path: Path) -> list[Values]:
    """Readings of one line share their time: put them together again, in order of time."""
    lines: dict[int, Values] = {}
    for ts, channel, value, _ in rows(path, "device"):
        assert value is not None
        lines.setdefault(ts, {})[channel] = value
    return [values for _, values in sorted(lines.items())]


def replay(
    tmp_path: Path, sensor: dict[str, Any], send: Callable[[Port], None], lines: int
) -> tuple[list[Values], dict[str, int]]:
    """What the database holds, and the sensor's counters, after ``send`` has written so many good lines to the port."""
    port = Port(tmp_path / "tty")
    database = tmp_path / "data" / "sensorlogd.db"

    def arrived() -> bool:
        """An empty pty does not mean that all was read: the kernel holds back what its buffer has no room for."""
        daemon.commit()
        return len(stored(database)) >= lines

    try:
        with Daemon(configuration(tmp_path, port.path, sensor), tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(lambda: port.opened(), "the port to be opened")
            send(port)
            until(arrived, f"{lines} lines to be stored")
            until(port.drained, "the daemon to read everything")
            assert daemon.stop() == 0
    finally:
        port.close()
    with reading(database) as conn:
        (counters,) = conn.execute("SELECT counters FROM sensor_status").fetchone()
    return stored(database), json.loads(counters)


def same(found: list[Values], expected: list[Values]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        assert all(math.isclose(ours[name], theirs[name], rel_tol=0, abs_tol=0) for name in ours), (ours, theirs)


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_exactly_the_valid_lines_are_stored(name: str, tmp_path: Path) -> None:
    """As many as the reference counts, with the values that stand in the stream; what is not valid is counted."""
    instrument = INSTRUMENTS[name]
    stream = needs.corpus(instrument.stream)
    counts = json.loads(needs.corpus("COUNTS.json").read_text())
    expected = instrument.expected(stream)
    assert len(expected) == instrument.count(counts)
    found, counters = replay(tmp_path, instrument.sensor, lambda port: port.send(stream.read_bytes()), len(expected))
    same(found, expected)
    assert counters.get("bad_lines", 0) + counters.get("first_partial", 0) == len(_lines(stream)) - len(expected)


def test_nmea_by_regex_stores_what_has_a_right_checksum(tmp_path: Path) -> None:
    """A log in which a third of the checksums is wrong: the time of each good sentence, by a pattern."""
    stream = needs.corpus("gpsd-nmea-ubx/dirty/firefly-II.raw")
    records = json.loads(needs.corpus("COUNTS.json").read_text())["gpsd-nmea-ubx"]
    (record,) = [record for record in records if record["file"] == "firefly-II.log"]
    expected = _nmea(stream)
    assert len(expected) == record["checksum_ok"] == 46
    sensor = {
        "checksum": {"type": "nmea", "start": "$"},
        "format": {"type": "regex", "pattern": r"^\$GP(GGA|RMC|ZDA),(?P<utc>[\d.]+),"},
    }
    found, counters = replay(tmp_path, sensor, lambda port: port.send(stream.read_bytes()), len(expected))
    same(found, expected)
    assert counters["bad_lines"] + counters.get("first_partial", 0) == record["checksum_bad"] == 23


@pytest.mark.parametrize("name", ["metbk", "ctdbp"])
def test_any_cutting_and_noise_between_give_the_same(name: str, tmp_path: Path) -> None:
    """The same lines cut at random byte boundaries, lines of binary noise between them: the same readings."""
    instrument = INSTRUMENTS[name]
    stream = needs.corpus(instrument.stream)
    rng = random.Random(20140901)
    noisy = bytearray()
    noise_lines = 0
    for line in stream.read_bytes().splitlines(keepends=True):
        noisy += line
        if rng.random() < 0.3:
            noisy += bytes(rng.choice(b"\x00\x01\x7f\x80\xff\xfe#,. ABC019") for _ in range(rng.randrange(1, 60))) + b"\r\n"
            noise_lines += 1

    def send(port: Port) -> None:
        at = 0
        while at < len(noisy):
            size = rng.randrange(1, 400)
            port.send(bytes(noisy[at : at + size]))
            at += size

    expected = instrument.expected(stream)
    found, counters = replay(tmp_path, instrument.sensor, send, len(expected))
    same(found, expected)
    assert counters["bad_lines"] + counters.get("first_partial", 0) <= noise_lines
    assert counters["bad_lines"] > noise_lines / 2
