"""Puts lines that cannot be read aside while they are few: they are kept unchanged, below the head of their file."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import IO

from sensorlogd.exchange.temporary_files import roomy_folder
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.notation.plurals import plural

MAX_EXAMPLES = 5  # of what is wrong, kept to be shown
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)


def share(text: str) -> float:
    """Turns ``0.5%`` into 0.005. Raises ValueError."""
    match = _SHARE.fullmatch(text.strip())
    if match is None or float(match[1]) > 100:
        raise ValueError(f"--skip-bad {text!r}: write how many in a hundred lines may be bad, e.g. 1% or 0.01%")
    return float(match[1]) / 100


class BadLines:
    """Collects the bad lines of a file; a context manager. ``share``: how many of the lines may be bad, 0 to 1. ``encoding``: of
    the file."""

    def __init__(self, share: float, encoding: str) -> None:
        self.share = share
        self.encoding = encoding.removesuffix("-sig")
        self.lines = 0
        self.examples: list[str] = []  # what is wrong with the first ones, as FileError says it

    def __enter__(self) -> BadLines:
        self._kept: IO[str] = tempfile.TemporaryFile(  # closed by __exit__
            "w+", encoding=self.encoding, errors="surrogateescape", newline="", dir=roomy_folder(), prefix="sensorlogd-"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def head(self, text: str) -> None:
        """Keep the header of the file, so that the bad lines are a file that can be mended and imported."""
        self._kept.write(text)

    def take(self, error: FileError, text: str) -> None:
        """Keep the ``text`` of a bad record, one or more lines of the file, and the first few errors for people."""
        self.lines += max(text.count("\n"), 1)
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(str(error))
        self._kept.write(text if text.endswith(("\n", "\r")) else f"{text}\n")

    def judge(self, name: str, lines: int) -> None:
        """Call this when all was read. Raises FileError if too many of the ``lines`` are bad."""
        if self.lines > self.share * lines:
            found = (
                f"{self.lines:,} of {lines:,} lines {plural(self.lines, 'is', 'are')} bad"
                f" ({100 * self.lines / max(lines, 1):.2g}%), more than {100 * self.share:g}%"
            )
            raise FileError(name, 0, f"{found}; the first is {self.examples[0]}")

    def keep(self, source_file: Path) -> Path:
        """Write the bad lines into a new file ``beside.bad`` (or ``.bad2`` ...; one that holds exactly these lines is used again).
        Returns its path.

        Raises OSError.
        """
        self._kept.flush()
        self._kept.seek(0)
        number = 1
        while True:
            path = source_file.with_name(f"{source_file.name}.bad{'' if number == 1 else number}")
            try:
                with path.open("x", encoding=self.encoding, errors="surrogateescape", newline="") as file:
                    while piece := self._kept.read(1 << 16):
                        file.write(piece)
                return path
            except FileExistsError:
                if self._is_written_in(path):
                    return path
                number += 1

    def _is_written_in(self, path: Path) -> bool:
        """Whether the file holds exactly the lines that are kept here."""
        try:
            with path.open(encoding=self.encoding, errors="surrogateescape", newline="") as file:
                while piece := self._kept.read(1 << 16):
                    if file.read(1 << 16) != piece:
                        return False
                return not file.read(1)
        except (OSError, UnicodeError):
            return False
        finally:
            self._kept.seek(0)
