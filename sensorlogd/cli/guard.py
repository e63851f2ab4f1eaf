"""The outermost handler: whatever goes wrong ends in words, on one line, with an exit status; never in a traceback.

``--debug`` of any verb, or SENSORLOGD_DEBUG=1, shows the traceback below the words.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from sensorlogd.cli import exits, streams

ENVIRONMENT = "SENSORLOGD_DEBUG"
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_traces = False


def debug() -> None:
    """From now on: traces, too."""
    global _traces
    _traces = True


def wants_trace() -> bool:
    return _traces or os.environ.get(ENVIRONMENT, "") not in ("", "0")


def run(call: Callable[[], object]) -> NoReturn:
    """``call``, then out with its status. What it wrote has left this process when that is 0."""
    sys.exit(_flushed(_status_of(call)))


def reader_left() -> int:
    """The status of a verb whose reader went away (``sensorlogd tail | head``): quiet, as of every filter."""
    streams.drop(sys.stdout)
    return exits.READER_LEFT


def _status_of(call: Callable[[], object]) -> int:
    try:
        call()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        return exits.OK if ended.code is None else exits.FAILURE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return reader_left()
    except Exception as error:
        return report(error)
    return exits.OK


def _flushed(status: int) -> int:
    """What is written so far must get out before success is claimed; the interpreter itself would only grumble at its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = reader_left()
    except OSError as error:
        status = report(error)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
        return status
    streams.drop(sys.stderr)
    return status


def report(error: Exception) -> int:
    """The error in words on standard error; the exit status."""
    words, status = _words(error)
    try:
        sys.stderr.write(f"sensorlogd: {words}\n")
        if wants_trace():
            import traceback

            traceback.print_exception(error)
        sys.stderr.flush()
    except (OSError, ValueError):
        streams.drop(sys.stderr)  # there is nobody to tell
    return status


def _words(error: Exception) -> tuple[str, int]:
    if isinstance(error, OSError):
        from sensorlogd.cli import plain

        # Files that were asked for are named in their errors: what has no name was written to standard output.
        if error.filename is None and error.errno in _OF_WRITING:
            streams.drop(sys.stdout)
            return plain.os_error(error, "standard output"), exits.FAILURE
        return plain.os_error(error), exits.FAILURE
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; ask for a shorter range or fewer series", exits.FAILURE
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] != "sensorlogd":
        return f"this needs the Python package {error.name!r}, which cannot be loaded here: {error}", exits.FAILURE
    if type(error).__name__ == "ConfigNotFound":
        return str(error), exits.BAD_CONFIG
    return _unexpected(error), exits.FAILURE


def _unexpected(error: Exception) -> str:
    """Nobody thought of it: what a report needs, on one line."""
    text = " ".join(str(error).split()) or "no details"
    at, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if f"{os.sep}sensorlogd{os.sep}" in code.co_filename:
            at = f" at {code.co_filename.rpartition(f'{os.sep}sensorlogd{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    hint = "" if wants_trace() else f"; to report it, run it again with {ENVIRONMENT}=1 and send what it prints"
    return f"this went wrong and should not have: {text} ({type(error).__name__}{at}); nothing else is known{hint}"
