"""Reads the lines of a text file of unknown origin, bounded and checked: every mistake is reported with its line number."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

MAX_LINE_CHARACTERS = 4_000_000
MAX_COLUMNS = 10_000
_UNDECODED = re.compile("[\udc80-\udcff]")
_QUOTED = re.compile(r'"[^"]*"')


class FileError(Exception):
    """The file cannot be imported. ``line``: where, 0 if it is the file as a whole. ``one_line``: without that line, it could be
    imported."""

    def __init__(self, name: str, line: int, what: str, *, one_line: bool = False) -> None:
        super().__init__(f"{name}:{line}: {what}" if line else f"{name}: {what}")
        self.line = line
        self.one_line = one_line


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What was met among the lines of a file; the number of a first line is 0 if there is none.

    lines                how many there are
    of_nuls              lines of nothing but NUL characters, which a power cut leaves: they were passed over
    first_of_nuls        the number of the first of them
    in_quotes            lines that go on with a quoted cell that began in a line above
    first_opening_quote  the number of the first line whose quoted cell goes on below
    is_last_open         whether the last line has no end, as one that another program is still writing
    """

    lines: int
    of_nuls: int
    first_of_nuls: int
    in_quotes: int
    first_opening_quote: int
    is_last_open: bool


class Aside(Protocol):
    """Takes the lines that cannot be read."""

    def head(self, text: str) -> None:
        """Take the lines above the data, which come first."""

    def take(self, error: FileError, text: str) -> None:
        """Take the ``text`` of one record, which ``error`` says what is wrong with."""


class Lines:
    """An iterator of lines with their ends. gzip is understood; a byte order mark is taken off.

    number   of the last one
    done     bytes read of the file so far
    record   the lines since ``begin_record``: a quoted cell may have several
    head     the lines so far, until ``end_head``: they must be right; of those after, an Aside may take what is wrong
    """

    def __init__(self, file: IO[bytes], name: str, encoding: str = "utf-8") -> None:
        self._set_up(name, encoding)
        self._counted = _Counted(file)
        self._at_beginning = True
        head = self._counted.peek(4)
        stream: IO[bytes] = self._counted  # type: ignore[assignment]  # a BufferedIOBase is what is needed of it
        if head[:2] == b"\x1f\x8b":
            stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]
        elif head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding == "utf-8":
            self.encoding = "utf-16"
        if self.encoding.replace("_", "-").lower() in ("utf-8", "utf8"):
            self.encoding = "utf-8-sig"
        try:
            self._text = io.TextIOWrapper(stream, encoding=self.encoding, errors="surrogateescape", newline="")
        except LookupError:
            raise FileError(name, 0, f"unknown encoding {encoding!r}; write e.g. utf-8, latin-1, cp1252, utf-16") from None

    def _set_up(self, name: str, encoding: str) -> None:
        """What a subclass needs, too, that reads its lines from elsewhere."""
        self.name = name
        self.number = 0
        self.encoding = encoding
        self.record: list[str] = []
        self.head: list[str] | None = []
        self._aside: Aside | None = None
        self._of_nuls = self._first_of_nuls = 0
        self._in_quotes = self._first_opening_quote = 0
        self._is_last_open = False
        self._ahead: deque[str] = deque()

    @property
    def done(self) -> int:
        """Bytes read of the file so far; of a compressed one, compressed bytes."""
        return self._counted.read_so_far

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line that can be read. Others are put aside, and lines of NULs passed over. Raises FileError."""
        while True:
            line = self._ahead.popleft() if self._ahead else self._read_line()
            if not line:
                raise StopIteration
            self.number += 1
            self._is_last_open = not line.endswith(("\n", "\r"))
            if self.head is not None:
                self.head.append(line)
            if "\0" in line and self.number > 1 and not line.strip("\0 \t\r\n"):
                self._of_nuls += 1
                self._first_of_nuls = self._first_of_nuls or self.number
                continue
            problem = self._find_problem(line)
            if problem is None:
                self.record.append(line)
                return line
            self.bad(problem, line)

    def _read_line(self) -> str:
        """The next line with its end; empty at the end of the file. Raises FileError."""
        try:
            line = self._text.readline(MAX_LINE_CHARACTERS + 1)
        except UnicodeDecodeError:
            raise FileError(
                self.name, self.number + 1, f"this is not {self.encoding}; is it text? say --encoding latin-1 (or what it is)"
            ) from None
        except (EOFError, OSError, zlib.error) as error:
            raise FileError(self.name, self.number + 1, f"the file cannot be read any further: {error}") from None
        if self._at_beginning:
            self._at_beginning = False
            line = line.removeprefix("\ufeff")  # which utf-16-le and its like leave
        if len(line) > MAX_LINE_CHARACTERS:
            raise FileError(
                self.name, self.number + 1, f"the line is longer than {MAX_LINE_CHARACTERS:,} characters; is this a table?"
            )
        return line

    def _find_problem(self, line: str) -> str | None:
        """Why the line cannot be read; None if it can."""
        if "\0" in line:
            if self.number == 1:
                return "a NUL character: this is a binary file, or text in UTF-16 (--encoding utf-16-le)"
            return "NUL characters among the text: a power cut leaves them, or this is UTF-16 (--encoding utf-16-le)"
        if not line.isascii() and (found := _UNDECODED.search(line)):
            byte = bytes([ord(found[0]) - 0xDC00])
            return f"{byte!r} is not {self.encoding.removesuffix('-sig')}; is this text? say --encoding latin-1 (or what it is)"
        return None

    def peek(self, count: int) -> list[str]:
        """The next ``count`` lines, or fewer at the end; they are delivered again afterwards. Raises FileError."""
        while len(self._ahead) < count and (line := self._read_line()):
            self._ahead.append(line)
        return [line for line, _ in zip(self._ahead, range(count), strict=False)]

    def put_back(self, line: str) -> None:
        """Deliver the last line again, because it was not a header."""
        self._ahead.appendleft(line)
        self.number -= 1
        if self.head is not None:
            self.head.pop()

    def end_head(self, aside: Aside | None) -> None:
        """End the head: what is wrong in the lines after it goes to ``aside`` from now on, which gets the head first; None: it is a
        mistake of the file."""
        text, self.head = "".join(self.head or ()), None
        self._aside = aside
        if aside is not None:
            aside.head(text)

    def begin_record(self) -> None:
        """Note that a new record begins with the next line."""
        self.record = []

    def count_quoted(self) -> None:
        """Count the lines since ``begin_record`` as one record: a quoted cell has several lines."""
        self._first_opening_quote = self._first_opening_quote or self.number - len(self.record) + 1
        self._in_quotes += len(self.record) - 1

    def counts(self) -> LineCounts:
        """What was met so far."""
        return LineCounts(
            self.number, self._of_nuls, self._first_of_nuls, self._in_quotes, self._first_opening_quote, self._is_last_open
        )

    def bad(self, what: str, text: str | None = None) -> None:
        """Put the lines since ``begin_record`` (or ``text``) aside, because they cannot be read for the reason ``what``. Raises FileError
        if bad lines are not put aside here."""
        error = FileError(self.name, self.number, what, one_line=self.head is None)
        if self._aside is None:
            raise error from None
        self._aside.take(error, "".join(self.record) if text is None else text)


class _Counted(io.BufferedIOBase):
    """Counts the bytes read from the underlying file, so that progress can be shown for compressed files, too."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
        self._ahead = b""
        self.read_so_far = 0

    def peek(self, n: int) -> bytes:
        """The first ``n`` bytes, which the next ``read`` gives once more. To be called once, before anything is read."""
        self._ahead = self._file.read(n)
        return self._ahead

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """As BufferedIOBase; after ``peek`` it may give fewer bytes than asked for, although there are more."""
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


def split(line: str, delimiter: str) -> list[str]:
    """The cells of a line. ``delimiter`` ``" "``: any number of blanks. Quotes as in RFC 4180. Raises csv.Error."""
    if delimiter == " ":
        return line.split()
    return next(csv.reader([line], delimiter=delimiter, strict=True), [])


def cells(lines: Lines, delimiter: str, width: int) -> Iterator[list[str]]:
    """The cells of each record that is not empty. ``width``: how many cells the header has."""
    for row in _records(lines, delimiter, width):
        if len(row) > MAX_COLUMNS:
            lines.bad(f"{len(row):,} columns; at most {MAX_COLUMNS:,} are taken")
        elif any(row) and not (len(row) == 1 and not row[0].strip()):
            yield row


def _records(lines: Lines, delimiter: str, width: int) -> Iterator[list[str]]:
    """The cells of each record, also of empty ones; lines that cannot be split are put aside. Raises FileError."""
    if delimiter == " ":
        lines.begin_record()
        for line in lines:
            yield line.split()
            lines.begin_record()
        return
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_record()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield from _one_by_one(lines, delimiter)
        else:
            if len(lines.record) == 1:
                yield row
            elif all(_is_whole(line, delimiter, width) for line in lines.record[1:-1] or lines.record[1:]):
                yield from _one_by_one(lines, delimiter)
            else:
                lines.count_quoted()
                yield row


def _is_whole(line: str, delimiter: str, width: int) -> bool:
    """Whether a line inside quotes is a row by itself, so that the quotes are two stray ones and no cell of several lines."""
    try:
        row = split(line, delimiter)
    except csv.Error:
        row = line.split(delimiter)
    return width > 1 and (len(row) == width or (len(row) > width and not any(cell.strip() for cell in row[width:])))


def _one_by_one(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    """The cells of the lines that a stray quote took in: those lines that are right by themselves are not lost. Raises FileError."""
    taken, last = lines.record, lines.number
    for index, line in enumerate(taken):
        lines.record, lines.number = [line], last - len(taken) + 1 + index
        try:
            row = split(line, delimiter)
        except csv.Error as error:
            lines.bad(f"{error}; see the quotes of this line")
        else:
            yield row
    lines.number = last


def sniff(header: str) -> str:
    """The delimiter that divides a line into most cells: tab, semicolon, comma or bar; blanks if there is none of these.

    Text in quotes does not count.
    """
    bare = _QUOTED.sub("", header)
    counts = {delimiter: bare.count(delimiter) for delimiter in "\t;,|"}
    best = max(counts, key=lambda character: counts[character])
    if counts[best]:
        return best
    return " " if len(bare.split()) > 1 else ","
