"""Makes standard input, output and error reliable, however the process was started."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from typing import TextIO

UNSAID = "sensorlogd.unsaid"  # the error handler below, by the name that codecs know it by

# For encodings that lack them. What stands for a sign is read as it, not just counted as a column.
_STAND_INS = {
    "°": "deg ", "\u00b5": "u", "\u03bc": "u", "\u03a9": "Ohm", "\u2126": "Ohm", "²": "^2", "³": "^3", "±": "+-", "×": "x", "·": ".", "…": "...",
    "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "€": "EUR", "→": "->", "≤": "<=", "≥": ">=",
    "─": "-", "│": "|", "┌": "+", "┐": "+", "└": "+", "┘": "+", "┤": "|", "├": "|", "┬": "+", "┴": "+", "┼": "+",
}  # fmt: skip


def prepare() -> None:
    """Open streams that are closed, and replace characters that the terminal's encoding lacks, which would raise an error."""
    _open_the_closed()
    codecs.register_error(UNSAID, _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        if _is_ascii(stream.encoding):  # what is said where nothing is known; Python itself takes UTF-8 in the C locale
            stream.reconfigure(encoding="utf-8", errors="backslashreplace" if stream is sys.stderr else UNSAID)
        elif stream is sys.stdout:
            stream.reconfigure(errors=UNSAID)


def says_everything(stream: TextIO) -> bool:
    """Whether any character can be written to it."""
    return codecs.lookup(stream.encoding or "utf-8").name.startswith("utf")


def lossless(stream: TextIO) -> None:
    """For data: what the encoding lacks is written as an escape (``\\xb0``), never as something like it."""
    if isinstance(stream, io.TextIOWrapper) and not says_everything(stream):
        stream.reconfigure(errors="backslashreplace")


def drop(stream: TextIO) -> None:
    """Discard what is still in the stream's buffer: its reader is gone or the disk is full, and the interpreter would try again."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _is_ascii(encoding: str) -> bool:
    """Whether the encoding is ASCII; one that nobody knows counts as such."""
    try:
        return codecs.lookup(encoding).name == "ascii"
    except LookupError:
        return True


def _open_the_closed() -> None:
    """Open closed standard streams: with ``>&-`` the next file that is opened, e.g. the database, would be standard output."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler of codecs: signs that the encoding lacks are replaced by similar ones; a byte of a file's name that stands
    alone stays as it is."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    replaced = []
    for sign in error.object[error.start : error.end]:
        code = ord(sign)
        if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that was never text
            if error.end - error.start == 1:
                return bytes((code - 0xDC00,)), error.end
            replaced.append("?")
        elif 0x2800 <= code <= 0x28FF:  # the dots that curves are drawn with
            replaced.append(" " if code == 0x2800 else "*")
        elif 0x2580 <= code <= 0x259F:
            replaced.append("#")
        else:
            replaced.append(_STAND_INS.get(sign, "?"))
    return "".join(replaced), error.end
