"""The type of the functions of formulas: how they are called, what they take and return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Function:
    """A function of formulas. ``run``: takes and returns floats; raises ValueError, ZeroDivisionError or OverflowError if it has no
    value.

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
        """Whether it may be called with ``count`` arguments."""
        return self.needs <= count and (self.more or count <= len(self.takes))

    def signature(self, name: str) -> str:
        """The signature for people, e.g. ``dew_point(temperature °C, humidity %)``."""
        units = (*self.units, *[""] * (len(self.takes) - len(self.units)))
        parts = [f"{parameter} {unit}".strip() for parameter, unit in zip(self.takes, units, strict=True)]
        parts = [part if index < self.needs else f"[{part}]" for index, part in enumerate(parts)]
        return f"{name}({', '.join(parts)}{', ...' if self.more else ''})"
