"""What a salvage says to people."""

from __future__ import annotations

from sensorlogd.notation import times
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.salvage.pieces import Stage
from sensorlogd.storage.salvage.progress import Progress
from sensorlogd.storage.salvage.reading import NOWHERE

_WORDS = {resolutions.DAY: "daily", resolutions.HOUR: "hourly", resolutions.QUARTER: "15-minute", resolutions.MINUTE: "1-minute"}
_AT_ONCE = 10


def outcome(name: str, progress: Progress) -> str:
    """One sentence: what is back, from where, and what is not."""
    counts = progress.counts
    back = [f"{(readings := counts.get('readings', 0))} {plural(readings, 'reading')}"]
    back += [
        f"{n} {word} {plural(n, 'roll-up')}" for resolution, word in _WORDS.items() if (n := counts.get(f"rollups_{resolution}"))
    ]
    back += [f"{n} {plural(n, word)}" for word in ("calibration", "mend", "event") if (n := counts.get(f"{word}s"))]
    text = f"{', '.join(back)} from {name} {'is' if back == ['1 reading'] else 'are'} back; the file is kept"
    if counts.get("there"):
        text += f"; {counts['there']} {plural(counts['there'], 'reading was', 'readings were')} there already"
    for name, word in (("expired", "reading"), ("expired_rollups", "roll-up")):
        if n := counts.get(name):
            text += f"; {n} {plural(n, word)} older than what is kept {plural(n, 'was', 'were')} left out"
    if n := counts.get("nonsense"):
        text += f"; {n} {plural(n, 'row that makes', 'rows that make')} no sense {plural(n, 'was', 'were')} left out"
    if n := counts.get("without_mend"):
        text += f"; {n} {plural(n, 'row', 'rows')} of what readings were before a mend that is lost {plural(n, 'was', 'were')} left out"
    skipped, stretches = progress.skipped, progress.stretches
    if skipped:
        text += f"; {skipped} damaged {plural(skipped, 'stretch', 'stretches')}: {'; '.join(stretches[:_AT_ONCE])}"
        if skipped > _AT_ONCE:
            text += f"; and {skipped - min(len(stretches), _AT_ONCE)} more"
    for sentence in (*progress.apart, *progress.cut_short):
        text += f"; {sentence}"
    return text


def stretch(stage: Stage, resolution: int, series: str | None, since: int, until: int | None) -> str:
    """One damaged stretch."""
    if stage in (Stage.CALIBRATION, Stage.MEND, Stage.EVENT):
        what = {Stage.CALIBRATION: "calibrations of series", Stage.MEND: "mends", Stage.EVENT: "events"}[stage]
        return f"{what} from number {max(since, 0)} {'on' if until is None else f'to {until - 1}'}"
    whose = {
        Stage.HISTORY: f"readings of {series}",
        Stage.RECENT: "the newest readings",
        Stage.MENDED: "what was mended",
        Stage.ROLLUP: f"{_WORDS.get(resolution, resolution)} roll-ups of {series}",
    }.get(stage, "")
    return f"{whose} {_when(since, until)}"


def _when(since: int, until: int | None) -> str:
    if until is None:
        return "from the first on" if since <= NOWHERE else f"from {times.format_time(since)} on"
    return (
        f"before {times.format_time(until)}"
        if since <= NOWHERE
        else f"between {times.format_time(since)} and {times.format_time(until)}"
    )
