"""The body of an answer as a worker makes it: encoded, tagged and packed, so that the web process sends it as it is."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any

from sensorlogd.web.workers.texts import dumps, etag_of

MIN_PACKED_BYTES = 1_000
GZIP_LEVEL = 5


@dataclass(frozen=True, slots=True)
class AnswerBody:
    """The body of a JSON answer. ``packed``: compressed with gzip. ``source``: where the values came from, if the answer says so."""

    content: bytes
    etag: str
    packed: bool = False
    source: str | None = None


def body(value: Any, pack: bool, source: str | None = None) -> AnswerBody:
    """The answer as JSON. ``pack``: gzip it, if it is long enough for that to pay."""
    return body_of(dumps(value), pack, source)


def body_of(content: bytes, pack: bool, source: str | None = None) -> AnswerBody:
    """The answer that is encoded already. Its ETag is that of the text before packing."""
    etag = etag_of(content)
    if pack and len(content) >= MIN_PACKED_BYTES:
        return AnswerBody(gzip.compress(content, GZIP_LEVEL, mtime=0), etag, True, source)
    return AnswerBody(content, etag, False, source)
