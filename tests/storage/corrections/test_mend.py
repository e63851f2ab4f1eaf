"""Mending what is stored, and taking it back: exactly what was there, roll-ups always right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.calibration import curves
from sensorlogd.notation.microseconds import HOUR_US
from sensorlogd.quality import describe
from sensorlogd.storage import cuts, work
from sensorlogd.storage.corrections import mend_order, mend_rows, mend_state, recomputing
from sensorlogd.storage.corrections.change import Change, MendError
from sensorlogd.storage.corrections.mend_work import MendWorker
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.corrections.upsert import Busy, UpsertCounts, upsert
from sensorlogd.storage.reading_tables import moving
from sensorlogd.storage.reading_tables.storing import ReadingsMissing
from sensorlogd.storage.work import State
from tests.storage import working
from tests.storage.rollups.test_compute import T0, Machine, _readings

UNTIL = T0 + 4 * 24 * HOUR_US
EDGE = T0 + 2 * 24 * HOUR_US
_changes = st.one_of(
    st.sampled_from([Change(1), Change(3), Change(4)]),
    st.builds(Change, st.none(), st.sampled_from([0.1, -3.0, 1.02]), st.floats(-1e3, 1e3)),
)
_span = st.tuples(st.integers(0, 96), st.integers(0, 96)).map(
    lambda two: (T0 + min(two) * HOUR_US, T0 + (max(two) + 1) * HOUR_US)
)
_step = st.one_of(
    st.tuples(st.just("mend"), _changes, _span),
    st.tuples(st.just("mend"), _changes, _span),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    st.tuples(st.just("replace"), _readings),
    st.tuples(st.just("arrive"), _readings),
    st.tuples(st.just("slices"), st.integers(1, 9), st.booleans()),
    st.tuples(st.just("move"), st.integers(1, 6)),
    st.tuples(st.just("roll_up")),
)

Readings = dict[int, tuple[float | None, int]]


class Log(Machine):
    """The database beside a plain model of it: what was changed, in which order, and what was there before."""

    def __init__(self, folder: Path, fresh: Path, rows: int = 1_000) -> None:
        super().__init__(folder, fresh, "Europe/Berlin")
        self.rows = rows
        self.series = self.ids["s", "gauge"]
        self.by_kind = working.workers(rows)
        self.model: Readings = {}
        self.before: dict[int, Readings] = {}  # of each change that was ever made or begun
        self.ordered: list[tuple[str, int, Any]] = []  # work in its order, as far as it is not done
        self.importing: int | None = None
        self.begin_afresh()

    def restart(self) -> None:
        """With blocks so small that there is often one that is only half moved."""
        super().restart()
        self.mover.block_rows = 6

    def begin_afresh(self) -> None:
        self.model = {ts: (value, code) for ts, value, code in self.raw(self.series)}

    def transaction(self, what: Any) -> Any:
        self.conn.execute("BEGIN IMMEDIATE")
        try:
            found = what()
        except BaseException:
            self.conn.execute("ROLLBACK")
            raise
        self.conn.execute("COMMIT")
        return found

    def put(self, readings: list[tuple[int, float | None, int]]) -> UpsertCounts:
        times, values, qualities = (list(column) for column in zip(*readings, strict=True))
        replace = Replace(self.importing, "new.csv")
        counts: UpsertCounts = self.transaction(
            lambda: upsert(self.conn, self.frontier, self.series, times, values, qualities, UNTIL, replace=replace)
        )
        return counts

    def mend(self, change: Change, span: tuple[int, int]) -> int:
        identity, _ = self.transaction(lambda: mend_order.order(self.conn, self.series, *span, change, "why", UNTIL))
        self.ordered.append(("mend", identity, (change, span)))
        self.before[identity] = {}
        return int(identity)

    def undo(self, identity: int) -> None:
        """Raises MendError."""
        self.transaction(lambda: mend_order.order_undo(self.conn, identity, UNTIL))
        if ("undo", identity, None) in self.ordered:
            return  # asked again
        going = {order[1] for order in self.ordered if order[0] == "undo"}
        later = [readings for made, readings in self.before.items() if made > identity and made not in going]
        assert not any(readings.keys() & self.before[identity].keys() for readings in later), "another change stands upon it"
        unbegun = [order for order in self.ordered if order[:2] == ("mend", identity)]
        if unbegun:  # nothing will be changed; if it was begun, that is taken back
            self.ordered.remove(unbegun[0])
        self.ordered.append(("undo", identity, None))

    def slices(self, most: int, *, crash: bool = False) -> None:
        """Some slices; the last one is lost in a crash, and with it whatever was only in memory."""
        for number in range(most):
            is_lost = crash and number == most - 1
            if working.one_slice(self.conn, self.frontier, self.by_kind, UNTIL, crash=is_lost) is None:
                break
            waiting = len(work.waiting(self.conn))
            while len(self.ordered) > waiting:
                self.done(*self.ordered.pop(0))
        if crash:
            self.restart()
            self.by_kind = working.workers(self.rows)

    def done(self, kind: str, identity: int, what: Any) -> None:
        """The model follows, at the moment when a piece of work ends."""
        if kind == "undo":
            self.model.update(self.before.pop(identity))
            return
        change, (since, until) = what
        self.before[identity] = {ts: reading for ts, reading in self.model.items() if since <= ts < until}
        self.model.update({ts: change.apply(*reading) for ts, reading in self.before[identity].items()})

    def verify(self) -> None:
        """When nothing is under way: every reading is what the model says."""
        assert {ts: (value, code) for ts, value, code in self.raw(self.series)} == self.model
        for mended in mend_rows.all_mends(self.conn):
            assert (mended.undone_us is None) == (mended.id in self.before)
            if mended.undone_us is None:
                assert mended.readings == len(self.before[mended.id])
        self.check()


def play(log: Log, step: Any) -> None:
    """One thing that happens."""
    if step[0] == "mend":
        log.mend(*step[1:])
    elif step[0] == "undo":
        standing = sorted(log.before)
        if standing:
            identity = standing[-1 - step[1] % len(standing)]
            try:
                log.undo(identity)
            except MendError:
                assert identity != standing[-1] or any(order[:2] == ("undo", identity) for order in log.ordered)
    elif step[0] == "replace":
        put = {ts: (None if code == 9 else value, code) for ts, value, code in step[1]}
        if log.ordered:
            with pytest.raises(Busy):
                log.put([(ts, *reading) for ts, reading in put.items()])
            return
        before = {ts: log.model[ts] for ts, reading in put.items() if ts in log.model and log.model[ts] != reading}
        for start in range(0, len(put), 7):  # in pieces, in whatever order they are in the file
            some = list(put.items())[start : start + 7]
            stored = log.put([(ts, *reading) for ts, reading in some])
            if stored.replaced:
                assert stored.mend is not None
                log.importing = stored.mend
                log.before.setdefault(stored.mend, {}).update({ts: before[ts] for ts, _ in some if ts in before})
            log.model.update(some)
    elif step[0] == "arrive" and not log.ordered:
        log.store([reading for reading in step[1] if reading[0] not in log.model])
        log.begin_afresh()
    elif step[0] == "slices":
        log.slices(step[1], crash=step[2])
    elif step[0] == "move":
        log.move(step[1], UNTIL)
    elif step[0] == "roll_up":
        log.roll_up(EDGE, [])
    if not log.ordered:
        log.verify()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(_readings, min_size=1, max_size=3), st.lists(_step, min_size=3, max_size=16), st.integers(1, 5))
def test_what_is_taken_back_is_what_it_was(
    tmp_path: Path, fresh: Path, stored: list[Any], steps: list[Any], slice_rows: int
) -> None:
    """Flags, calibrations and replaced imports over one another, interrupted anywhere, taken back in any order that is
    allowed, while readings arrive and move: what stands is what a plain model says, and in the end all is as it was."""
    log = Log(tmp_path, fresh, slice_rows)
    try:
        for batch in stored:
            log.store(batch)
        log.begin_afresh()
        for step in steps:
            play(log, step)
        for identity in sorted(log.before, reverse=True):
            if not any(order[:2] == ("undo", identity) for order in log.ordered):
                log.undo(identity)
        while log.ordered:
            log.slices(1)
        assert log.before == {}
        log.verify()
        log.roll_up(EDGE, [])
        log.verify()
        assert work.waiting(log.conn) == []
    finally:
        log.close()


# ---- one by one --------------------------------------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path, fresh: Path) -> Any:
    """2,500 readings, a second apart, of the values 0, 1, 2 ..."""
    machine = Log(tmp_path, fresh)
    machine.store([(T0 + n * 1_000_000, float(n), 1) for n in range(2_500)])
    machine.begin_afresh()
    yield machine
    machine.close()


def values(log: Log) -> list[float | None]:
    return [value for _, value, _ in log.raw(log.series)]


def a_slice_of(log: Log, rows: int) -> None:
    """One that is not longer than so many rows."""
    log.by_kind = working.workers(rows)
    log.slices(1)


def cut_off(log: Log, identity: int) -> None:
    """As an older release left it: no work knows of it."""
    log.conn.execute("DELETE FROM work WHERE json_extract(request, '$.mend') = ?", (identity,))


def test_a_mend_waits_for_the_one_before(log: Log) -> None:
    """Two over the same readings, the first half done when the second is ordered: one after the other, and taken back
    in the other order to the bit."""
    before = values(log)
    first = log.mend(Change(None, 1.1, 0.0), (T0, UNTIL))
    a_slice_of(log, 999)
    second = log.mend(Change(None, 1.3, 0.0), (T0, UNTIL))
    with pytest.raises(MendError, match=f"mend {second} was made after {first} over the same time; take it back first"):
        log.undo(first)
    log.slices(9_999)
    assert values(log) == [n * 1.1 * 1.3 for n in before if n is not None]
    log.undo(second)
    log.undo(first)
    log.slices(9_999)
    assert values(log) == before
    with pytest.raises(MendError, match="was taken back already"):
        log.undo(first)
    for unknown in (99, -1, 1 << 63):
        with pytest.raises(MendError, match=f"there is no mend {unknown}"):
            mend_rows.find(log.conn, unknown)


def test_a_mend_is_taken_back_before_it_is_finished(log: Log) -> None:
    """What was changed so far is undone, the rest is never done; asked twice it is the same work."""
    before = values(log)
    first = log.mend(Change(None, 1.1, 0.0), (T0, UNTIL))
    a_slice_of(log, 999)
    assert values(log) != before
    _, ordered = mend_order.order_undo(log.conn, first, UNTIL)
    assert mend_order.order_undo(log.conn, first, UNTIL) == (first, ordered)
    [ended] = [piece for piece in work.everything(log.conn) if piece.kind == "mend"]
    assert (ended.state, ended.outcome) == (State.DONE, "taken back before it was finished")
    assert mend_state.state_of(log.conn, mend_rows.find(log.conn, first)) == "being taken back"
    working.run(log.conn, log.frontier, UNTIL)
    assert values(log) == before
    assert work.everything(log.conn)[-1].outcome == "999 readings are what they were"


def test_an_order_that_is_held_in_memory_does_nothing_once_it_was_taken_back(log: Log) -> None:
    """A slice whose work was ended between its two halves changes nothing."""
    first = log.mend(Change(None, 1.1, 0.0), (T0, UNTIL))
    [held] = work.waiting(log.conn)
    mend_order.order_undo(log.conn, first, UNTIL)
    done = MendWorker().store(log.conn, log.frontier, held, None, UNTIL)
    assert (done.done, done.more) == (0, False)
    assert values(log) == [float(n) for n in range(2_500)]


def test_a_mend_that_an_older_release_left_is_finished_or_taken_back(log: Log) -> None:
    """It goes on where it stopped, each reading once; but not over what was made later."""
    first = log.mend(Change(None, 1.0, 1.0), (T0, UNTIL))
    a_slice_of(log, 999)
    cut_off(log, first)
    assert mend_state.state_of(log.conn, mend_rows.find(log.conn, first)) == "interrupted"
    second = log.mend(Change(4), (T0 + 2_000_000_000, T0 + 2_000_000_001))
    log.ordered = []
    with pytest.raises(MendError, match=f"mend {second} was made after {first}"):
        mend_order.order_resume(log.conn, first, UNTIL)
    mend_order.order_undo(log.conn, second, UNTIL)
    resumed = mend_order.order_resume(log.conn, first, UNTIL)
    assert mend_order.order_resume(log.conn, first, UNTIL) == resumed
    working.run(log.conn, log.frontier, UNTIL)
    assert values(log) == [n + 1.0 for n in range(2_500)]
    with pytest.raises(MendError, match=r"is finished; nothing is left to do \(--list shows all\)"):
        mend_order.order_resume(log.conn, first, UNTIL)


def test_an_undo_that_an_older_release_left_goes_on(log: Log) -> None:
    """Half taken back: the rest can be, and until then nothing below it."""
    before = values(log)
    first, second = (log.mend(Change(None, 1.0, 1.0), (T0, UNTIL)) for _ in range(2))
    log.slices(9_999)
    mend_order.order_undo(log.conn, second, UNTIL)
    log.by_kind = working.workers(1)
    working.one_slice(log.conn, log.frontier, log.by_kind, UNTIL)
    cut_off(log, second)
    assert mend_state.state_of(log.conn, mend_rows.find(log.conn, second)) == "taken back in part"
    with pytest.raises(MendError, match=f"mend {second}, .* only in part taken back"):
        mend_order.order_undo(log.conn, first, UNTIL)
    mend_order.order_undo(log.conn, second, UNTIL)
    mend_order.order_undo(log.conn, first, UNTIL)
    working.run(log.conn, log.frontier, UNTIL)
    assert values(log) == before


@pytest.mark.parametrize("moves", range(8))
@pytest.mark.parametrize("between", [0, 1])
def test_readings_that_are_half_moved_are_all_mended(log: Log, moves: int, between: int) -> None:
    """Some in history, some in recent, a block in both; wherever the mover stands, and whether it goes on or not."""
    before = values(log)
    log.mover.block_rows = 1_600  # of two channels
    log.move(moves, UNTIL)
    for order, expected in (
        (lambda: log.mend(Change(None, 1.0, 1.0), (T0, UNTIL)), [n + 1.0 for n in range(2_500)]),
        (lambda: log.undo(1), before),
    ):
        order()
        log.by_kind = working.workers(700)
        while log.ordered:
            log.slices(1)
            log.move(between, UNTIL)
        assert values(log) == expected
        log.move(2, UNTIL)
        assert values(log) == expected


def test_replaced_readings_stand_on_a_mend(log: Log) -> None:
    """An import replaced three readings of a mended range: the mend cannot be taken back before the import is."""
    before = values(log)
    first = log.mend(Change(None, 1.0, 1.0), (T0, UNTIL))
    log.slices(9_999)
    replaced = [(T0 + n * 1_000_000, -float(nth), 1) for nth, n in enumerate((3, 500, 3, 502))]  # one of them twice
    stored = log.put([*replaced, (T0 + 500_000, 7.0, 1), (T0, 1.0, 1)])
    assert (stored.replaced, stored.new, stored.same) == (4, 1, 1)
    assert stored.mend is not None
    kept = mend_rows.find(log.conn, stored.mend)
    assert (kept.kind, kept.since_us, kept.until_us) == ("replace", T0 + 3_000_000, T0 + 502_000_001)
    assert (kept.readings, kept.note, kept.message()) == (3, "new.csv", "replaced by an import")
    with pytest.raises(MendError, match=rf"an import \(new.csv\) .* take mend {kept.id} back first"):
        mend_order.order_undo(log.conn, first, UNTIL)
    mend_order.order_undo(log.conn, kept.id, UNTIL)
    working.run(log.conn, log.frontier, UNTIL)
    assert (values(log)[4], values(log)[501]) == (4.0, 501.0)
    mend_order.order_undo(log.conn, first, UNTIL)
    working.run(log.conn, log.frontier, UNTIL)
    after = values(log)
    assert after.pop(1) == 7.0  # what was new is no part of it
    assert after == before


def test_what_was_computed_anew_is_told_from_an_import_whatever_its_note(log: Log) -> None:
    """By its kind; rows of before there was one are known by their note, in a computed sensor."""

    def put(replace: Replace, value: float) -> str:
        at = ([T0], [value], [1])
        counts = log.transaction(lambda: upsert(log.conn, log.frontier, log.series, *at, UNTIL, replace=replace))
        return mend_rows.find(log.conn, counts.mend).message()

    first = log.mend(Change(4), (T0, UNTIL))
    log.slices(9_999)
    assert put(Replace(None, "recomputed"), 70.0) == "replaced by an import"
    with pytest.raises(MendError, match=r"an import \(recomputed\)"):
        mend_order.order_undo(log.conn, first, UNTIL)
    result = recomputing.Result(log.series, [T0], [71.0], [1])
    stored = log.transaction(lambda: recomputing.store_results(log.conn, log.frontier, result, None, UNTIL))
    assert mend_rows.find(log.conn, stored.mend).message() == "computed anew"
    again = recomputing.Result(log.series, [T0 + 1_000_000], [71.0], [1])
    assert (
        log.transaction(lambda: recomputing.store_results(log.conn, log.frontier, again, stored.mend, UNTIL)).mend == stored.mend
    )
    with pytest.raises(MendError, match="computing anew changed the same readings"):
        mend_order.order_undo(log.conn, first, UNTIL)
    log.conn.execute("UPDATE mend SET kind = 'replace' WHERE id = ?", (stored.mend,))
    assert mend_rows.find(log.conn, stored.mend).message() == "replaced by an import"
    log.conn.execute("UPDATE sensor SET driver = 'computed'")
    assert mend_rows.find(log.conn, stored.mend).message() == "computed anew"


def test_an_import_that_meets_a_mend_begins_another_row(log: Log) -> None:
    """One row as long as the import is alone; after a mend in between a later one, so that ids tell the order."""
    log.importing = log.put([(T0, 9.0, 1)]).mend
    assert log.put([(T0 + 1_000_000, 9.0, 1)]).mend == log.importing
    assert log.put([(T0 + 1_000_000, 8.0, 1)]).mend != log.importing  # the same reading once more
    identity = log.mend(Change(4), (T0, UNTIL))
    with pytest.raises(Busy, match="a mend of it is under way"):
        log.put([(T0 + 2_000_000, 9.0, 1)])
    log.slices(9_999)
    later = log.put([(T0 + 2_000_000, 9.0, 1)]).mend
    assert later is not None
    assert later > identity


def test_the_newest_reading_follows(log: Log) -> None:
    """Also when it is not the last of its slice in time."""
    log.conn.execute("INSERT OR REPLACE INTO latest VALUES (?, ?, 7.0, 1, 0)", (log.series, T0 + 7_000_000))
    identity = log.mend(Change(None, 2.0, 0.0), (T0, UNTIL))
    log.slices(9_999)
    assert log.conn.execute("SELECT value FROM latest WHERE series_id = ?", (log.series,)).fetchone() == (14.0,)
    log.undo(identity)
    log.slices(9_999)
    assert log.conn.execute("SELECT value FROM latest WHERE series_id = ?", (log.series,)).fetchone() == (7.0,)


def test_a_table_recalibrates_and_is_taken_back(log: Log) -> None:
    """Values beyond its ends go on along it, and are suspect."""
    before = values(log)
    curve = curves.table([[0, 0], [2, 20], [3, 21]])
    change = Change(None, 1.0, 0.5, curve)
    identity = log.mend(change, (T0, UNTIL))
    log.slices(9_999)
    assert mend_rows.find(log.conn, identity).change == change
    assert values(log) == [None if value is None else curve.value(value) + 0.5 for value in before]
    assert change.apply(1.0, 1) == (10.5, 1)
    assert describe(change.apply(9.0, 1)[1]) == "suspect:calibration"
    log.undo(identity)
    log.slices(9_999)
    assert values(log) == before


def test_an_undo_that_misses_readings_is_an_error(log: Log) -> None:
    """Nothing of the slice is changed then. In a log with salvaged readings, where some may be lost, what is there is undone."""
    before = values(log)
    identity = log.mend(Change(None, 1.1, 0.0), (T0, UNTIL))
    log.slices(9_999)
    mended = values(log)
    for table in ("recent", "history"):
        log.conn.execute(f"DELETE FROM {table} WHERE ts = (SELECT max(ts) FROM readings WHERE channel = 'gauge')")
    _, ordered = mend_order.order_undo(log.conn, identity, UNTIL)
    with pytest.raises(ReadingsMissing):
        working.run(log.conn, log.frontier, UNTIL)
    log.conn.execute("ROLLBACK")
    assert values(log) == mended[:-1]
    salvage = work.order(log.conn, work.SALVAGE, {}, UNTIL)
    log.conn.execute("UPDATE work SET state = 'done' WHERE id = ?", (salvage,))
    with pytest.raises(ReadingsMissing):  # that salvage could read everything
        working.run(log.conn, log.frontier, UNTIL)
    log.conn.execute("ROLLBACK")
    log.conn.execute("UPDATE work SET progress = '{\"skipped\": 1}' WHERE id = ?", (salvage,))
    working.run(log.conn, log.frontier, UNTIL)
    assert work.find(log.conn, ordered).state is State.DONE  # type: ignore[union-attr]  # it was ordered above
    assert values(log) == before[:-1]


def test_what_cannot_be_stored_ends_the_mend(log: Log) -> None:
    """A calibration that gives no number says so; what was changed before can be taken back."""
    with pytest.raises(MendError, match="is no number that can be stored"):
        Change(None, 1e300, 0.0).apply(1e300, 1)
    log.put([(T0 + 2_000 * 1_000_000, 1e300, 1)])
    before = values(log)
    identity, ordered = mend_order.order(log.conn, log.series, T0, UNTIL, Change(None, 1e300, 0.0), "", UNTIL)
    working.run(log.conn, log.frontier, UNTIL)
    ended = work.find(log.conn, ordered)
    assert ended is not None
    assert ended.state is State.FAILED
    assert "is no number that can be stored" in ended.outcome
    assert mend_state.state_of(log.conn, mend_rows.find(log.conn, identity)) == "failed"
    assert values(log)[1] == 1e300
    mend_order.order_undo(log.conn, identity, UNTIL)
    working.run(log.conn, log.frontier, UNTIL)
    assert values(log) == before


def test_taking_back_leaves_the_days_of_what_has_expired_as_they_are(tmp_path: Path, fresh: Path) -> None:
    """Their readings are gone, so nothing could be computed anew: no minute of them is marked, and it is told how many have expired."""
    log = Log(tmp_path, fresh)
    readings = [(T0 + n * HOUR_US, float(n), 1) for n in range(48)]
    log.store(readings)
    log.move(20, UNTIL)
    log.roll_up(EDGE, [])
    identity, _ = log.transaction(lambda: mend_order.order(log.conn, log.series, T0, EDGE, Change(scale=2.0), "", UNTIL))
    working.run(log.conn, log.frontier, UNTIL)
    log.roll_up(EDGE, [])
    cut = T0 + 24 * HOUR_US
    log.transaction(lambda: cuts.raise_to(log.conn, [(log.series, cuts.READINGS, cut)]))
    log.frontier.cuts_us[log.series] = cut
    moving.delete_before(log.conn, log.series, cut)
    log.transaction(lambda: mend_order.order_undo(log.conn, identity, UNTIL))
    working.run(log.conn, log.frontier, UNTIL)
    assert work.everything(log.conn)[-1].outcome == "24 readings are what they were, 24 have expired"
    assert log.conn.execute("SELECT min(start) FROM dirty").fetchone() == (cut,)
    log.close()
