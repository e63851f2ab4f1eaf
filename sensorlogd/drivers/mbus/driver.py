"""The ``mbus`` driver: asks one meter for its records, once an interval; many meters may share a port (``shared: true``).

SND_NKE resets the link, REQ_UD2 asks for the records; a meter that has more than fits into a frame is asked on, with the frame
count bit flipped (EN 13757-2, 5.5).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, Name
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.shared import port_for

MAX_FRAMES = 16
GRACE_S = 5.0


class MbusOptions(PortOptions):
    """Keys of ``driver: mbus``."""

    baudrate: int = Field(2400, ge=300, le=38400)
    parity: str = Field("even", pattern="^(none|even|odd)$", description="M-Bus has even parity")  # type: ignore[assignment]
    address: int = Field(ge=0, le=254, description="primary address, 0 to 250; 254: whoever is alone on the bus")
    interval: DurationUs | None = Field(
        60_000_000, ge=100_000, description="time between two readings; battery meters mind often"
    )
    turnaround: DurationUs = Field(1_000_000, ge=10_000, le=60_000_000, description="how long an answer may take to begin")
    channels: Mapping[Name, ChannelOptions] = Field(
        min_length=1, description="name: {source: record}; 'try' shows what a meter has"
    )

    @model_validator(mode="after")
    def _asks(self) -> MbusOptions:
        if not self.interval:
            raise ValueError("interval: a meter is asked; say how often, e.g. 1min")
        return self


class MbusDriver(Driver):
    """See the module."""

    Options = MbusOptions
    summary = "M-Bus meters (heat, water, gas, electricity)"

    def __init__(self, options: MbusOptions, context: DriverContext) -> None:
        from sensorlogd.drivers.mbus.frames import LongFrames  # here: it imports pyMeterBus

        super().__init__(options, context)
        self.options: MbusOptions = options
        self.port = port_for(options, context, asks=True)
        self.frames = LongFrames(context.count)
        self.wanted = {channel.source or name for name, channel in options.channels.items()}
        self.bytes_seen = 0
        self._due = 0.0
        self._fcb = 0

    def open(self) -> None:
        self.port.open()
        self._due = time.monotonic()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        wait_s = self._due - time.monotonic()
        if wait_s > 0 and (self.context.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
            return []
        hold_s = (MAX_FRAMES + 1) * (self.options.turnaround / 1e6 + 2.0) + GRACE_S
        with self.port.transaction(timeout_s, hold_s) as ours:
            if not ours:
                return []
            interval_s = (self.options.interval or 1) / 1e6
            self._due += (max((time.monotonic() - self._due) // interval_s, 0) + 1) * interval_s
            return self._ask()

    def _ask(self) -> Sequence[Sample]:
        from sensorlogd.drivers.mbus.frames import FCB, REQ_UD2, SND_NKE, records, short_frame

        address = self.options.address
        self.port.discard_input()
        self.frames.reset()
        self.port.write(short_frame(SND_NKE, address))
        if self._listen(until_acknowledged=True) is None and not self.frames.acknowledged:
            self.context.count("unanswered", 1, "SND_NKE")
            return []
        values: dict[str, float] = {}
        units: dict[str, str] = {}
        now_us: int | None = None
        self._fcb = FCB
        for _ in range(MAX_FRAMES):
            self.port.write(short_frame(REQ_UD2 & ~FCB | self._fcb, address))
            frame = self._listen()
            if frame is None:
                self.context.count("unanswered", 1, "REQ_UD2")
                break
            if address != 254 and frame[5] != address:
                self.context.count("others_answers", 1, frame[:16].hex(" "))
                break
            now_us = self.context.now_us() if now_us is None else now_us
            found, told, more = records(frame, self.context.count)
            values |= {name: value for name, value in found.items() if name not in values}
            units |= told
            if not more:
                break
            self._fcb ^= FCB
        for name in sorted(values.keys() - self.wanted):
            self.context.count("unmapped", 1, f"{name}={values[name]:g} {units.get(name, '')}".strip())
        wanted = {name: value for name, value in values.items() if name in self.wanted}
        return [Sample(now_us, wanted)] if wanted else []

    def _listen(self, *, until_acknowledged: bool = False) -> bytes | None:
        """The next good frame; None after silence, or when a stop was asked for."""
        character_s = 11 / self.options.baudrate
        end = time.monotonic() + self.options.turnaround / 1e6
        while (left := end - time.monotonic()) > 0:
            arrived = self.port.read(left)
            if arrived is None:
                return None
            if not arrived[1]:
                continue
            self.bytes_seen += len(arrived[1])
            for frame in self.frames.feed(arrived[1]):
                return frame
            if until_acknowledged and self.frames.acknowledged:
                return None
            end = max(end, time.monotonic() + 40 * character_s + 0.1)  # it has begun: the rest follows without a pause
        return None

    def close(self) -> None:
        self.port.close()
