"""Ask a port who is there: the questions of every polled profile, and Modbus units 1 to 10. Only ``probe --active`` does."""

from __future__ import annotations

from collections.abc import Iterator

from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.discovery.listening import PortListener
from sensorlogd.drivers.discovery.probing import Candidate, Heard, profile_options

MODBUS_SETTINGS = ((9600, "none"), (19200, "even"), (9600, "even"), (19200, "none"))
UNITS = range(1, 11)


def ask(line: PortListener) -> Iterator[tuple[str, Candidate | None]]:
    """Pairs (what was asked, who answered or None), one after the other. Raises DriverError."""
    for name, options in profile_options().items():
        if options.poll is None:
            continue
        line.set(options.baudrate, options.bytesize, options.parity)
        answer = line.ask(options.poll.payload(), min(options.poll.turnaround / 1e6, 1.0))
        decoder = decoder_of(options, lambda *_: None)
        batch = decoder.feed(answer, 0) if decoder is not None else None
        heard = Heard(options.baudrate, answer)
        known = None
        if batch is not None and batch.times_us:
            known = Candidate(0.97, name, "it answers the question of this profile", f"profile: {name}", heard)
        yield name, known
    yield from _ask_modbus_units(line)


def _ask_modbus_units(line: PortListener) -> Iterator[tuple[str, Candidate | None]]:
    """Ask UNITS one after the other at each of MODBUS_SETTINGS, until one has answered, be it with an exception. Raises
    DriverError."""
    from sensorlogd.drivers.modbus.sniffer import Sniffer
    from sensorlogd.drivers.serial.checksums import CHECKSUMS

    crc = CHECKSUMS["crc16_modbus"].compute
    for baudrate, parity in MODBUS_SETTINGS:
        line.set(baudrate, parity=parity)
        for unit in UNITS:
            body = bytes([unit, 3, 0, 0, 0, 1])  # one holding register: any unit answers, be it with an exception
            question = body + crc(body).to_bytes(2, "little")
            answer = line.ask(question, 0.15)
            known = None
            for _, found in Sniffer().feed(question + answer, end=True):
                if found is not None and found.unit == unit:
                    keys = f"driver: modbus\nunit: {unit}\ninterval: 10s\nchannels:\n  value: {{address: 0}}  # by the device's manual"
                    if parity != "none":
                        keys = keys.replace("interval:", f"parity: {parity}\ninterval:")
                    known = Candidate(0.95, f"Modbus RTU unit {unit}", "it answers a question", keys, Heard(baudrate, answer))
            yield f"Modbus unit {unit} at {baudrate} baud, parity {parity}", known
            if known is not None:
                return
