"""What a function of formulas is: how it is called, and what it takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """``run``: floats to a float; raises ValueError, ZeroDivisionError or OverflowError where it has no value.

    ``takes``: the names of its arguments, those after ``needs`` may be left out. ``units``: of the arguments, empty: any.
    ``unit``: of the result, empty: it follows from the arguments.
    """

    run: Callable[..., float]
    takes: tuple[str, ...]
    units: tuple[str, ...] = ()
    unit: str = ""
    optional: int = 0
    more: bool = False  # any number of further arguments

    @property
    def needs(self) -> int:
        """The least number of arguments."""
        return len(self.takes) - self.optional

    def accepts(self, count: int) -> bool:
        """Whether it may be called with so many."""
        return self.needs <= count and (self.more or count <= len(self.takes))

    def signature(self, name: str) -> str:
        """``dew_point(temperature °C, humidity %)``."""
        units = (*self.units, *[""] * (len(self.takes) - len(self.units)))
        parts = [f"{parameter} {unit}".strip() for parameter, unit in zip(self.takes, units, strict=True)]
        parts = [part if index < self.needs else f"[{part}]" for index, part in enumerate(parts)]
        return f"{name}({', '.join(parts)}{', ...' if self.more else ''})"
