"""Decode recorded bytes with a profile or a format, in one piece or cut anywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sensorlogd.calibration.scaling import divisor
from sensorlogd.config.loader import load_text
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.registry import options_for
from sensorlogd.drivers.serial.decoders import decoder_for
from sensorlogd.drivers.serial.options import SerialOptions
from tests.needs import CORPUS as CORPUS

Row = dict[str, float | None]


def any_options(text: str) -> SensorOptions:
    """The options of the one sensor ``s`` whose keys are ``text`` (flow YAML without braces)."""
    return load_text(f"sensors: {{s: {{port: /dev/x, {text}}}}}", Path("/nowhere/x.yaml"), options_for).sensors["s"]


def options(text: str) -> SerialOptions:
    """The same of a serial sensor."""
    found = any_options(text)
    assert isinstance(found, SerialOptions)
    return found


def profile(name: str, more: str = "") -> SerialOptions:
    """A shipped profile."""
    return options(f"profile: {name}{', ' + more if more else ''}")


def pieces(data: bytes, seed: int | None) -> Iterator[bytes]:
    """``data`` in one piece, or cut at random places."""
    if seed is None:
        yield data
        return
    rng = random.Random(seed)
    at = 0
    while at < len(data):
        size = rng.choice((1, 2, 3, 7, 20, 200))
        yield data[at : at + size]
        at += size


def decode(how: SerialOptions, data: bytes, seed: int | None = None) -> tuple[list[Row], dict[str, int]]:
    """The samples by channel (None = not carried), and the counters."""
    counts: dict[str, int] = {}

    def count(name: str, n: int, example: str) -> None:
        counts[name] = counts.get(name, 0) + n

    decoder = decoder_for(how, count)
    channels: Mapping[str, Any] = how.channel_options()
    names = {channel.source or name: name for name, channel in channels.items()}
    rows: list[Row] = []
    for piece in pieces(data, seed):
        batch = decoder.feed(piece, 0)
        if batch is None:
            continue
        for index in range(len(batch.times_us)):
            row: Row = {}
            for field, column in batch.values.items():
                value = column[index]
                if value is not None:
                    channel = channels[names[field]]
                    by = divisor(channel.scale)
                    row[names[field]] = (value * channel.scale if by is None else value / by) + channel.offset
            rows.append(row)
    return rows, counts
