"""Writes Parquet with pyarrow, which is an extra, some thousand rows at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any, BinaryIO

from sensorlogd.exchange.written.cells import Rows, Stamps

ROWS_AT_ONCE = 65_536
WORDS = ("sensor", "channel", "unit", "quality")
_WHOLE, _NESTED = ("count",), ("states",)


def write_parquet(rows: Rows, columns: Sequence[str], stamps: Stamps, file: BinaryIO) -> int:
    """Write rows; the time is a timestamp to the microsecond in the zone, numbers are doubles. Returns how many rows.

    Raises ImportError without pyarrow.
    """
    import pyarrow as pa
    from pyarrow import parquet

    words = pa.dictionary(pa.int32(), pa.string())
    kinds = dict.fromkeys(WORDS, words) | {name: pa.int64() for name in _WHOLE} | {name: pa.string() for name in _NESTED}
    time = pa.timestamp("us", tz=stamps.zone)
    schema = pa.schema([(columns[0], time), *((name, kinds.get(name, pa.float64())) for name in columns[1:])])
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            arrays = [pa.array([ts for ts, _ in some], type=time)]
            for name, kind in zip(columns[1:], schema.types[1:], strict=True):
                arrays.append(pa.array([_plain(row.get(name), kind == pa.float64()) for _, row in some], type=kind))
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(some)
    return count


def _plain(value: Any, is_number: bool) -> Any:
    if value is None:
        return None
    if is_number:
        return float(value)
    return json.dumps(value) if isinstance(value, dict) else value
