"""Asking one unit: one question at a time, each with its own fate. How a question is asked is ``drivers.transactions``'; what is
asked, and what silence and exceptions mean for the next round, is here."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sensorlogd.batch import Sample
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.modbus.blocks import SILENT_TWICE, Block, Blocks
from sensorlogd.drivers.modbus.codec import AwaitedResponse, request
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.modbus.registers import readings
from sensorlogd.drivers.serial.shared import Port
from sensorlogd.drivers.transactions import Asker, AskingPace, Awaited, Fate, Outcome, Question
from sensorlogd.drivers.transactions.asking_pace import MAX_OWN_WAIT_S, MAX_SHARED_WAIT_S
from sensorlogd.event_kinds import EventKind

LEARNING_S = 0.05  # listened on after a unit's first answers: some repeat themselves
GAP_S = 0.05  # an answer that has begun is not cut by the turnaround
SILENT_AT_FIRST = 2  # questions without any answer in a round, before the unit is taken for silent
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
_BUSY = (5, 6)
_TOO_MUCH_ASKED = (2, 3, 4)


class Master:
    """Asks one unit for its registers, round after round. Its ``read`` is that of a driver."""

    def __init__(self, options: ModbusOptions, context: DriverContext, port: Port) -> None:
        self.options = options
        self.context = context
        self.asker = Asker(port, context)
        self.registers = options.registers()
        self._interval_s = (options.interval or 1) / 1e6
        self.unit, self.blocks = self._new_knowledge()
        self._due = time.monotonic()
        self._todo: list[Block] = []
        self._silent: list[Block] = []
        self._answered: list[Block] = []
        self._spoke = False  # the unit, in this round
        self._sample: dict[str, float] = {}
        self._sampled_us: int | None = None

    def _new_knowledge(self) -> tuple[AskingPace, Blocks]:
        """The knowledge about a unit before the first question."""
        options, interval_s = self.options, self._interval_s
        blocks = Blocks(self.registers, options.max_gap, options.max_registers, interval_s=interval_s, cap_s=MAX_SHARED_WAIT_S)
        return AskingPace(interval_s, MAX_SHARED_WAIT_S if options.shared else MAX_OWN_WAIT_S), blocks

    def note_opened(self) -> None:
        """The port was opened. What was learned about the unit before is still known."""
        key = f"{self.context.sensor} {self.options.model_dump_json()}"
        self.unit, self.blocks = self.asker.port.line.recall(key, self._new_knowledge)

    @property
    def bytes_seen(self) -> int:
        """How many bytes have arrived; ``try`` shows it."""
        return self.asker.bytes_seen

    def read(self, timeout_s: float) -> Sequence[Sample]:
        """A sample, once a round of questions is complete."""
        end = time.monotonic() + timeout_s
        if not self._todo and not self._begin_round(timeout_s):
            return []
        while self._todo:
            going_on = self._next_question(max(end - time.monotonic(), 0.0))
            if not going_on or (self._todo and time.monotonic() >= end):
                return []
        self._judge_silence()
        self._note_answers()
        if not self._sample:
            return []
        sample, self._sample = Sample(self._sampled_us, self._sample), {}
        return [sample]

    def _begin_round(self, timeout_s: float) -> bool:
        """Wait until a round is due. False: not yet. Rounds whose time has passed are left out."""
        wait_s = self._due - time.monotonic()
        if wait_s > 0 and (self.context.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
            return False
        now = time.monotonic()
        self._due += (max((now - self._due) // self._interval_s, 0) + 1) * self._interval_s
        if not self.unit.due(now):
            reason = (
                f"unit {self.options.unit}: {self.unit.misses} rounds without an answer; asked every {self.unit.wait_s():g} s"
            )
            self.context.count("backed_off", 1, reason)
            return False
        self._todo, self._silent, self._spoke = self.blocks.round(now), [], False
        return bool(self._todo)

    # ---- one question ---------------------------------------------------------------------------------------------------

    def _next_question(self, wait_s: float) -> bool:
        """Ask the next question of the round. False: not yet, because the line is not free, an answer may still come, or a stop
        was requested."""
        block = self._todo[0]
        outcome = self.asker.ask(self._make_question(block), wait_s)
        if outcome.fate in (Fate.NOT_YET, Fate.STOPPED):
            return False
        self._todo.pop(0)
        if outcome.fate is Fate.SILENT:
            self._note_silence(block, outcome)
        elif outcome.fate in (Fate.DAMAGED, Fate.AMBIGUOUS):
            self._spoke = True
        elif outcome.answer.exception:
            self._note_refusal(block, outcome.answer.exception)
        else:
            self._take_values(block, outcome)
        return True

    def _make_question(self, block: Block) -> Question:
        """The question for a block of registers. Over TCP its answer is known by its number, else by what is in it."""
        options, question = self.options, block.question
        numbered = options.framing == "tcp"

        def make() -> tuple[bytes, Awaited]:
            number = self.asker.port.line.next_number() if numbered else 0
            ready = request(options.framing, options.unit, question.function, question.address, question.count, number)
            return ready.sent, AwaitedResponse(ready)

        return Question(
            key=f"unit {options.unit}, {question}",
            make=make,
            turnaround_s=options.turnaround / 1e6,
            separation="number" if numbered else "content",
            retries=options.retries,
            pause_s=options.pause_s(),
            echo="like" if options.ignore_echo or options.framing == "rtu" else "",
            learning_s=0.0 if numbered else min(LEARNING_S, options.turnaround / 1e6),
            gap_s=GAP_S,
            hang_up_is_silence=numbered,
        )

    def _describe(self, block: Block, outcome: Outcome) -> str:
        heard = f"; heard {outcome.heard.hex(' ')}" if outcome.heard else ""
        return f"unit {self.options.unit}, {block.question}{heard}"

    def _take_values(self, block: Block, outcome: Outcome) -> None:
        """Put the values of an answered block into the sample, which has the time of its first answer."""
        self._note_sign_of_life()
        self._answered.append(block)
        wanted = {name: self.registers[name] for name in block.question.names}
        if not self._sample:
            self._sampled_us = outcome.at_us
        self._sample |= readings(wanted, block.question.address, outcome.answer.values, self.context.count)

    def _note_answers(self) -> None:
        """At the end of a round: end the back-off of the blocks that were answered. Not before, because parts are joined by it, of
        which some may not be asked yet."""
        answered, self._answered = self._answered, []
        for block in answered:
            self.blocks.note_answer(block)

    def _note_sign_of_life(self) -> None:
        self._spoke = True
        self.unit.answered()

    # ---- no answer, or none that helps ------------------------------------------------------------------------------------

    def _note_silence(self, block: Block, outcome: Outcome) -> None:
        """Note the silence. Only the end of the round shows whether the unit is silent or just this block."""
        self.context.count("unanswered", 1, self._describe(block, outcome))
        self._silent.append(block)
        if not self._spoke and len(self._silent) >= SILENT_AT_FIRST:
            self._todo = []

    def _judge_silence(self) -> None:
        """At the end of a round: decide whether the unit was silent, or blocks of it."""
        silent, self._silent = self._silent, []
        now = time.monotonic()
        if silent and not self._spoke:
            self.unit.missed(now)
            self.blocks.begin_elsewhere()
            if self.unit.misses >= SILENT_TWICE:  # or each of its blocks holds a register that silences it
                for block in [block for block in silent if not block.single][:1]:
                    self.blocks.cut(block)
            return
        for block in silent:
            block.pace.missed(now)
            if block.pace.misses < SILENT_TWICE:
                continue
            if not block.single:
                self.blocks.cut(block)
            else:
                self._report_block(block, EventKind.SILENT_REGISTERS, "is never answered; the rest of the unit is")

    def _note_refusal(self, block: Block, code: int) -> None:
        """Handle an exception. The unit has answered, so it is not silent; only a gateway that cannot reach it says nothing of
        it."""
        name = EXCEPTIONS.get(code, code)
        self.context.count(f"exception_{name}", 1, f"unit {self.options.unit}, {block.question}")
        if code in _UNREACHABLE:
            self._todo = []
            self.unit.missed(time.monotonic())
            self._spoke = True  # the gateway has; this was not silence
            return
        self._note_sign_of_life()
        if code in _BUSY:
            return
        if code in _TOO_MUCH_ASKED and not block.single:
            block.refused = True
            self._todo[:0] = self.blocks.cut(block)
            return
        block.pace.missed(time.monotonic())
        if block.pace.misses >= SILENT_TWICE:
            self._report_block(block, EventKind.REFUSED_REGISTERS, f"is refused ({name})")

    def _report_block(self, block: Block, kind: EventKind, what: str) -> None:
        """Report a block that fails, once, until it is answered again."""
        if block.reported:
            return
        block.reported = True
        detail = f"unit {self.options.unit}, {block.question} ({', '.join(block.question.names)}) {what}"
        self.context.count(kind, 1, detail)
        self.context.event(kind, detail)
