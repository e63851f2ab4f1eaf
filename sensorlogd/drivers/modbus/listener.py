"""Listening to a bus on which somebody else asks, e.g. an inverter its own meter. Nothing is ever sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensorlogd.batch import Sample
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.modbus.codec import FUNCTIONS
from sensorlogd.drivers.modbus.master import EXCEPTIONS
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.modbus.registers import readings
from sensorlogd.drivers.modbus.sniffer import Sniffer
from sensorlogd.drivers.serial.shared import Port

SILENCE_S = 0.1  # a frame has no gaps beyond 1.5 characters; this leaves room for adapters that deliver in bursts


class Listener:
    """``read`` as that of a driver."""

    def __init__(self, options: ModbusOptions, context: DriverContext, port: Port) -> None:
        self.options = options
        self.context = context
        self.port = port
        self.bytes_seen = 0
        self.registers = options.registers()
        self._sniffer = Sniffer()
        self._heard_us = 0

    def read(self, timeout_s: float) -> Sequence[Sample]:
        """A sample for each answer of our unit that holds a channel."""
        arrived = self.port.read(min(timeout_s, SILENCE_S) if self._sniffer.waiting else timeout_s)
        if arrived is None:
            return []
        now_us, data = arrived
        samples = []
        if now_us - self._heard_us > SILENCE_S * 1e6:  # also where the clock stepped, which costs at most one frame
            samples += self._samples(b"", self._heard_us, end=True)
        if data:
            self.bytes_seen += len(data)
            self._heard_us = now_us
            samples += self._samples(data, now_us)
        return samples

    def _samples(self, data: bytes, now_us: int, *, end: bool = False) -> list[Sample]:
        skipped = self._sniffer.skipped
        samples = []
        for asked, answer in self._sniffer.feed(data, end=end):
            if asked is None or answer is None or asked.dev_id != self.options.unit:
                continue
            if answer.isError():
                name = EXCEPTIONS.get(answer.exception_code, answer.exception_code)
                self.context.count(
                    f"exception_{name}", 1, f"unit {asked.dev_id}, function {asked.function_code}, {asked.address}"
                )
            elif asked.function_code in FUNCTIONS.values():
                samples.append(Sample(now_us, self._readings(asked, answer)))
        if self._sniffer.skipped > skipped:
            self.context.count("skipped_bytes", self._sniffer.skipped - skipped, "")
        return [sample for sample in samples if sample.values]

    def _readings(self, asked: Any, answer: Any) -> dict[str, float]:
        """The channels whose numbers are wholly in what was asked for."""
        within = {
            name: register
            for name, register in self.registers.items()
            if FUNCTIONS[register.function] == asked.function_code
            and asked.address <= register.address
            and register.end <= asked.address + asked.count
        }
        values = [int(value) for value in answer.registers or answer.bits]
        return readings(within, asked.address, values, self.context.count)
