"""How a unit behaves at each question, as decided by a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum, auto

LATEST = 3.3  # turnarounds after its question, beyond which nothing is delivered any more


class Manner(Enum):
    """The manner of a unit. All but the first now and then do what their name says, and answer honestly otherwise."""

    HONEST = auto()
    SLOW = auto()  # answers shortly before the time is over
    LATE = auto()  # answers after the time is over
    DEAD = auto()  # never answers
    SLEEPY = auto()  # does not answer for some questions on end
    DAMAGED = auto()  # its answer is cut or has a wrong bit
    REPEATING = auto()  # says its answer twice, always
    TWO_PART = auto()  # says its answer in two parts, always the same way; where the dialect has such
    CHATTY = auto()  # says something unasked
    EXCHANGED = auto()  # is away for a while; then another one answers at its place, with other times


@dataclass(frozen=True, slots=True)
class Act:
    """What happens to one question. Times are in turnarounds; None: no answer."""

    name: str
    after: float | None
    damaged: bool = False
    again_after: float | None = None  # after the answer: its repetition, or its second part
    chatter_after: float | None = None


@dataclass(slots=True)
class Unit:
    """One unit on the bus."""

    manner: Manner
    chance: random.Random
    pace: float = 0.1
    trail: float = 0.0
    away: int = 0
    questions: int = field(default=0)

    def __post_init__(self) -> None:
        self.pace = self.chance.uniform(0.02, 0.3)
        self.trail = self.chance.uniform(0.05, 0.3)

    def act(self) -> Act:
        """What the unit does at its next question."""
        self.questions += 1
        after = self.pace * self.chance.uniform(0.8, 1.2)
        often = self.chance.random()
        if self.away:
            self.away -= 1
            return Act("away", None)
        match self.manner:
            case Manner.SLOW:
                return Act("slow", self.chance.uniform(0.5, 0.9))
            case Manner.LATE if often < 0.3:
                return Act("late", self.chance.uniform(1.1, LATEST - 0.5))
            case Manner.DEAD:
                return Act("dead", None)
            case Manner.SLEEPY if often < 0.1:
                self.away = self.chance.randint(0, 4)
                return Act("sleepy", None)
            case Manner.DAMAGED if often < 0.2:
                return Act("damaged", after, damaged=True)
            case Manner.REPEATING:
                return Act("repeated", after, again_after=self.trail * 0.3)
            case Manner.TWO_PART:
                return Act("two parts", after, again_after=self.trail)
            case Manner.CHATTY if often < 0.3:
                return Act("chatty", after, chatter_after=self.chance.uniform(0, 1.5))
            case Manner.EXCHANGED if often < 0.05:
                self.away = self.chance.randint(1, 6)
                self.pace = self.chance.uniform(0.02, 0.6)
                return Act("exchanged", None)
        return Act("honest", after)
