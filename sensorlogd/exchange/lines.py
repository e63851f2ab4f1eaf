"""The lines of a text file of unknown origin, bounded and checked: every mistake is told with its line number."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

LONGEST_LINE = 4_000_000  # characters
MOST_COLUMNS = 10_000


class FileError(Exception):
    """The file cannot be imported; ``line`` is where, 0 if it is the file as a whole."""

    def __init__(self, name: str, line: int, what: str) -> None:
        super().__init__(f"{name}:{line}: {what}" if line else f"{name}: {what}")
        self.line = line


class Lines:
    """An iterator of lines without their ends. ``number``: of the last one. ``done``: bytes read of the file so far.

    gzip is understood; a byte order mark is taken off. Raises FileError for what is no text.
    """

    def __init__(self, file: IO[bytes], name: str, encoding: str = "utf-8") -> None:
        self.name = name
        self.number = 0
        self.encoding = encoding
        self._counted = _Counted(file)
        head = self._counted.peek(4)
        stream: IO[bytes] = self._counted  # type: ignore[assignment]  # a BufferedIOBase is what is needed of it
        if head[:2] == b"\x1f\x8b":
            stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]
        elif head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding == "utf-8":
            self.encoding = "utf-16"
        if self.encoding.replace("_", "-").lower() in ("utf-8", "utf8"):
            self.encoding = "utf-8-sig"
        try:
            self._text = io.TextIOWrapper(stream, encoding=self.encoding, newline="")
        except LookupError:
            raise FileError(name, 0, f"unknown encoding {encoding!r}; write e.g. utf-8, latin-1, cp1252, utf-16") from None

    @property
    def done(self) -> int:
        return self._counted.read_so_far

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(LONGEST_LINE + 1)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].count(b"\n")  # it is decoded some thousand bytes at a time
            raise FileError(
                self.name, self.number + 1 + before, f"{error.object[error.start : error.start + 1]!r} is not {self.encoding.removesuffix('-sig')}"
                "; is this text? say --encoding latin-1 (or what it is)",
            ) from None  # fmt: skip
        except (EOFError, OSError, gzip.BadGzipFile) as error:
            raise FileError(self.name, self.number + 1, f"the file cannot be read on: {error}") from None
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > LONGEST_LINE:
            raise FileError(self.name, self.number, f"the line is longer than {LONGEST_LINE:,} characters; is this a table?")
        if "\0" in line:
            raise FileError(
                self.name, self.number, "a NUL character: this is a binary file, or text in UTF-16 (--encoding utf-16-le)"
            )
        return line


class _Counted(io.BufferedIOBase):
    """Counts the bytes of the underlying file, so that progress can be shown of compressed files, too."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
        self._ahead = b""
        self.read_so_far = 0

    def peek(self, n: int) -> bytes:
        self._ahead = self._file.read(n)
        return self._ahead

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead, b""
            if size is None or size < 0:
                data += self._file.read()
            elif size < len(data):
                data, self._ahead = data[:size], data[size:]
        else:
            data = self._file.read(size if size is not None else -1)
        self.read_so_far += len(data)
        return data

    read1 = read


def cells(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    """The cells of each line that is not empty; ``delimiter`` ``" "``: any run of blanks. Quotes as in RFC 4180."""
    if delimiter == " ":
        for line in lines:
            row = line.split()
            if row:
                yield row
        return
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileError(lines.name, lines.number, f"{error}; see the quotes of this line") from None
        if len(row) > MOST_COLUMNS:
            raise FileError(lines.name, lines.number, f"{len(row):,} columns; at most {MOST_COLUMNS:,} are taken")
        if any(row) and not (len(row) == 1 and not row[0].strip()):
            yield row


def sniff(header: str) -> str:
    """The delimiter that divides a line into most cells: tab, semicolon, comma, bar, or blanks where there is none of these."""
    counts = {delimiter: header.count(delimiter) for delimiter in "\t;,|"}
    best = max(counts, key=lambda one: counts[one])
    if counts[best]:
        return best
    return " " if len(header.split()) > 1 else ","


def open_file(path: Path) -> IO[bytes]:
    """Raises FileError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise FileError(str(path), 0, error.strerror or str(error)) from None
