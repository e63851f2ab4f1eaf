"""Lines to samples: CSV, key=value, JSON and regular expressions, as the configuration describes them. Pure.

A line gives either values for all its fields or none: a line with one field that is no number is a bad line, counted with
an example and not stored. A field whose text means "no value" (``missing``) is a reading that is missing (NaN).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sensorlogd.batch import Batch
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.options import ChecksumOptions, LineFormat, LineOptions, NumberOptions, TimeOptions
from sensorlogd.scaling import divisor

# What float() takes beyond this (1_000, infinity, digits of other scripts) is no measured value.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,12}")

Count = Callable[[str, int, str], None]
Fields = Mapping[str, str]


class BadLine(ValueError):
    """The line does not fit the format; the text says why."""


class LineParser:
    """All of a sensor's rules for lines. ``parse`` is pure but for ``count``."""

    def __init__(self, options: LineOptions, count: Count) -> None:
        assert isinstance(options.format, LineFormat)
        self.options = options
        self.format = options.format
        self.count = count
        self.encoding = options.encoding
        self.missing = {text.strip().lower() for text in self.format.missing}
        self._fields = _FIELDS[self.format.type](self.format)
        self._time = None if options.time is None else DeviceTime(options.time)
        self._check = None if options.checksum is None else _Check(options.checksum)
        channels = options.channel_options()
        self.sources = {channel.source or name for name, channel in channels.items()}
        self._time_fields = set(options.time.field.split("+")) if options.time else set()
        self._skip = re.compile(self.format.skip).search if self.format.skip else None
        self._only = re.compile(self.format.only).search if self.format.only else None
        self.first = True
        self._fast = self._fast_csv()

    def parse(self, lines: list[bytes], now_us: int) -> Batch | None:
        """The batch that ``lines`` give, stamped ``now_us`` or with the device's time; None if none of them is good."""
        if self._fast is not None and len(lines) > 4 and not self.first:
            batch = self._fast(lines, now_us)
            if batch is not None:
                return batch
        times: list[int] = []
        rows: list[dict[str, float]] = []
        for line in lines:
            first, self.first = self.first, False
            try:
                parsed = self._line(line, now_us)
            except BadLine as bad:
                # The first line after opening is usually the tail of one that began before.
                self.count("partial_first" if first else "bad_lines", 1, f"{_shown(line)}: {bad}")
                continue
            if parsed is not None:
                times.append(parsed[0])
                rows.append(parsed[1])
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch(times, {name: [row.get(name) for row in rows] for name in names}, device_time=self._time is not None)

    def _line(self, line: bytes, now_us: int) -> tuple[int, dict[str, float]] | None:
        """Time and values of one line; None for a line to skip. Raises BadLine."""
        if self._check is not None:
            line = self._check.strip(line)
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise BadLine(f"byte {line[error.start]:#04x} is not {self.encoding}") from None
        form = self.format
        if form.comment and text.startswith(form.comment):
            self.count("comments", 1, "")
            return None
        if (self._skip is not None and self._skip(text)) or (self._only is not None and not self._only(text)):
            self.count("other_lines", 1, _shown(line))
            return None
        if form.prefix:
            if not text.startswith(form.prefix):
                raise BadLine(f"does not begin with {form.prefix!r}")
            text = text[len(form.prefix) :]
        fields = self._fields(text)
        ts = now_us if self._time is None else self._time.of(fields)
        values: dict[str, float] = {}
        for name, field in fields.items():
            if name in self._time_fields:
                continue
            if name in self.sources:
                special = form.numbers.get(name)
                try:
                    values[name] = self._number(field) if special is None else self._special(special, field, fields)
                except BadLine as bad:
                    if form.bad_fields == "reject":
                        raise
                    self.count("bad_fields", 1, f"{name}={field}: {bad}"[:80])
            elif form.type in ("keyvalue", "json"):
                self.count("unmapped", 1, f"{name}={field}"[:80])
        if not values:
            if form.type in ("keyvalue", "json"):
                self.count("other_lines", 1, _shown(line))  # a gateway tells of other devices, too
                return None
            raise BadLine("holds none of the channels")
        return ts, values

    def _number(self, text: str) -> float:
        text = text.strip()
        if text in self.format.words:
            return self.format.words[text]
        if text.lower() in self.missing:
            return math.nan
        if self.format.decimal_comma:
            text = text.replace(",", ".", 1)
        if not _NUMBER.fullmatch(text):
            raise BadLine(f"{text[:40]!r} is not a number")
        value = float(text)
        if math.isinf(value):
            raise BadLine(f"{text[:40]!r} is beyond what a number can hold")
        return value

    def _special(self, options: NumberOptions, text: str, fields: Fields) -> float:
        """A field that ``numbers:`` names."""
        text = text.strip()
        if text in self.format.words or text.lower() in self.missing:
            return self._number(text)
        if options.hex:
            if not _HEX.fullmatch(text):
                raise BadLine(f"{text[:40]!r} is not hexadecimal")
            whole = int(text, 16)
            if options.sign_bit is not None and whole >> options.sign_bit & 1:
                whole = -(whole & ((1 << options.sign_bit) - 1))
            if options.bits is not None and whole >> (options.bits - 1) & 1:
                whole -= 1 << options.bits
            number = float(whole)
        else:
            number = self._number(text)
        if options.degrees_minutes:
            degrees, minutes = divmod(number, 100)
            if not 0 <= degrees <= 180 or minutes >= 60:
                raise BadLine(f"{text[:40]!r} is not an angle in degrees and minutes")
            number = degrees + minutes / 60
        if options.negative_if is not None and fields.get(options.negative_if[0], "").strip() == options.negative_if[1]:
            number = -number
        by = divisor(options.scale)
        return (number * options.scale if by is None else number / by) + options.offset

    # ---- many CSV lines at once ------------------------------------------------------------------------------------

    def _fast_csv(self) -> Callable[[list[bytes], int], Batch | None] | None:
        """Whole columns by built-ins, for plain CSV; gives None when any line wants the exact way."""
        form, options = self.format, self.options
        if (
            form.type != "csv" or options.checksum or options.time or form.comment or form.prefix or form.decimal_comma
            or form.extra_fields or form.words or form.numbers or form.skip or form.only or len(form.separator) != 1 or not form.separator.isascii() or form.separator in " \t+-.eE0123456789_\"'"
        ):  # fmt: skip
            return None
        separator = form.separator.encode()
        width = len(form.fields)
        wanted = [(index, str(name)) for index, name in enumerate(form.fields) if name in self.sources]
        plain = re.compile(rb"[0-9+\-.eE \r" + re.escape(separator) + rb"]*").fullmatch

        def fast(lines: list[bytes], now_us: int) -> Batch | None:
            joined = separator.join(lines)
            if not plain(joined):
                return None
            commas = width - 1
            if not all(line.count(separator) == commas for line in lines):
                return None
            cells = joined.split(separator)
            try:
                # float() of these bytes accepts what _NUMBER does, and blanks around it.
                columns: dict[str, list[float | None]] = {name: list(map(float, cells[index::width])) for index, name in wanted}
            except ValueError:
                return None
            if any(math.isinf(min(column)) or math.isinf(max(column)) for column in columns.values()):  # type: ignore[type-var,arg-type]
                return None
            return Batch([now_us] * len(lines), columns)

        return fast


def _shown(line: bytes) -> str:
    return repr(line[:60])[1:] + ("..." if len(line) > 60 else "")


class _Check:
    def __init__(self, options: ChecksumOptions) -> None:
        self.compute = CHECKSUMS[options.type].text
        self.start = options.start.encode("latin-1")
        self.before = options.before.encode("latin-1")
        self.required = options.required

    def strip(self, line: bytes) -> bytes:
        """The line without its checksum. Raises BadLine if that is wrong or absent."""
        begin = line.find(self.start) if self.start else 0
        if begin < 0:
            raise BadLine(f"has no {self.start!r}")
        covered, found, given = line[begin + len(self.start) :].rpartition(self.before) if self.before else self._fixed(line)
        if not found and self.before:
            if self.required:
                raise BadLine("has no checksum")
            return line
        expected = self.compute(covered)
        if given.strip().upper() != expected.encode():
            raise BadLine(f"checksum {given.strip()[:8]!r}, expected {expected}")
        return line[begin : begin + len(self.start)] + covered

    def _fixed(self, line: bytes) -> tuple[bytes, bytes, bytes]:
        """No separator: the checksum is the last characters."""
        body = line.rstrip()
        digits = len(self.compute(b""))
        return body[:-digits], b"x", body[-digits:]


class DeviceTime:
    """``time:``. Impossible times make the line bad, but for a 60th second, which some loggers write for the next minute."""

    def __init__(self, options: TimeOptions) -> None:
        self.fields = options.field.split("+")
        self.format = options.format
        self.zone = ZoneInfo(options.zone)

    def of(self, fields: Fields) -> int:
        try:
            text = " ".join(fields[name].strip() for name in self.fields)
        except KeyError as error:
            raise BadLine(f"has no time field {error.args[0]!r}") from None
        try:
            if self.format in ("epoch", "epoch_ms"):
                if not _NUMBER.fullmatch(text):
                    raise ValueError(text)
                us = round(float(text) * (1e6 if self.format == "epoch" else 1e3))
                if abs(us) > 253_402_300_799_000_000:
                    raise ValueError(text)
                return us
            at = self._read(text)
            if at.tzinfo is None:
                at = at.replace(tzinfo=self.zone)
            since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        except (ValueError, OverflowError):
            raise BadLine(f"{text[:40]!r} is not a time of the form {self.format}") from None
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    def _read(self, text: str) -> datetime:
        try:
            return self._strict(text)
        except ValueError:
            if ":60" not in text:
                raise
            head, _, tail = text.rpartition(":60")
            return self._strict(f"{head}:59{tail}") + timedelta(seconds=1)

    def _strict(self, text: str) -> datetime:
        if self.format == "iso":
            return datetime.fromisoformat(text)
        return datetime.strptime(text, self.format)  # noqa: DTZ007  # the caller gives it the configured zone


def _csv(form: LineFormat) -> Callable[[str], Fields]:
    separator = None if form.separator == "whitespace" else form.separator
    names = form.fields
    width = len(names)

    def fields(text: str) -> Fields:
        cells = text.split(separator)
        if len(cells) != width and not (form.extra_fields and len(cells) > width):
            raise BadLine(f"has {len(cells)} fields, expected {width}")
        return {name: cell for name, cell in zip(names, cells, strict=False) if name not in (None, "_", "")}

    return fields


def _keyvalue(form: LineFormat) -> Callable[[str], Fields]:
    separator = None if form.separator == "whitespace" else form.separator

    def fields(text: str) -> Fields:
        found: dict[str, str] = {}
        for pair in text.split(separator):
            key, equals, value = pair.partition(form.equals)
            if equals:
                found[key.strip()] = value
        if not found:
            raise BadLine(f"holds no key{form.equals}value")
        return found

    return fields


def _json(_: LineFormat) -> Callable[[str], Fields]:
    def fields(text: str) -> Fields:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadLine(f"is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise BadLine("is JSON, but no object")
        found: dict[str, str] = {}
        stack: list[tuple[str, object]] = [("", data)]
        while stack:
            path, value = stack.pop()
            if isinstance(value, dict):
                stack += [(f"{path}.{key}" if path else str(key), inner) for key, inner in value.items()]
            elif isinstance(value, list):
                stack += [(f"{path}.{index}", inner) for index, inner in enumerate(value[:1000])]
            elif isinstance(value, bool):
                found[path] = "1" if value else "0"
            else:
                found[path] = "" if value is None else repr(value) if isinstance(value, float) else str(value)
        return found

    return fields


def _regex(form: LineFormat) -> Callable[[str], Fields]:
    search = re.compile(form.pattern or "").search

    def fields(text: str) -> Fields:
        match = search(text)
        if match is None:
            raise BadLine("does not match the pattern")
        return {name: value for name, value in match.groupdict().items() if value is not None}

    return fields


_FIELDS: dict[str, Callable[[LineFormat], Callable[[str], Fields]]] = {
    "csv": _csv,
    "keyvalue": _keyvalue,
    "json": _json,
    "regex": _regex,
}
