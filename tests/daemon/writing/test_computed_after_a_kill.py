"""Computed channels after a kill that came between the mover and the next saving of the newest values."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.storage import watermarks
from sensorlogd.storage.ingest import latest
from tests.daemon.writing.rig import T0, Rig
from tests.daemon.writing.test_computed import Computer, S


@dataclass(frozen=True)
class Known:
    """What the file says: how far it is moved, and the newest saved reading of any series."""

    moved_until_us: int
    saved_us: int


def known(path: Path) -> Known:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        saved = latest.saved(conn)
        return Known(watermarks.stored(conn).moved_until_us, max((ts for ts, *_ in saved.values()), default=0))


def test_an_integral_goes_on_from_what_was_moved_and_not_saved_yet(make: Callable[..., Rig]) -> None:
    """Its newest sum and the inputs since are settled, the table ``latest`` holds an older one: nothing of the stretch between is
    left out of the sum."""
    computer = Computer(make, how={"block_rows": 20})
    computer.rig.time.now += 100.0  # all readings lie before what the mover may take
    computer.measure(5)
    computer.settle()
    computer.measure(40)
    last_us = T0 + 44 * S
    computer.rig.turn_until(lambda: known(computer.rig.path).moved_until_us > last_us, "the mover", seconds=0.02)
    assert known(computer.rig.path).saved_us < last_us
    computer.rig.kill()
    computer.again()
    computer.measure(5)
    computer.settle()
    assert len(computer.read("e.work")) == 50
    computer.check()
