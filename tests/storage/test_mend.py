"""Mending what is stored, and taking it back: exactly what was there, roll-ups always right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage import mend
from sensorlogd.storage.mend import Change, MendError
from tests.storage.test_compute import HOUR_US, T0, Machine, _readings

UNTIL = T0 + 4 * 24 * HOUR_US
_changes = st.one_of(
    st.sampled_from([Change(1), Change(3), Change(4)]),
    st.builds(Change, st.none(), st.sampled_from([0.1, -3.0, 1.02]), st.floats(-1e3, 1e3)),
)
_span = st.tuples(st.integers(0, 96), st.integers(0, 96)).map(
    lambda two: (T0 + min(two) * HOUR_US, T0 + (max(two) + 1) * HOUR_US)
)


def do(machine: Machine, step: Any, identity: int) -> int:
    """All slices, with the mover going on between them."""
    done, more = 0, True
    while more:
        machine.conn.execute("BEGIN IMMEDIATE")
        changed, more = step(machine.conn, machine.frontier, identity, UNTIL)
        machine.conn.execute("COMMIT")
        machine.move(1, UNTIL)
        done += changed
    return done


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(_readings, min_size=1, max_size=3), st.integers(0, 8), st.booleans(),
    st.lists(st.tuples(_changes, _span), min_size=1, max_size=3), st.integers(1, 5),
)  # fmt: skip
def test_what_is_taken_back_is_what_it_was(
    tmp_path: Path, fresh: Path, stored: list[Any], moves: int, rolled_up: bool, changes: list[Any], slice_rows: int
) -> None:
    """Flags and calibrations over one another, in slices, while readings move: roll-ups follow, undo restores bit by bit."""
    machine = Machine(tmp_path, fresh, "Europe/Berlin")
    before_rows, mend.SLICE_ROWS = mend.SLICE_ROWS, slice_rows
    try:
        for batch in stored:
            machine.store(batch)
        machine.move(moves, UNTIL)
        if rolled_up:
            machine.roll_up(T0 + 2 * 24 * HOUR_US, [])
        series = machine.ids["s", "gauge"]
        states = [machine.raw(series)]
        made = []
        for change, (since, until) in changes:
            identity = mend.begin(machine.conn, series, since, until, change, "why", UNTIL)
            made.append(identity)
            changed = do(machine, mend.step, identity)
            expected = [
                (ts, *change.apply(value, code)) if since <= ts < until else (ts, value, code) for ts, value, code in states[-1]
            ]
            assert machine.raw(series) == expected
            assert changed == sum(since <= ts < until for ts, *_ in expected)
            states.append(expected)
            machine.check()
            if rolled_up:
                machine.roll_up(T0 + 2 * 24 * HOUR_US, [])
                assert machine.conn.execute("SELECT count(*) FROM dirty").fetchone() == (0,)
                machine.check()
        for identity, state in zip(reversed(made), reversed(states[:-1]), strict=True):
            mend.check_undo(machine.conn, identity)
            do(machine, mend.undo_step, identity)
            assert machine.raw(series) == state
            machine.check()
            with pytest.raises(MendError):
                if mend.find(machine.conn, identity).readings:
                    mend.check_undo(machine.conn, identity)
                else:
                    raise MendError
    finally:
        mend.SLICE_ROWS = before_rows
        machine.close()


def test_a_mend_that_was_cut_off_goes_on(tmp_path: Path, fresh: Path) -> None:
    """After a crash the same mend does the rest, and each reading once; a later one over it must be taken back first."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * 1_000_000, float(n), 1) for n in range(2_500)])
    series = machine.ids["s", "gauge"]
    first = mend.begin(machine.conn, series, T0, UNTIL, Change(None, 1.0, 1.0), "", UNTIL)
    mend.step(machine.conn, machine.frontier, first, UNTIL)
    assert [value for _, value, _ in machine.raw(series)][998:1002] == [999.0, 1000.0, 1000.0, 1001.0]
    do(machine, mend.step, first)
    assert [value for _, value, _ in machine.raw(series)] == [n + 1.0 for n in range(2_500)]
    assert mend.step(machine.conn, machine.frontier, first, UNTIL) == (0, False)
    second = mend.begin(machine.conn, series, T0, T0 + 1, Change(4), "", UNTIL)
    do(machine, mend.step, second)
    with pytest.raises(MendError, match=f"mend {second} was made after {first} over the same time; take it back first"):
        mend.check_undo(machine.conn, first)
    with pytest.raises(MendError, match="there is no mend 99"):
        mend.find(machine.conn, 99)
    machine.close()


def test_what_cannot_be_stored_is_refused() -> None:
    """A calibration that gives no number says so."""
    with pytest.raises(MendError, match="is no number that can be stored"):
        Change(None, 1e300, 0.0).apply(1e300, 1)
