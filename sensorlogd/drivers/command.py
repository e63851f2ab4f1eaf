"""The ``command`` driver: runs a program and reads its lines, as the serial driver reads a port's.

A program that runs on is read as it prints; with ``interval:`` it is run anew each time and read to its end. It is started
without a shell, in a session of its own; that and all it has started, in whatever session or process group, is ended with the
sensor, with the run, or when the run takes too long.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from sensorlogd.batch import Batch, Sample
from sensorlogd.config import light
from sensorlogd.config.models import DurationUs, FilePath
from sensorlogd.drivers import descendants
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError
from sensorlogd.drivers.serial.decoders import LineDecoder, decoder_for
from sensorlogd.drivers.serial.options import LineOptions

READ_BYTES = 65536
KILL_AFTER_S = 2.0  # for a program that was asked to end
LAST_MOMENT_S = 1.0  # between the end of a program's output and its own
MAX_KEPT_ERROR_BYTES = 2000  # bytes of what it said last on its standard error


def _split_words(value: Any) -> Any:
    return shlex.split(value) if isinstance(value, str) else value


def _beside_the_configuration(words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """./script is beside the configuration, wherever the daemon was started."""
    folder = (info.context or {}).get("folder")
    if folder is None or not words or "/" not in words[0]:
        return words
    return (str(light.resolve(words[0], folder)), *words[1:])


class CommandOptions(LineOptions):
    """Keys of ``driver: command``."""

    command: Annotated[tuple[str, ...], BeforeValidator(_split_words), AfterValidator(_beside_the_configuration)] = Field(
        min_length=1, description="program and arguments; not passed to a shell"
    )
    directory: FilePath | None = Field(None, description="where the program runs")
    timeout: DurationUs = Field(30_000_000, ge=10_000, le=3_600_000_000, description="with interval: how long one run may take")
    environment: Mapping[str, str] = Field(default_factory=dict, description="added to the daemon's own")


class _Run:
    """One run of the program: its output, its standard error, and its end. Owns three descriptors until ``end``."""

    def __init__(self, options: CommandOptions) -> None:
        """Start the program. Raises OSError."""
        self.mark = descendants.new_mark()
        self.process = subprocess.Popen(
            options.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | dict(options.environment) | {descendants.MARK: self.mark},
            cwd=options.directory,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout.fileno(), self.process.stderr.fileno()
        # Readable once it has ended; its children may hold the pipes for longer.
        self.over = os.pidfd_open(self.process.pid)
        os.set_blocking(self.out, False)
        os.set_blocking(self.err, False)
        self.poll = select.poll()
        for descriptor in (self.out, self.err, self.over):
            self.poll.register(descriptor, select.POLLIN)
        self.talks = True
        self.errors = b""
        self.stop_at = time.monotonic() + options.timeout / 1e6

    def read(self) -> bytes | None:
        """The output that has arrived; b"" if there is none now, None after its end."""
        try:
            return os.read(self.out, READ_BYTES) or None
        except BlockingIOError:
            return b""

    def listen(self) -> None:
        """Read standard error, and keep the last of it for error messages."""
        try:
            said = os.read(self.err, READ_BYTES)
        except BlockingIOError:
            return
        if not said and self.talks:
            self.talks = False
            self.poll.unregister(self.err)
        self.errors = (self.errors + said)[-MAX_KEPT_ERROR_BYTES:]

    def ends_by_itself(self, wake_fd: int) -> bool:
        """Whether the program ends within a moment after its output has ended, as most do."""
        waiting = select.poll()
        waiting.register(self.over, select.POLLIN)
        waiting.register(wake_fd, select.POLLIN)
        return self.over in dict(waiting.poll(LAST_MOMENT_S * 1000))

    def end(self) -> int:
        """End the program and everything it has started; returns its exit status. The process is reaped last, because until then
        no other process gets its number."""
        descendants.end(self.process.pid, self.mark, KILL_AFTER_S)
        code = self.process.wait()
        os.close(self.over)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return code


class CommandDriver(Driver):
    """Runs a program and reads its lines; see the module."""

    Options = CommandOptions
    summary = "a program's output, line by line"
    waits = True

    def __init__(self, options: CommandOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: CommandOptions = options
        self.bytes_seen = 0
        self._run: _Run | None = None
        self._due = 0.0
        self._ended: DriverError | None = None

    def open(self) -> None:
        """Without ``interval:`` start the program; with it only see whether it can be found, and make the first run due at once.
        Raises DriverError for a program or folder that is not there or may not be run."""
        self._due = time.monotonic()
        program = self.options.command[0]
        if not self.options.interval:
            self._start_program()
        elif shutil.which(program, path=self.options.environment.get("PATH")) is None:
            raise DriverError(f"{program}: no such program", "write its full path; it must be executable")

    def _start_program(self) -> _Run:
        """Start a run, with a decoder of its own. Raises DriverError."""
        program = self.options.command[0]
        try:
            self._run = _Run(self.options)
        except FileNotFoundError as error:
            missing = error.filename if error.filename is not None else program
            raise DriverError(f"{missing}: no such program or directory", "write its full path") from None
        except PermissionError:
            raise DriverError(f"{program}: permission denied", f"chmod +x {program}; the daemon's user must be let in") from None
        except OSError as error:
            raise DriverError(f"{program}: {error.strerror or error}", "a script begins with e.g. #!/bin/sh") from None
        # A program's first line is no tail of another, and the last run's half line no head of this one's.
        self.decoder = decoder_for(self.options, self.context.count, whole=True)
        return self._run

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """The readings of one piece of output. With ``interval:`` wait until the next run is due, and start it; runs that were missed
        meanwhile are left out. A run that lasts longer than it may is ended and counted as ``timeouts``, one that ends with an
        error as ``failed_runs``. Raises DriverError when a program without ``interval:`` has ended or has closed its output, at the
        call after the one that gave its last readings."""
        if self._ended is not None:
            raise self._ended
        run, interval = self._run, self.options.interval
        if run is None:
            wait = self._due - time.monotonic()
            if wait > 0 and (self.context.wait(min(wait, max(timeout_s, 0))) or wait > timeout_s):
                return []
            assert interval is not None
            self._due += (max((time.monotonic() - self._due) // (interval / 1e6), 0) + 1) * interval / 1e6
            run, timeout_s = self._start_program(), max(timeout_s - max(wait, 0), 0)
        if interval:
            timeout_s = min(timeout_s, run.stop_at - time.monotonic())
        run.poll.register(self.context.wake_fd, select.POLLIN)
        ready = dict(run.poll.poll(max(timeout_s, 0) * 1000))
        now_us = self.context.now_us()
        if self.context.wake_fd in ready:
            return []
        if run.err in ready:
            run.listen()
        batch: Batch | None = None
        if run.out in ready or run.over in ready:
            data = run.read()
            if data:
                self.bytes_seen += len(data)
                batch = self.decoder.feed(data, now_us)
            elif data is None or run.over in ready:
                batch = self._finish_run(run, now_us)
        if self._run is not None and interval and time.monotonic() >= run.stop_at:
            self.close()
            self.context.count("timeouts", 1, f"{shlex.join(self.options.command)[:80]}{_last_words(run)}")
        return batch if batch is not None else []

    def _finish_run(self, run: _Run, now_us: int) -> Batch | None:
        """The output has ended. With ``interval:`` that is expected; without, it is an error. What was read before is kept."""
        itself = run.ends_by_itself(self.context.wake_fd)
        run.listen()
        code = run.end()
        self._run = None
        program = self.options.command[0]
        batch = None
        if not itself and not self.options.interval:
            self._ended = DriverError(
                f"{program}: closed its output and went on{_last_words(run)}", "it must stay in the foreground"
            )
            return None
        if isinstance(self.decoder, LineDecoder) and self.decoder.lines.pending:
            if code == 0:  # a last line needs no line end
                batch = self.decoder.finish(now_us)
            else:
                self.context.count("unfinished_lines", 1, "")
        if code == 0 and not self.options.interval:
            self._ended = DriverError(f"{program}: ended{_last_words(run)}", "give interval: to run it again and again")
        elif code and not self.options.interval:
            self._ended = DriverError(f"{program}: ended with {_exit_words(code)}{_last_words(run)}")
        elif code:
            self.context.count("failed_runs", 1, f"{_exit_words(code)}{_last_words(run)}")
        return batch

    def close(self) -> None:
        """End the program that runs, if one does, with all that it has started."""
        run, self._run = self._run, None
        if run is not None:
            run.end()


def _exit_words(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _last_words(run: _Run) -> str:
    """The last line of the program's standard error, as the end of a message; empty if it wrote none."""
    lines = run.errors.decode("utf-8", "replace").strip().splitlines()
    return f"; it said: {lines[-1].strip()[:200]}" if lines else ""
