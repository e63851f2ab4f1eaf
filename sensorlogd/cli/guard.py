"""The outermost handler of errors: every error ends in a line of words with an exit status, never in a traceback.

``--debug`` of any verb, or SENSORLOGD_DEBUG=1, shows the traceback below the words.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from sensorlogd.cli import exits, standard_streams
from sensorlogd.processes import interrupts

ENVIRONMENT = "SENSORLOGD_DEBUG"
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
_traces = False


def debug() -> None:
    """Show tracebacks, too, from now on."""
    global _traces
    _traces = True


def wants_trace() -> bool:
    return _traces or os.environ.get(ENVIRONMENT, "") not in ("", "0")


def run(call: Callable[[], object]) -> NoReturn:
    """Run ``call`` and exit with its status. If that is 0, all its output has been written."""
    status = _status_of(call)
    interrupts.end_at_once()  # from now on nothing would handle the exception
    sys.exit(_flushed(status))


def reader_left() -> int:
    """The status of a verb whose reader went away (``sensorlogd tail | head``): quiet, as of every filter."""
    standard_streams.drop(sys.stdout)
    return exits.READER_LEFT


def _status_of(call: Callable[[], object]) -> int:
    """Call the verb. Returns the exit status; errors are printed."""
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
    """Flush standard output before success is claimed; the interpreter would only print a warning at its end. Returns the exit
    status."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = reader_left()
    except OSError as error:
        status = report(error)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
        return status
    standard_streams.drop(sys.stderr)
    return status


def report(error: Exception) -> int:
    """Print the error in words on standard error. Returns the exit status."""
    words, status = _words_and_status(error)
    try:
        sys.stderr.write(f"sensorlogd: {words}\n")
        if wants_trace():
            import traceback

            traceback.print_exception(error)
        sys.stderr.flush()
    except (OSError, ValueError):
        standard_streams.drop(sys.stderr)  # nobody reads standard error
    return status


def _words_and_status(error: Exception) -> tuple[str, int]:
    """(what to tell people, the exit status)."""
    if isinstance(error, OSError):
        from sensorlogd.cli import plain_errors

        # Errors about files have the file's name: an error without a name is one of standard output.
        if error.filename is None and error.errno in _OF_WRITING:
            standard_streams.drop(sys.stdout)
            return plain_errors.os_error(error, "standard output"), exits.FAILURE
        return plain_errors.os_error(error), exits.FAILURE
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; ask for a shorter range or fewer series", exits.FAILURE
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] != "sensorlogd":
        return f"this needs the Python package {error.name!r}, which cannot be loaded here: {error}", exits.FAILURE
    if type(error).__name__ == "ConfigNotFound":
        return str(error), exits.BAD_CONFIG
    return _unexpected(error), exits.FAILURE


def _unexpected(error: Exception) -> str:
    """A line for an error that nobody thought of, with what a report needs."""
    text = " ".join(str(error).split()) or "no details"
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if f"{os.sep}sensorlogd{os.sep}" in code.co_filename:
            place = f" at {code.co_filename.rpartition(f'{os.sep}sensorlogd{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    hint = "" if wants_trace() else f"; to report it, run it again with {ENVIRONMENT}=1 and send what it prints"
    return f"this went wrong and should not have: {text} ({type(error).__name__}{place}); nothing else is known{hint}"
