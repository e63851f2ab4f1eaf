"""What is said of the names of columns in errors, and that no two of them go to one series."""

from __future__ import annotations

from collections.abc import Sequence

from sensorlogd.exchange.text.lines import FileError, Lines


def refuse_doubled(targets: Sequence[str], lines: Lines) -> None:
    """Raise FileError if two columns have the same target: their readings would be mixed up."""
    twice = sorted({name for name in targets if targets.count(name) > 1})
    if twice:
        raise FileError(
            lines.name, lines.number, f"two columns belong to one series: {quoted_names([name.lstrip('.') for name in twice])}; map each with --column"
        )  # fmt: skip


def quoted_names(names: Sequence[str]) -> str:
    """The first six names, quoted and cut at 40 characters, and how many more there are."""
    shown = ", ".join(repr(name[:40]) for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")
