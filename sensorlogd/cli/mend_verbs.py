"""``flag`` and ``recalibrate``: mend what is stored, after a preview, and undo it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from sensorlogd import quality
from sensorlogd.calibration import curves
from sensorlogd.cli import exits, output
from sensorlogd.cli.common import config_option, database, db_option, fail, now_us, series_of, troubles_fail, tz_option, zone_of
from sensorlogd.cli.database_changes import Actor, Refused, acting, confirm, readable
from sensorlogd.cli.empty_range import where_readings_are
from sensorlogd.cli.work_waiting import wait_for
from sensorlogd.daemon.control.requests.database import MendRequest, ResumeRequest, UndoRequest
from sensorlogd.notation import numbers, times
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.corrections import mend_order, mend_rows, mend_state
from sensorlogd.storage.corrections.change import Change, MendError
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series

QUALITIES = ("good", "not_evaluated", "suspect", "fail")
MAX_EXAMPLES = 3


def _mend_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that all verbs have which mend."""
    for option in (
        click.option("--since", metavar="TIME", help="from then on"),
        click.option("--until", metavar="TIME", help="until then, exclusive (default: now)"),
        click.option("--note", default="", metavar="TEXT", help="why; kept with it and shown in events"),
        click.option("--dry-run", is_flag=True, help="only say what would happen"),
        click.option("--yes", is_flag=True, help="do not ask"),
        click.option("--undo", type=int, metavar="ID", help="take this mend back"),
        click.option("--resume", type=int, metavar="ID", help="watch a mend that goes on; go on with one that was interrupted"),
        click.option("--list", "listing", is_flag=True, help="list what was mended"),
        tz_option,
        db_option,
        config_option,
    ):
        verb = option(verb)
    return verb


@click.command(
    epilog="""\b
Examples:
  sensorlogd flag greenhouse.temperature fail --since 2026-03-01T08:00 --until 2026-03-01T09:30 --note "sensor in the sun" --dry-run
  sensorlogd flag 'greenhouse.*' suspect --since yesterday --until today --yes
  sensorlogd flag --list
  sensorlogd flag --undo 7
\b
Readings flagged fail are left out of every aggregate and counted; the values stay. Roll-ups follow by themselves.
Exit status: 0; 2 usage or no such series; 3 no readings in the range.
"""
)
@click.argument("series", required=False)
@click.argument("flag", metavar="QUALITY", required=False, type=click.Choice(QUALITIES))
@_mend_options
def flag(series: str | None, flag: str | None, **options: Any) -> None:
    """Give readings of SERIES (globs allowed) a quality: good, not_evaluated, suspect or fail."""
    if _handles_other_request(options):
        return
    if series is None or flag is None:
        raise click.UsageError("which SERIES, and which QUALITY (good, not_evaluated, suspect, fail)?")
    _mend(series, Change(int(quality.Flag[flag.upper()])), options)


@click.command(
    epilog="""\b
Examples:
  sensorlogd recalibrate greenhouse.temperature --since 2026-01-01 --until 2026-02-01 --offset -0.4 --dry-run
  sensorlogd recalibrate scale.weight --since 2026-05 --scale 1.02 --note "checked with 1 kg" --yes
  sensorlogd recalibrate tank.level --since 2026-05 --table '0:0, 512:10.5, 1023:19.8' --dry-run
  sensorlogd recalibrate flow.rate --since 2026-05 --polynomial '0.02, 0.98, 1.5e-4'
  sensorlogd recalibrate --undo 7
\b
Every value becomes value * SCALE + OFFSET; with --polynomial or --table what these give takes the value's place first.
Between the points of a table the line through both holds; values beyond its ends go on along it and become suspect. Roll-ups follow by themselves; what the values were is remembered, so that
--undo brings back exactly those.
Exit status: 0; 2 usage or no such series; 3 no readings in the range.
"""
)
@click.argument("series", required=False)
@click.option("--scale", type=float, default=1.0, show_default=True)
@click.option("--offset", type=float, default=0.0, show_default=True)
@click.option("--polynomial", metavar="C0,C1,...", help="C0 + C1*value + C2*value² ... takes the value's place")
@click.option("--table", metavar="X:Y,X:Y,...", help="so does the Y that a table has for the value X, with lines between")
@_mend_options
def recalibrate(
    series: str | None, scale: float, offset: float, polynomial: str | None, table: str | None, **options: Any
) -> None:
    """Change stored values of SERIES (globs allowed) by scale and offset, a polynomial or a table."""
    if _handles_other_request(options):
        return
    if series is None:
        raise click.UsageError("which SERIES?")
    curve = _curve(polynomial, table)
    if (scale, offset) == (1.0, 0.0) and curve is None:
        raise click.UsageError("--scale 1 --offset 0 changes nothing; give --scale, --offset, --polynomial or --table")
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0:
        raise click.UsageError(
            f"--scale {scale:g} --offset {offset:g}: they are finite numbers, the scale not 0 (all values would be the same)"
        )
    _mend(series, Change(None, scale, offset, curve), options)


def _curve(polynomial: str | None, table: str | None) -> curves.Curve | None:
    """The calibration that --polynomial or --table gives; None if neither is given."""
    if polynomial is not None and table is not None:
        raise click.UsageError("--polynomial and --table exclude each other; leave one out")
    try:
        if polynomial is not None:
            return curves.polynomial([_number(term) for term in polynomial.split(",")])
        if table is not None:
            return curves.table([_point(text) for text in table.split(",")])
    except ValueError as error:
        option = "--table '0:0, 100:98.5'" if table is not None else "--polynomial '0.1, 0.98'"
        raise click.UsageError(f"{error}; write e.g. {option}") from None
    return None


def _number(text: str) -> float:
    """Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a number") from None


def _point(text: str) -> tuple[float, float]:
    """The point that ``x:y`` names. Raises ValueError."""
    x, colon, y = text.partition(":")
    if not colon:
        raise ValueError(f"{text.strip()!r} is not a point, which is two numbers and a colon between them")
    return _number(x), _number(y)


# ---- making one --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Preview:
    """The preview of a mend of a series. ``examples``: (time, before, after). ``falls``: how often a value is lower than the one
    before it, which is ``newest``."""

    series: Series
    readings: int = 0
    qualities: Counter[int] = field(default_factory=Counter)
    low: float = math.inf
    high: float = -math.inf
    new_low: float = math.inf
    new_high: float = -math.inf
    newest: float = -math.inf
    falls: int = 0
    examples: list[tuple[int, float | None, float | None]] = field(default_factory=list)


def _mend(pattern: str, change: Change, options: dict[str, Any]) -> None:
    """Show what the change would do to the readings of the range and, unless that was all, have it done. Exits if there is
    nothing to change."""
    zone = zone_of(options["tz"])
    since, until = _range_us(options, zone)
    with _open_log(options) as log:
        epoch = log.epoch()
        wanted = series_of(log, (pattern,))
        try:
            previews = [_preview(log, series, change, since, until) for series in wanted]
        except MendError as error:
            fail(str(error), exits.USAGE)
        some = [preview for preview in previews if preview.readings]
        if not some:
            where = where_readings_are(log, wanted, (since, until), zone, proposes=False)
            fail(f"no readings in this range{where}", exits.NO_DATA)
    for preview in some:
        _print_preview(preview, change, zone)
    total = sum(preview.readings for preview in some)
    if options["dry_run"]:
        click.echo(f"{total:,} {plural(total, 'reading')} of {len(some)} series; nothing was changed (--dry-run)")
        return
    confirm(f"Change {total:,} {plural(total, 'reading')} of {len(some)} series?", yes=options["yes"])
    with acting(options["config_file"], options["db"]) as actor:
        # All mends are ordered before the first is waited for: if this verb ends early, none of them does.
        ordered = [
            actor.act(
                MendRequest(
                    preview.series.id, since, until, change.quality, change.scale, change.offset,
                    None if change.curve is None else change.curve.text(), options["note"], preview.readings, actor.expected(epoch),
                )
            )
            for preview in some
        ]  # fmt: skip
        for preview, answer in zip(some, ordered, strict=True):
            changed = _wait_for_mend(actor, f"mend {answer.id}", answer.work)
            click.echo(
                f"{preview.series.name}: {changed:,} {plural(changed, 'reading')}"
                f", mend {answer.id}; take it back with --undo {answer.id}"
            )
        actor.roll_up()


def _range_us(options: dict[str, Any], zone: str) -> tuple[int, int]:
    """[since, until) in µs. Exits for times that are not understood or not in order."""
    if options["since"] is None:
        raise click.UsageError("--since is needed: from when on?")
    now = now_us()
    try:
        since = times.parse_time(options["since"], now, zone)
        until = now if options["until"] is None else times.parse_time(options["until"], now, zone)
        if since >= until:
            raise ValueError(f"--since {options['since']} is not before --until {options['until'] or 'now'}")
    except ValueError as error:
        fail(str(error), exits.USAGE)
    return since, until


def _preview(log: LogReader, series: Series, change: Change, since: int, until: int) -> Preview:
    """What the change would do to the readings of one series. Raises MendError."""
    preview = Preview(series)
    for rows in log.columns(series, since, until):
        preview.readings += len(rows)
        preview.qualities.update(code for _, _, code in rows)
        for ts, value, code in rows:
            after, _ = change.apply(value, code)
            if value is not None:
                preview.falls += value < preview.newest
                preview.newest = value
            if len(preview.examples) < MAX_EXAMPLES:
                preview.examples.append((ts, value, after))
            if value is not None and after is not None:
                preview.low, preview.high = min(preview.low, value), max(preview.high, value)
                preview.new_low, preview.new_high = min(preview.new_low, after), max(preview.new_high, after)
    return preview


def _print_preview(preview: Preview, change: Change, zone: str) -> None:
    name, unit = preview.series.name, preview.series.unit

    def said(value: float | None, nothing: str = "") -> str:
        return numbers.text(value, nothing, preview.series.decimals)

    flags = ", ".join(f"{n:,} {quality.describe(code)}" for code, n in preview.qualities.most_common())
    click.echo(f"{name}: {preview.readings:,} {plural(preview.readings, 'reading')} ({flags})")
    if change.quality is not None:
        click.echo(f"  become {quality.describe(change.quality)}:operator; their values stay")
        return
    if preview.low <= preview.high:
        click.echo(
            f"  from {said(preview.low)} ... {said(preview.high)} {unit}".rstrip()
            + f" to {said(preview.new_low)} ... {said(preview.new_high)} {unit}".rstrip()
        )
    if preview.series.kind == "counter" and preview.falls:
        click.echo(
            f"  it falls in this range ({preview.falls:,} {plural(preview.falls, 'time')})"
            ", and what a fall means is said by the wrap and offset of the"
            " configuration, which do not change with the values: look at its increase afterwards; --undo takes it back"
        )
    for ts, before, after in preview.examples:
        if before is not None:
            old, new = said(before), said(after, "-")
            if old == new and before != after:  # the change is finer than what is usually shown
                old, new = numbers.text(before), numbers.text(after, "-")
            click.echo(f"  {times.format_time(ts, zone)}  {old} -> {new}")


def _wait_for_mend(actor: Actor, label: str, identity: int) -> int:
    """Wait until that work is over. Returns how many readings it dealt with. Raises Refused."""
    answer = wait_for(actor, label, identity, see="--list")
    if answer.outcome == mend_state.TAKEN_BACK:
        raise Refused(f"{label}: {answer.outcome}")
    return answer.done


# ---- taking back, going on, listing ------------------------------------------------------------------------------------


def _handles_other_request(options: dict[str, Any]) -> bool:
    """Carry out --list, --undo or --resume. Returns whether one of them was given."""
    requests_given = [name for name in ("listing", "undo", "resume") if options[name] not in (None, False)]
    if len(requests_given) > 1:
        raise click.UsageError("--list, --undo and --resume exclude each other; say one of them")
    if not requests_given:
        return False
    if options["listing"]:
        _print_mends(options)
        return True
    identity = options[requests_given[0]]
    with _open_log(options) as log:
        epoch = log.epoch()
        try:
            request = _checked(log, requests_given[0], identity)
        except mend_rows.NoSuchMend as error:
            fail(f"{error}; --list shows all", exits.USAGE)
        except MendError as error:
            fail(str(error), exits.USAGE)
    if options["dry_run"]:
        click.echo(
            f"mend {identity}: {request.readings:,}"
            f" {plural(request.readings, 'reading would become what it was', 'readings would become what they were')} (--dry-run)"
        )
        return True
    with acting(options["config_file"], options["db"]) as actor:
        kind = UndoRequest if requests_given == ["undo"] else ResumeRequest
        order = kind(identity, actor.expected(epoch))
        changed = _wait_for_mend(actor, f"mend {identity}", actor.act(order).work)
        if requests_given == ["undo"]:
            click.echo(
                f"mend {identity} is taken back: {changed:,}"
                f" {plural(changed, 'reading is what it was', 'readings are what they were')}"
            )
        else:
            click.echo(f"mend {identity}: {changed:,} {plural(changed, 'reading')}; finished")
        actor.roll_up()
    return True


def _checked(log: LogReader, what: str, identity: int) -> mend_rows.Mend:
    """The mend with that id, checked before anything is begun. Raises MendError."""
    if what == "undo":
        return mend_order.check_undo(log.conn, identity)
    if mend_state.work_of(log.conn, mend_state.MEND, identity) is not None:  # it goes on by itself: looked at only
        return mend_rows.find(log.conn, identity)
    return mend_order.check_resume(log.conn, identity)


def _print_mends(options: dict[str, Any]) -> None:
    zone = zone_of(options["tz"])
    with _open_log(options) as log:
        names = {series.id: series.name for series in log.series(("*.*",), retired=True)} if mend_rows.all_mends(log.conn) else {}
        rows = [
            {
                "id": made.id,
                "made": times.format_time(made.made_us, zone),
                "series": names.get(made.series, made.series),
                "since": times.format_time(made.since_us, zone),
                "until": times.format_time(made.until_us, zone),
                "what": made.message(),
                "readings": made.readings,
                "state": mend_state.state_of(log.conn, made),
                "note": made.note,
            }
            for made in reversed(mend_rows.all_mends(log.conn))
        ]
    if not rows:
        fail("nothing was mended", exits.NO_DATA)
    output.write(rows, ("id", "made", "series", "since", "until", "what", "readings", "state", "note"), None)


@contextmanager
def _open_log(options: dict[str, Any]) -> Iterator[LogReader]:
    path = database(options["config_file"], options["db"])
    with troubles_fail(path), LogReader.open(path) if options["dry_run"] else readable(path) as log:
        yield log
