"""Computes the readings of computed sensors: on the writer thread, between inbox and commit.

Every block that leaves the inbox passes here, in order, before it joins the batch that is committed. The readings computed from
it join the same batch right after it, so one transaction stores both, and both are tried again or spilled together. Nothing is
computed from readings that the inbox had to drop. A fault of this code costs the computed readings of one block, never the block.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sensorlogd.batch import Block, Column
from sensorlogd.computed.channel import Channel, Key, Made, Node
from sensorlogd.computed.engine import Engine
from sensorlogd.daemon.computing import warm_up
from sensorlogd.daemon.computing.computed_sensor import ComputedSensor, is_rescaled, unscaled
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.notation.times import format_time
from sensorlogd.storage.corrections import recomputing
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.reading_tables.readings import Reading

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Formulas:
    """What is to be computed. ``channels``: in order, each after its inputs; ``sensors``: those that they belong to."""

    channels: Sequence[Channel] = ()
    sensors: Mapping[str, ComputedSensor] = field(default_factory=dict)


class Computing:
    """Computes the readings of computed sensors. Owned by the writer thread. ``emit`` must not block."""

    def __init__(self, formulas: Formulas, emit: Emit) -> None:
        self.formulas = formulas
        self.emit = emit
        self.engine = self._make_engine(None)
        self._db: OpenDatabase | None = None
        self._is_warm = False
        self._made_s = time.monotonic()
        self._faults = 0

    def opened(self, db: OpenDatabase, now_us: int) -> list[Block]:
        """A database was opened. At the first opening, returns what is still to be computed from stored readings. After a fault
        in that, integrals are left out until the next start or reload, because they would begin at 0. Raises sqlite3.Error,
        OSError if what is stored cannot be read; then the next call does it."""
        self._db = db
        if self._is_warm:
            return []
        made: list[Block] = []
        try:
            made, from_zero = self._warm_up(self.engine.nodes)
            self._mend_after_salvage(db, from_zero, now_us)
        except (sqlite3.Error, OSError):
            raise
        except Exception as error:
            self.engine = Engine([each for each in self.formulas.channels if not each.is_integral], self._treat, self._count)
            self._report_fault("at the start, and integrals are not until the next start or reload", error)
        self._is_warm = True
        return made

    def use(self, formulas: Formulas) -> list[Block]:
        """Use these formulas from the next block on, once all before it is committed and the database knows the
        sensors. Channels that are unchanged keep their state. Returns what is still to be computed from stored
        readings. A fault leaves the former ones in use. Raises sqlite3.Error, OSError if what is stored cannot be read;
        then the former ones stay, and it may be called again."""
        former = self.formulas, self.engine
        self.formulas = formulas
        try:
            self.engine = self._make_engine(self.engine, _rescaled(former[0], formulas))
            for name, sensor in formulas.sensors.items():
                if name in former[0].sensors:
                    sensor.go_on_from(former[0].sensors[name])
            made = self._warm_up(self.engine.new_nodes)[0] if self._is_warm else []
            self._faults = 0  # those of the former formulas say nothing of these
            return made
        except (sqlite3.Error, OSError):
            self.formulas, self.engine = former
            raise
        except Exception as error:
            self.formulas, self.engine = former
            self._report_fault("by the new formulas, the former ones stay", error)
            return []

    def follow(self, block: Block) -> list[Block]:
        """The blocks of readings that follow from ``block``. Raises nothing."""
        if not self.engine.nodes or not self._is_warm or not block.rows:
            return []
        try:
            return _blocks_by_sensor(self.engine.feed(block.sensor, block.columns))
        except Exception as error:
            self._report_fault(f"from readings of {block.sensor}", error)
            return []

    def _make_engine(self, former: Engine | None, anew: frozenset[Key] = frozenset()) -> Engine:
        return Engine(self.formulas.channels, self._treat, self._count, former, anew)

    def _treat(self, key: Key, made: Made) -> Column | None:
        return self.formulas.sensors[key[0]].treat(key[1], made)

    def _count(self, key: Key, counter: str, n: int, example: str) -> None:
        self.formulas.sensors[key[0]].count(counter, n, example)

    def _seed(self, key: Key, reading: Reading) -> None:
        self.formulas.sensors[key[0]].seed(key[1], *reading)

    def _unscaled(self, key: Key, stored: float) -> float:
        return unscaled(self.formulas.sensors[key[0]].options, key[1], stored)

    def _warm_up(self, nodes: Sequence[Node]) -> tuple[list[Block], Sequence[Key]]:
        """Give ``nodes`` the past that is stored. Returns (what is still to be computed from it, the integrals that began at 0).
        Raises sqlite3.Error, OSError if it cannot be read, and whatever a fault of ours raises: without their past, integrals would
        begin at 0."""
        db = self._db
        if not nodes or db is None:
            return [], ()
        warmed = warm_up.warm(db.conn, db.catalog.ids, db.frontier.moved_until_us, self.engine, nodes, self._seed, self._unscaled)
        made = _blocks_by_sensor(warmed.made)
        self._report_behind(db, warmed.not_continued)
        return made, warmed.from_zero

    def _mend_after_salvage(self, db: OpenDatabase, from_zero: Sequence[Key], now_us: int) -> None:
        """Integrals begin at 0 in a database that was begun beside a damaged one: once their last sums are back, what
        this process has stored since it began is computed anew, and they go on from there."""
        sensors = {key[0] for key in from_zero}
        formulas: dict[str, dict[str, str]] = {}
        for channel in self.formulas.channels:
            if channel.key[0] in sensors:
                formulas.setdefault(channel.key[0], {})[channel.key[1]] = channel.formula.text
        if not formulas:
            return
        since_us = now_us - int((time.monotonic() - self._made_s) * 1e6)
        try:
            with db.transaction() as conn:
                for sensor in recomputing.order_after_salvage(conn, formulas, since_us, now_us):
                    logger.warning("computed sensors: %s is computed anew once the salvage is done: its sum began at 0", sensor)
        except Exception as error:
            logger.warning("computed sensors: sums began at 0, and it could not be ordered to put them right: %s", error)

    def _report_behind(self, db: OpenDatabase, behind: Sequence[Key]) -> None:
        """Record as events which sensors are too far behind to be computed now. Raises nothing."""
        try:
            self._emit_behind(db, behind)
        except Exception as error:
            logger.warning("computed sensors: how far they are behind could not be read: %s", error)

    def _emit_behind(self, db: OpenDatabase, behind: Sequence[Key]) -> None:
        for sensor in dict.fromkeys(key[0] for key in behind):
            newest = latest.saved(db.conn, {db.catalog.ids[key] for key in behind if key[0] == sensor})
            since = format_time(min(ts for ts, *_ in newest.values())) if newest else "..."
            detail = f"its newest reading is of {since}, and much came since; sensorlogd recompute {sensor} --since {since}"
            self.emit(EventKind.COMPUTED_BEHIND, sensor, detail)

    def _report_fault(self, what: str, error: Exception) -> None:
        self._faults += 1
        if self._faults <= 3:  # every reading may raise the same fault: log it once
            logger.exception("computed sensors: a fault %s", what)
            self.emit(EventKind.COMPUTED_FAILED, None, f"nothing was computed {what}: {type(error).__name__}: {error}")


def _rescaled(former: Formulas, formulas: Formulas) -> frozenset[Key]:
    """Channels with another scale or offset than before: what a sum goes on from is their stored reading, read by the
    new scale."""
    return frozenset(
        channel.key
        for channel in formulas.channels
        if (before := former.sensors.get(channel.key[0])) is not None
        and is_rescaled(before.options, formulas.sensors[channel.key[0]].options, channel.key[1])
    )


def _blocks_by_sensor(made: Sequence[tuple[Key, Column]]) -> list[Block]:
    """One block for each sensor, in order; columns of the same times share their list. Their times are their identity."""
    columns: dict[str, list[Column]] = {}
    for (sensor, _), column in made:
        together = columns.setdefault(sensor, [])
        if together and together[0].times_us == column.times_us:
            column = Column(column.channel, together[0].times_us, column.values, column.quality)
        together.append(column)
    return [Block(sensor, found, device_time=True) for sensor, found in columns.items()]
