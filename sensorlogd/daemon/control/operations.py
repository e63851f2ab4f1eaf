"""What other verbs may have the one writer do: rebuild, give back space, mend, import.

Every act is small: one transaction on the writer thread, some tens of milliseconds, so that readings are never kept
waiting; the verb asks again until nothing is left. All may be repeated: a verb that is interrupted is called again.
The daemon answers them over its control socket; with the daemon down the verb holds its lock and runs the same code
(``daemon.control.offline``).
"""

from __future__ import annotations

import base64
import sqlite3
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sensorlogd.daemon.rollups.coordinator import Aggregation
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.storage import series as catalogued
from sensorlogd.storage import work
from sensorlogd.storage.corrections import mend as mending
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.ingest import upsert as placing
from sensorlogd.storage.rollups import outdated

T = TypeVar("T")
ANSWER_S = 25.0
SLICE_S = 0.03  # how long an act holds the writer
REQUEST_S = 0.3  # how long a request that has more to do goes on


class ActError(ValueError):
    """It was not done; the text says why."""


class Acts:
    """``handlers``: name of the request -> what is done. An answer's ``more`` says that the same request goes on."""

    def __init__(self, writer: Writer, aggregation: Aggregation) -> None:
        self.writer = writer
        self.aggregation = aggregation
        self._place_rows = 500.0
        self._pages = 100.0

    def handlers(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "roll_up": self.roll_up,
            "rebuild": self.rebuild,
            "compact": self.compact,
            "mend": self.mend,
            "undo": self.undo,
            "resume": self.resume,
            "work": self.work,
            "series": self.series,
            "place": self.place,
            "note": self.note,
        }

    def _run(self, name: str, run: Callable[[Any], T], *, transaction: bool = True) -> T:
        """Raises ActError when the writer does not come to it, and whatever ``run`` raises."""
        future = self.writer.submit(name, run, transaction=transaction)
        try:
            return future.result(ANSWER_S)
        except TimeoutError:
            reason = self.writer.stats().state_reason or "the writer is busy"
            what = "nothing was changed" if future.cancel() else "it may still be done, so look before you repeat it"
            raise ActError(f"not done within {ANSWER_S:.0f} s: {reason}; {what}") from None

    # ---- roll-ups, space -------------------------------------------------------------------------------------------

    def roll_up(self, _: dict[str, Any]) -> dict[str, Any]:
        """Roll-ups are to be made now."""
        self.aggregation.request()
        return {}

    def rebuild(self, request: dict[str, Any]) -> dict[str, Any]:
        """``series`` (ids), ``since_us`` or None: their roll-ups are computed anew."""
        since = request.get("since_us")
        wanted = [int(one) for one in request["series"]]
        now = self.writer.now_us()
        self._run(
            "rebuild", lambda db: outdated.mark(db.conn, wanted, now, outdated.BEGINNING_US if since is None else int(since))
        )
        self.aggregation.request()
        return {}

    def compact(self, _: dict[str, Any]) -> dict[str, Any]:
        """Give some free pages back to the file system."""

        def run(db: Any) -> dict[str, Any]:
            conn: sqlite3.Connection = db.conn
            began = time.perf_counter()
            (free,) = conn.execute("PRAGMA freelist_count").fetchone()
            conn.execute(f"PRAGMA incremental_vacuum({int(self._pages)})").fetchall()
            (left,) = conn.execute("PRAGMA freelist_count").fetchone()
            took = max(time.perf_counter() - began, 1e-4)
            self._pages = min(max(self._pages * min(max(SLICE_S / took, 0.3), 1.5), 10.0), 5_000.0)
            return {"freed_pages": free - left, "left_pages": left, "more": 0 < left < free}

        return self._run("compact", run)

    # ---- mending ---------------------------------------------------------------------------------------------------

    def mend(self, request: dict[str, Any]) -> dict[str, Any]:
        """``series``, ``since_us``, ``until_us``, ``quality`` or None, ``scale``, ``offset``, ``note``, ``total`` (about how
        many readings): have them changed. Answers the ``id`` of the mend and that of the ``work``."""
        change = mending.Change(request.get("quality"), float(request.get("scale", 1.0)), float(request.get("offset", 0.0)))
        series, since, until = (int(request[name]) for name in ("series", "since_us", "until_us"))
        note, total, now = str(request["note"]), request.get("total"), self.writer.now_us()
        return self._order(lambda db: mending.order(db.conn, series, since, until, change, note, now, total=total))

    def undo(self, request: dict[str, Any]) -> dict[str, Any]:
        """``id``: have a mend taken back. Answers ``id`` and ``work``."""
        identity, now = int(request["id"]), self.writer.now_us()
        return self._order(lambda db: mending.order_undo(db.conn, identity, now))

    def resume(self, request: dict[str, Any]) -> dict[str, Any]:
        """``id``: go on with a mend that an older release did not finish. Answers ``id`` and ``work``."""
        identity, now = int(request["id"]), self.writer.now_us()
        return self._order(lambda db: mending.order_resume(db.conn, identity, now))

    def _order(self, run: Callable[[Any], tuple[int, int]]) -> dict[str, Any]:
        identity, ordered = self._run("mend", run)
        return {"id": identity, "work": ordered}

    def work(self, request: dict[str, Any]) -> dict[str, Any]:
        """``id`` of a piece of work. Answers its ``state``, ``done`` of ``total``, and in the end the ``outcome``."""
        identity = int(request["id"])
        one = self._run("work", lambda db: work.find(db.conn, identity), transaction=False)
        if one is None:
            raise ActError(f"there is no work {identity}")
        return {"state": one.state, "done": one.done, "total": one.total, "outcome": one.outcome}

    # ---- importing -------------------------------------------------------------------------------------------------

    def series(self, request: dict[str, Any]) -> dict[str, Any]:
        """``specs``: [{sensor, channel, unit, kind, heartbeat_us}]. Answers ``ids``, made where there was none."""
        now = self.writer.now_us()
        self._run("import", lambda db: db.upkeep.expect_the_past(db.conn, db.frontier, now), transaction=False)
        return {
            "ids": self._run(
                "series", lambda db: [catalogued.ensure(db.conn, catalogued.Wanted(**one), now) for one in request["specs"]]
            )
        }

    def place(self, request: dict[str, Any]) -> dict[str, Any]:
        """``series``, ``times``, ``values`` (NaN: missing), ``qualities`` (arrays, base64); ``replace``: {``mend``, ``note``}
        or None.

        Answers the counts, the ``mend`` that keeps what was replaced, how many readings are ``done``, and why the rest is
        not yet: ``busy``, empty when all are.
        """
        times, values, qualities = array("q"), array("d"), array("q")
        for column, name in ((times, "times"), (values, "values"), (qualities, "qualities")):
            column.frombytes(base64.b64decode(request[name]))
        numbers = [None if value != value else value for value in values]
        replace = None if request.get("replace") is None else placing.Replace(**request["replace"])
        placed, at, busy = placing.Placed(), 0, ""
        while at < len(times):
            end = at + int(self._place_rows)
            columns = times[at:end], numbers[at:end], qualities[at:end]
            try:
                took, some = self._place_slice(int(request["series"]), columns, replace)
            except placing.Busy as reason:
                busy = str(reason)
                break
            placed.add(some)
            if replace is not None:
                replace = placing.Replace(some.mend, replace.note)
            if end <= len(times):
                self._place_rows = min(max(self._place_rows * min(max(SLICE_S / took, 0.3), 1.5), 50.0), 20_000.0)
            at = min(end, len(times))
        counts = {name: getattr(placed, name) for name in placing.COUNTS}
        return counts | {"mend": None if replace is None else replace.mend, "done": at, "busy": busy}

    def _place_slice(
        self, series: int, columns: tuple[Any, Any, Any], replace: placing.Replace | None
    ) -> tuple[float, placing.Placed]:
        def run(db: Any) -> tuple[float, placing.Placed]:
            began = time.perf_counter()
            placed = placing.place(db.conn, db.frontier, series, *columns, self.writer.now_us(), replace=replace)
            if placed.replaced:
                latest.renew(db.conn, db.newest, [series])
            return max(time.perf_counter() - began, 1e-4), placed

        return self._run("import", run)

    def note(self, request: dict[str, Any]) -> dict[str, Any]:
        """``kind``, ``sensor`` or None, ``detail``: an event."""
        self.writer.emit(str(request["kind"]), request.get("sensor"), str(request["detail"]))
        return {}
