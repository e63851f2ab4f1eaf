"""Where two keys exclude each other or one needs another, the message says which of them were found and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.drivers.registry import options_for

HEAD = "sensors:\n  s: {driver: simulated, interval: 1s, channels: {x: {kind: counter, unit: kWh, signal: counter}}}\n"
MODBUS = "driver: modbus, port: /dev/x"
FRAME = "driver: serial, port: /dev/x, channels: {a: {}}, format: {type: frame, header: AA, length: 4"


def problems(text: str, path: Path) -> str:
    with pytest.raises(ConfigErrors) as caught:
        load_text(text, path / "test.yaml", options_for)
    return str(caught.value)


@pytest.mark.parametrize(
    ("sensor", "problem"),
    [
        (
            f"{MODBUS}, channels: {{a: {{}}}}",
            "needs either address: (counted from 0) or register: (as 30001 or 40001); neither is",
        ),
        (f"{MODBUS}, channels: {{a: {{address: 1, register: 40001}}}}", "; both is given"),
        (f"{MODBUS}, channels: {{a: {{address: 1, source: b}}}}", "leave source: out"),
        (
            f"{MODBUS}, framing: tcp, channels: {{a: {{address: 1}}}}",
            "framing: tcp goes over a network, and port: is /dev/x; write",
        ),
        (
            f"{MODBUS}, framing: ascii, listen_only: true, channels: {{a: {{address: 1}}}}",
            "and framing: is ascii; leave listen_only:",
        ),
        (f"{MODBUS}, channels: {{a: {{address: 1, function: coil, bits: [0, 1]}}}}", "a coil is a bit already; leave bits: out"),
        (
            f"{MODBUS}, channels: {{a: {{address: 1, bits: [9, 9]}}}}",
            "[9, 9] does not fit into u16; write [the lowest bit from 0",
        ),
        (f"{FRAME}, fields: {{a: {{at: 0, bits: [6, 4]}}}}}}", "[6, 4] does not fit into u8; write [the lowest bit from 0"),
        (
            f"{FRAME}, checksum: {{type: sum_modulo}}, fields: {{a: {{at: 0}}}}}}",
            "needs modulo:, the number that the sum is divided by",
        ),
        (
            f"{FRAME}, fields: {{a: {{at: 0}}}}}}, checksum: {{type: xor8}}",
            "are for lines only; checksum: is given, leave it out",
        ),
        ("driver: serial, port: /dev/x, format: {type: block}", "it has neither last: nor begin:"),
        ("driver: serial, port: /dev/x, format: {type: block, last: X, begin: a, end: b}", "it has both last: and begin:"),
        (
            "driver: serial, port: /dev/x, format: {type: csv, fields: [a]}, interval: 1s, poll: {}",
            "or hex: (bytes); none is given",
        ),
        (
            "driver: simulated, interval: 1s, channels: {x: {signal: constant, faults: {gap: {length: 1s}}}}",
            "; none is given",
        ),
        (
            "driver: simulated, interval: 1s, channels: {x: {signal: constant, polynomial: [0, 1], table: [[0, 0], [1, 1]]}}",
            "leave one out",
        ),
    ],
)
def test_sensors(tmp_path: Path, sensor: str, problem: str) -> None:
    assert problem in problems(f"sensors: {{s: {{{sensor}}}}}\n", tmp_path)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("alarms: {a: {series: s.x, events: lost}}", "both series: and events: are given; write series: and when:, or events:"),
        (
            "alarms: {a: {series: s.x, when: '> 5', clear: stuck 1h}}",
            "clear: 'stuck 1h' is not a comparison; write one, e.g. '< 28'",
        ),
        ("notify: {n: {}}", "none is given; write one of apprise:, webhook: and command:"),
        ("notify: {n: {command: [a], webhook: 'https://b.example'}}", "webhook: and command: are given; write one"),
        ("notify: {n: {command: [a], token: b}}", "token: goes with webhook:, and this target has command:; leave token: out"),
        (
            "prices: {p: {series: s.x, unit: kWh, currency: EUR, rates: [{from: 2026-01-01, price: 1}, {from: 2026-01-01, price: 2}]}}",
            "two prices begin on 2026-01-01; leave one of them out",
        ),
        (
            "prices: {p: {series: s.x, unit: kWh, currency: EUR, rates: [{from: 2026-01-01, by: s.x, hours: {22-6: 1}}]}}",
            "and by: is given; leave hours: out",
        ),
    ],
)
def test_sections(tmp_path: Path, section: str, problem: str) -> None:
    assert problem in problems(f"{HEAD}{section}\n", tmp_path)
