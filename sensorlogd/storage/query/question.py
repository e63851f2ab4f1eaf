"""From the words of a question to what the engine is asked: the same rules, defaults and errors for the shell and for Python.

``Spell``: how the asker writes the name of an option (``max_points``: ``--max-points`` in a shell), so that an error names what
was written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sensorlogd.storage.query.aggregates import DEFAULT
from sensorlogd.storage.query.engine import FILLS, Query
from sensorlogd.storage.query.grid import Step

Spell = Callable[[str], str]


def as_option(name: str) -> str:
    """As a shell has it: ``--max-points``."""
    return f"--{name.replace('_', '-')}"


def as_keyword(name: str) -> str:
    """As Python has it."""
    return name


def check_range(since: object, until: object, start_us: int, end_us: int, spell: Spell) -> None:
    """``since``, ``until``: as they were written. Raises ValueError if there is nothing between them."""
    if start_us >= end_us:
        raise ValueError(f"{spell('since')} {since} is not before {spell('until')} {until}")


def ask(
    span: tuple[int, int],
    every: str | None,
    max_points: int | None,
    agg: str | Sequence[str] | None,
    fill: str | None,
    zone: str,
    spell: Spell,
) -> Query | None:
    """None: readings as they are, not aggregated. Raises ValueError for words that cannot be answered."""
    if every is None and max_points is None:
        for name, given in (("agg", agg), ("fill", fill)):
            if given is not None:
                raise ValueError(f"{spell(name)} needs {spell('every')}, the length of a bucket, or {spell('max_points')}")
        return None
    if every is not None and max_points is not None:
        raise ValueError(f"{spell('every')} and {spell('max_points')} exclude each other")
    if max_points is not None and max_points < 1:
        raise ValueError(f"{spell('max_points')} is {max_points}; at least 1")
    chosen = next((name for name in FILLS if name == (fill or "none")), None)
    if chosen is None:
        raise ValueError(f"unknown {spell('fill')} {fill!r}; known: {', '.join(FILLS)}")
    return Query(*span, None if every is None else Step.parse(every), max_points, aggregates(agg), zone, chosen)


def aggregates(agg: str | Sequence[str] | None) -> tuple[str, ...]:
    """Names, each once: ``mean, max`` or a list of them; None: the usual ones."""
    if agg is None:
        return DEFAULT
    names = agg.split(",") if isinstance(agg, str) else agg
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
