"""Listens to a bus on which another master asks, for example an inverter its meter. Nothing is ever sent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from sensorlogd.batch import Sample
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.modbus.frames import FUNCTIONS, Answered, Asked
from sensorlogd.drivers.modbus.master import EXCEPTIONS
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.modbus.registers import readings
from sensorlogd.drivers.modbus.sniffer import Sniffer
from sensorlogd.drivers.serial.shared import Port

SLOWER, MIN_GAP_S = 3.0, 0.05
MAX_REMEMBERED_TIMES, LEARNED, FORGOTTEN = 32, 8, 16
SILENCE_S = 0.1  # a frame has no gaps beyond 1.5 characters; this leaves room for adapters that deliver in bursts


class Pairing:
    """Judges whether what comes can still be the answer to the question that was heard last. When a question was missed, the
    answer to it comes later than any to the one before would: more than SLOWER times the slowest of the last answers, or the
    turnaround.

    Where units have become slower indeed, FORGOTTEN answers in a row without a good one among them make it learn anew.
    """

    def __init__(self, turnaround_s: float) -> None:
        self._turnaround_s = turnaround_s
        self._times: deque[float] = deque(maxlen=MAX_REMEMBERED_TIMES)
        self._question_at: float | None = None
        self._unpaired = 0

    def question_heard(self, now: float) -> None:
        """A question was heard."""
        self._question_at = now

    def note_answer(self, now: float, *, paired: bool) -> None:
        """An answer was heard."""
        if paired and self._question_at is not None:
            self._times.append(now - self._question_at)
            self._unpaired = 0
        else:
            self._unpaired += 1
            if self._unpaired >= FORGOTTEN:
                self._times.clear()
        self._question_at = None

    def too_late(self, now: float) -> bool:
        """Whether what arrives now comes too late to be the answer. True only once."""
        if self._question_at is None or now - self._question_at <= self._allowed_s():
            return False
        self._question_at = None
        return True

    def _allowed_s(self) -> float:
        """How many seconds after its question an answer may come."""
        if len(self._times) < LEARNED:
            return self._turnaround_s
        return min(self._turnaround_s, max(SLOWER * max(self._times), MIN_GAP_S))


class Listener:
    """Listens to the questions and answers of somebody else. Its ``read`` is that of a driver."""

    def __init__(
        self, options: ModbusOptions, context: DriverContext, port: Port, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self.options = options
        self.context = context
        self.port = port
        self.bytes_seen = 0
        self.registers = options.registers()
        self._sniffer = Sniffer()
        self._heard_us = 0
        self._skipped = 0
        self._pairing = Pairing(options.turnaround / 1e6)

    def note_opened(self) -> None:
        """Nothing is to be forgotten here: a driver is made anew for each opening."""

    def read(self, timeout_s: float) -> Sequence[Sample]:
        """A sample for each answer of our unit that holds a channel."""
        arrived = self.port.read(min(timeout_s, SILENCE_S) if self._sniffer.waiting else timeout_s)
        if arrived is None:
            return []
        now_us, data = arrived
        samples = []
        if now_us - self._heard_us > SILENCE_S * 1e6:  # also where the clock stepped, which costs at most one frame
            samples += self._samples_in(b"", self._heard_us, end=True)
        if data:
            self.bytes_seen += len(data)
            self._heard_us = now_us
            samples += self._samples_in(data, now_us)
        return samples

    def _samples_in(self, data: bytes, now_us: int, *, end: bool = False) -> list[Sample]:
        """A sample for each answer of our unit that the data completes and that holds a channel. ``end``: the line is silent, so
        an incomplete frame will not go on."""
        samples = []
        now = self._clock()
        if data and self._pairing.too_late(now):
            self._sniffer.forget()
        for question, answer in self._sniffer.feed(data, end=end):
            if answer is None:
                self._pairing.question_heard(now)
                continue
            self._pairing.note_answer(now, paired=question is not None)
            if question is None:
                self.context.count("unpaired_answers", 1, f"unit {answer.unit}, function {answer.function}")
            elif question.unit == self.options.unit:
                samples.append(Sample(now_us, self._answered_values(question, answer)))
        if self._sniffer.skipped > self._skipped:
            self.context.count("skipped_bytes", self._sniffer.skipped - self._skipped, "")
            self._skipped = self._sniffer.skipped
        return [sample for sample in samples if sample.values]

    def _answered_values(self, question: Asked, answer: Answered) -> dict[str, float]:
        """The channels in an answer of our unit; {} for an exception, which is counted, and for functions that do not read."""
        if answer.exception:
            name = EXCEPTIONS.get(answer.exception, answer.exception)
            self.context.count(f"exception_{name}", 1, f"unit {question.unit}, function {question.function}, {question.address}")
            return {}
        return self._readings(question, answer) if question.function in FUNCTIONS.values() else {}

    def _readings(self, question: Asked, answer: Answered) -> dict[str, float]:
        """The channels whose registers were all part of the question."""
        within = {
            name: register
            for name, register in self.registers.items()
            if FUNCTIONS[register.function] == question.function
            and question.address <= register.address
            and register.end <= question.address + question.count
        }
        return readings(within, question.address, answer.values(), self.context.count)
