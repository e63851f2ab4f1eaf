"""``Tail``, an iterator over readings as they are committed, which waits for the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from sensorlogd.api.connections import Connections, Lease
from sensorlogd.api.troubles import LogClosed, LogLocked
from sensorlogd.storage.file.reader import LogDamaged, LogUnavailable
from sensorlogd.storage.query.following import Following, Late
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.series.stored import Series

CHECK_EVERY_S = 0.25
WHOLE_EVERY_S, WHOLE_SHARE = 1.0, 10  # a pass over everything, which takes a tenth of the time at most
GONE_WITHIN_S = 5.0  # the file may be missing this long while it is exchanged


class Tail(Iterator[SeriesReading]):
    """``for reading in tail``: every reading that is committed from now on, once; waits for the next one.

    ``late``: where readings came so late that they could not be followed (before the edge of what is rolled up, a minute or two); ask
    ``Log.readings`` for those ranges. ``stop``, from any thread: the iteration ends at once. For one thread otherwise.
    """

    def __init__(
        self,
        connections: Connections,
        resolve: Callable[[LogReader], list[Series]],
        since_us: int,
        until_s: float | None,
        stop: threading.Event | None = None,
    ) -> None:
        """``until_s``: a moment of the monotonic clock. Raises UnknownSeries, LogUnavailable."""
        self._connections = connections
        self._resolve = resolve
        self._following = Following(connections.ask(resolve), since_us)
        self._until_s = until_s
        self._over = stop if stop is not None else threading.Event()
        self._readings = self._follow()
        self._seen: tuple[Lease, int] | None = None  # the connection that was used last, and the version of the data then
        self._whole_is_due = 0.0
        self._whole: bool | None = None  # the pass that is going on; None: none is

    @property
    def late(self) -> list[Late]:
        """The readings that arrived too late to be given in their order, as far as they were noticed; see ``Following``."""
        return self._following.late

    def __iter__(self) -> Tail:
        return self

    def __next__(self) -> SeriesReading:
        return next(self._readings)

    def stop(self) -> None:
        """End the iteration; idempotent. A thread that waits for the next reading is woken. An event that was passed in is set."""
        self._over.set()

    def _follow(self) -> Iterator[SeriesReading]:
        """The readings, until the time is over or ``stop``. A file that is missing or locked for a moment is waited for; raises
        LogClosed, LogUnavailable."""
        left = True  # there may be readings that were not seen yet
        away_since: float | None = None
        while True:
            ends = self._until_s is not None and time.monotonic() >= self._until_s
            try:
                left = self._has_changed() or left
                if left:
                    whole = ends or time.monotonic() >= self._whole_is_due
                    yield from self._look(whole)
                    left = not whole
                away_since = None
            except LogLocked:
                pass  # committed readings are not lost: the pass goes on as soon as it can
            except LogUnavailable as error:
                away_since = away_since or time.monotonic()
                if isinstance(error, LogDamaged) or time.monotonic() - away_since > GONE_WITHIN_S:
                    raise
            if ends or self._over.wait(self._pause()):
                return
            if self._connections.closed:
                raise LogClosed(self._connections.path)

    def _pause(self) -> float:
        return CHECK_EVERY_S if self._until_s is None else min(CHECK_EVERY_S, max(self._until_s - time.monotonic(), 0.0))

    def _look(self, whole: bool) -> Iterator[SeriesReading]:
        """Read what is new. A pass that an error cut short goes on where it was, followed by another if it was not a whole
        one."""
        begun = time.monotonic()
        if self._whole is None:
            self._connections.ask(lambda log: self._begin_look(log, whole))
        while (page := self._connections.ask(self._following.page)) is not None:
            for reading in page:
                if self._over.is_set():
                    return
                yield reading
        self._following.end()
        done, self._whole = self._whole, None
        now = time.monotonic()
        if done:
            self._whole_is_due = now + max(WHOLE_EVERY_S, (now - begun) * WHOLE_SHARE)
        elif whole:
            yield from self._look(whole)

    def _begin_look(self, log: LogReader, whole: bool) -> None:
        """Begin a pass over the log. A whole one also resolves the names again, so that new series are followed."""
        if whole:
            self._following.use(self._resolve(log))
        self._following.begin(log, time.time_ns() // 1000, whole=whole)
        self._whole = whole

    def _has_changed(self) -> bool:
        """Whether anything was committed since the last pass; true if that is not known."""
        with self._connections.borrow() as lease:
            with lease.use() as log:
                seen = (lease, log.version())
            if self._seen is not None and lease.identity != self._seen[0].identity:
                self._following.new_file()
        changed, self._seen = seen != self._seen, seen
        return changed
