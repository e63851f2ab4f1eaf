"""The questions of the JSON API, as functions of a log. They run on a query thread or in a worker, and return what only has to be
encoded."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from sensorlogd import quality
from sensorlogd.storage.query import grid
from sensorlogd.storage.query.engine import Answer, Ask, BucketRow
from sensorlogd.storage.query.health import ALIVE, daemon_state, newest_by_sensor, sensor_health
from sensorlogd.storage.query.log import Log, Reading, Series, conversions, converted
from sensorlogd.storage.query.rows import EVENT_COLUMNS, bucket_row, cell, event_row, number, reading_row
from sensorlogd.storage.query.units import Conversion
from sensorlogd.web.answering.params import CELLS_MAX, ROWS_MAX, TimeForm, find_series
from sensorlogd.web.workers.damage import DamageSkipper, Lost, is_damaged_page
from sensorlogd.web.workers.refusal import ApiError, bad_parameter

Json = dict[str, Any]

_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,15})")  # no more than SQLite holds


# ---- what there is, and how it is --------------------------------------------------------------------------------------


def sensors(log: Log, now_us: int, form: TimeForm, *, retired: bool = False) -> Json:
    """Every sensor with its state and its channels."""
    running = daemon_state(log.daemon(), now_us, log.path)[0] in ALIVE
    newest = newest_by_sensor(log, now_us)
    states = {state.sensor: state for state in log.sensors()}
    channels: dict[str, list[Series]] = {}
    for series in log.series(retired=retired):
        channels.setdefault(series.sensor, []).append(series)
    rows = []
    for name in sorted({*channels, *states}):
        state = states.get(name)
        last = newest.get(name, state.last_reading_us if state else None)
        word = state.state if state else "stopped"
        rows.append(
            {
                "sensor": name,
                "state": word if running else "not running",
                "health": sensor_health(word, state.since_us, last, state.heartbeat_us, now_us)
                if state and running
                else "not running",
                "since": form(state.since_us) if state and state.since_us else None,
                "last": None if last is None else form(last),
                "age_s": None if last is None else (now_us - last) / 1e6,
                "error": state.last_error if state else None,
                "counters": state.counters if state else {},
                "channels": [channel(series, form) for series in channels.get(name, [])],
            }
        )
    return {"sensors": rows}


def channel(series: Series, form: TimeForm) -> Json:
    """A channel in the answer to ``sensors`` (Channel of the API)."""
    return {
        "series": series.name,
        "channel": series.channel,
        "unit": series.unit,
        "kind": series.kind,
        "heartbeat_s": series.heartbeat_us / 1e6,
        "labels": series.labels,
        "decimals": series.decimals,
        "seen_decimals": series.seen_decimals,
        "valid": None if series.valid is None else list(series.valid),
        "retired": None if series.retired_us is None else form(series.retired_us),
    }


def latest(log: Log, patterns: list[str], now_us: int, form: TimeForm) -> Json:
    """The newest reading of each series that has any."""
    rows = []
    for reading in log.latest(find_series(log, patterns), now_us):
        if reading is not None:
            age = now_us - reading.ts_us
            row = reading_row(reading, form.zone) | {"time": form(reading.ts_us)}
            rows.append(row | {"age_s": age / 1e6, "state": "stale" if age > reading.series.heartbeat_us else "ok"})
    return {"latest": rows}


def status(log: Log, now_us: int, form: TimeForm, *, changes: bool = False) -> Json:
    """The daemon's facts as it wrote them, judged; the database's size; the sensors in short."""
    facts = log.daemon()
    state, explanation = daemon_state(facts, now_us, log.path)
    listed = sensors(log, now_us, form)["sensors"]
    return {
        "now": form(now_us),
        "daemon": facts | {"state_now": state, "explanation": explanation},
        "database": {"path": str(log.path), "bytes": size(log, ""), "wal_bytes": size(log, "-wal")},
        "sensors": [{key: row[key] for key in ("sensor", "state", "health", "last", "age_s", "error")} for row in listed],
        "config_errors": list(facts.get("config_errors") or []),
        "changes": changes,
    }


AGES = ("now", "age_s", "explanation")


def without_ages(value: Any) -> Any:
    """The answer without the ages in it, which change with every moment. Two answers that are equal without them get the same
    ETag."""
    if isinstance(value, dict):
        return {name: without_ages(part) for name, part in value.items() if name not in AGES}
    return [without_ages(part) for part in value] if isinstance(value, list) else value


def size(log: Log, suffix: str) -> int:
    """Bytes of the database or of a file beside it (``suffix``: -wal, -shm); 0 if there is none."""
    try:
        return os.stat(f"{log.path}{suffix}").st_size
    except OSError:
        return 0


EVENT_COLUMNS_WITH_ID = ("id", *EVENT_COLUMNS)


@dataclass(frozen=True, slots=True)
class EventsAsk:
    """A question for events. ``after``, ``before``: ids that bound it; None: no bound. ``kind``, ``sensor``: globs."""

    since_us: int | None
    until_us: int | None
    limit: int
    kind: str | None
    sensor: str | None
    after: int | None
    before: int | None
    form: TimeForm


def events(log: Log, ask: EventsAsk) -> Json:
    """The newest ``limit`` events that match, oldest first. ``earlier`` in the answer is the ``before`` to ask for the page
    before this one."""
    rows = log.events_between(
        ask.since_us, ask.until_us, ask.kind, ask.sensor, after=ask.after, before=ask.before, limit=ask.limit + 1
    )
    found = rows[: ask.limit][::-1]
    form = ask.form
    return {
        "events": [{"id": event.id, **event_row(event, form.zone), "time": form(event.ts_us)} for event in found],
        "earlier": found[0].id if len(rows) > ask.limit else None,
    }


# ---- readings ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadingsAsk:
    """A question for readings. ``after``: (time, series id) of the last row of the page before."""

    patterns: list[str]
    since_us: int
    until_us: int
    unit: str | None
    form: TimeForm
    after: tuple[int, int] | None = None


def page_of_readings(log: Log, ask: ReadingsAsk, after: tuple[int, int] | None, limit: int) -> tuple[list[Reading], str | None]:
    """At most ``limit`` readings in order of time and series, and where the next page begins, if there is one."""
    wanted = find_series(log, ask.patterns)
    changes = changes_of(wanted, ask.unit)
    since = ask.since_us
    if after is not None and len(wanted) == 1:
        since, after = max(since, after[0] + 1), None
    found: list[Reading] = []
    if since >= ask.until_us:
        return found, None
    with closing(log.readings(wanted, since, ask.until_us, after)) as readings:
        for reading in converted(readings, changes) if changes else readings:
            if len(found) == limit:
                last = found[-1]
                return found, cursor(last.ts_us, last.series.id)
            found.append(reading)
    return found, None


def cursor(ts_us: int, series: int) -> str:
    """The text that names the place behind a reading, for ``after``. ``series``: its id."""
    return f"{ts_us}.{series}"


def parse_cursor(text: str | None) -> tuple[int, int] | None:
    """(time in microseconds, id of the series) of what ``cursor`` wrote; None for None. Raises ApiError 400."""
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise bad_parameter(
            "after",
            f"{text!r} is not where a page begins; give what the answer before has as next,"
            f" e.g. {cursor(1_774_648_800_000_000, 3)!r}",
        )
    return int(found[1]), int(found[2])


def reading_as_row(reading: Reading, ask: ReadingsAsk) -> Json:
    """A reading as the API gives it (Reading); its value has the unit of the question already."""
    row = reading_row(reading, ask.form.zone)
    if ask.form.kind != "rfc3339":
        row["time"] = ask.form(reading.ts_us)
    if ask.unit is not None:
        row["unit"] = ask.unit
    return row


def readings_as_columns(found: list[Reading], ask: ReadingsAsk) -> list[Json]:
    """One entry a series: arrays of equal length."""
    by_series: dict[str, Json] = {}
    for reading in found:
        series = reading.series
        entry = by_series.get(series.name)
        if entry is None:
            entry = by_series[series.name] = {
                "sensor": series.sensor,
                "channel": series.channel,
                "unit": series.unit if ask.unit is None else ask.unit,
                "time": [],
                "value": [],
                "quality": [],
            }
        entry["time"].append(ask.form(reading.ts_us))
        entry["value"].append(number(reading.value))
        entry["quality"].append(quality.describe(reading.quality))
    return [by_series[name] for name in sorted(by_series)]


def changes_of(wanted: Sequence[Series], unit: str | None) -> dict[int, Conversion | None]:
    """The conversion of each series to ``unit``, by series id. Raises ApiError for a series that cannot be converted."""
    try:
        return {} if unit is None else conversions(wanted, unit)
    except ValueError as error:
        raise bad_parameter("unit", str(error)) from None


# ---- buckets -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BucketsAsk:
    """A question for buckets of series. ``unit``: to convert the values to; None: as stored."""

    patterns: list[str]
    ask: Ask
    unit: str | None
    form: TimeForm

    def columns(self) -> tuple[str, ...]:
        """The columns of the answer as CSV or NDJSON."""
        names = self.ask.aggregates
        return ("time", "sensor", "channel", *names, *(name for name in ("count", "coverage") if name not in names))


def buckets(log: Log, wanted: BucketsAsk, shape: str, lost: list[Lost]) -> Json:
    """One entry for each series: its buckets, and which source they came from. The ranges that a damaged file does not give are
    appended to ``lost``."""
    ask, form = wanted.ask, wanted.form
    entries: list[Json] = []
    left = CellBudget(len(ask.aggregates))
    found = find_series(log, wanted.patterns)
    changes_of(found, wanted.unit)
    try:
        pending = log.buckets(found, ask, wanted.unit)
        for index, series in enumerate(found):
            try:
                _, answer = next(pending)
                rows = list(left.count(answer.rows))
            except sqlite3.DatabaseError as error:
                if not is_damaged_page(error):
                    raise
                pending.close()  # it holds a snapshot
                answer, rows = _around_damage(log, series, wanted, lost, error)
                pending = log.buckets(found[index + 1 :], ask, wanted.unit)
            entry: Json = {
                "sensor": series.sensor,
                "channel": series.channel,
                "unit": series.unit if wanted.unit is None else wanted.unit,
                "kind": series.kind,
                "step": str(answer.step),
                "since": form(answer.since_us),
                "until": form(answer.until_us),
                "source": answer.source,
                "resolution": answer.resolution,
                "notes": answer.notes,
            }
            if shape == "columns":
                entry |= bucket_columns(rows, ask.aggregates, form)
            else:
                entry["rows"] = [bucket_as_row(series, row, ask.aggregates, form) for row in rows]
            entries.append(entry)
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
    return {"series": entries}


@dataclass(slots=True)
class CellBudget:
    """How many rows and cells an answer may still have."""

    aggregates: int
    rows: int = ROWS_MAX
    cells: int = CELLS_MAX

    def count(self, rows: Iterator[BucketRow]) -> Iterator[BucketRow]:
        """Pass the rows on, and count each as one of the answer. Raises ApiError 400 at the first that is too many."""
        width = self.aggregates + 3
        for row in rows:
            self.rows -= 1
            self.cells -= width
            if self.rows < 0 or self.cells < 0:
                most = min(ROWS_MAX, CELLS_MAX // width)
                hint = "take longer steps, a shorter range or fewer series, or format=ndjson or csv, which have no limit"
                raise ApiError(400, "too_many_rows", f"the answer has more than {most:,} rows of {width} cells", hint=hint)
            yield row


def _around_damage(
    log: Log, series: Series, wanted: BucketsAsk, lost: list[Lost], error: sqlite3.DatabaseError
) -> tuple[Answer, list[BucketRow]]:
    """The buckets of one series that can be read in spite of damaged pages. Raises ``error`` if none can."""
    ask, zone = wanted.ask, wanted.ask.zone
    answer: Answer | None = None
    step, since, until = ask.step, ask.since_us, ask.until_us
    if step is None:
        assert ask.max_points is not None
        step = grid.for_points(since, until, ask.max_points, zone)
        since, until = step.bucket(since, zone)[0], step.bucket(until - 1, zone)[1]

    def rows(a: int, b: int) -> list[BucketRow]:
        nonlocal answer
        with closing(log.buckets([series], Ask(a, b, step, None, ask.aggregates, zone, ask.fill), wanted.unit)) as pending:
            _, answer = next(pending)
            return list(answer.rows)

    skipper = DamageSkipper(series.name, lost, step.about_us, lambda us: step.bucket(us, zone)[0])
    found = skipper.read(rows, since, until)
    if answer is None or not found:
        raise error
    notes = ["a part of the database is damaged; 'unreadable' says which range is missing"]
    return replace(answer, since_us=since, until_us=until, notes=[*answer.notes, *notes]), found


def bucket_as_row(series: Series, row: BucketRow, names: tuple[str, ...], form: TimeForm) -> Json:
    """A bucket as the API gives it (Bucket). ``names``: of the aggregates, in the order of ``row.values``."""
    return {"time": form(row.start_us)} | bucket_row(series, row, names)


def bucket_columns(rows: list[BucketRow], names: tuple[str, ...], form: TimeForm) -> Json:
    """Buckets of one series as arrays of equal length: ``time``, each of ``names``, ``count`` and ``coverage``."""
    columns: Json = {"time": [form(row.start_us) for row in rows]}
    for index, name in enumerate(names):
        columns[name] = [cell(row.values[index]) for row in rows]
    columns.setdefault("count", [row.readings for row in rows])
    columns.setdefault("coverage", [row.coverage for row in rows])
    return columns


@dataclass(frozen=True, slots=True)
class BucketsPlace:
    """How far a streamed answer has got."""

    series: int  # index
    since_us: int


def page_of_buckets(
    log: Log, wanted: BucketsAsk, place: BucketsPlace | None, limit: int
) -> tuple[list[tuple[Series, BucketRow]], BucketsPlace | None]:
    """At most ``limit`` rows, series by series, and the place where the next page begins (None after the last).

    A page ends between two buckets, which changes nothing in any of them. Filled ones depend on their neighbours: with
    ``previous`` and ``linear`` a series is one page, bounded by the number of its buckets.
    """
    series_found = find_series(log, wanted.patterns)
    changes_of(series_found, wanted.unit)
    ask = wanted.ask
    index = place.series if place else 0
    since = place.since_us if place else ask.since_us
    whole = ask.fill in ("previous", "linear") or ask.step is None
    rows: list[tuple[Series, BucketRow]] = []
    while index < len(series_found):
        series = series_found[index]
        for row in _bucket_rows(log, series, ask, since, wanted.unit):
            if len(rows) >= limit and not whole:
                assert ask.step is not None
                return rows, BucketsPlace(index, max(row.start_us, since))
            if whole and len(rows) >= ROWS_MAX:
                raise ApiError(
                    400, "too_many_rows", f"{series.name}: to be filled, more than {ROWS_MAX:,} rows are needed at once"
                )
            rows.append((series, row))
        index, since = index + 1, ask.since_us
        if len(rows) >= limit and index < len(series_found):
            return rows, BucketsPlace(index, since)
    return rows, None


def _bucket_rows(log: Log, series: Series, ask: Ask, since_us: int, unit: str | None) -> Iterator[BucketRow]:
    """The rows of one series from ``since_us`` on. Raises ApiError 400 if the question cannot be answered."""
    question = Ask(since_us, ask.until_us, ask.step, ask.max_points, ask.aggregates, ask.zone, ask.fill)
    try:
        with closing(log.buckets([series], question, unit)) as answers:
            for _, answer in answers:
                yield from answer.rows
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
