"""Runs one program with a given standard input: within a time limit, and with bounded memory however much it prints."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from sensorlogd.alarms.secrecy import SendError
from sensorlogd.drivers import descendants

MAX_KEPT_BYTES = 8_192  # of the end of its output
CHECK_EVERY_S = 0.05
MAX_LEFT_BYTES = 1_048_576  # taken from its pipe once it has ended


def run(
    command: Sequence[str], given: bytes, timeout_s: float, environment: Mapping[str, str] | None = None
) -> tuple[int, str] | None:
    """(status, the last line of its standard error) once it has ended; None: it did not within its time.

    Then it is ended, with all that it has started. Raises SendError if it cannot be started.
    """
    mark = descendants.new_mark()
    with _process(command, {**(os.environ if environment is None else environment), descendants.MARK: mark}) as process:
        said = _heard(process, given, time.monotonic() + timeout_s)
        if said is None:
            descendants.end(process.pid, mark, 0.0)  # kill its children, too, also those in sessions of their own
    if said is None:
        return None
    return process.returncode, (said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["and said nothing"])[0]


def _heard(process: subprocess.Popen[bytes], given: bytes, until: float) -> bytes | None:
    """What it said last. It has ended when it has ended: what it leaves behind may hold its pipes open for ever."""
    assert process.stdin is not None
    assert process.stderr is not None
    said, left = b"", memoryview(given)
    with selectors.DefaultSelector() as selector:
        for pipe, event in ((process.stdin, selectors.EVENT_WRITE), (process.stderr, selectors.EVENT_READ)):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, event)
        while process.poll() is None:
            if time.monotonic() > until:
                return None
            for key, event in selector.select(CHECK_EVERY_S):
                if event & selectors.EVENT_WRITE:
                    left = _give(process.stdin.fileno(), left)
                    if not left:
                        selector.unregister(key.fileobj)
                        process.stdin.close()
                else:
                    heard = _hear(key.fd)
                    said = (said + heard)[-MAX_KEPT_BYTES:]
                    if not heard:
                        selector.unregister(key.fileobj)
            if not selector.get_map():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(CHECK_EVERY_S)
    taken = 0
    while taken < MAX_LEFT_BYTES and (heard := _hear(process.stderr.fileno())):
        said, taken = (said + heard)[-MAX_KEPT_BYTES:], taken + len(heard)
    return said


def _give(descriptor: int, left: memoryview) -> memoryview:
    """What is still to be given; nothing if it does not want more."""
    try:
        return left[os.write(descriptor, left[:65_536]) :]
    except BlockingIOError:
        return left
    except OSError:
        return left[:0]


def _hear(descriptor: int) -> bytes:
    """Read what is there. Empty: the pipe has ended, or nothing is there now."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


@contextlib.contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended, with all that it has started, when the block is left."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )
    except OSError as error:
        raise SendError(f"{command[0]} cannot be started: {error.strerror}; write its full path, it must be executable") from None
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()
