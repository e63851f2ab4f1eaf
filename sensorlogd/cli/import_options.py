"""The options of ``import``, as the shell gives them, and what they mean for reading a file."""

from __future__ import annotations

from dataclasses import dataclass

from sensorlogd import quality
from sensorlogd.cli.common import now_us, zone_of
from sensorlogd.exchange.options import ColumnTarget, Options
from sensorlogd.exchange.text import bad_lines
from sensorlogd.notation import times
from sensorlogd.notation.durations import parse_duration
from sensorlogd.series_kinds import SERIES_KINDS
from sensorlogd.stamping.repeats import DROP, KEEP

_DELIMITERS = {"space": " ", "tab": "\t", "\\t": "\t"}


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """What was written on the command line; None and empty: nothing was."""

    time_columns: tuple[str, ...]
    time_format: str
    zone: str | None
    fold: str | None
    year: str | None
    repeat: str | None
    earliest: str | None
    ahead: str
    sensor: str | None
    sensor_column: str | None
    columns: tuple[str, ...]
    kind: str | None
    table: str | None
    delimiter: str | None
    decimal: str
    nulls: tuple[str, ...]
    skip: int
    no_header: bool
    encoding: str
    words: str
    heartbeat: str | None
    duplicates: str | None
    replace: bool
    skip_bad: str | None
    dry_run: bool

    def heartbeat_us(self) -> int | None:
        """Of new series; None: by the spacing of their readings. Raises ValueError."""
        return None if self.heartbeat is None else parse_duration(self.heartbeat)

    def share_of_bad(self) -> float | None:
        """How many of the lines may be bad, 0 to 1; None: not one. Raises ValueError."""
        return None if self.skip_bad is None else bad_lines.share(self.skip_bad)

    def drops_repeated(self) -> bool | None:
        """Whether the same reading twice in a file is one reading; None: as its format has it."""
        chosen = self.duplicates or self.repeat
        return None if chosen is None else chosen == DROP

    def file_options(self) -> Options:
        """How to read a file. Raises ValueError."""
        if self.repeat is not None and self.duplicates is not None:
            raise ValueError("--repeat and --duplicates say the same; write --repeat only")
        now = now_us()
        zone = zone_of(self.zone or "UTC")
        delimiter = None if self.delimiter is None else _DELIMITERS.get(self.delimiter, self.delimiter)
        if delimiter is not None and len(delimiter) != 1:
            raise ValueError(f"--delimiter {delimiter!r}: one character, or 'space' or 'tab'")
        return Options(
            times=self.time_columns, time_format=self.time_format, zone=zone, fold=self.fold,
            year=self.year, repeat=self.repeat or KEEP, now_us=now,
            earliest_us=None if self.earliest is None else times.parse_time(self.earliest, now, zone),
            ahead_us=parse_duration(self.ahead),
            columns=dict(self._column(text) for text in self.columns), sensor=self.sensor, sensor_column=self.sensor_column,
            delimiter=delimiter, decimal=self.decimal, nulls=self.nulls, skip=self.skip, header=not self.no_header,
            quality=quality.parse(self.words), guesses=self.dry_run,
        )  # fmt: skip

    def _column(self, text: str) -> tuple[str, ColumnTarget]:
        """(column, where it belongs) of ``COLUMN=SENSOR.CHANNEL[:UNIT[:KIND]]``. Raises ValueError."""
        column, _, target = text.rpartition("=")
        name, _, rest = target.partition(":")
        unit, _, kind = rest.partition(":")
        sensor, _, channel = name.rpartition(".")
        if not column or not channel or (not sensor and not self.sensor and not self.sensor_column):
            raise ValueError(f"--column {text!r}: write COLUMN=SENSOR.CHANNEL, and :UNIT and :KIND after it if you like")
        if kind and kind not in SERIES_KINDS:
            raise ValueError(f"--column {text!r}: unknown kind {kind!r}; {', '.join(SERIES_KINDS)}")
        return column, ColumnTarget(sensor or self.sensor, channel, unit or None, kind or None)
