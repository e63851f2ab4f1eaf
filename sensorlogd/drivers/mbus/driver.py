"""The ``mbus`` driver: asks one meter for its records, once an interval; many meters may share a port (``shared: true``).

SND_NKE resets the link, REQ_UD2 asks for the records; a meter that has more than fits into a frame is asked on, with the frame
count bit flipped (EN 13757-2, 5.5).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, Name
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.shared import port_for
from sensorlogd.drivers.transactions import Asker, Awaited, Backoff, Fate, Question
from sensorlogd.drivers.transactions.backoff import OWN_CAP_S, SHARED_CAP_S
from sensorlogd.drivers.transactions.line import START_QUIET_S

MAX_FRAMES = 16
LEARNING_S = 0.1  # listened on after a meter's first answers: some repeat themselves


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
        super().__init__(options, context)
        self.options: MbusOptions = options
        self._turnaround_s = options.turnaround / 1e6
        self._interval_s = (options.interval or 1) / 1e6
        self.port = port_for(options, context, asks=True, quiet_s=min(self._turnaround_s, START_QUIET_S))
        self.asker = Asker(self.port, context)
        self.meter = self._ignorant()
        self.wanted = {channel.source or name for name, channel in options.channels.items()}
        self._due = 0.0

    @property
    def bytes_seen(self) -> int:
        """For ``try``, when there is no reading."""
        return self.asker.bytes_seen

    def _ignorant(self) -> Backoff:
        return Backoff(self._interval_s, SHARED_CAP_S if self.options.shared else OWN_CAP_S)

    def open(self) -> None:
        self.port.open()
        self.meter = self.port.line.recall(f"{self.context.sensor} {self.options.address} {self._interval_s}", self._ignorant)
        self._due = time.monotonic()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        wait_s = self._due - time.monotonic()
        if wait_s > 0 and (self.context.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
            return []
        if not self.meter.due(time.monotonic()):
            self._plan()
            told = f"{self.meter.misses} rounds without an answer; asked every {self.meter.wait_s():g} s"
            self.context.count("backed_off", 1, told)
            return []
        return self.asker.reconnecting(lambda: self._in_turn(timeout_s))

    def _plan(self) -> None:
        """The next round. Those that were missed are left out."""
        self._due += (max((time.monotonic() - self._due) // self._interval_s, 0) + 1) * self._interval_s

    def _in_turn(self, timeout_s: float) -> Sequence[Sample]:
        from sensorlogd.drivers.mbus.answers import Acknowledged
        from sensorlogd.drivers.mbus.frames import SND_NKE

        reset = self._question(SND_NKE, lambda: Acknowledged(self.context.count))
        with self.asker.turn(reset, timeout_s, (MAX_FRAMES + 1) * reset.hold_s()) as ours:
            fate = self.asker.ask_now(reset).fate if ours else Fate.NOT_YET
            if fate in (Fate.NOT_YET, Fate.STOPPED):
                return []
            self._plan()
            if fate is not Fate.ANSWERED:
                self._unanswered("SND_NKE")
                return []
            return self._asked()

    def _question(self, control: int, make: Callable[[], Awaited], name: str = "") -> Question:
        from sensorlogd.drivers.mbus.frames import short_frame

        sent = short_frame(control, self.options.address)
        return Question(
            key=f"address {self.options.address}, {name or 'reset'}",
            make=lambda: (sent, make()),
            turnaround_s=self._turnaround_s,
            separation="content",
            echo="like",
            learning_s=min(LEARNING_S, self._turnaround_s) if name else 0.0,
            gap_s=40 * 11 / self.options.baudrate + 0.1,  # it has begun: the rest follows without a pause
        )

    def _unanswered(self, what: str) -> None:
        self.context.count("unanswered", 1, f"address {self.options.address}, {what}")
        self.meter.missed(time.monotonic())

    def _asked(self) -> Sequence[Sample]:
        """Everything that the meter has to tell."""
        from sensorlogd.drivers.mbus.answers import Telegram
        from sensorlogd.drivers.mbus.frames import FCB, REQ_UD2, records

        values: dict[str, float] = {}
        units: dict[str, str] = {}
        now_us: int | None = None
        fcb, before = FCB, b""
        for _ in range(MAX_FRAMES):
            make = lambda before=before: Telegram(self.options.address, self.context.count, before)  # noqa: E731
            outcome = self.asker.ask_now(self._question(REQ_UD2 & ~FCB | fcb, make, "records"))
            if outcome.fate is not Fate.ANSWERED:
                if outcome.fate is not Fate.STOPPED:
                    self._unanswered("REQ_UD2")
                break
            self.meter.answered()
            before = outcome.answer
            now_us = outcome.at_us if now_us is None else now_us
            found, told, more = records(before, self.context.count)
            values |= {name: value for name, value in found.items() if name not in values}
            units |= told
            if not more:
                break
            fcb ^= FCB
        for name in sorted(values.keys() - self.wanted):
            self.context.count("unmapped", 1, f"{name}={values[name]:g} {units.get(name, '')}".strip())
        wanted = {name: value for name, value in values.items() if name in self.wanted}
        return [Sample(now_us, wanted)] if wanted else []

    def close(self) -> None:
        self.port.close()
