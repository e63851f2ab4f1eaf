"""Between driver and treatment: a device's own times are judged before anything is stored under them."""

from __future__ import annotations

from collections.abc import Callable

from sensorlogd.batch import Batch, Stamp
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.microseconds import DAY_US, HOUR_US
from sensorlogd.notation.times import format_time
from sensorlogd.stamping.judging import TimeLimits, looks_rolled_over

Count = Callable[[str, int, str], None]
SILENT_AFTER_REPORT_US = HOUR_US  # a finding that goes on, or comes back within this time, is not reported again


class TimeJudge:
    """Judges the times of one sensor's readings; used by its thread only.

    A reading whose time cannot be believed is stored under the time of arrival, marked ``bad_time`` and counted; a receiver's
    weeks that rolled over are put right and counted as ``week_rollover``. Either is reported as an event, and
    again only after an hour without one.
    ``limits`` None: every time that exists is believed (a replay, a simulation of the past).
    """

    def __init__(self, limits: TimeLimits | None, count: Count, emit: Callable[[EventKind, str], None]) -> None:
        self._limits = limits
        self._count = count
        self._emit = emit
        self._reported_us: dict[EventKind, int] = {}

    def judge(self, batch: Batch, now_us: int, *, clock_set: bool) -> list[Batch]:
        """Split a batch into batches whose times all come from one clock, and put right or mark times that cannot be believed.
        ``now_us``: the host's time of arrival. ``clock_set``: passed on to ``limits``."""
        judged: list[Batch] = []
        for part in batch.parts():
            if part.bad_time:
                self._report_bad_time(part, now_us, "the device's clock shows a time that does not exist")
                judged.append(part)
            elif part.times_us and self._limits is not None and (part.device_time or not _is_within_a_day(part, now_us)):
                judged += self._judge_each(part, self._limits, now_us, clock_set=clock_set)
            else:
                judged.append(part)
        return judged

    def _judge_each(self, part: Batch, limits: TimeLimits, now_us: int, *, clock_set: bool) -> list[Batch]:
        """Judge each time of a batch, and split it by what its times are then: its own, or that of arrival where they cannot
        be believed."""
        try:
            if limits.all_believed(part.times_us, now_us, clock_set=clock_set):
                return [part]
        except TypeError:
            return [part]  # times that are no numbers break the contract: the treatment says so
        latest_us = limits.latest_us(now_us, clock_set=clock_set)
        own = Stamp.DEVICE if part.device_time else Stamp.ARRIVAL  # samples with a time: whose clock it is nobody says
        stamps = bytearray()
        times, example = [], None
        for ts in part.times_us:
            if not limits.earliest_us <= ts <= latest_us:
                mended = limits.mended(ts, now_us, clock_set=clock_set)
                if mended is None:
                    example = ts if example is None else example
                    stamps.append(Stamp.IMPOSSIBLE)
                    times.append(now_us)
                    continue
                self._emit_unless_repeated(
                    EventKind.WEEK_ROLLOVER, f"the receiver says {format_time(ts)}: its weeks have rolled over; put right", now_us
                )
                self._count("week_rollover", 1, format_time(ts))
                ts = mended
            stamps.append(own)
            times.append(ts)
        found = Batch(times, part.values, part.device_time, bytes(stamps)).parts()
        for batch in found:
            if batch.bad_time and example is not None:
                hint = (
                    "; 1024 weeks behind, as of a GPS receiver whose weeks have rolled over"
                    if looks_rolled_over(example, now_us)
                    else ""
                )
                self._report_bad_time(batch, now_us, f"the device says {format_time(example)}{hint}")
        return found

    def _report_bad_time(self, part: Batch, now_us: int, why: str) -> None:
        self._count("bad_time", len(part.times_us), why)
        self._emit_unless_repeated(EventKind.BAD_TIME, f"{why}; its readings are stored under the time of arrival", now_us)

    def _emit_unless_repeated(self, kind: EventKind, detail: str, now_us: int) -> None:
        """Emit an event, unless the last finding of its kind was within the hour before."""
        last_us = self._reported_us.get(kind)
        self._reported_us[kind] = now_us
        if last_us is None or not 0 <= now_us - last_us <= SILENT_AFTER_REPORT_US:
            self._emit(kind, detail)


def _is_within_a_day(part: Batch, now_us: int) -> bool:
    """Whether all times are within a day of now, as those stamped on arrival are; also True for times that are no numbers."""
    try:
        return abs(min(part.times_us) - now_us) <= DAY_US and abs(max(part.times_us) - now_us) <= DAY_US
    except TypeError:
        return True
