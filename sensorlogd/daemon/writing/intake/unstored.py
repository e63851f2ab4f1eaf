"""All that no commit has stored yet: readings, events, and the number of readings that the full inbox has dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.batch import Block
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.intake.dropped import Dropped
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.intake.pending import Pending


@dataclass(frozen=True, slots=True)
class UncertainCommit:
    """A commit that may have taken effect: its COMMIT has raised an error, or has not returned. ``key``: stored in it, under
    ``meta.LAST_COMMIT``. ``events``: so many of the first events that wait are in it; ``dropped``: so many of the dropped readings
    does it count."""

    key: str
    events: int
    dropped: int


@dataclass(frozen=True, slots=True)
class LeftAtEnd:
    """What is left at the end. ``events``: those that no commit has stored. ``dropped``: readings that the full inbox has dropped
    and the database does not count yet. ``uncertain``: the commit that may have stored some of it."""

    blocks: Sequence[Block]
    events: Sequence[Event]
    dropped: int = 0
    uncertain: UncertainCommit | None = None

    @property
    def readings(self) -> int:
        """The readings in the blocks."""
        return sum(block.rows for block in self.blocks)


class Unstored:
    """What waits to be stored. Owned by the writer thread. ``pending``: the readings. ``clock``: corrects the times of what was
    stamped before it was known what to believe of the clock."""

    def __init__(self, pending: Pending, dropped: Dropped, notices: Notices, clock: JudgedClock) -> None:
        self.pending = pending
        self.dropped = dropped
        self.uncertain: UncertainCommit | None = (
            None  # the commit that may have stored some of it; its readings ``pending`` knows
        )
        self._notices = notices
        self._clock = clock

    def is_empty(self) -> bool:
        """Whether no block and no event waits here; what the inbox holds does not count."""
        return not (self.pending.blocks or len(self._notices.events))

    def events(self) -> list[Event]:
        """The events that wait, with corrected times."""
        return self._notices.events.waiting(self._clock.now_us(), self._clock.correction_us)

    def note_stored(self, blocks: int, events: int, *, dropped: int) -> None:
        """Forget this many of the first blocks, of the first events and of the dropped readings: they are stored, or counted as
        refused."""
        self.uncertain = None
        self.pending.note_committed(blocks)
        self._notices.events.note_stored(events)
        if dropped:
            self.dropped.note_stored(dropped)

    def begin_commit(self, uncertain: UncertainCommit | None) -> None:
        """COMMIT comes next: until ``note_stored`` nobody knows whether it has taken effect, not even another thread that spills all of
        this. None: there are only readings in it."""
        self.uncertain = uncertain

    def mark_uncertain(self) -> None:
        """A COMMIT raised an error, and may have taken effect all the same."""
        self.pending.mark_uncertain()

    def take_rest(self) -> LeftAtEnd:
        """All that is left, what the inbox still holds among it (requests to flush, too: they learn of the end here)."""
        self.correct_early()
        self.pending.take_rest()
        self.dropped.count()
        self.dropped.report()
        return LeftAtEnd(self.pending.blocks, self.events(), self.dropped.readings, self.uncertain)

    def correct_early(self) -> None:
        """Correct the stamps of what came before it was known what time it was, once that is known. Idempotent."""
        if self._clock.is_anchored:
            self.pending.inbox.correct_early()
