"""Questions of the JSON API: functions of a log, asked on a query thread. What they return is ready to be encoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sensorlogd import quality
from sensorlogd.storage.query.engine import Ask, BucketRow
from sensorlogd.storage.query.health import ALIVE, daemon_state, newest_by_sensor, sensor_health
from sensorlogd.storage.query.log import Log, Reading, Series, conversion
from sensorlogd.storage.query.rows import cell, event_row, number, reading_row
from sensorlogd.web.answering.params import ROWS_MAX, TimeForm, find_series
from sensorlogd.web.serving.errors import ApiError, bad_parameter

Json = dict[str, Any]


# ---- what there is, and how it is --------------------------------------------------------------------------------------


def sensors(log: Log, now_us: int, form: TimeForm, *, retired: bool = False) -> Json:
    """Every sensor with its state and its channels."""
    running = daemon_state(log.daemon(), now_us, log.path)[0] in ALIVE
    newest = newest_by_sensor(log, now_us)
    states = {state.sensor: state for state in log.sensors()}
    channels: dict[str, list[Series]] = {}
    for one in log.series(retired=retired):
        channels.setdefault(one.sensor, []).append(one)
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
                "channels": [channel(one, form) for one in channels.get(name, [])],
            }
        )
    return {"sensors": rows}


def channel(one: Series, form: TimeForm) -> Json:
    return {
        "series": one.name,
        "channel": one.channel,
        "unit": one.unit,
        "kind": one.kind,
        "heartbeat_s": one.heartbeat_us / 1e6,
        "labels": one.labels,
        "retired": None if one.retired_us is None else form(one.retired_us),
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


def status(log: Log, now_us: int, form: TimeForm) -> Json:
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
    }


def size(log: Log, suffix: str) -> int:
    try:
        return os.stat(f"{log.path}{suffix}").st_size
    except OSError:
        return 0


def events(log: Log, since_us: int | None, limit: int, sensor: str | None, after: int, form: TimeForm) -> Json:
    found = log.events(since_us, limit, sensor, after)
    return {"events": [{"id": event.id, **event_row(event, form.zone), "time": form(event.ts_us)} for event in found]}


# ---- readings ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadingsAsk:
    """``after``: (time, series id) of the last row of the page before."""

    patterns: list[str]
    since_us: int
    until_us: int
    unit: str | None
    form: TimeForm
    after: tuple[int, int] | None = None


def page_of_readings(log: Log, ask: ReadingsAsk, after: tuple[int, int] | None, limit: int) -> tuple[list[Reading], str | None]:
    """At most ``limit`` readings in order of time and series, and where the next page begins, if there is one."""
    wanted = find_series(log, ask.patterns)
    changes = {one.id: _change(one, ask.unit) for one in wanted}
    since = ask.since_us
    if after is not None and len(wanted) == 1:
        since, after = max(since, after[0] + 1), None
    found: list[Reading] = []
    if since >= ask.until_us:
        return found, None
    with closing(log.readings(wanted, since, ask.until_us, after)) as readings:
        for reading in readings:
            if len(found) == limit:
                last = found[-1]
                return found, cursor(last.ts_us, last.series.id)
            change = changes[reading.series.id]
            if change is not None and reading.value is not None:
                reading = reading._replace(value=change(reading.value))
            found.append(reading)
    return found, None


def cursor(ts_us: int, series: int) -> str:
    return f"{ts_us}.{series}"


def parse_cursor(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    ts, _, series = text.partition(".")
    if not (ts.lstrip("-").isascii() and ts.lstrip("-").isdigit() and series.isascii() and series.isdigit()):
        raise bad_parameter("after", f"{text!r} is not the next of an answer")
    if len(ts) > 19 or len(series) > 15:
        raise bad_parameter("after", f"{text!r} is not the next of an answer")
    return int(ts), int(series)


def reading_as_row(reading: Reading, ask: ReadingsAsk) -> Json:
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
        one = reading.series
        entry = by_series.get(one.name)
        if entry is None:
            entry = by_series[one.name] = {
                "sensor": one.sensor,
                "channel": one.channel,
                "unit": one.unit if ask.unit is None else ask.unit,
                "time": [],
                "value": [],
                "quality": [],
            }
        entry["time"].append(ask.form(reading.ts_us))
        entry["value"].append(number(reading.value))
        entry["quality"].append(quality.describe(reading.quality))
    return [by_series[name] for name in sorted(by_series)]


def _change(one: Series, unit: str | None) -> Callable[[float], float] | None:
    if unit is None:
        return None
    try:
        found = conversion(one, unit)
    except ValueError as error:
        raise bad_parameter("unit", str(error)) from None
    return None if found is None else found.value


# ---- buckets -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BucketsAsk:
    patterns: list[str]
    ask: Ask
    unit: str | None
    form: TimeForm


def buckets(log: Log, wanted: BucketsAsk, shape: str) -> Json:
    """One entry a series: where its answer comes from, and its buckets."""
    ask, form = wanted.ask, wanted.form
    answers: list[Json] = []
    left = ROWS_MAX
    found = find_series(log, wanted.patterns)
    for one in found:
        _change(one, wanted.unit)
    try:
        for one, answer in log.buckets(found, ask, wanted.unit):
            rows: list[BucketRow] = []
            for row in answer.rows:
                rows.append(row)
                left -= 1
                if left < 0:
                    hint = "take longer steps, a shorter range or fewer series, or format=ndjson or csv, which have no limit"
                    raise ApiError(400, "too_many_rows", f"the answer has more than {ROWS_MAX:,} rows", hint=hint)
            entry: Json = {
                "sensor": one.sensor,
                "channel": one.channel,
                "unit": one.unit if wanted.unit is None else wanted.unit,
                "kind": one.kind,
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
                entry["rows"] = [bucket_row(one, row, ask.aggregates, form) for row in rows]
            answers.append(entry)
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
    return {"series": answers}


def bucket_row(one: Series, row: BucketRow, names: tuple[str, ...], form: TimeForm) -> Json:
    return {
        "time": form(row.start_us),
        "sensor": one.sensor,
        "channel": one.channel,
    } | values_of(row, names)


def bucket_columns(rows: list[BucketRow], names: tuple[str, ...], form: TimeForm) -> Json:
    columns: Json = {"time": [form(row.start_us) for row in rows]}
    for index, name in enumerate(names):
        columns[name] = [cell(row.values[index]) for row in rows]
    columns.setdefault("count", [row.readings for row in rows])
    columns.setdefault("coverage", [row.coverage for row in rows])
    return columns


def values_of(row: BucketRow, names: tuple[str, ...]) -> Json:
    """The aggregates asked for, then count and coverage: the columns of ``sensorlogd query``."""
    values = dict(zip(names, map(cell, row.values), strict=True))
    values.setdefault("count", row.readings)
    values.setdefault("coverage", row.coverage)
    return values


@dataclass(frozen=True, slots=True)
class BucketsPlace:
    """Where a streamed answer has got to."""

    series: int  # index
    since_us: int


def page_of_buckets(
    log: Log, wanted: BucketsAsk, place: BucketsPlace | None, limit: int
) -> tuple[list[tuple[Series, BucketRow]], BucketsPlace | None]:
    """At most ``limit`` rows, series by series, and where the next page begins.

    A page ends between two buckets, which changes nothing in any of them. Filled ones depend on their neighbours: with
    ``previous`` and ``linear`` a series is one page, bounded by the number of its buckets.
    """
    found = find_series(log, wanted.patterns)
    for one in found:
        _change(one, wanted.unit)
    ask = wanted.ask
    index = place.series if place else 0
    since = place.since_us if place else ask.since_us
    whole = ask.fill in ("previous", "linear") or ask.step is None
    rows: list[tuple[Series, BucketRow]] = []
    while index < len(found):
        one = found[index]
        for row in _rows(log, one, ask, since, wanted.unit):
            if len(rows) >= limit and not whole:
                assert ask.step is not None
                return rows, BucketsPlace(index, max(row.start_us, since))
            if whole and len(rows) >= ROWS_MAX:
                raise ApiError(400, "too_many_rows", f"{one.name}: to be filled, more than {ROWS_MAX:,} rows are needed at once")
            rows.append((one, row))
        index, since = index + 1, ask.since_us
        if len(rows) >= limit and index < len(found):
            return rows, BucketsPlace(index, since)
    return rows, None


def _rows(log: Log, one: Series, ask: Ask, since_us: int, unit: str | None) -> Iterator[BucketRow]:
    asked = Ask(since_us, ask.until_us, ask.step, ask.max_points, ask.aggregates, ask.zone, ask.fill)
    try:
        with closing(log.buckets([one], asked, unit)) as answers:
            for _, answer in answers:
                yield from answer.rows
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
