"""Every parser of strangers' bytes, under one name each; for the fuzzers."""

from __future__ import annotations

import random
from collections.abc import Callable

from sensorlogd.drivers import recording
from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.discovery.probing import Heard, judge
from tests.drivers.decoders.decoding import any_options, profile

Feed = Callable[[bytes], object]
SERIAL = {
    "csv": "driver: serial, format: {fields: [a, null, b]}",
    "csv whitespace": "driver: serial, format: {fields: [a, b], separator: whitespace, extra_fields: true, bad_fields: skip}",
    "csv checksum": "driver: serial, format: {fields: [a, b]}, checksum: {type: nmea, start: $, required: false}",
    "keyvalue": "driver: serial, format: {type: keyvalue, separator: ';'}, channels: {a: {}, b: {}}",
    "json": "driver: serial, format: {type: json}, channels: {a: {}, 'b': {source: b.c}}",
    "regex": "driver: serial, terminator: any, format: {type: regex, pattern: '(?P<a>[+-]?[0-9.]+) *(?P<b>[0-9]*)'}",
    "times": "driver: serial, format: {fields: [a, when]}, time: {field: when, format: '%d %b %Y %H:%M:%S'}",
    "iso times": "driver: serial, format: {fields: [a, when]}, time: {field: when}",
    "numbers": "driver: serial, encoding: latin-1, format: {fields: [a, b, c], numbers: {a: {hex: true, bits: 16}, b: {degrees_minutes: true}}}",
    "length frame": "driver: serial, format: {type: frame, header: 42 4D, length: {at: 2, type: u16, plus: 4}, checksum: {type: sum16},"
    " fields: {a: {at: 4, type: u16}, b: {at: -4, type: f32}}}",
    "fixed frame": "driver: serial, format: {type: frame, header: AA ?0, footer: AB, length: 10, checksum: {type: sum8, start: 2}, fields: {a: {at: 2, type: u16, byte_order: little}}}",
    "short head": "driver: serial, format: {type: frame, header: AA, length: {at: 1, plus: 2}, checksum: {type: crc16_modbus}, fields: {a: {at: 2}}}",
    "plain head": "driver: serial, format: {type: frame, header: AA, length: {at: 1, type: u16, plus: 3}, fields: {a: {at: 3}}}",
    "header to footer": "driver: serial, format: {type: frame, header: '02', footer: '03', fields: {a: {at: 1, type: ascii, length: 3}}}",
    "frame by silence": "driver: serial, format: {type: frame, header: 'FE', length: silence, checksum: {type: xor8}, fields: {a: {at: 1}}}",
    "line by silence": "driver: serial, terminator: silence, format: {fields: [a]}",
    "cr lines": "driver: serial, terminator: '\\r', format: {fields: [a, b]}",
    "slip": "driver: serial, format: {type: frame, escape: slip, checksum: {type: crc16_x25}, fields: {a: {at: 0, type: i24}, b: {at: 3, type: bcd, length: 2}}}",
    "dle": "driver: serial, format: {type: frame, escape: dle, fields: {a: {at: 0, type: digits, length: 4}, b: {at: 4, type: hex, length: 2}}}",
    "ppp": "driver: serial, format: {type: frame, escape: ppp, checksum: {type: crc16_ccitt}, fields: {a: {at: 0, type: f64}, b: {at: 0, bits: [2, 3]}}}",
    "footer": "driver: serial, format: {type: frame, footer: 0D 0A, fields: {a: {at: 0, type: ascii, length: 5}, b: {at: 5, type: lcd7, length: 2}}}",
    "nmea": "driver: nmea",
    "ubx": "driver: nmea, sentences: [NAV-PVT, NAV-SAT]",
    "nmea device time": "driver: nmea, time: device, checksum: false",
}  # fmt: skip
PROFILES = (
    "plantower-pms5003", "nova-sds011", "winsen-mhz19b", "senseair-s8", "unit-ut61e", "fs9721-multimeter", "kern-scale", "mettler-sics",
    "victron-vedirect", "dsmr-p1", "linky-historic", "linky-standard", "emontx", "rflink", "ultimeter", "bgeigie",
)  # fmt: skip
NAMES = (*SERIAL, *PROFILES, "recording", "modbus bus", "modbus answer", "mbus", "probe")


def parser(name: str) -> Feed:
    """A fresh one; it is fed piece by piece and keeps its state."""
    if name == "recording":
        return _recording
    if name == "modbus bus":
        from sensorlogd.drivers.modbus.sniffer import Sniffer

        sniffer = Sniffer()
        return lambda data: list(sniffer.feed(data))
    if name == "modbus answer":
        from sensorlogd.drivers.modbus.codec import AwaitedResponse, request

        waiting = [AwaitedResponse(request(framing, 1, "input", 0, 4, 7)) for framing in ("rtu", "ascii", "tcp")]
        return lambda data: [awaited.feed(data) for awaited in waiting]
    if name == "mbus":
        from sensorlogd.drivers.mbus.frames import LongFrames, records

        frames = LongFrames(lambda *_: None)
        return lambda data: [records(frame, lambda *_: None) for frame in frames.feed(data)]
    if name == "probe":
        return lambda data: judge(Heard(9600, data[:512]))
    how = any_options(SERIAL[name]) if name in SERIAL else profile(name)
    decoder = decoder_of(how, lambda *_: None)
    assert decoder is not None
    return lambda data: decoder.feed(data, 1_700_000_000_000_000)


def _recording(data: bytes) -> None:
    try:
        list(recording.entries(data.decode("latin-1").splitlines()))
    except recording.BadRecording:
        return


def cut(data: bytes, seed: int) -> list[bytes]:
    """In pieces of any size."""
    rng = random.Random(seed)
    pieces = []
    at = 0
    while at < len(data):
        size = rng.choice((1, 2, 5, 40, 1000))
        pieces.append(data[at : at + size])
        at += size
    return pieces
