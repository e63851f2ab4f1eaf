"""Which registers are asked for together, and what is learned about them: a block that is refused or silent is cut in two until the
register that is to blame is known. The others go on; that one is asked for less and less often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sensorlogd.drivers.modbus.registers import Register, RegisterQuestion, questions
from sensorlogd.drivers.transactions import AskingPace

SILENT_TWICE = 2  # a block is cut only when its silence is no accident
MAY_HEAL = (
    2  # this many times in a row a cut block is made whole again because its parts answer, and still has not answered as a whole
)


@dataclass(slots=True, eq=False)
class Block:
    """One question for neighbouring registers.

    parent   the block it was cut out of
    refused  it was answered with an exception, which is no accident: it stays cut
    heals    how often it was made whole again since it last answered as a whole
    spoke    it has answered since it was made
    reported it was reported as the block that is to blame, and has not answered since
    """

    question: RegisterQuestion
    pace: AskingPace
    parent: Block | None = None
    refused: bool = False
    heals: int = 0
    spoke: bool = False
    reported: bool = False

    @property
    def single(self) -> bool:
        """Whether the block asks for one number, and so cannot be cut."""
        return len(self.question.names) == 1


class Blocks:
    """All blocks of one unit. ``interval_s`` and ``cap_s``: the interval and the longest back-off of each block.

    Invariant: whatever is cut and joined, in whichever order, each register is in exactly one block of ``all``; the blocks keep
    the order of the registers; none of them stands there together with a block that it was cut out of.
    """

    def __init__(
        self, registers: Mapping[str, Register], max_gap: int, max_registers: int, *, interval_s: float, cap_s: float
    ) -> None:
        self._registers = registers
        self._limits = (max_gap, max_registers)
        self._times = (interval_s, cap_s)
        self._first = 0
        self.all = self._make_blocks(registers, None)

    def _make_blocks(self, registers: Mapping[str, Register], parent: Block | None) -> list[Block]:
        return [Block(question, AskingPace(*self._times), parent) for question in questions(registers, *self._limits)]

    def round(self, now: float) -> list[Block]:
        """The blocks that are due now."""
        order = self.all[self._first :] + self.all[: self._first]
        return [block for block in order if block.pace.due(now)]

    def begin_elsewhere(self) -> None:
        """Begin the next round with another block, because it is not known whether the unit is silent or only its first block."""
        self._first = (self._first + 1) % len(self.all)

    def cut(self, block: Block) -> list[Block]:
        """Replace a block by its two halves, which are returned. Numbers of several registers are not cut."""
        names = block.question.names
        parts = []
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            parts += self._make_blocks({name: self._registers[name] for name in half}, block)
        self._replace([block], parts)
        return parts

    def note_answer(self, block: Block) -> None:
        """The block was answered, so its back-off ends. Once all parts of a cut block have answered, its silence was an accident,
        and they are joined again."""
        block.pace.answered()
        block.spoke, block.reported, block.heals = True, False, 0
        parent = block.parent
        if parent is None or parent.refused or parent.heals >= MAY_HEAL:
            return
        parts = [part for part in self.all if part.parent is parent]
        if all(part.spoke for part in parts) and {name for part in parts for name in part.question.names} == set(
            parent.question.names
        ):
            parent.heals += 1
            parent.pace.answered()
            self._replace(parts, [parent])

    def _replace(self, old: list[Block], new: list[Block]) -> None:
        index = self.all.index(old[0])
        self.all = [block for block in self.all if block not in old]
        self.all[index:index] = new
        self._first %= len(self.all)
