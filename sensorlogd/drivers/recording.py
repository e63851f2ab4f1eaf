"""Recordings: what a device sent, and when, one JSON object a line. Written by ``listen --record``, read by ``replay``.

    {"recording": 1, "start": "2026-03-14T12:00:00.000000Z", "port": "/dev/ttyUSB0", "baudrate": 9600}
    {"t": 0.0, "data": "+0012.50 G S\\r\\n"}
    {"t": 0.251904, "hex": "424d001c0017002900"}

``t`` is in seconds: since ``start`` where the first line tells it (optional; further keys of it are for people), else since
1970 where it is that large, else from an unknown origin. It may go backwards, as clocks do. The bytes are ``data`` (text of
printable ASCII, tabs and line ends; a reader takes any Latin-1), or ``hex``, or ``base64``. ``dir`` may tell the direction:
``rx`` is the device's (the default), ``tx`` ours; ``t_end`` and unknown keys are ignored. Bytes come back exactly as they were.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

OURS = ("tx", "req")  # directions that are not the device's
EPOCH_FROM_S = 946_684_800.0  # a larger t than this is since 1970: nobody records for thirty years
_CLEAN = re.compile(rb"[\t\r\n\x20-\x7e]*")


class BadRecording(ValueError):
    """A line that is not an entry; the text says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Bytes that passed at one moment. ``at_s``: ``t`` as it stands in the file."""

    at_s: float
    data: bytes
    direction: str = "rx"


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a recording. ``start_us``: microseconds since 1970 at which t is 0."""

    start_us: int | None
    more: Mapping[str, Any]


def parse_line(line: str) -> Entry | Header | None:
    """One line of a recording; None for an empty one. Raises BadRecording."""
    if not line.strip():
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRecording("is not JSON") from None
    if not isinstance(found, dict):
        raise BadRecording("is JSON, but not an object")
    if "recording" in found:
        return _parse_header(found)
    at_s = found.get("t")
    if isinstance(at_s, bool) or not isinstance(at_s, (int, float)) or not abs(at_s) <= 1e12:  # NaN is not, either
        raise BadRecording(f"has no time: t is {str(at_s)[:30]!r}, should be a number of seconds")
    return Entry(float(at_s), _parse_bytes(found), str(found.get("dir", "rx")))


def _parse_header(found: Mapping[str, Any]) -> Header:
    """The header in a JSON object. Raises BadRecording for a start that is no time."""
    start = found.get("start")
    if start is None:
        return Header(None, found)
    try:
        at = datetime.fromisoformat(str(start))
    except ValueError:
        raise BadRecording(f"start: {str(start)[:40]!r} is not a time; should be ISO 8601") from None
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return Header((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, found)


def _parse_bytes(found: Mapping[str, Any]) -> bytes:
    """The bytes of an entry, however they are written. Raises BadRecording."""
    given = [key for key in ("data", "hex", "base64") if isinstance(found.get(key), str)]
    if len(given) != 1:
        raise BadRecording("holds no bytes: exactly one of data, hex, base64 must be there, as text")
    text: str = found[given[0]]
    try:
        if given[0] == "hex":
            return bytes.fromhex(text)
        if given[0] == "base64":
            return base64.b64decode(text, validate=True)
        return text.encode("latin-1")
    except ValueError:
        raise BadRecording(f"{given[0]}: {text[:40]!r} does not stand for bytes") from None


def entries(lines: Iterable[str]) -> Iterator[Entry | Header]:
    """All entries of the lines. Raises BadRecording with the number of the line."""
    for number, line in enumerate(lines, 1):
        try:
            found = parse_line(line)
        except BadRecording as bad:
            raise BadRecording(f"line {number} {bad}") from None
        if found is not None:
            yield found


def looks_like_one(first_line: str) -> bool:
    """Whether a file that begins with this line is a recording."""
    try:
        return parse_line(first_line) is not None
    except BadRecording:
        return False


def format_entry(entry: Entry) -> str:
    """One line, without its end."""
    fields: dict[str, Any] = {"t": round(entry.at_s, 6)}
    if entry.direction != "rx":
        fields["dir"] = entry.direction
    if _CLEAN.fullmatch(entry.data):
        fields["data"] = entry.data.decode("ascii")
    else:
        fields["hex"] = entry.data.hex()
    return json.dumps(fields)


class RecordingWriter:
    """Writes a recording to an open text file. Each entry is flushed at once, so that an interruption loses nothing.

    ``start_us``: the time of arrival of the first bytes, or of the start. ``about``: what else people should know.
    """

    def __init__(self, file: TextIO, start_us: int, about: Mapping[str, Any] | None = None) -> None:
        self.file = file
        self.start_us = start_us
        start = datetime.fromtimestamp(start_us // 1_000_000, UTC).replace(microsecond=start_us % 1_000_000)
        head = {"recording": 1, "start": f"{start:%Y-%m-%dT%H:%M:%S.%f}Z", **(about or {})}
        self._write_line(json.dumps(head, ensure_ascii=False))

    def write(self, at_us: int, data: bytes, direction: str = "rx") -> None:
        """``at_us``: microseconds since 1970."""
        self._write_line(format_entry(Entry((at_us - self.start_us) / 1e6, data, direction)))

    def _write_line(self, text: str) -> None:
        self.file.write(text + "\n")
        self.file.flush()
