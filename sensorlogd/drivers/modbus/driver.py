"""The ``modbus`` driver: asks one unit for its registers, once an interval.

On a shared port each unit's thread takes the line for one question and its answer, in turn; a unit that does not answer
costs the others its ``turnaround`` once, because after an unanswered question the rest of the round is left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.modbus.registers import Question, questions, value
from sensorlogd.drivers.serial.shared import port_for

MAX_WAIT_S = 1.0  # for a shared line to become free, before the daemon is given a chance to stop us


class ModbusDriver(Driver):
    """See the module."""

    Options = ModbusOptions
    summary = "Modbus RTU, ASCII and TCP: a map of registers; many units may share a port"

    def __init__(self, options: ModbusOptions, context: DriverContext) -> None:
        from sensorlogd.drivers.modbus.codec import LONGEST, Codec

        super().__init__(options, context)
        self.options: ModbusOptions = options
        self.transport = port_for(options, context)
        self.codec = Codec(options.framing)
        self.longest = LONGEST
        wanted = {channel.source or name for name, channel in options.channel_options().items()}
        self.registers = {name: register for name, register in options.registers.items() if name in wanted}
        self.questions = questions(self.registers, options.max_gap, options.max_registers)
        self.bytes_seen = 0
        self._due = 0.0
        self._todo: list[Question] = []
        self._values: dict[str, float] = {}
        self._asked_us = 0

    def open(self) -> None:
        self.transport.open()
        self._due = time.monotonic()
        self._todo = []

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """One question at a time, so that a stop never waits for more than one answer."""
        end = time.monotonic() + timeout_s
        if not self._todo:
            wait = self._due - time.monotonic()
            if wait > 0 and (self.context.wait(min(wait, timeout_s)) or wait > timeout_s):
                return []
            interval = (self.options.interval or 1) / 1e6
            behind = max((time.monotonic() - self._due) // interval, 0)
            self._due += (behind + 1) * interval
            self._todo, self._values = list(self.questions), {}
        while self._todo:
            question = self._todo[0]
            with self.transport.transaction(min(max(end - time.monotonic(), 0.0), MAX_WAIT_S)) as ours:
                if not ours:
                    return []
                if self.options.pause and self.context.wait(self.options.pause / 1e6):
                    return []
                answered = self._ask(question)
            if answered is None:
                return []
            self._todo = self._todo[1:] if answered else []
            if time.monotonic() >= end:
                break
        if self._todo or not self._values:
            return []
        values, self._values = self._values, {}
        return [Sample(self._asked_us, values)]

    def _ask(self, question: Question) -> bool | None:
        """Whether the unit answered, in whatever way; None when a stop was asked for."""
        sent, request = self.codec.read_request(self.options.unit, question.function, question.address, question.count)
        self.transport.discard_input()
        self.transport.write(sent)
        echo = sent if self.options.ignore_echo else b""
        until = time.monotonic() + self.options.turnaround / 1e6
        buffer = b""
        while (left := until - time.monotonic()) > 0:
            arrived = self.transport.read(left)
            if arrived is None:
                return None
            if not arrived[1]:
                continue
            self.bytes_seen += len(arrived[1])
            buffer += arrived[1]
            if echo and buffer.startswith(echo):
                buffer, echo = buffer[len(echo) :], b""
            response = self.codec.response(buffer, request)
            if response is not None:
                self._asked_us = arrived[0]
                self._take(question, response)
                return True
            if len(buffer) > self.longest:
                buffer = buffer[-self.longest :]
        if buffer:
            self.context.count("bad_frames", 1, buffer[:24].hex(" "))
        self.context.count("unanswered", 1, f"unit {self.options.unit}, {question.function} {question.address}")
        return False

    def _take(self, question: Question, response: Any) -> None:
        from sensorlogd.drivers.modbus.codec import EXCEPTIONS

        if response.isError():
            code = getattr(response, "exception_code", 0)
            meaning = EXCEPTIONS.get(code, "exception")
            self.context.count("exceptions", 1, f"{question.function} {question.address} x{question.count}: {code} {meaning}")
            return
        bits = question.function in ("coil", "discrete")
        words = [int(bit) for bit in response.bits] if bits else response.registers
        if len(words) < question.count:
            self.context.count("bad_frames", 1, f"{question.function} {question.address}: {len(words)} of {question.count}")
            return
        for name in question.fields:
            options = self.registers[name]
            at = options.address - question.address
            try:
                self._values[name] = value(options, words[at : at + options.words()])
            except ValueError as error:
                self.context.count("bad_values", 1, f"{name}: {error}")

    def close(self) -> None:
        self.transport.close()
