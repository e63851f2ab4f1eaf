"""A program on a terminal of its own, answered as a person would: what stands on its screen, keys that are pressed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.rig import DEADLINE_S

ROOT = Path(__file__).parents[1]
CTRL_C = "\x03"


class Terminal:
    """``sensorlogd ARGUMENTS`` on a pty; use as a context manager."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 80, env: dict[str, str] | None = None) -> None:
        self.output = ""
        self._seen = 0
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", sys.executable, "-m", "sensorlogd", *arguments],
            cwd=cwd,
            env=os.environ | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | (env or {}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def wait_for(self, text: str) -> None:
        """Until the program has written it, behind what was waited for before."""
        end = time.monotonic() + DEADLINE_S
        while text not in self.output[self._seen :]:
            assert self._more(end), f"ended, and never said {text!r}:\n{self.screen()}"
            assert time.monotonic() < end, f"never said {text!r}:\n{self.screen()}"
        self._seen = self.output.index(text, self._seen) + len(text)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def answer(self, question: str, answer: str = "") -> None:
        self.wait_for(question)
        self.press(answer + "\n")

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        end = time.monotonic() + DEADLINE_S
        while self._more(end):
            assert time.monotonic() < end, f"does not end:\n{self.screen()}"
        return self.process.wait(DEADLINE_S)

    def is_alive(self) -> bool:
        """Its output is taken meanwhile."""
        return self._more(time.monotonic())

    def _more(self, end: float) -> bool:
        if not select.select([self.master], [], [], max(end - time.monotonic(), 0))[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the other end was closed
            return False
        self.output += data.decode("utf-8", "replace")
        return bool(data)

    def screen(self) -> str:
        """What is to be seen, from the first line on, without blanks at the ends of lines."""
        lines: list[str] = [""]
        row = column = 0
        for piece in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|[^\x1b\r\n]+|\x1b", self.output):
            moved = re.fullmatch(r"\x1b\[(\d*)A", piece)
            if moved is not None:
                row -= int(moved[1] or 1)
            elif piece == "\r":
                column = 0
            elif piece == "\n":
                row += 1
                lines += [""] if row == len(lines) else []
            elif piece == "\x1b[K":
                lines[row] = lines[row][:column]
            elif piece.isprintable():
                lines[row] = lines[row][:column].ljust(column) + piece + lines[row][column + len(piece) :]
                column += len(piece)
        return "\n".join(line.rstrip() for line in lines)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            self.process.wait(DEADLINE_S)
        os.close(self.master)
