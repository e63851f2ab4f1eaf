"""What the writer has taken from the inbox and not committed yet: one batch, kept until its COMMIT has returned.

Two kinds of blocks carry no readings but travel with them, in order: ``Flush`` (somebody waits until all before it is
committed) and ``NewSpecs`` (a reload: what comes before it is stored under the former names, what comes after it under the
new ones).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.computing.computing import Formulas
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.stopped import WriterStopped
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.series.catalog import SensorSpec


def _not_to_be_cancelled() -> Future[None]:
    """It travels with readings: cancelled on its way it would trip up their commit."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


@dataclass(slots=True)
class Marker(Block):
    """No readings, but it travels with them, in order."""

    sensor: str = field(init=False, default="")
    columns: list[Column] = field(init=False, default_factory=list)
    device_time: bool = field(init=False, default=False)


@dataclass(slots=True)
class Flush(Marker):
    """Whoever waits for ``done`` learns that all before it is committed."""

    done: Future[None] = field(init=False, default_factory=_not_to_be_cancelled)


@dataclass(slots=True)
class NewSpecs(Marker):
    """From here on these sensors are configured, kept for this long, and computed from these formulas (None: as before).

    All of the configuration changes at one moment: once everything before this block is committed, and before anything
    after it leaves the inbox. So the database knows the names that the formulas use, and no reading is computed by
    formulas of another time. If the database cannot take the sensors over, the former formulas stay, too."""

    specs: Sequence[SensorSpec]
    plan: RetentionPlan
    formulas: Formulas | None = None


def _is_new_specs(block: Block) -> bool:
    return isinstance(block, NewSpecs)


class Pending:
    """The batch that the next commits store. Owned by the writer thread. ``limit``: a commit is due after this many readings, or
    after ``interval_s``.

    ``follow``: what is computed from a block, and is stored with it."""

    def __init__(
        self,
        inbox: Inbox,
        limit: int,
        interval_s: float,
        follow: Callable[[Block], Sequence[Block]] = lambda block: (),
    ) -> None:
        self.inbox = inbox
        self.limit = limit
        self.interval_s = interval_s
        self.blocks: list[Block] = []
        self.rows = 0
        self._uncertain = (
            0  # this many of the first blocks may be stored: their COMMIT raised an error, and may have taken effect
        )
        self.due_at = 0.0  # monotonic; when the oldest must be committed
        self._follow = follow
        self._urgent = False
        self._begun = False  # the first readings of a run are committed at once: whoever has started it looks for them

    def take(self, timeout_s: float) -> None:
        """Move blocks from the inbox here, waiting until there is enough or the time has passed. What comes after a ``NewSpecs``
        stays in the inbox until that is done. ``timeout_s`` below 0: take nothing."""
        room = self.limit - self.rows
        if room <= 0 or timeout_s < 0 or any(map(_is_new_specs, self.blocks)):
            return
        blocks = self.inbox.get_all(room, timeout_s, min_rows=room if self.rows else 1, is_last=_is_new_specs)
        found: list[Block] = []
        for block in blocks:
            found.append(block)
            found += self._follow(block)
        self.add(found)

    def add(self, blocks: Sequence[Block]) -> None:
        """Append ``blocks`` to what is to be committed."""
        if not blocks:
            return
        if not self.blocks:
            self.due_at = time.monotonic() + (self.interval_s if self._begun else 0.0)
        self.blocks += blocks
        self.rows += sum(block.rows for block in blocks)
        self._urgent = self._urgent or any(not block.rows for block in blocks)

    def take_rest(self) -> None:
        """Move all that the inbox still holds here. Nothing is computed from it any more: the next start does that."""
        self.add(self.inbox.get_all(1 << 62, 0.0))

    @property
    def retrying(self) -> bool:
        """Whether some of the first blocks may be stored already."""
        return self._uncertain > 0

    def mark_uncertain(self) -> None:
        """A COMMIT raised an error, and may have taken effect all the same."""
        self._uncertain = len(self.first())

    def is_due(self, now: float) -> bool:
        return self._urgent or self.rows >= self.limit or (self.rows > 0 and now >= self.due_at)

    def first(self) -> list[Block]:
        """The blocks of the next commit: all up to the next ``NewSpecs``."""
        for index, block in enumerate(self.blocks):
            if _is_new_specs(block):
                return self.blocks[:index]
        return self.blocks

    def note_committed(self, count: int) -> None:
        """Forget the first ``count`` blocks, which are stored or counted as refused, and end every ``Flush`` among them."""
        done, self.blocks = self.blocks[:count], self.blocks[count:]
        self._begun = self._begun or any(block.rows for block in done)
        self.rows = sum(block.rows for block in self.blocks)
        self._uncertain = max(self._uncertain - count, 0)
        self._urgent = any(not block.rows for block in self.blocks)
        for block in done:
            if isinstance(block, Flush):
                block.done.set_result(None)

    def next_specs(self) -> NewSpecs | None:
        """The first block if it is a ``NewSpecs``; otherwise None."""
        block = self.blocks[0] if self.blocks else None
        return block if isinstance(block, NewSpecs) else None

    def give_up(self, reason: str) -> None:
        """Nothing will be committed any more: fail whatever waits for a commit."""
        for block in self.blocks:
            if isinstance(block, Flush) and not block.done.done():
                block.done.set_exception(WriterStopped(reason))
