"""What may be changed from a page: readings flagged, that taken back, a note written, an alarm acknowledged, a view saved.

The daemon does it; this process only asks. ``serving.changing`` has decided before who may. Series and alarms are named
exactly: no glob changes more than was seen.
"""

from __future__ import annotations

import contextlib
import difflib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sensorlogd import calling, notes, saved_views
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation import times
from sensorlogd.quality import Flag
from sensorlogd.storage.alarms import states
from sensorlogd.storage.file.holder import holder
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series
from sensorlogd.storage.work import State
from sensorlogd.web.answering import bodies
from sensorlogd.web.answering.bodies import RequestBody
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.encode import json_answer
from sensorlogd.web.refusal import ApiError, bad_parameter
from sensorlogd.web.settings import Settings

T = TypeVar("T")
FIELDS = {
    "flag": ("series", "quality", "since", "until", "note", "by"),
    "undo": ("mend",),
    "note": ("series", "at", "note", "by"),
    "ack": ("alarms", "note", "by"),
    "panel_save": ("name", "view"),
    "panel_delete": ("name",),
}
QUALITIES = tuple(flag.name.lower() for flag in (Flag.GOOD, Flag.NOT_EVALUATED, Flag.SUSPECT, Flag.FAIL))
MAX_SERIES = 40
MAX_ALARMS = 100
ANSWER_WITHIN_S = 10.0
WATCH_S = 3.0  # the answer waits this long for a mend to be done
START_IT = "start it: systemctl start sensorlogd, or sensorlogd run; sensorlogd status says how it is"
MAX_CHANGES_AT_ONCE = 2  # requests that change something


async def flag(request: Request) -> Response:
    """POST /api/v1/flag."""
    body = await _read_body(request, "flag")
    quality = body.text("quality")
    if quality not in QUALITIES:
        raise bad_parameter("quality", f"{ascii(quality)[1:-1][:100]} is not known", f"allowed: {', '.join(QUALITIES)}")
    since, until = body.time_us("since"), body.time_us("until")
    if since >= until:
        raise bad_parameter("since", "is not before until")
    note = _note_text(body)
    names = body.texts("series", MAX_SERIES)

    def find(log: LogReader) -> tuple[list[Series], int]:
        found = _series(log, names)
        wanted = [series for series in found if next(iter(log.readings([series], since, until)), None) is not None]
        if not wanted:
            raise ApiError(
                409, "no_readings", "there are no readings in this range", hint=_where_readings_are(log, found, body.zone)
            )
        return wanted, log.epoch()

    wanted, epoch = await _pool(request).run(find)

    def order(daemon: DaemonClient) -> dict[str, Any]:
        return _flag_each(
            daemon, wanted, epoch=epoch, since_us=since, until_us=until, quality=int(Flag[quality.upper()]), note=note
        )

    return json_answer(request, await _daemon(request, order))


async def undo(request: Request) -> Response:
    """POST /api/v1/undo."""
    mend = (await _read_body(request, "undo")).whole("mend")

    def order(daemon: DaemonClient) -> dict[str, Any]:
        answer = daemon(do="undo", id=mend)
        daemon(do="roll_up")
        return _mend(daemon, answer, time.monotonic() + WATCH_S)

    return json_answer(request, await _daemon(request, order))


async def note(request: Request) -> Response:
    """POST /api/v1/note."""
    body = await _read_body(request, "note")
    at = body.time_us("at")
    detail = _note_text(body)
    names = body.texts("series", MAX_SERIES)
    found = await _pool(request).run(lambda log: _series(log, names))
    sensors: dict[str, list[str]] = {}
    for series in found:
        sensors.setdefault(series.sensor, []).append(series.channel)

    def order(daemon: DaemonClient) -> None:
        for sensor, channels in sensors.items():
            said = f"{', '.join(channels)}: {detail}"
            daemon(do="note", kind=EventKind.NOTE, sensor=sensor, detail=said, at_us=at)

    await _daemon(request, order)
    return json_answer(request, {"noted": len(sensors)})


async def ack(request: Request) -> Response:
    """POST /api/v1/ack."""
    body = await _read_body(request, "ack")
    names = body.texts("alarms", MAX_ALARMS)
    note = _note_text(body) if body.text("note", "").strip() else notes.one_line(body.text("by", "", notes.MAX_NAME_LENGTH))
    await _pool(request).run(lambda log: _check_alarms(log, names))
    answer = await _daemon(request, lambda ask: ask(do="alarm_ack", alarms=names, note=note))
    return json_answer(request, {"acknowledged": answer["acknowledged"]})


async def save_view(request: Request) -> Response:
    """POST /api/v1/panel_save."""
    body = await _read_body(request, "panel_save")
    try:
        view = saved_views.saved_view(body.text("name"), body.text("view", limit=saved_views.MAX_VIEW_LENGTH), 0)
    except saved_views.SavedViewError as error:
        raise ApiError(400, "bad_parameter", str(error)) from None
    await _daemon(request, lambda ask: ask(do="panel_save", name=view.name, view=view.view))
    return json_answer(request, {"name": view.name})


async def delete_view(request: Request) -> Response:
    """POST /api/v1/panel_delete."""
    name = (await _read_body(request, "panel_delete")).text("name")
    await _daemon(request, lambda ask: ask(do="panel_delete", name=name))
    return json_answer(request, {"name": name})


# ---- what they share ---------------------------------------------------------------------------------------------------


async def _read_body(request: Request, endpoint: str) -> RequestBody:
    settings: Settings = request.app.state.settings
    return RequestBody(await bodies.read(request), FIELDS[endpoint], time.time_ns() // 1000, settings.zone)


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


def _note_text(body: RequestBody) -> str:
    """The text of the note, with the name of who writes it. Raises ApiError 400."""
    try:
        return notes.said(body.text("note"), body.text("by", ""))
    except ValueError as error:
        raise bad_parameter("note", str(error)) from None


def _series(log: LogReader, names: list[str]) -> list[Series]:
    """The series named in the body. Raises ApiError 404 for one that does not exist."""
    known = {series.name: series for series in log.series(retired=True)}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name[:200], known, 3)
            hint = f"did you mean {', '.join(near)}?" if near else "/api/v1/sensors lists all"
            raise ApiError(404, "unknown_series", f"no series is called {ascii(name)[:200]}", hint=hint, nearest=near or None)
    return [known[name] for name in names]


def _where_readings_are(log: LogReader, series: list[Series], zone: str) -> str:
    """The hint of an answer that says that a range has none."""
    first_us, last_us = log.span(series)
    if first_us is None or last_us is None:
        return "no reading of these series is stored"
    return f"stored are readings from {times.format_time(first_us, zone)} to {times.format_time(last_us, zone)}"


def _check_alarms(log: LogReader, names: list[str]) -> None:
    """Raises ApiError 404 unless every name is ``alarm/series`` of an alarm that exists."""
    known = {f"{row.name}/{row.subject}" for row in states.by_urgency(log.conn)}
    for name in names:
        if name not in known:
            hint = "/api/v1/alarms lists all: write alarm/series"
            raise ApiError(404, "unknown_alarm", f"no alarm is called {ascii(name)[:200]}", hint=hint)


class DaemonClient:
    """Sends requests to the daemon of this database. Raises ApiError 503 if none runs, 409 if it refuses."""

    def __init__(self, settings: Settings) -> None:
        self._database = settings.database
        try:
            held = holder(settings.database)
        except OSError:
            held = None
        if held is None or held.control is None:
            who, hint = (
                ("no daemon runs", START_IT)
                if held is None
                else ("another program works on the database just now", "try again when it has ended")
            )
            raise ApiError(503, "no_daemon", f"{who}: nothing can be changed", hint=hint, headers={"Retry-After": "10"})
        self._control_folder = held.control.parent

    def __call__(self, **request: Any) -> dict[str, Any]:
        try:
            answer = calling.ask(self._control_folder, request, ANSWER_WITHIN_S)
        except (OSError, ValueError) as error:
            reason = f"the daemon does not answer: {error}; check whether it was done before you do it again"
            hint = f"if it does not run any more, {START_IT}"
            raise ApiError(503, "no_daemon", reason, hint=hint, headers={"Retry-After": "10"}) from None
        if answer.get("busy"):
            raise ApiError(503, "busy", "the daemon has too much to do", headers={"Retry-After": "2"})
        if not answer.get("ok"):
            message = str(answer.get("error"))
            raise ApiError(409, "refused", message.partition(": ")[2] or message)
        return answer


async def _daemon(request: Request, order: Callable[[DaemonClient], T]) -> T:
    """Run ``order`` on a thread and return its answer. Few run at the same time, because each waits for the daemon."""
    settings: Settings = request.app.state.settings
    turns: Counter[str] = request.app.state.changing
    if turns["now"] >= MAX_CHANGES_AT_ONCE:
        raise ApiError(503, "busy", "too many changes at once", headers={"Retry-After": "2"})
    turns["now"] += 1
    try:
        return await run_in_threadpool(lambda: order(DaemonClient(settings)))
    finally:
        turns["now"] -= 1


def _flag_each(daemon: DaemonClient, wanted: list[Series], **what: Any) -> dict[str, Any]:
    """Order a mend of each series. ``mends``: what was ordered, and how far it has got; ``refused``: the series for which that was
    refused, and why. Raises ApiError if all were."""
    ordered: list[tuple[Series, dict[str, Any]]] = []
    refused: list[tuple[Series, ApiError]] = []
    for series in wanted:
        if refused and refused[-1][1].status == 503:  # no daemon answers: nor would it for the rest
            refused.append((series, refused[-1][1]))
            continue
        try:
            ordered.append((series, daemon(do="mend", series=series.id, **what)))
        except ApiError as error:
            refused.append((series, error))
    with contextlib.suppress(ApiError):  # it only makes roll-ups follow sooner
        daemon(do="roll_up")
    until_s = time.monotonic() + WATCH_S
    mends = []
    for series, answer in ordered:
        try:
            mends.append(_mend(daemon, answer, until_s) | {"series": series.name})
        except ApiError as error:
            if error.status == 503:  # it was ordered; how far it has got is not known
                mends.append({"mend": int(answer["id"]), "readings": 0, "done": False, "series": series.name})
            else:
                refused.append((series, error))
    if not mends:
        raise refused[0][1]
    return {"mends": mends, "refused": [{"series": series.name, "message": str(error)} for series, error in refused]}


def _mend(daemon: DaemonClient, ordered: dict[str, Any], until_s: float) -> dict[str, Any]:
    """How far a change of stored readings has got. One that takes longer than the request goes on in the daemon."""
    pause_s = 0.02
    while True:
        stands = daemon(do="work", id=int(ordered["work"]))
        waits = stands.get("state") == State.WAITING
        if not waits or time.monotonic() > until_s:
            break
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.25)
    if stands.get("state") == State.FAILED:
        raise ApiError(409, "refused", str(stands.get("outcome")))
    return {"mend": int(ordered["id"]), "readings": int(stands["done"]), "done": not waits}


routes = [
    Route("/flag", flag, methods=["POST"]),
    Route("/undo", undo, methods=["POST"]),
    Route("/note", note, methods=["POST"]),
    Route("/ack", ack, methods=["POST"]),
    Route("/panel_save", save_view, methods=["POST"]),
    Route("/panel_delete", delete_view, methods=["POST"]),
]
