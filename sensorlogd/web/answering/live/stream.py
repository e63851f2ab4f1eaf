"""Live readings as server-sent events: one check of the database serves all viewers, encoded once for all who want the same.

    event: latest     at the beginning: the rows of /api/v1/latest
    event: readings   what was committed since: rows of /api/v1/readings
    event: skipped    {"readings": n}: too many to pass on; /api/v1/readings has them
    event: events     what happened: rows of /api/v1/events
    event: sensors    sensors whose state changed: {"sensor", "state", "health", "error"}
    event: another_file  {}: another database took the place of the one before; whatever was answered before is of that one
    event: gap        {"since", "until"}: after a long absence, more than can be sent again; ask /api/v1/readings

Every message but ``skipped`` has an id; a browser that reconnects sends the last one it saw, and gets what it missed: from
memory exactly; after a restart of this process, or when nobody had been watching for a while, from the database, where some
readings may come a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sensorlogd.storage.query.log_reader import SeriesReading
from sensorlogd.storage.query.rows import event_row, reading_row
from sensorlogd.storage.series.stored import Series, matches
from sensorlogd.web.answering.live.sent_messages import SentMessages
from sensorlogd.web.answering.live.watch import AHEAD_US, Seen, Watch, overlap_us
from sensorlogd.web.answering.params import TimeForm, find_series
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.answering.questions import current, reading_pages
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.texts import dumps

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 0.25
QUIET_S = 15.0  # then a comment, so that proxies keep the connection
LINGER_S = 60.0  # checking goes on this long after the last viewer left, for those who come back
MAX_VIEWERS = 500
# For a viewer who does not read: he is let go, and resumes when he comes back.
MAX_WAITING_MESSAGES, MAX_WAITING_BYTES = 200, 1_000_000
MAX_MISSED_READINGS = 10_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a viewer wants to see, and how: viewers with equal subscriptions share what is encoded."""

    patterns: tuple[str, ...]
    form: TimeForm

    def wants(self, series: Series) -> bool:
        """Whether a pattern means the series. Without patterns: any series that is still configured."""
        if not self.patterns:
            return series.retired_us is None
        return any(matches(pattern, series.name) for pattern in self.patterns)


@dataclass(slots=True, eq=False)
class Viewer:
    """One open stream: the messages that wait for it, and whether it has ended."""

    subscription: Subscription
    waiting: deque[bytes] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False
    waiting_bytes: int = 0

    def push(self, message: bytes) -> bool:
        """Let a message wait to be sent. A viewer for whom too much waits already is let go, and resumes when he connects anew.
        Returns whether that happened just now."""
        if self.gone:
            return False
        if len(self.waiting) >= MAX_WAITING_MESSAGES or self.waiting_bytes >= MAX_WAITING_BYTES:
            self.take()
            self.leave()
            return True
        self.waiting.append(message)
        self.waiting_bytes += len(message)
        self.wake.set()
        return False

    def take(self) -> bytes:
        """All that waits, to be sent now."""
        found = b"".join(self.waiting)
        self.waiting.clear()
        self.waiting_bytes = 0
        return found

    def leave(self) -> None:
        """End the stream: the response sends what waits, and closes."""
        self.gone = True
        self.wake.set()


class Hub:
    """Checks the log while there are viewers. To be used on the event loop's thread; ``pool`` has one thread, which belongs to
    the hub."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.viewers: set[Viewer] = set()
        self.let_go = 0  # viewers who did not read
        self._watch = Watch()
        self._task: asyncio.Task[None] | None = None
        self.sent = SentMessages()
        self._wanted: dict[tuple[Subscription, str, bool], bool] = {}  # subscription, name of a series, whether it is configured
        self._closed = False
        self._checked = asyncio.Event()  # what was there when the checking began is known: all that comes later is pushed

    def join(self, subscription: Subscription) -> Viewer:
        """Add a viewer. Raises ApiError 503 when there are too many."""
        if len(self.viewers) >= MAX_VIEWERS or self._closed:
            raise ApiError(503, "busy", f"{len(self.viewers)} viewers are watching already", headers={"Retry-After": "10"})
        viewer = Viewer(subscription)
        self.viewers.add(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_checking(), name="stream")
        return viewer

    async def first_check(self) -> None:
        """Wait until a check of the log has succeeded, at most ten seconds. Whatever is read from the log after that, together with what
        is pushed, has no gap."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._checked.wait(), 10.0)

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer, whether it was known or not."""
        self.viewers.discard(viewer)

    def close(self) -> None:
        """End every stream. The pool is closed by its owner."""
        self._closed = True
        for viewer in self.viewers:
            viewer.leave()
        if self._task is not None:
            self._task.cancel()

    async def _keep_checking(self) -> None:
        """Check the log and push what is new, until nobody has been watching for a while. A check that fails does not end it."""
        quiet_at = time.monotonic() + QUIET_S
        idle_at = None
        while True:
            now = time.monotonic()
            if self.viewers:
                idle_at = None
            elif idle_at is None:
                idle_at = now + LINGER_S
            elif now >= idle_at:
                self._begin_anew()
                return
            try:
                self._share(await self.pool.run(lambda found: self._watch.check(found, time.time_ns() // 1000)))
                self._checked.set()
            except ApiError as error:  # no database at this moment: looked for again
                logger.debug("stream: %s", error)
            except Exception:  # whatever it is: the viewers stay, and the next check may succeed
                logger.exception("stream: a check of the database failed")
                await asyncio.sleep(5.0)
            if now >= quiet_at:
                quiet_at = now + QUIET_S
                for viewer in self.viewers:
                    self._push(viewer, b": \n\n")
            await asyncio.sleep(CHECK_EVERY_S)

    def _begin_anew(self) -> None:
        """Forget all: nobody sees what is committed from now on, so whoever comes back is answered by the database, not by what is
        kept."""
        self._watch = Watch()
        self._checked.clear()
        self.sent.forget()

    def _share(self, seen: Seen) -> None:
        """Push what was seen to every viewer who wants it, encoded once for each subscription."""
        if not seen:
            return
        number = self.sent.keep(seen)
        encoded: dict[Subscription, bytes] = {}
        for viewer in self.viewers:
            message = encoded.get(viewer.subscription)
            if message is None:
                message = encoded[viewer.subscription] = self.encode(number, seen, viewer.subscription)
            if message:
                self._push(viewer, message)

    def _push(self, viewer: Viewer, message: bytes) -> None:
        self.let_go += viewer.push(message)

    def encode(self, number: int, seen: Seen, subscription: Subscription) -> bytes:
        """The messages that a viewer with this subscription gets of what was seen."""
        identity, form = self.sent.identity(number, seen.until_us), subscription.form
        messages = []
        if seen.is_another_file:
            messages.append(message("another_file", {}, identity))
        rows = [reading_as_row(reading, form) for reading in seen.readings if self._wants(subscription, reading)]
        if rows:
            messages.append(message("readings", rows, identity))
        if seen.skipped:
            messages.append(message("skipped", {"readings": seen.skipped}))
        if seen.events:
            events = [{"id": event.id, **event_row(event, form.zone), "time": form(event.ts_us)} for event in seen.events]
            messages.append(message("events", events, identity))
        if seen.sensors:
            sensors = [
                {"sensor": sensor.sensor, "state": sensor.state, "health": health, "error": sensor.last_error}
                for sensor, health in seen.sensors
            ]
            messages.append(message("sensors", sensors, identity))
        return b"".join(messages)

    def _wants(self, subscription: Subscription, reading: SeriesReading) -> bool:
        key = (subscription, reading.series.name, reading.series.retired_us is None)
        known = self._wanted.get(key)
        if known is None:
            if len(self._wanted) > 100_000:
                self._wanted.clear()
            known = self._wanted[key] = subscription.wants(reading.series)
        return known


def reading_as_row(reading: SeriesReading, form: TimeForm) -> dict[str, Any]:
    """A reading as the API gives it, in the unit in which it is stored."""
    row = reading_row(reading, form.zone)
    if form.kind != "rfc3339":
        row["time"] = form(reading.ts_us)
    return row


def message(kind: str, data: Any, identity: str | None = None) -> bytes:
    """A server-sent event: its kind, and ``data`` as one line of JSON."""
    head = f"id: {identity}\n" if identity is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + dumps(data) + b"\n\n"


_LAST_PART: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class StreamResponse(Response):
    """Sends what the hub pushes, until the client leaves."""

    def __init__(self, hub: Hub, viewer: Viewer, first: Callable[[], Any]) -> None:
        self.hub = hub
        self.viewer = viewer
        self.first = first
        self.background = None
        self.status_code = 200
        self.init_headers(
            {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listener = asyncio.create_task(self._wait_until_gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                first = await self.first()
            except ApiError as error:  # the status is sent already: the client is cut off and comes back
                logger.warning("stream: it ended before its first message: %s", error)
                await send(_LAST_PART)
                return
            await send(_body_part(b"retry: 3000\n\n" + first))
            await self._send_pushed(send)
        finally:
            self.hub.leave(self.viewer)
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    async def _send_pushed(self, send: Send) -> None:
        """Send the messages that are pushed, until the viewer is gone."""
        viewer = self.viewer
        while not viewer.gone:
            await viewer.wake.wait()
            viewer.wake.clear()
            if viewer.waiting:
                await send(_body_part(viewer.take()))
        await send(_LAST_PART)

    async def _wait_until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.viewer.leave()


def _body_part(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def open_stream(request: Request, pool: Pool, patterns: Sequence[str], form: TimeForm, last: str | None) -> Response:
    """The answer to /api/v1/stream. Raises ApiError for unknown series, and when there are too many viewers."""
    hub: Hub = request.app.state.hub
    subscription = Subscription(tuple(patterns), form)
    if last is not None:
        hub.sent.since(last)
    # Whoever is not known is refused before anything is sent.
    await pool.run(lambda found: find_series(found, list(patterns)))
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    viewer = hub.join(subscription)
    # From here on nothing is waited for until what was missed is known: nothing falls between it and what is pushed.
    missed, at_us = hub.sent.since(last) if last is not None else (None, 0)
    identity = hub.sent.now()

    async def first() -> bytes:
        if missed is not None:
            return b"".join(hub.encode(number, seen, subscription) for number, seen in missed)
        await hub.first_check()
        if last is not None:
            return await _missed_in_database(pool, subscription, at_us, identity)
        now_us = time.time_ns() // 1000
        rows = await pool.run(lambda found: current.latest(found, list(patterns), now_us, form)["latest"])
        return message("latest", rows, identity)

    return StreamResponse(hub, viewer, first)


async def _missed_in_database(pool: Pool, subscription: Subscription, at_us: int, identity: str) -> bytes:
    """The message with the readings since ``at_us``, for a viewer who comes back too late for what is kept; if there are too
    many, it names only the range that they lie in."""
    now_us = time.time_ns() // 1000
    since_us = at_us - AHEAD_US - await pool.run(overlap_us)
    if since_us >= now_us:
        return b""
    ask = reading_pages.ReadingsQuery(list(subscription.patterns), since_us, now_us + 1, None, subscription.form)
    found, following = await pool.run(lambda found: reading_pages.page_of_readings(found, ask, None, MAX_MISSED_READINGS))
    if following is not None:
        return message("gap", {"since": subscription.form(since_us), "until": subscription.form(now_us)}, identity)
    return message("readings", [reading_as_row(reading, subscription.form) for reading in found], identity)
