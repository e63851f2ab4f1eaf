"""Lines to samples: CSV, key=value, JSON and regular expressions, as the configuration describes them. Pure.

A line gives either values for all its fields or none: a line with one field that is no number is a bad line, counted with
an example and not stored. A field whose text means "no value" (``missing``, an infinity) is a reading that is missing (NaN).
What the text of a field means is ``numbers``' matter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping

from sensorlogd.batch import EXACT, Batch, Stamp
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.options import ChecksumOptions, LineFormat, LineOptions
from sensorlogd.drivers.serial.regex.expressions import LineTooLong, expression
from sensorlogd.drivers.serial.text.device_time import DeviceTime
from sensorlogd.drivers.serial.text.numbers import BadLine, Fields, Numbers
from sensorlogd.notation.symbols import micro
from sensorlogd.stamping.local import NoSuchTime


class NoFields(BadLine):
    """The line does not come apart into fields; nothing else was counted of it."""


class LineParser:
    """All of a sensor's rules for lines. ``parse`` is pure but for ``count``."""

    def __init__(self, options: LineOptions, count: Count) -> None:
        assert isinstance(options.format, LineFormat)
        self.options = options
        self.format = options.format
        self.count = count
        self.encoding = options.encoding
        self.numbers = Numbers(self.format, options.maps())
        self._fields = _FIELDS[self.format.type](self.format)
        self._time = None if options.time is None else DeviceTime(options.time)
        self._check = None if options.checksum is None else _Check(options.checksum)
        channels = options.channel_options()
        self.sources = {channel.source or name for name, channel in channels.items()}
        self._time_fields = set(options.time.field.split("+")) if options.time else set()
        self._skip = expression(self.format.skip).search if self.format.skip else None
        self._only = expression(self.format.only).search if self.format.only else None
        self._identities = None if self.format.identity is None else _Identities(self.format.identity, self.format.device)
        self.first = True
        self._known_bad: dict[bytes, str] = {}
        # Of a bad line nothing but that is counted, and it is bad at any time.
        self._quiet = (
            self.format.bad_fields == "reject"
            and self.format.type in ("csv", "regex")
            and (options.time is None or options.time.year is None)
        )
        self._fast = self._fast_csv()

    def parse(self, lines: list[bytes], now_us: int) -> Batch | None:
        """The batch that ``lines`` give, stamped ``now_us`` or with the device's time; None if none of them is good."""
        if self._fast is not None and len(lines) > 4 and not self.first:
            batch = self._fast(lines, now_us)
            if batch is not None:
                return batch
        times: list[int] = []
        stamps = bytearray()
        rows: list[dict[str, float]] = []
        bad_lines, last_bad = 0, (b"", "")
        for line in lines:
            first, self.first = self.first, False
            known = self._known_bad.get(line)
            try:
                if known is not None:
                    raise BadLine(known)
                parsed = self._parse_line(line, now_us)
            except BadLine as bad:
                if first:  # usually the tail of one that began before
                    self.count("first_partial", 1, f"{_excerpt(line)}: {bad}")
                    continue
                bad_lines, last_bad = bad_lines + 1, (line, str(bad))
                short = known is None and len(line) <= 8 and self._identities is None
                if short and (self._quiet or isinstance(bad, NoFields)):
                    self._remember_bad(line, str(bad))
                continue
            if parsed is not None:
                ts, stamp = self._time_and_stamp(*parsed, now_us)
                times.append(ts)
                stamps.append(stamp)
                rows.append(parsed[1])
        if bad_lines:
            self.count("bad_lines", bad_lines, f"{_excerpt(last_bad[0])}: {last_bad[1]}")
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        mixed = Stamp.IMPOSSIBLE in stamps
        return Batch(
            times,
            {name: [row.get(name) for row in rows] for name in names},
            device_time=self._time is not None and not mixed,
            stamps=bytes(stamps) if mixed else None,
        )

    def _remember_bad(self, line: bytes, why: str) -> None:
        """Keep what is wrong with a short line: in a flood of them most were there before, and saying it costs the most."""
        if len(self._known_bad) >= 1000:
            self._known_bad.clear()
        self._known_bad[line] = why

    def _time_and_stamp(self, ts: int | None, values: dict[str, float], now_us: int) -> tuple[int, Stamp]:
        """The time of a reading and whose it is. ``ts`` None: the device shows a time that does not exist."""
        if self._time is None:
            return now_us, Stamp.ARRIVAL
        if ts is None:
            return now_us, Stamp.IMPOSSIBLE
        return self._time.apart(ts, tuple(values.items()), now_us), Stamp.DEVICE

    def _parse_line(self, line: bytes, now_us: int) -> tuple[int | None, dict[str, float]] | None:
        """Time and values of one line; None for a line to skip. Raises BadLine."""
        if self._check is not None:
            line = self._check.strip(line)
        text = self._own_text(line)
        if text is None:
            return None
        fields = self._fields(text)
        ts: int | None = now_us
        if self._time is not None:
            try:
                ts = self._time.of(fields, now_us)
            except NoSuchTime:
                ts = None
        values = self._values(fields)
        if not values:
            if self.format.type in ("keyvalue", "json"):
                self.count("other_lines", 1, _excerpt(line))  # a gateway tells of other devices, too
                return None
            raise BadLine("holds none of the channels")
        return ts, values

    def _own_text(self, line: bytes) -> str | None:
        """The text of a line without its prefix; None, and counted, for a comment and for a line of another device. Raises
        BadLine."""
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise BadLine(f"byte {line[error.start]:#04x} is not {self.encoding}") from None
        text = micro(text)
        form = self.format
        if form.comment and text.startswith(form.comment):
            self.count("comments", 1, "")
            return None
        try:
            others = (self._skip is not None and self._skip(text)) or (self._only is not None and not self._only(text))
            whose = None if self._identities is None or others else self._identities.refuses(text)
        except LineTooLong as error:
            raise BadLine(str(error)) from None
        if others:
            self.count("other_lines", 1, _excerpt(line))
            return None
        if whose is not None:
            self.count(*whose)
            return None
        if form.prefix:
            if not text.startswith(form.prefix):
                raise BadLine(f"does not begin with {form.prefix!r}")
            text = text[len(form.prefix) :]
        return text

    def _values(self, fields: Fields) -> dict[str, float]:
        """The numbers of the fields that are logged; others of a line that names its fields are counted. Raises BadLine."""
        form = self.format
        values: dict[str, float] = {}
        for name, field in fields.items():
            if name in self._time_fields:
                continue
            if name in self.sources:
                try:
                    values[name] = self.numbers.read(name, field, fields)
                except BadLine as bad:
                    if form.bad_fields == "reject":
                        raise
                    self.count("bad_fields", 1, f"{name}={field}: {bad}"[:80])
            elif form.type in ("keyvalue", "json"):
                self.count("unmapped", 1, f"{name}={field}"[:80])
        return values

    # ---- many CSV lines at once ------------------------------------------------------------------------------------

    def _fast_csv(self) -> Callable[[list[bytes], int], Batch | None] | None:
        """Whole columns by built-ins, for plain CSV; gives None when any line wants the exact way."""
        form, options = self.format, self.options
        if (
            form.type != "csv" or options.checksum or options.time or form.comment or form.prefix or form.decimal_comma
            or form.extra_fields or form.words or form.numbers or options.maps() or self.numbers.missing.spelled or form.skip or form.only or form.identity or len(form.separator) != 1 or not form.separator.isascii() or form.separator in " \t+-.eE0123456789_\"'"
        ):  # fmt: skip
            return None
        separator = form.separator.encode()
        width = len(form.fields)
        sentinels = self.numbers.missing.numbers
        wanted = [(index, str(name)) for index, name in enumerate(form.fields) if name in self.sources]
        plain = re.compile(rb"[0-9+\-.eE \r" + re.escape(separator) + rb"]*").fullmatch

        def fast(lines: list[bytes], now_us: int) -> Batch | None:
            """The samples of all lines; None if one of them must be read the exact way."""
            joined = separator.join(lines)
            if not plain(joined):
                return None
            commas = width - 1
            if {line.count(separator) for line in lines} != {commas}:
                return None
            cells = joined.split(separator)
            try:
                # float() of these bytes accepts what NUMBER does, and blanks around it.
                columns: dict[str, list[float | None]] = {name: list(map(float, cells[index::width])) for index, name in wanted}
            except ValueError:
                return None
            for name, column in columns.items():
                if max(column) >= EXACT or min(column) <= -EXACT:  # type: ignore[type-var,operator]
                    return None  # infinite, or perhaps a whole number that a double does not hold
                for number in sentinels:
                    if number in column:
                        column = columns[name] = [math.nan if value == number else value for value in column]
            return Batch([now_us] * len(lines), columns)

        return fast


def _excerpt(line: bytes) -> str:
    return repr(line[:60])[1:] + ("..." if len(line) > 60 else "")


class _Identities:
    """Tells by ``identity`` and ``device`` whether a line is taken: lines of different devices never make one series.

    Where nobody says which device is meant, all is well as long as one is heard; once there are two, none is taken any more.
    """

    def __init__(self, pattern: str, device: str | None) -> None:
        self._search = expression(pattern).search
        self._group = 1 if re.compile(pattern).groups else 0
        self._device = device
        self._heard: str | None = None
        self._other: str | None = None

    def refuses(self, text: str) -> tuple[str, int, str] | None:
        """What to count instead of taking the line; None: it is taken. A line without an identity is nobody's in particular.

        Raises LineTooLong."""
        match = self._search(text)
        if match is None:
            return None
        found = match[self._group]
        if self._device is not None:
            return None if found == self._device else ("other_devices", 1, found[:60])
        if self._heard is None:
            self._heard = found
        if self._other is None and found != self._heard:
            self._other = found
        if self._other is None:
            return None
        return (
            "ambiguous_lines",
            1,
            f"several devices are heard, as {self._heard!r} and {self._other!r}; say which: format: {{device: ...}}",
        )


class _Check:
    """Checks and takes off the checksum of a line."""

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
        covered, found, given = line[begin + len(self.start) :].rpartition(self.before) if self.before else self._split_last(line)
        if not found and self.before:
            if self.required:
                raise BadLine("has no checksum")
            return line
        expected = self.compute(covered)
        if given.strip().upper() != expected.encode():
            raise BadLine(f"checksum {given.strip()[:8]!r}, expected {expected}")
        return line[begin : begin + len(self.start)] + covered

    def _split_last(self, line: bytes) -> tuple[bytes, bytes, bytes]:
        """(covered bytes, no empty text, checksum) of a line without a separator: the checksum is its last characters."""
        body = line.rstrip()
        digits = len(self.compute(b""))
        return body[:-digits], b"x", body[-digits:]


def _csv_splitter(form: LineFormat) -> Callable[[str], Fields]:
    """A function that gives the text of each named field. It raises NoFields."""
    separator = None if form.separator == "whitespace" else form.separator
    names = form.fields
    width = len(names)

    def fields(text: str) -> Fields:
        cells = text.split(separator)
        if len(cells) != width and not (form.extra_fields and len(cells) > width):
            raise NoFields(f"has {len(cells)} fields, expected {width}")
        return {name: cell for name, cell in zip(names, cells, strict=False) if name not in (None, "_", "")}

    return fields


def _keyvalue_splitter(form: LineFormat) -> Callable[[str], Fields]:
    """A function that gives the text of each key. It raises NoFields for a line without any pair, BadLine for too many of one
    key."""
    separator = None if form.separator == "whitespace" else form.separator

    def fields(text: str) -> Fields:
        texts: dict[str, str] = {}
        for pair in text.split(separator):
            key, equals, value = pair.partition(form.equals)
            if equals:
                name = key.strip()
                texts[name if name not in texts else _name_of_repeat(name, texts)] = value
        if not texts:
            raise NoFields(f"holds no key{form.equals}value")
        return texts

    return fields


def _name_of_repeat(name: str, taken: Mapping[str, str]) -> str:
    """Of a name that a line has more than once: the second is ``T_b``, the third ``T_c``. Raises BadLine beyond z."""
    found = next((other for letter in "bcdefghijklmnopqrstuvwxyz" if (other := f"{name}_{letter}") not in taken), None)
    if found is None:
        raise BadLine(f"has the key {name[:40]!r} more than 26 times")
    return found


def _json_splitter(_: LineFormat) -> Callable[[str], Fields]:
    """A function that gives the text of each value by its path in the object (``a.b``, ``a.0``). It raises NoFields."""

    def fields(text: str) -> Fields:
        if "{" not in text:
            raise NoFields("is JSON, but not an object" if text[:1] == "[" else "is not JSON: there is no {")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NoFields(f"is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise NoFields("is JSON, but not an object")
        texts: dict[str, str] = {}
        stack: list[tuple[str, object]] = [("", data)]
        while stack:
            path, value = stack.pop()
            if isinstance(value, dict):
                stack += [(f"{path}.{key}" if path else str(key), inner) for key, inner in value.items()]
            elif isinstance(value, list):
                stack += [(f"{path}.{index}", inner) for index, inner in enumerate(value[:1000])]
            elif isinstance(value, bool):
                texts[path] = "1" if value else "0"
            else:
                texts[path] = "" if value is None else repr(value) if isinstance(value, float) else str(value)
        return texts

    return fields


def _regex_splitter(form: LineFormat) -> Callable[[str], Fields]:
    """A function that gives the text of each named group that matched. It raises NoFields."""
    search = expression(form.pattern or "").search

    def fields(text: str) -> Fields:
        try:
            match = search(text)
        except LineTooLong as error:
            raise NoFields(str(error)) from None
        if match is None:
            raise NoFields("does not match the pattern")
        return {name: value for name, value in match.groupdict().items() if value is not None}

    return fields


_FIELDS: dict[str, Callable[[LineFormat], Callable[[str], Fields]]] = {
    "csv": _csv_splitter,
    "keyvalue": _keyvalue_splitter,
    "json": _json_splitter,
    "regex": _regex_splitter,
}
