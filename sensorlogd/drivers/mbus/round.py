"""One round of questions to one meter: the link is reset, then telegrams are asked for until it has no more.

What has been answered stands, whatever becomes of the connection: a round goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sensorlogd.drivers.mbus.frames import FCB, REQ_UD2, SND_NKE

MAX_FRAMES = 16


@dataclass(slots=True)
class Round:
    """One round of questions, and what it has found so far. ``control``: the control field of the next question; None when the
    round is over. ``answered_at``: on the monotonic clock. ``taken_at_us``: time of the first telegram."""

    control: int | None = SND_NKE
    before: bytes = b""
    values: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    taken_at_us: int | None = None
    answered_at: float = 0.0
    frames: int = 0

    @property
    def begun(self) -> bool:
        """Whether the meter has answered."""
        return self.control != SND_NKE

    def note_acknowledged(self, at: float) -> None:
        """The link was reset; the next question has the frame count bit set."""
        self.control, self.answered_at = REQ_UD2 | FCB, at

    def take_answer(self, frame: bytes, found: tuple[dict[str, float], dict[str, str], bool], at_us: int, at: float) -> None:
        """Take a telegram. ``found``: its content, as ``frames.records`` returns it when the names of ``values`` are taken."""
        values, units, more = found
        self.before, self.answered_at = frame, at
        self.frames += 1
        self.taken_at_us = at_us if self.taken_at_us is None else self.taken_at_us
        self.values |= values
        self.units |= units
        assert self.control is not None
        self.control = self.control ^ FCB if more and self.frames < MAX_FRAMES else None

    def end(self) -> None:
        """End the round: nothing more is asked."""
        self.control = None
