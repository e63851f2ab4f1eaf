"""Where readings are: the only place with SQL on the tables of readings, ``recent`` and ``history``.

A reading is *fresh* while it lies in the order of time (``recent``), and *settled* once the mover has brought it where each
series lies together (``history``). ``moved_until_us`` is the border: an older reading counts only where it is settled, all
others only where they are fresh, whatever else a crash or the mover has left behind.

    readings   questions about what is before and after the border: of a series, of all series
    together   questions about several series at once, in order of time
    storing    insert at the right place, find, change
    moving     what the mover does, and whoever moves or deletes readings of a whole span
    survey     questions about the whole file: the first, the last, how many, is there any
    damaged    the statements by which the readings of a damaged file are read

Callers ask for readings; how many tables hold them, and in which order they lie, they need not know. The views are in
``migrations/views.py``, the tables in ``migrations/tables.py``.
"""

from __future__ import annotations

# table -> its key, in the order of which its rows lie
KEYS = {"history": ("series_id", "ts"), "recent": ("ts", "series_id")}
