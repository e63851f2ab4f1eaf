"""Values as JSON; rows as NDJSON and CSV."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sensorlogd.notation import csv_rows

Rows = Sequence[Mapping[str, Any]]


def dumps(value: Any) -> bytes:
    """JSON in UTF-8, without blanks. Raises ValueError for NaN and infinities: callers turn them into null."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def etag_of(content: bytes) -> str:
    """A weak ETag: packed and unpacked answers with this content share it."""
    return f'W/"{blake2b(content, digest_size=12).hexdigest()}"'


def rows_as_ndjson(rows: Rows, columns: Sequence[str]) -> bytes:
    """One object a line; a column that a row does not have is null."""
    return b"".join(dumps({column: row.get(column) for column in columns}) + b"\n" for row in rows)


def rows_as_csv(rows: Rows, columns: Sequence[str]) -> bytes:
    """CSV without a head, because pages of it are joined."""
    text = io.StringIO()
    csv_rows.write(([csv_rows.cell(row.get(column)) for column in columns] for row in rows), text)
    return text.getvalue().encode()


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe marks it as text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and len(text) > 1 else text
