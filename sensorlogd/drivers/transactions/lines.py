"""The lines of this process, one for each port or connection, shared by all who ask there."""

from __future__ import annotations

import threading

from sensorlogd.drivers.transactions.line import Line

_lines: dict[str, Line] = {}
_lines_lock = threading.Lock()


def line_of(identity: str) -> Line:
    """The line of a port, for one more user; ``leave`` it in the end. Debts outlast the opening that made them."""
    with _lines_lock:
        for name in [name for name, line in _lines.items() if not line.users and not line.owing()]:
            del _lines[name]
        line = _lines.setdefault(identity, Line())
        line.users += 1
        return line


def leave(line: Line) -> None:
    """One user fewer."""
    with _lines_lock:
        line.users -= 1
