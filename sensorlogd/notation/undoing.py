"""How to take mends back, as a line for a shell."""

from __future__ import annotations

from collections.abc import Iterable


def undo_commands(mends: Iterable[int]) -> str:
    """A command for each mend, because ``--undo`` takes one: ``sensorlogd flag --undo 2 && sensorlogd flag --undo 1``. The newest is
    first, because a mend cannot be taken back while a later one of the same readings stands. Empty for none."""
    return " && ".join(f"sensorlogd flag --undo {mend}" for mend in sorted(mends, reverse=True))
