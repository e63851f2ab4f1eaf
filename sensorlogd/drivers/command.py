"""The ``command`` driver: runs a program and reads its lines, as the serial driver reads a port's.

A program that runs on is read as it prints; with ``interval:`` it is run anew each time and read to its end. It is started
without a shell, in a process group of its own, which is ended with the sensor.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import DurationUs
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError
from sensorlogd.drivers.serial.decoders import decoder_for
from sensorlogd.drivers.serial.options import LineOptions

READ_BYTES = 65536
KILL_AFTER_S = 2.0


def _words(value: Any) -> Any:
    import shlex

    return shlex.split(value) if isinstance(value, str) else value


class CommandOptions(LineOptions):
    """Keys of ``driver: command``."""

    command: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        min_length=1, description="program and arguments; not passed to a shell"
    )
    timeout: DurationUs = Field(30_000_000, ge=10_000, le=3_600_000_000, description="with interval: how long one run may take")
    environment: Mapping[str, str] = Field(default_factory=dict, description="added to the daemon's own")


class CommandDriver(Driver):
    """See the module."""

    Options = CommandOptions
    summary = "a program's output, line by line"
    waits = True

    def __init__(self, options: CommandOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: CommandOptions = options
        self.decoder = decoder_for(options, context.count, whole=True)  # a program's first line is no tail of another
        self.bytes_seen = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._due = 0.0
        self._stop_at = 0.0
        self._errors = b""

    def open(self) -> None:
        self._due = time.monotonic()
        if not self.options.interval:
            self._start()
        elif shutil.which(self.options.command[0]) is None:
            raise DriverError(f"{self.options.command[0]}: no such program", "write its full path")

    def _start(self) -> None:
        program = self.options.command[0]
        try:
            process = subprocess.Popen(
                self.options.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | dict(self.options.environment),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise DriverError(f"{program}: no such program", "write its full path") from None
        except OSError as error:
            raise DriverError(f"{program}: {error.strerror or error}") from None
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self._process, self._errors = process, b""
        self._stop_at = time.monotonic() + self.options.timeout / 1e6

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        if self._process is None:
            wait = self._due - time.monotonic()
            if wait > 0 and (self.context.wait(min(wait, timeout_s)) or wait > timeout_s):
                return []
            interval = (self.options.interval or 1) / 1e6
            self._due += (max((time.monotonic() - self._due) // interval, 0) + 1) * interval
            self._start()
        process = self._process
        assert process is not None
        assert process.stdout is not None
        assert process.stderr is not None
        poll = select.poll()
        for descriptor in (process.stdout.fileno(), process.stderr.fileno(), self.context.wake_fd):
            poll.register(descriptor, select.POLLIN | select.POLLHUP)
        ready = dict(poll.poll(timeout_s * 1000))
        now_us = self.context.now_us()
        if self.context.wake_fd in ready:
            return []
        if process.stderr.fileno() in ready:
            self._errors = (self._errors + (self._some(process.stderr.fileno()) or b""))[-2000:]
        batch = None
        if process.stdout.fileno() in ready:
            data = self._some(process.stdout.fileno())
            if data is None:
                return self._ended(now_us)
            self.bytes_seen += len(data)
            batch = self.decoder.feed(data, now_us)
        if self.options.interval and time.monotonic() > self._stop_at:
            self._end()
            self.context.count("timeouts", 1, " ".join(self.options.command)[:80])
        return batch if batch is not None else []

    def _some(self, descriptor: int) -> bytes | None:
        """None at the end of the file."""
        try:
            return os.read(descriptor, READ_BYTES) or None
        except BlockingIOError:
            return b""

    def _ended(self, now_us: int) -> Batch | Sequence[Sample]:
        """A last line needs no line end. An end is normal with ``interval:``, and unexpected without."""
        process = self._process
        assert process is not None
        batch = self.decoder.feed(b"\n", now_us)
        code = self._end()
        told = self._errors.decode("utf-8", "replace").strip().splitlines()
        why = f"; it said: {told[-1][:200]}" if told else ""
        if code:
            if not self.options.interval:
                raise DriverError(f"{self.options.command[0]}: ended with exit status {code}{why}")
            self.context.count("failed_runs", 1, f"exit status {code}{why}")
        elif not self.options.interval and batch is None:
            raise DriverError(f"{self.options.command[0]}: ended", "give interval: to run it again and again")
        return batch if batch is not None else []

    def _end(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        # The group: what the program started must not be left behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            code = process.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def close(self) -> None:
        self._end()
