"""Judges stored readings by the alarms of a configuration: what would have been raised, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sensorlogd.alarms.judging.due import NEVER
from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.judging.watch import BEGIN_AT
from sensorlogd.alarms.plan import AlarmedSeries, Definition, Plan
from sensorlogd.batch import Block, Column
from sensorlogd.config import conditions
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series

Reading = tuple[int, float | None, int]


@dataclass(slots=True)
class Rehearsed:
    """The outcome for one alarm of one series. ``raised``: how often; ``in_alarm_us``: the sum of the times in alarm."""

    name: str
    subject: str
    readings: int = 0
    raised: int = 0
    in_alarm_us: int = 0
    last_us: int | None = None


def rehearse(log: LogReader, plan: Plan, since_us: int, until_us: int) -> Iterator[Rehearsed]:
    """One for each alarm of each series that has readings in [since, until). Alarms of events are left out.

    Silence counts from the first reading on. Raises sqlite3.Error.
    """
    known = {(each.sensor, each.channel): each for each in log.series(retired=True)}
    for series, definitions in _by_series(plan):
        stored = known.get(series.subject)
        if stored is not None:
            yield from _rehearse_series(log, stored, series, definitions, since_us, until_us)


def _by_series(plan: Plan) -> Iterator[tuple[AlarmedSeries, list[Definition]]]:
    found: dict[tuple[str, str], tuple[AlarmedSeries, list[Definition]]] = {}
    for definition in plan.definitions:
        for series in definition.series:
            found.setdefault(series.subject, (series, []))[1].append(replace(definition, series=(series,)))
    yield from found.values()


def _rehearse_series(
    log: LogReader, stored: Series, series: AlarmedSeries, definitions: Sequence[Definition], since_us: int, until_us: int
) -> Iterator[Rehearsed]:
    """Judge the readings of one series by its definitions. Yields an outcome for each of them, or nothing if there are no
    readings."""
    subject = ".".join(series.subject)
    judge = Judge()
    rehearsed = {definition.name: Rehearsed(definition.name, subject) for definition in definitions}
    began: dict[str, int] = {}
    first_us, last_us = 0, None
    for chunk in log.columns(stored, since_us, until_us):
        for run in _runs(chunk, _patience_us(series, definitions)):
            if last_us is None:
                judge.use(Plan(tuple(definitions)), BEGIN_AT, run[0][0])
                first_us = run[0][0]
            _pass_time(judge, BEGIN_AT + run[0][0] - first_us, run[0][0])
            last_us = run[-1][0]
            judge.judge_readings(_block(series, run), BEGIN_AT + last_us - first_us, last_us)
            _count_changes(judge, rehearsed, began)
        for outcome in rehearsed.values():
            outcome.readings += len(chunk)
    if last_us is None:
        return
    _pass_time(judge, BEGIN_AT + until_us - first_us, until_us)
    _count_changes(judge, rehearsed, began)
    for name, since in began.items():
        rehearsed[name].in_alarm_us += until_us - since
    yield from rehearsed.values()


def _patience_us(series: AlarmedSeries, definitions: Sequence[Definition]) -> int:
    """A gap between two readings that is no longer needs no observation in between."""
    return min(
        [
            definition.when.over_us or series.heartbeat_us
            for definition in definitions
            if definition.when and definition.when.kind == conditions.MISSING
        ],
        default=NEVER,
    )


def _runs(chunk: Sequence[Reading], patience_us: int) -> Iterator[Sequence[Reading]]:
    """The chunk, cut where nothing came for long; what ends the silence comes alone, for the silence ends with it."""
    start = 0
    for index in range(1, len(chunk)):
        if chunk[index][0] - chunk[index - 1][0] > patience_us:
            if index > start:
                yield chunk[start:index]
            yield chunk[index : index + 1]
            start = index + 1
    if start < len(chunk):
        yield chunk[start:]


def _pass_time(judge: Judge, watched_us: int, now_us: int) -> None:
    """Time passes up to then, and what is due on the way happens when it is due."""
    for _ in range(10_000):
        due = max(judge.next_due(), BEGIN_AT)
        if due > watched_us:
            return
        judge.tick(due, now_us - watched_us + due)
        if judge.next_due() <= due:
            judge.tick(due, now_us - watched_us + due)
        if judge.next_due() <= due:
            break
    judge.tick(watched_us, now_us)


def _block(series: AlarmedSeries, run: Sequence[Reading]) -> Block:
    times, values, qualities = (list(column) for column in zip(*run, strict=True))
    return Block(series.subject[0], [Column(series.subject[1], times, values, qualities)])


def _count_changes(judge: Judge, rehearsed: dict[str, Rehearsed], began: dict[str, int]) -> None:
    """Count what the judge has found since; ``began``: alarm -> when it was raised, for those that are still in alarm."""
    for change in judge.take_findings().changes:
        outcome = rehearsed[change.alarm.name]
        if change.after is AlarmState.UNACKNOWLEDGED:
            outcome.raised += 1
            outcome.last_us = began[outcome.name] = change.ts_us
        elif outcome.name in began:
            outcome.in_alarm_us += change.ts_us - began.pop(outcome.name)
