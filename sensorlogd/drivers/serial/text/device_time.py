"""``time:``: the device's own stamp. Pure."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime, timedelta

from sensorlogd.drivers.sentinels import NUMBER
from sensorlogd.drivers.serial.options import TimeOptions
from sensorlogd.drivers.serial.text.numbers import BadLine
from sensorlogd.stamping import patterns
from sensorlogd.stamping.local import LocalTimes
from sensorlogd.stamping.repeats import Repeats

_FACTORS = {"epoch": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
_PLAIN = re.compile(r"([+-]?)(\d+)(?:\.(\d*))?", re.ASCII)
_MAX_US = 253_402_300_799_000_000


class DeviceTime:
    """Reads the stamps of one source, in the order of its lines. A text that is no time makes the line bad, but for a 60th
    second, which some loggers write for the next minute."""

    def __init__(self, options: TimeOptions) -> None:
        self.fields = options.field.split("+")
        self.format = options.format
        self._local = LocalTimes(options.zone, options.fold)
        self._repeats = Repeats(options.repeat, patterns.width_us(options.format))
        self._completed = patterns.Completed(options.format) if options.year == "from_host" else None

    def of(self, fields: Mapping[str, str], now_us: int = 0) -> int:
        """Microseconds UTC. ``now_us``: the time of arrival. Raises BadLine, ``local.NoSuchTime``."""
        try:
            text = " ".join(fields[name].strip() for name in self.fields)
        except KeyError as error:
            raise BadLine(f"has no time field {error.args[0]!r}") from None
        try:
            if self.format in _FACTORS:
                return _epoch_us(text, _FACTORS[self.format])
            at = self._parse(text, now_us)
        except (ValueError, OverflowError):
            raise BadLine(f"{text[:40]!r} is not a time of the form {self.format}") from None
        try:
            return self._local.utc_us(at, now_us or None)
        except OverflowError:
            raise BadLine(f"{text[:40]!r} is not a time of the form {self.format}") from None

    def apart(self, stamp_us: int, values: Hashable, now_us: int) -> int:
        """The time of a reading that shares its stamp with others; see ``stamping.repeats``."""
        return self._repeats.stamp(stamp_us, values, now_us)

    def _parse(self, text: str, now_us: int) -> datetime:
        """The time in a text; second 60 is the first of the next minute. Raises ValueError."""
        try:
            return self._parse_strictly(text, now_us)
        except ValueError:
            if ":60" not in text:
                raise
            head, _, tail = text.rpartition(":60")
            return self._parse_strictly(f"{head}:59{tail}", now_us) + timedelta(seconds=1)

    def _parse_strictly(self, text: str, now_us: int) -> datetime:
        """Without a zone unless the text has one. A form without a year or date is completed to the time nearest to ``now_us``. Raises
        ValueError."""
        if self.format == "iso":
            return datetime.fromisoformat(text)
        if self._completed is not None:
            near = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
            offset = near.astimezone(self._local.zone).utcoffset() or timedelta()
            return self._completed.read(text, now_us + round(offset.total_seconds() * 1e6))
        return datetime.strptime(text, self.format)  # noqa: DTZ007  # the caller gives it the configured zone


def _epoch_us(text: str, factor: int) -> int:
    """Microseconds since 1970, without the rounding of doubles where the number is a plain one. ``factor``: microseconds in its
    unit. Raises ValueError for what is no number, or after the year 9999."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        digits = len(str(factor)) - 1
        us = int(plain[2]) * factor + (int(f"{plain[3] or '':0<{digits}.{digits}}") if digits else 0)
        us = -us if plain[1] == "-" else us
    elif NUMBER.fullmatch(text):
        us = round(float(text) * factor)
    else:
        raise ValueError(text)
    if abs(us) > _MAX_US:
        raise ValueError(text)
    return us
