"""What other verbs may have the one writer do: rebuild, give back space, mend, import.

Every act is small: one transaction on the writer thread, some tens of milliseconds, so that readings are never kept
waiting; the verb asks again until nothing is left. All may be repeated: a verb that is interrupted is called again.
The daemon answers them over its control socket; with the daemon down the verb holds its lock and runs the same code
(``daemon.offline``).
"""

from __future__ import annotations

import base64
import sqlite3
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sensorlogd.daemon.aggregation import Aggregation
from sensorlogd.daemon.writer import Writer
from sensorlogd.storage import events, stale
from sensorlogd.storage import mend as mending
from sensorlogd.storage import series as catalogued
from sensorlogd.storage.place import Placed, place

T = TypeVar("T")
ANSWER_S = 25.0
SLICE_S = 0.03  # how long an act holds the writer
REQUEST_S = 0.3  # how long a request that has more to do goes on


class ActError(Exception):
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
            "mend_step": self.mend_step,
            "undo": self.undo,
            "undo_step": self.undo_step,
            "series": self.series,
            "place": self.place,
            "note": self.note,
        }

    def _run(self, name: str, run: Callable[[sqlite3.Connection], T], *, transaction: bool = True) -> T:
        """Raises ActError when the writer does not come to it, and whatever ``run`` raises."""
        try:
            return self.writer.submit(name, run, transaction=transaction).result(ANSWER_S)
        except TimeoutError:
            reason = self.writer.stats().state_reason or "the writer is busy"
            raise ActError(
                f"not done within {ANSWER_S:.0f} s: {reason}; it may still be done, so look before you repeat it"
            ) from None

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
        self._run("rebuild", lambda conn: stale.mark(conn, wanted, now, stale.BEGINNING_US if since is None else int(since)))
        self.aggregation.request()
        return {}

    def compact(self, _: dict[str, Any]) -> dict[str, Any]:
        """Give some free pages back to the file system."""

        def run(conn: sqlite3.Connection) -> dict[str, Any]:
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
        """``series``, ``since_us``, ``until_us``, ``quality`` or None, ``scale``, ``offset``, ``note``: begin. Answers ``id``."""
        change = mending.Change(request.get("quality"), float(request.get("scale", 1.0)), float(request.get("offset", 0.0)))
        now = self.writer.now_us()

        def run(conn: sqlite3.Connection) -> int:
            identity = mending.begin(
                conn,
                int(request["series"]),
                int(request["since_us"]),
                int(request["until_us"]),
                change,
                str(request["note"]),
                now,
            )
            self._tell(conn, mending.find(conn, identity), "mended", request["note"])
            return identity

        return {"id": self._run("mend", run)}

    def mend_step(self, request: dict[str, Any]) -> dict[str, Any]:
        """``id``: go on."""
        return self._step(request, mending.step)

    def undo(self, request: dict[str, Any]) -> dict[str, Any]:
        """``id``: begin to take it back."""

        def run(conn: sqlite3.Connection) -> None:
            self._tell(conn, mending.check_undo(conn, int(request["id"])), "mend_undone", "")

        self._run("undo", run)
        return {}

    def undo_step(self, request: dict[str, Any]) -> dict[str, Any]:
        """``id``: go on."""
        return self._step(request, mending.undo_step)

    def _step(self, request: dict[str, Any], step: Callable[..., tuple[int, bool]]) -> dict[str, Any]:
        """Some slices, each a transaction between which readings are stored; then an answer, so that progress is seen."""
        now, identity = self.writer.now_us(), int(request["id"])

        def run(conn: sqlite3.Connection) -> tuple[int, bool]:
            done = step(conn, self.writer.frontier, identity, now)
            self.writer.was_mended(conn, mending.find(conn, identity).series)
            return done

        until, changed, more = time.monotonic() + REQUEST_S, 0, True
        while more and time.monotonic() < until:
            some, more = self._run("mend", run)
            changed += some
        if not more:
            self.aggregation.request()
        return {"changed": changed, "more": more}

    def _tell(self, conn: sqlite3.Connection, one: mending.Mend, kind: str, note: str) -> None:
        sensor, channel = conn.execute(
            "SELECT sensor.name, channel FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.id = ?", (one.series,)
        ).fetchone()
        detail = f"{channel}: mend {one.id}, {one.tell()}" + (f": {note}" if note else "")
        events.record(conn, self.writer.now_us(), kind, sensor, detail)

    # ---- importing -------------------------------------------------------------------------------------------------

    def series(self, request: dict[str, Any]) -> dict[str, Any]:
        """``specs``: [{sensor, channel, unit, kind, heartbeat_us}]. Answers ``ids``, made where there was none."""
        writer, now = self.writer, self.writer.now_us()
        self._run("import", lambda conn: writer.upkeep.expect_the_past(conn, writer.frontier, now), transaction=False)
        return {
            "ids": self._run(
                "series", lambda conn: [catalogued.ensure(conn, catalogued.Wanted(**one), now) for one in request["specs"]]
            )
        }

    def place(self, request: dict[str, Any]) -> dict[str, Any]:
        """``series``, ``times``, ``values`` (NaN: missing), ``qualities`` (arrays, base64), ``replace``. Answers the counts."""
        times, values, qualities = array("q"), array("d"), array("q")
        for column, name in ((times, "times"), (values, "values"), (qualities, "qualities")):
            column.frombytes(base64.b64decode(request[name]))
        numbers = [None if value != value else value for value in values]
        placed, at = Placed(), 0
        while at < len(times):
            end = at + int(self._place_rows)
            took, some = self._place_slice(request, times[at:end], numbers[at:end], qualities[at:end])
            placed.add(some)
            if end <= len(times):
                self._place_rows = min(max(self._place_rows * min(max(SLICE_S / took, 0.3), 1.5), 50.0), 20_000.0)
            at = end
        return {name: getattr(placed, name) for name in Placed.__slots__}

    def _place_slice(self, request: dict[str, Any], times: Any, values: Any, qualities: Any) -> tuple[float, Placed]:
        def run(conn: sqlite3.Connection) -> tuple[float, Placed]:
            began = time.perf_counter()
            placed = place(
                conn, self.writer.frontier, int(request["series"]), times, values, qualities, self.writer.now_us(),
                replace=bool(request.get("replace")),
            )  # fmt: skip
            return max(time.perf_counter() - began, 1e-4), placed

        return self._run("import", run)

    def note(self, request: dict[str, Any]) -> dict[str, Any]:
        """``kind``, ``sensor`` or None, ``detail``: an event."""
        self.writer.emit(str(request["kind"]), request.get("sensor"), str(request["detail"]))
        return {}
