"""Asking one unit: one question at a time, each with its own fate.

RTU and ASCII answers do not say which question they belong to. A unit that has not answered is therefore not asked again
before QUIET_TURNAROUNDS have gone or its late answer has come, which is counted and not read. The next question it answers
may have been the late one's, so after it the same is waited for once more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sensorlogd.batch import Sample
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.modbus.codec import Answer, Awaited, request
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.modbus.registers import Question, questions, readings
from sensorlogd.drivers.serial.echo import without_echo
from sensorlogd.drivers.serial.shared import Port

QUIET_TURNAROUNDS = 4
GRACE_S = 5.0  # beyond pause and turnaround, after which a shared line is taken away from us: we hang
DAMAGED_S = 0.05  # of silence after a damaged answer: no other one will come
SHOWN_BYTES = 24
# Of the Application Protocol, section 7. A gateway answers 10 and 11 for a unit that it cannot reach.
EXCEPTIONS = {
    1: "illegal_function",
    2: "illegal_data_address",
    3: "illegal_data_value",
    4: "server_device_failure",
    5: "acknowledge",
    6: "server_device_busy",
    8: "memory_parity_error",
    10: "gateway_path_unavailable",
    11: "gateway_target_failed_to_respond",
}
_UNREACHABLE = (10, 11)
_TOO_MUCH_ASKED = (2, 3)
_SILENCE, _DAMAGED, _STOPPED = Answer(()), Answer(()), Answer(())


class Master:
    """``read`` as that of a driver."""

    def __init__(self, options: ModbusOptions, context: DriverContext, port: Port) -> None:
        self.options = options
        self.context = context
        self.port = port
        self.bytes_seen = 0
        self.registers = options.registers()
        self.questions = questions(self.registers, options.max_gap, options.max_registers)
        self._turnaround_s = options.turnaround / 1e6
        self._pause_s = options.pause_s()
        self._transaction = 0
        self._due = time.monotonic()
        self._todo: list[Question] = []
        self._sample: dict[str, float] = {}
        self._sampled_us: int | None = None
        self._owed: Awaited | None = None  # the question that was not answered, whose answer may still come
        self._doubt = False  # it was asked again since and answered, and nobody knows which of the two answers that was
        self._asked_at = 0.0

    def read(self, timeout_s: float) -> Sequence[Sample]:
        """A sample, when a round of questions is complete."""
        end = time.monotonic() + timeout_s
        if not self._todo and not self._begin_round(timeout_s):
            return []
        while self._todo:
            going_on = self._next_question(max(end - time.monotonic(), 0.0))
            if not going_on or (self._todo and time.monotonic() >= end):
                return []
        if not self._sample:
            return []
        sample, self._sample = Sample(self._sampled_us, self._sample), {}
        return [sample]

    def _begin_round(self, timeout_s: float) -> bool:
        """Wait until it is time; False: not yet. Rounds that were missed are left out."""
        wait_s = self._due - time.monotonic()
        if wait_s > 0 and (self.context.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
            return False
        interval_s = (self.options.interval or 1) / 1e6
        missed = max((time.monotonic() - self._due) // interval_s, 0)
        self._due += (missed + 1) * interval_s
        self._todo = list(self.questions)
        return True

    def _next_question(self, wait_s: float) -> bool:
        """False: not yet (the line is not free, the unit owes an answer, or a stop was asked for)."""
        if not self._settled(wait_s):
            return False
        hold_s = (self._pause_s + self._turnaround_s) * (1 + self.options.retries) + GRACE_S
        with self.port.transaction(wait_s, hold_s) as ours:
            if not ours:
                return False
            for _ in range(1 + self.options.retries):
                outcome = self._ask(self._todo[0])
                if outcome is not _DAMAGED:
                    break
        if outcome is _STOPPED:
            return False
        if outcome is _SILENCE:
            self._unanswered()
        elif outcome is _DAMAGED:
            self._todo.pop(0)
        elif outcome.exception:
            self._refused(outcome.exception)
        else:
            question = self._todo.pop(0)
            wanted = {name: self.registers[name] for name in question.names}
            self._sample |= readings(wanted, question.address, outcome.values, self.context.count)
        return True

    def _settled(self, wait_s: float) -> bool:
        """Whether the unit may be asked: it owes nothing, or has had time enough. TCP numbers its answers and need not wait."""
        if self._owed is None or self.options.framing == "tcp":
            return True
        end = time.monotonic() + wait_s
        while (left := self._asked_at + QUIET_TURNAROUNDS * self._turnaround_s - time.monotonic()) > 0:
            arrived = self.port.read(min(left, max(end - time.monotonic(), 0.0)))
            if arrived is None:
                return False
            if self._was_owed(arrived[1]):
                return True
            if not arrived[1] and time.monotonic() >= end:
                return False
        if self._doubt:
            self._settle(None)
        return True

    def _settle(self, owed: Awaited | None, *, doubt: bool = False) -> None:
        self._owed, self._doubt = owed, doubt

    def _was_owed(self, data: bytes) -> bool:
        """Whether the late answer is among ``data``."""
        if self._owed is None or not data or self._owed.feed(data) is None:
            return False
        late_s = time.monotonic() - self._asked_at
        self.context.count("late_answers", 1, f"after {late_s:.2f} s; turnaround is {self._turnaround_s:g} s")
        self._settle(None)
        return True

    def _ask(self, question: Question) -> Answer:
        """The answer, or one of the three that stand for none."""
        if self._pause_s and self.context.wait(self._pause_s):
            return _STOPPED
        self._was_owed(self.port.discard_input())
        options = self.options
        self._transaction = self._transaction % 65535 + 1
        asked = request(options.framing, options.unit, question.function, question.address, question.count, self._transaction)
        awaited, heard = Awaited(asked), b""
        # An RTU answer never looks like its question, so an echo can be skipped without being told of it.
        echo = asked.sent if options.ignore_echo or options.framing == "rtu" else b""
        self.port.write(asked.sent)
        self._asked_at = time.monotonic()
        until = self._asked_at + self._turnaround_s
        while (left := until - time.monotonic()) > 0:
            arrived = self.port.read(left)
            if arrived is None:
                return _STOPPED
            now_us, data = arrived
            self.bytes_seen += len(data)
            data, echo = without_echo(data, echo)
            heard = (heard + data)[-SHOWN_BYTES:]
            if options.framing == "tcp":
                self._was_owed(data)
            answer = awaited.feed(data)
            if answer is not None:
                owed = self._owed if options.framing != "tcp" else None
                self._settle(Awaited(owed.asked) if owed is not None else None, doubt=owed is not None)
                if not self._sample:
                    self._sampled_us = now_us
                return answer
            if awaited.damaged and data:
                until = min(until, time.monotonic() + DAMAGED_S)
        shown = f"unit {options.unit}, {question}" + (f"; heard {heard.hex(' ')}" if heard else "")
        if awaited.damaged or awaited.incomplete():
            self._settle(None)
            self.context.count("bad_frames", 1, shown)
            return _DAMAGED
        self._settle(awaited)
        self.port.attend((QUIET_TURNAROUNDS - 1) * self._turnaround_s)
        self.context.count("unanswered", 1, shown)
        return _SILENCE

    def _unanswered(self) -> None:
        """Leave out the rest of the round, and begin the next with what went unanswered: should the answer come even later
        than we wait for it, it would be taken for the right registers."""
        first = self.questions.index(self._todo[0])
        self.questions = self.questions[first:] + self.questions[:first]
        self._todo = []

    def _refused(self, code: int) -> None:
        """An exception. One wrong address does not cost the others: what was asked for together is asked for one by one."""
        question = self._todo.pop(0)
        self.context.count(f"exception_{EXCEPTIONS.get(code, code)}", 1, f"unit {self.options.unit}, {question}")
        if code in _UNREACHABLE:
            self._todo = []
        elif code in _TOO_MUCH_ASKED and len(question.names) > 1:
            single = [one for name in question.names for one in questions({name: self.registers[name]}, 0, 1)]
            at = self.questions.index(question)
            self.questions[at : at + 1] = single
            self._todo[:0] = single
