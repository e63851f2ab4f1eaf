"""Log lines: for a terminal, for the journal, and never the same one over and over."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Iterator

import pytest

from sensorlogd.daemon.main.process import logs
from sensorlogd.daemon.main.process.logs import _Handler, _Journal, _Terminal


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_time_and_level_and_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    logs.setup("info")
    logging.getLogger("x").warning("pump: %s", "hot")
    logging.getLogger("x").info("pump: cool")
    logging.getLogger("x").debug("not shown")
    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(r"\x1b\[33m\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING pump: hot\x1b\[0m", first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO    pump: cool", second)


def test_a_file_gets_no_colour_and_debug_names_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    logs.setup("debug")
    logging.getLogger("x").error("pump: hot")
    assert stream.getvalue().endswith("ERROR   MainThread: pump: hot\n")
    assert "\x1b" not in stream.getvalue()


def test_the_journal_gets_priorities_on_every_line() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "two\nlines", (), None)
    assert _Journal("%(message)s").format(record) == "<3>two\n<3>lines"
    record.levelno, record.msg = logging.INFO, ""
    assert _Journal("%(message)s").format(record) == "<6>"


def test_the_journal_is_recognised_by_device_and_inode(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is inherited by children whose stderr goes elsewhere."""
    read, write = os.pipe()
    stat = os.fstat(write)
    with os.fdopen(read), os.fdopen(write, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        assert logs.under_journald()
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino + 1}")
        assert not logs.under_journald()
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not logs.under_journald()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not logs.under_journald(), "no descriptor at all"


class Repeats:
    def __init__(self) -> None:
        self.now, self.stream = 0.0, io.StringIO()
        self.handler = _Handler(self.stream, lambda: self.now)
        self.logger = logging.Logger("x")
        self.logger.addHandler(self.handler)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_repeated_message_is_counted_and_the_count_follows() -> None:
    log = Repeats()
    for _ in range(5):
        log.logger.warning("disk %s", "full")
        log.now += 1
    assert log.lines() == ["disk full"]
    log.now = 10
    log.logger.warning("something else")
    assert log.lines() == ["disk full", "disk full (4 times more in 10 s)", "something else"]
    log.logger.warning("disk %s", "full")
    assert log.lines()[3:] == ["disk full"], "news again"


def test_what_is_held_back_is_said_at_the_end() -> None:
    log = Repeats()
    for _ in range(2):
        log.logger.error("100 % full")
    log.now = 3
    log.handler.close()
    assert log.lines() == ["100 % full", "100 % full (once more in 3 s)"]


def test_debug_lines_are_all_shown() -> None:
    log = Repeats()
    for _ in range(3):
        log.logger.debug("step")
    assert log.lines() == ["step"] * 3


def test_a_flood_of_different_messages_takes_bounded_memory() -> None:
    log = Repeats()
    for n in range(5000):
        log.logger.info("message %d", n)
    assert len(log.lines()) == 5000
    assert len(log.handler._seen) == 1000


def test_a_wrong_log_line_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    log = Repeats()
    log.logger.warning("%d", "text")
    log.logger.warning("goes on")
    assert log.lines() == ["goes on"]
    assert "Logging error" in capsys.readouterr().err


def test_terminal_format_shows_a_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    assert "ValueError: why" in _Terminal(colour=False).format(record)
