"""``recompute`` as kept work: a computed sensor's readings anew from the log, slice by slice, each a transaction.

A slice reads the inputs of some time, computes as the law says for readings that come in order of time, and stores the results.
All it must know lies in the log and in the pointer ``at_us``: whatever ends it, it goes on there. The sum of an integral goes on
from the stored reading before; when the work has come up to now, the sum that the daemon goes on with is put right,
and the readings that were on their way meanwhile are computed once more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sensorlogd.batch import Column
from sensorlogd.computed.channel import Channel, Key, Made
from sensorlogd.computed.engine import Engine
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.daemon.computing.computed_sensor import fresh_treatments, treated, unscaled
from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.microseconds import END_US
from sensorlogd.notation.plurals import plural
from sensorlogd.notation.undoing import undo_commands
from sensorlogd.storage.corrections import recomputing, upsert
from sensorlogd.storage.corrections.recomputing import RecomputeOrder, Result
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.reading_tables import together
from sensorlogd.storage.reading_tables.readings import Reading, Stamped
from sensorlogd.storage.series import unconfigured
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, Work
from sensorlogd.storage.worker import NOT_YET, NotYet, Worker

SLICE_S = 0.02
MAX_ROWS_AT_ONCE, MIN_ROWS_AT_ONCE = 4_000, 50  # input readings at once
LOOK_BACK_ROWS = 100_000  # of recent ones, for the reading that an integral goes on from
SAME = 1e-9  # relative difference of two sums that rounding alone may cause


class RecomputeWorker(Worker[None]):
    """The worker that computes stored readings of computed sensors anew. ``computing``: what the daemon computes now.
    ``settles_us``: this long a reading may be on its way to the log."""

    kind = recomputing.RECOMPUTE
    grows = True

    def __init__(
        self,
        computing: Computing,
        now_us: Callable[[], int],
        settles_us: int = 2_000_000,
        slice_s: float = SLICE_S,
        rows: int = MAX_ROWS_AT_ONCE,
    ) -> None:
        self.computing = computing
        self._now_us = now_us
        self._settles_us = settles_us
        self._pace = Pace(slice_s, min(500, rows), min(MIN_ROWS_AT_ONCE, rows), rows)
        self._last_run: tuple[int, int, _Run] | None = None  # (work, where it stands, all that is known there)

    def fetch(self, work: Work) -> NotYet | None:
        """Nothing is fetched; NOT_YET while readings that were on their way to the log are not all stored."""
        handed = work.progress.get("handed_us")
        return NOT_YET if handed is not None and 0 <= self._now_us() - handed < self._settles_us else None

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: None, now_us: int) -> Slice:
        """One slice."""
        request = RecomputeOrder.from_json(work.request)
        sensor = request.sensor
        channels = [channel for channel in self.computing.formulas.channels if channel.key[0] == sensor]
        refused = _why_refused(sensor, channels, request.formulas)
        if refused:
            return Slice({}, 0, False, refused, failed=True)
        run = self._run_where_work_stands(conn, frontier, work, channels)
        is_sum = any(channel.is_integral for channel in channels)
        until = END_US if is_sum else request.until_us
        began = time.perf_counter()
        try:
            done = run.go(conn, frontier, until, int(self._pace.rows), dict(work.progress.get("mends", {})), now_us)
        except upsert.Busy:  # a mend of these readings comes first
            self._last_run = None
            return Slice(work.progress, 0, True)
        except upsert.UpsertError as error:
            return Slice({}, 0, False, str(error), failed=True)
        self._pace.note_duration(time.perf_counter() - began)
        # For a sum all that is stored is computed then, and what is on its way has times before now.
        at_us = run.wait() if is_sum and done.at_us >= until else done.at_us
        self._last_run = (work.id, at_us, run)
        progress = {**work.progress, "at_us": at_us, "mends": done.mends}
        for name in ("new", "changed"):
            progress[name] = work.progress.get(name, 0) + getattr(done, name)
        more = at_us < until and not run.waits
        if not more and is_sum:
            more = self._correct_sums(run, progress, now_us)
        return Slice(
            progress, done.computed, more, "" if more else _outcome(progress), rolls_up=done.rolls_up, touched=done.touched,
            events=() if more else ((EventKind.RECOMPUTED, sensor, _outcome(progress)),),
        )  # fmt: skip

    def close(self) -> None:
        """Nothing is held open; another file may come."""
        self._last_run = None

    def _run_where_work_stands(
        self, conn: sqlite3.Connection, frontier: Frontier, work: Work, channels: Sequence[Channel]
    ) -> _Run:
        """The run of the slice before, if it stands where the work does; else a new one, which has learned what came before."""
        ids = unconfigured.all_ids(conn)
        at_us = int(work.progress["at_us"])
        needed = [ids[source.key] for channel in channels for source in channel.inputs if source.key in ids]
        at_us = max(at_us, recomputing.expired_until_us(conn, needed))
        options = self.computing.formulas.sensors[channels[0].key[0]].options
        if (
            self._last_run is not None
            and self._last_run[:2] == (work.id, at_us)
            and self._last_run[2].computes(channels, options, ids)
        ):
            return self._last_run[2]
        run = _Run(list(channels), options, ids, at_us)
        run.begin(conn, frontier)
        return run

    def _correct_sums(self, run: _Run, progress: dict[str, Any], now_us: int) -> bool:
        """Correct the sums that the daemon goes on with. Returns True if readings computed with the old sums were still on their
        way to the log, so that one more slice has to correct those."""
        wrong = False
        for key, (ts, total) in run.sums.items():
            node = self.computing.engine.node(key)
            wrong = wrong or (node is not None and abs(node.correct(ts, total)) > SAME * abs(total))
        if wrong or "handed_us" not in progress:
            progress["handed_us"] = now_us
            return True
        return False


def _why_refused(sensor: str, channels: Sequence[Channel], wanted: Any) -> str:
    """Why the work cannot be done, for people; empty if it can."""
    if not channels:
        return f"{sensor} is no computed sensor of the running configuration (any more)"
    if {channel.key[1]: channel.formula.text for channel in channels} != wanted:
        return f"the formulas of {sensor} are others than when this was ordered; reload, then order it again"
    return ""


def _outcome(progress: dict[str, Any]) -> str:
    undo = undo_commands(mend for mend in progress["mends"].values() if mend is not None)
    outcome = (
        f"{progress['new']:,} {plural(progress['new'], 'reading is', 'readings are')} new"
        f", {progress['changed']:,} others than they were"
    )
    return outcome + (f"; to take that back: {undo}" if undo else "")


@dataclass(slots=True)
class _Computed:
    """What one slice did."""

    at_us: int
    mends: dict[str, int | None]
    computed: int = 0
    new: int = 0
    changed: int = 0
    rolls_up: bool = False
    touched: list[int] = field(default_factory=list)

    def add(self, result: Result, stored: upsert.UpsertCounts, edge_us: int) -> None:
        """Add what happened to the readings computed of one series. ``edge_us``: roll-ups of older ones are due again."""
        self.mends[str(result.series)] = stored.mend
        self.computed += len(result.times)
        self.new += stored.new
        self.changed += stored.replaced
        if stored.replaced:
            self.touched.append(result.series)
        self.rolls_up = self.rolls_up or (bool(stored.new or stored.replaced) and result.times[0] < edge_us)


class _Run:
    """An engine of one sensor's channels that stands at ``at_us``: it knows all that came before."""

    def __init__(self, channels: list[Channel], options: ComputedOptions, ids: dict[Key, int], at_us: int) -> None:
        self.channels = channels
        self.ids = ids
        self.at_us = at_us
        self.waits = False
        self.sums: dict[Key, tuple[int, float]] = {}  # integral -> (time, sum) at its newest reading, or where it goes on
        self._newest_us = at_us - 1  # of the inputs that were read
        self._options = options
        self._treatments = fresh_treatments(options)
        self._engine = Engine(channels, self._treat, lambda key, counter, n, example: None)
        self._stored: dict[Key, dict[int, tuple[float | None, int]]] = {}
        mine = {channel.key for channel in channels}
        self._outside = {ids[key]: key for key in self._engine.memories if key in ids and key not in mine}
        self._mine = {ids[key]: key for key in mine if key in ids}

    def computes(self, channels: Sequence[Channel], options: ComputedOptions, ids: dict[Key, int]) -> bool:
        """Whether it was made of these; a reload may have changed them since."""
        return self.channels == channels and self._options == options and self.ids == ids

    def begin(self, conn: sqlite3.Connection, frontier: Frontier) -> None:
        """Learn what came before ``at_us``."""
        moved, at_us = frontier.moved_until_us, self.at_us
        back = 2 * max(memory.heartbeat_us for memory in self._engine.memories.values())
        resumed: dict[Key, tuple[int, float]] = {}
        floor = together.reach(conn, LOOK_BACK_ROWS) or 0
        for node in self._engine.nodes:
            series = self.ids.get(node.channel.key)
            if node.channel.is_integral and series is not None:
                last = together.last_good(conn, series, at_us, moved, min(floor, at_us))
                if last is not None:
                    resumed[node.channel.key] = last
                    node.begin_with(unscaled(self._options, node.channel.key[1], last[1]))
                    if at_us - last[0] <= 2 * node.channel.gap_us:
                        back = max(back, at_us - last[0] + back)
        rows = self._readings_by_key(together.between(conn, {*self._outside, *self._mine}, at_us - back, at_us, moved))
        for key, found in rows.items():
            if key in self._engine.memories:
                self._engine.memories[key].insert(*map(list, zip(*found, strict=True)))
            deadband = self._treatments[key[1]].deadband if key in self._mine.values() else None
            if deadband is not None:
                deadband.resume(*found[-1])
        for key, (ts, value) in resumed.items():
            node_of = self._engine.node(key)
            if node_of is not None and at_us - ts <= back:
                node_of.resume(ts, unscaled(self._options, key[1], value))
                times = sorted({moment for source in node_of.triggers for moment in self._engine.memories[source].after(ts)})
                node_of.compute([moment for moment in times if moment < at_us])

    def go(
        self, conn: sqlite3.Connection, frontier: Frontier, until_us: int, rows: int, mends: dict[str, int | None], now_us: int
    ) -> _Computed:
        """Compute some more, and store it. Raises ``upsert.UpsertError``; then this run is not to be used any more."""
        self.waits, moved = False, frontier.moved_until_us
        found, end = together.some(conn, self._outside.keys(), self.at_us, until_us, moved, rows)
        self._stored = {key: {} for key in self._mine.values()}
        for key, readings in self._readings_by_key(together.between(conn, self._mine.keys(), self.at_us, end, moved)).items():
            self._stored[key] = {ts: (value, quality) for ts, value, quality in readings}
        self._newest_us = max(self._newest_us, found[-1][0]) if found else self._newest_us
        for key, readings in self._readings_by_key(found).items():
            self._engine.memories[key].insert(*map(list, zip(*readings, strict=True)))
        made = self._engine.replay({node.channel.key: self.at_us - 1 for node in self._engine.nodes})
        for node in self._engine.nodes:
            if node.channel.is_integral and node.state is not None:
                self.sums[node.channel.key] = node.state.ts, node.state.total
            elif node.channel.is_integral and node.seed:  # nothing has come since: the next reading adds to this
                self.sums[node.channel.key] = self.at_us - 1, node.seed
        done = _Computed(end, mends)
        for key, column in made:
            if key in self.ids:
                self._store_column(conn, frontier, key, column, done, now_us)
        self.at_us = end
        return done

    def wait(self) -> int:
        """All that is stored is computed; what comes next is after the newest input. Where it stands now."""
        self.waits, self.at_us = True, self._newest_us + 1
        return self.at_us

    def _store_column(
        self, conn: sqlite3.Connection, frontier: Frontier, key: Key, column: Column, done: _Computed, now_us: int
    ) -> None:
        """Store what was computed of one series, and add to ``done`` the outcome. Raises UpsertError."""
        series = self.ids[key]
        assert isinstance(column.quality, list)
        result = Result(series, column.times_us, column.values, column.quality)
        stored = recomputing.store_results(conn, frontier, result, done.mends.get(str(series)), now_us)
        done.add(result, stored, frontier.edge_us)

    def _treat(self, key: Key, made: Made) -> Column | None:
        """What is stored: with a deadband, what it keeps and what is there already."""
        treatment = self._treatments[key[1]]
        column = treated(treatment, key[1], made, thinned=False)
        if column is None or treatment.deadband is None:
            return column
        assert isinstance(column.quality, list)
        kept = set(treatment.deadband.keep(column.times_us, column.values, column.quality))
        stored = self._stored.get(key, {})
        chosen = [index for index, ts in enumerate(column.times_us) if index in kept or ts in stored]
        if not chosen:
            return None
        return Column(
            key[1],
            [column.times_us[index] for index in chosen],
            [column.values[index] for index in chosen],
            [column.quality[index] for index in chosen],
        )

    def _readings_by_key(self, rows: Sequence[Stamped]) -> dict[Key, list[Reading]]:
        found: dict[Key, list[Reading]] = {}
        for ts, series, value, quality in rows:
            found.setdefault(self._outside.get(series) or self._mine[series], []).append((ts, value, quality))
        return found
