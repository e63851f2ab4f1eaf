"""What was promised and not kept: ``judge(ledger, log)`` -> violations.

A reading that was seen committed is in the log, or in an incident beside it, or the event of a salvage tells of the loss, or the owner's
own hand took the file away while nothing ran, or retention says it is too old by the true clock. Everything else is a violation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.torture.ledger import CHANGED, FIRST, End, Ledger, Life, Segment, origin
from tests.torture.log import Log
from tests.torture.plan import DAY_S

EXITS = (0, 1, 2, 3, 4, 78)
RESUME_WITHIN_S = 5.0
SALVAGE_WITHIN_S = 15.0
SLACK_S = 2.0  # of a busy machine, and of a look every quarter of a second
ROWS_OF_A_PAGE = 200
HARMLESS = ("clock", "stop_aggregator")  # causes that are no reason not to store readings
LOSS = re.compile(r"lost|damaged|unreadable|could not be read|missing", re.IGNORECASE)
NOT_EVALUATED = 2
AT_LAST = (("db", "check"), ("db", "incidents"))  # verbs that must find nothing wrong in the end
REFUSED = ("unknown_channel", "too_old", "conflict", "poisoned")


class Violation(NamedTuple):
    kind: str
    what: str


def judge(ledger: Ledger, log: Log) -> list[Violation]:
    """All that was promised and not kept; [] is what everybody wants."""
    found = [Violation(*observation) for observation in ledger.observed]
    for part in (_lives, _verbs, _resuming, _kept, _doubled, _refused, _gaps, _tails, _mended, _sound):
        found += part(ledger, log)
    return found


def _lives(ledger: Ledger, log: Log) -> Iterator[Violation]:
    for number, life in enumerate(ledger.lives, 1):
        text = life.log.read_text(errors="replace")
        # A child that is just being born when its parent is killed says so, and nothing of ours is in it.
        if "Traceback" in text and not (life.asked == "kill" and "EOFError: Ran out of input" in text):
            last = [line for line in text.splitlines() if re.match(r"\w[\w.]*(Error|Exception|Corrupt|Held)\b", line)]
            yield Violation("traceback", f"in the log of life {number}: {(last or ['?'])[-1]}")
        if life.asked is None:
            if not (life.code == 1 and not life.ready and _verb_ran(ledger, life)):
                yield Violation("ended by itself", f"life {number} with {life.code}: {_last_line(text)}")
        elif life.asked == "term" and not _is_right_end(life):
            yield Violation("exit code", f"life {number} ended with {life.code} on SIGTERM: {_last_line(text)}")


def _verb_ran(ledger: Ledger, life: Life) -> bool:
    """One of our own verbs may have held the lock: the daemon rightly refuses to start meanwhile."""
    return any(verb.begin_s < (life.end_s or 0.0) and (verb.end_s is None or verb.end_s > life.begin_s) for verb in ledger.verbs)


def _is_right_end(life: Life) -> bool:
    """A process that is asked before it listens ends as any process does; one that had to be killed is told of already."""
    return life.code == 0 or life.code == -9 or (life.code == -15 and not life.ready)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["(nothing in its log)"])[-1][-200:]


def _verbs(ledger: Ledger, log: Log) -> Iterator[Violation]:
    for verb in ledger.verbs:
        name = " ".join(verb.arguments[:3])
        if verb.cut:
            continue
        if verb.end_s is None or verb.code is None:
            yield Violation("verb hangs", f"{name} at {verb.begin_s:.1f} s")
        elif "Traceback" in verb.error:
            yield Violation("verb traceback", f"{name} at {verb.begin_s:.1f} s: {_last_line(verb.error)}")
        elif verb.code not in EXITS:
            yield Violation("exit code", f"{name} at {verb.begin_s:.1f} s: {verb.code}: {_last_line(verb.error)}")
        elif verb.code and verb.arguments[:2] in AT_LAST and verb.begin_s > ledger.converged_at_s > 0:
            yield Violation(name, f"exit {verb.code}: {_last_line(verb.error)}")


def _resuming(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """Whenever nothing has been wrong for five seconds, new readings are stored, again and again."""
    commit_s = {"ms": 1e-3, "s": 1.0}
    interval = re.fullmatch(r"(\d+)(ms|s)", ledger.plan.storage["commit_interval"])
    assert interval is not None
    bound_s = RESUME_WITHIN_S + SLACK_S + int(interval[1]) * commit_s[interval[2]]
    end_s = max((life.end_s or 0.0 for life in ledger.lives), default=0.0)
    wrong = [(cause.begin_s, end_s if cause.end_s is None else cause.end_s, cause.kind) for cause in ledger.causes]
    wrong = [span for span in wrong if span[2] not in HARMLESS] + [(end.at_s, end.at_s, end.kind) for end in ledger.ends]
    points = sorted([*wrong, *((at_s, at_s, "a reading") for at_s in ledger.grown), (end_s, end_s, "the end")])
    until_s, last = 0.0, "the beginning"
    for begin, over, kind in points:
        if (
            begin - until_s > bound_s
            and not any(until_s < at_s < begin for at_s in ledger.unreadable)
            and last != "the beginning"
        ):
            yield Violation("not resumed", f"nothing stored for {begin - until_s:.1f} s from {until_s:.1f} s on, after {last}")
        if over >= until_s:
            until_s, last = over, kind


def _is_expired(ledger: Ledger, log: Log, name: str, ts: int) -> bool:
    """By the true clock (give or take the day within which a wrong one may be believed), or dropped to make room on a full disk where
    the configuration says so."""
    keep = ledger.plan.keep_days
    if keep is not None and ts < ledger.began_us - (keep - 1) * DAY_S * 1_000_000 + 600_000_000:
        return True
    dropping = ledger.plan.storage["when_full"] == "drop_oldest" and any(cause.kind == "disk_full" for cause in ledger.causes)
    return dropping and ts < log.cuts_us.get(name, 0)


def _is_told(ledger: Ledger, log: Log) -> bool:
    salvages = [event for event in ledger.events | log.events if event.kind in ("salvaged", "salvage_failed")]
    return bool(log.incidents) and any(LOSS.search(event.detail) for event in salvages)


def _kept(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """Every reading that was seen committed."""
    missing: dict[int, list[tuple[str, int]]] = {}
    changed: list[tuple[str, int]] = []
    nameless = log.nameless()
    for (name, ts), (value, file) in ledger.seen.items():
        stored = log.readings.get((name, ts), [])
        if stored and name not in CHANGED and all(reading.value != value for reading in stored):
            changed.append((name, ts))
        elif (
            not stored and not _is_expired(ledger, log, name, ts) and (name, ts) not in log.aside and (ts, value) not in nameless
        ):
            missing.setdefault(file, []).append((name, ts))
    if changed:
        yield Violation("changed", f"{len(changed)} readings have another value than was seen, e.g. {changed[0]}")
    for file, readings in sorted(missing.items()):
        names = ", ".join(f"{name} {n}" for name, n in Counter(name for name, _ in readings).most_common())
        total = sum(seen_in == file for _, seen_in in ledger.seen.values())
        what = f"{len(readings)} of {total} readings of file {file} ({names})"
        ends = _chain(ledger, file)
        if not ends:
            yield Violation("lost", f"{what}, and nothing happened to that file")
        elif not ends[0].in_place:
            if not ends[0].down and not _is_disturbed(ledger, ends[0]):
                yield Violation("not rescued", f"{what}; {_tell(ends[:1])} while the daemon ran: they are in no incident")
        elif not _took_away(ledger, ends):
            if not _is_told(ledger, log):
                yield Violation("lost, not told", f"{what}; {_tell(ends)}; no incident or no event of a loss")
            elif len(ends) == 1 and ends[0].leaves_only and len(readings) > ROWS_OF_A_PAGE * ends[0].pages:
                yield Violation("lost more than was damaged", f"{what}; {_tell(ends)}: {ends[0].pages} leaf pages")


def _chain(ledger: Ledger, file: int) -> list[End]:
    """The end of a file, and those that followed before the daemon had told of it."""
    ends = [end for end in ledger.ends if end.file >= file]
    return ends[:1] + [end for n, end in enumerate(ends[1:], 1) if all(earlier.unsettled for earlier in ends[1 : n + 1])]


def _took_away(ledger: Ledger, ends: list[End]) -> bool:
    """A damaged file, or the one that followed it, was taken away before a salvage can be expected to have ended."""
    return any(not end.in_place and ends[0].at_s <= end.at_s < ends[-1].at_s + SALVAGE_WITHIN_S for end in ledger.ends)


def _tell(ends: list[End]) -> str:
    return ", ".join(f"{end.kind}{' while down' if end.down else ''} at {end.at_s:.1f} s" for end in ends)


def _is_disturbed(ledger: Ledger, gone: End) -> bool:
    """Something else was wrong within the seconds in which a daemon would notice that its file has gone."""
    at_s = gone.at_s
    if any(end is not gone and abs(end.at_s - at_s) < RESUME_WITHIN_S for end in ledger.ends):
        return True
    return any(
        cause.begin_s < at_s + RESUME_WITHIN_S and (cause.end_s is None or cause.end_s > at_s - 1)
        for cause in ledger.causes
        if cause.kind not in (*HARMLESS, "lock")  # a locked file can be read
    )


def _stored_of(log: Log, name: str) -> list[tuple[float, int, str]]:
    """(value, time, sensor) of a counter, incidents included."""
    stored = [
        (reading.value, ts, reading.sensor) for (sensor, ts), found in log.readings.items() if sensor == name for reading in found
    ]
    aside = [(value, ts, name) for (sensor, ts), values in log.aside.items() if sensor == name for value in values]
    return [(value, ts, sensor) for value, ts, sensor in stored + aside if value is not None]


def _doubled(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """A value of a counter is given once, so it is stored once."""
    counts = Counter(
        (name, reading.value) for (name, _), found in log.readings.items() if name.startswith("m") for reading in found
    )
    twice = [each for each, n in counts.items() if n > 1]
    if twice:
        yield Violation("doubled", f"{len(twice)} readings are stored twice, e.g. {twice[0]}")


def _refused(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """No reading of a live sensor is ever refused: each has a place, a time that nobody else has, and a value that can be stored."""
    for event in sorted(ledger.events | log.events, key=lambda event: event.ts):
        if event.kind in REFUSED and (event.sensor or "").startswith("m"):
            yield Violation("refused", f"{event.kind} {event.sensor}: {event.detail}")


def _gaps(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """What a sensor thread has given is stored from its first reading to the last that is there, whatever ended it."""
    dropped: Counter[str] = Counter()
    for event in ledger.events | log.events:
        if event.kind == "dropped" and (number := re.match(r"([\d,]+)", event.detail)):
            dropped[origin(event.sensor or "")] += int(number[1].replace(",", ""))
    for segment in ledger.segments:
        if any(segment.begin_s <= end.at_s for end in ledger.ends):
            continue  # what was committed and not seen before a file went cannot be known; what was seen is judged above
        if _began_without_memory(ledger, segment):
            continue
        numbers = _numbers(log, segment)
        if log.cuts_us.get(segment.sensor, 0) > ledger.began_us and ledger.plan.storage["when_full"] == "drop_oldest":
            continue
        gaps = max(numbers, default=-1) + 1 - len(numbers)
        if gaps > dropped[segment.sensor]:
            first = next(n for n in range(max(numbers) + 1) if n not in numbers)
            yield Violation(
                "gap",
                f"{segment.sensor} from {segment.begin_s:.1f} s on: {gaps} readings are missing, the first is its {first}th",
            )


def _began_without_memory(ledger: Ledger, segment: Segment) -> bool:
    """Under a wrong clock on a file that no daemon had written to before: what it stamps long ago may rightly expire."""
    if ledger.plan.keep_days is None:
        return False
    wrong = [
        cause
        for cause in ledger.causes
        if cause.kind == "clock"
        and (segment.end_s is None or cause.begin_s <= segment.end_s)
        and (cause.end_s is None or cause.end_s >= segment.begin_s)
    ]
    fresh = any(segment.end_s is None or end.at_s < segment.end_s for end in ledger.ends)
    return bool(wrong) and (fresh or (ledger.plan.wrong_at_start_s != 0 and wrong[0] is ledger.causes[0]))


def _numbers(log: Log, segment: Segment) -> dict[int, int]:
    """n-th reading of this start -> its time."""
    return {
        int(value - segment.first): ts
        for value, ts, _ in _stored_of(log, segment.sensor)
        if segment.first <= value < segment.first + FIRST
    }


def _tails(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """What was taken before SIGTERM, or before a reload changed the sensor, is stored: nothing was wrong at that time."""
    if not log.readings:
        return  # a log that cannot be read is told of once
    for segment in ledger.segments:
        end_s, end_us = segment.end_s, segment.end_us
        if end_s is None or end_us is None or end_s - segment.begin_s < 5.0 or _was_wrong(ledger, end_s - 6.0, end_s + 1.0):
            continue
        last_us = max(_numbers(log, segment).values(), default=0)
        if last_us < end_us - (SLACK_S * 1e6 + 3_000 * segment.interval_ms):
            late = f"{(end_us - last_us) / 1e6:.1f} s before" if last_us else "none at all;"
            yield Violation("tail", f"{segment.sensor}: the last reading is {late} the signal at {end_s:.1f} s")


def _was_wrong(ledger: Ledger, since_s: float, until_s: float) -> bool:
    return any(
        cause.begin_s < until_s and (cause.end_s is None or cause.end_s > since_s) and cause.kind != "ending"
        for cause in ledger.causes
        if not (cause.kind == "down" and cause.begin_s > until_s - 1.0)
    ) or any(since_s < end.at_s < until_s + RESUME_WITHIN_S for end in ledger.ends)


def _mended(ledger: Ledger, log: Log) -> Iterator[Violation]:
    """All mends are taken back: values and flags are the first ones, to the bit. Replaced values are of one of the files."""
    if not any(end.in_place for end in ledger.ends):
        wrong = [
            (ts, reading.value, reading.quality)
            for ts, value in ledger.originals.items()
            for reading in log.readings.get(("old", ts), [])
            if (reading.value, reading.quality) != (value, NOT_EVALUATED)
        ]
        if wrong:
            yield Violation(
                "mend", f"{len(wrong)} readings are not what they were before all mends were taken back, e.g. {wrong[0]}"
            )
    versions = {
        round((reading.value or 0.0) % 1 * 1024)
        for (name, _), found in log.readings.items()
        if name == "rep"
        for reading in found
    }
    if not versions <= set(range(1, ledger.replaced_versions + 1)):
        yield Violation("replace", f"values of no file: versions {versions} of {ledger.replaced_versions}")


def _sound(ledger: Ledger, log: Log) -> Iterator[Violation]:
    if log.integrity:
        kind = "damage not noticed" if any(end.in_place for end in ledger.ends) else "integrity"
        yield Violation(kind, f"{len(log.integrity)} lines, e.g. {log.integrity[0]}")
    elif log.wrong_rollups:
        yield Violation("roll-ups", f"{len(log.wrong_rollups)} minutes, e.g. {log.wrong_rollups[0]}")
    if log.spills:
        yield Violation("spill left", ", ".join(log.spills))
