"""Reads Parquet with pyarrow, which is an extra, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sensorlogd import extras
from sensorlogd.exchange.sources.table import TableLines
from sensorlogd.exchange.text.lines import FileError

ROWS_AT_ONCE = 8_192


def lines(path: Path, decimal: str, stack: ExitStack) -> TableLines:
    """The rows of a Parquet file. Raises FileError."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise FileError(
            str(path), 0, f"Parquet needs pyarrow, which is not installed; install it: {extras.advice('parquet')}"
        ) from None
    try:
        file = stack.enter_context(parquet.ParquetFile(path))
    except Exception as error:  # a damaged file can make the library raise anything
        raise FileError(str(path), 0, f"this is not a Parquet file that can be read: {error}") from None
    return TableLines(_rows(file), str(path), decimal)


def _rows(file: Any) -> Iterator[Sequence[Any]]:
    yield file.schema_arrow.names
    for batch in file.iter_batches(batch_size=ROWS_AT_ONCE):
        columns = [_cells(column) for column in batch.columns]
        yield from zip(*columns, strict=True)


def _cells(column: Any) -> Any:
    """The cells of a column. Timestamps are cut to microseconds: Python's own times hold no nanoseconds."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    return column.to_pylist()
