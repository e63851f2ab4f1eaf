"""The web process, seen from the daemon: started, watched, restarted with a growing pause, ended.

Everything here runs on the main thread and returns at once, but for two waits: ``stop`` waits for the end of the process, within
its deadline, and ``tick`` up to ENDED_WITHIN_S for the exit status of a process that has closed its output. Whatever
happens to that process, and if it cannot even be started, logging goes on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import time
from enum import Enum
from typing import IO, Any

from sensorlogd.daemon.backoff import Backoff
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.processes import interrupts
from sensorlogd.processes.module_command import module_command
from sensorlogd.web.settings import Settings

logger = logging.getLogger(__name__)

START_WITHIN_S = 60.0
WELL_AFTER_S = 60.0  # seconds: a process that has served this long counts as well: its next restart is a quick one
CHECK_EVERY_S = 1.0
SILENT_FOR_S = 25.0  # it says every three seconds that its loop runs
STOP_WITHIN_S = 4.0
ENDED_WITHIN_S = 0.2  # between closing its output and having an exit code
READS_AT_ONCE, READ_BYTES = 16, 4096  # one that says more than the loop can read must not hold it up
LONGEST_LINE = 65_536
PAGE = os.sysconf("SC_PAGE_SIZE")


class WebState(Enum):
    """What the process is doing; shown in ``status``."""

    DOWN = "down"  # waiting before the next start
    STARTING = "starting"
    SERVING = "serving"
    STOPPED = "stopped"


class WebProcess:
    """Owns the web process. ``emit``: records an event. ``url``: where it serves, while it does. ``last_error``: why it does
    not."""

    def __init__(self, settings: Settings, emit: Emit, backoff: Backoff | None = None) -> None:
        self.settings = settings
        self.emit = emit
        self.state = WebState.DOWN
        self.url = ""
        self.last_error = ""
        self.restarts = -1
        self._backoff = backoff or Backoff(first_s=0.5, quick_s=5.0, quick_for=5, cap_s=60.0)
        self._process: subprocess.Popen[bytes] | None = None
        self._killed: list[subprocess.Popen[bytes]] = []  # not gone yet
        self._said = bytearray()
        self._restart_at = 0.0
        self._since = 0.0
        self._heard_at = 0.0
        self._check_at = 0.0
        self._last_reason = ""  # the failure that was last recorded as an event

    # ---- the supervisor's loop -------------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def waitables(self) -> list[Any]:
        """What the loop should wait for: what the process says, and thereby its end."""
        return [self._process.stdout] if self._process is not None and self._process.stdout is not None else []

    def on_readable(self) -> None:
        """Take what the process said."""
        process = self._process
        if process is None or process.stdout is None:
            return
        try:
            for _ in range(READS_AT_ONCE):
                part = os.read(process.stdout.fileno(), READ_BYTES)
                if not part:
                    self._replace_process(self._why_it_ended())
                    return
                self._said += part
                self._heard_at = time.monotonic()
        except BlockingIOError:
            pass
        while b"\n" in self._said:
            line, _, rest = bytes(self._said).partition(b"\n")
            self._said[:] = rest
            self._take_line(line)
        del self._said[:-LONGEST_LINE]  # one that has no end is none of ours

    def tick(self) -> None:
        """Called at least every second."""
        now = time.monotonic()
        self._killed = [process for process in self._killed if process.poll() is None]
        if self.state is WebState.STOPPED:
            return
        if self._process is None:
            if now >= self._restart_at:
                self._start_process(now)
            return
        if self._process.poll() is not None:
            self.on_readable()
            if self._process is not None and self._process.poll() is not None:
                self._replace_process(self._why_it_ended())
            return
        if self.state is WebState.STARTING and now - self._since > START_WITHIN_S:
            self._replace_process(f"does not serve after {START_WITHIN_S:.0f} s")
        elif self.state is WebState.SERVING and now - self._heard_at > SILENT_FOR_S:
            self._replace_process(f"has hung for {SILENT_FOR_S:.0f} s")
        elif now >= self._check_at:
            self._check_at = now + CHECK_EVERY_S
            used = resident_bytes(self._process.pid)
            if used > self.settings.memory_limit_bytes:
                self._replace_process(
                    f"needed {used / 1e6:.0f} MB of memory, web.memory_limit is {self.settings.memory_limit_bytes / 1e6:.0f} MB"
                )

    def stop(self, deadline_s: float = STOP_WITHIN_S) -> None:
        """End the process within the deadline: asked first, then killed, stopped (SIGSTOP) or not. Idempotent."""
        until = time.monotonic() + deadline_s
        self.state = WebState.STOPPED
        self.url = ""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            if not _has_ended(process, deadline_s * 0.75):
                logger.warning("web: does not end; killed")
            self._kill_process(process)
        self._killed = [process for process in self._killed if not _has_ended(process, until - time.monotonic())]
        for process in self._killed:
            logger.error("web: process %d cannot be killed; left behind", process.pid)

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _start_process(self, now: float) -> None:
        try:
            process = _spawn(*module_command("sensorlogd.web", self.settings.to_json()))
        except (OSError, MemoryError) as error:
            self._note_failure(f"cannot be started: {error}")
            return
        self._process = process
        self._said.clear()
        self._since = now
        self._check_at = now + CHECK_EVERY_S
        self.restarts += 1
        self.state = WebState.STARTING

    def _take_line(self, line: bytes) -> None:
        """Take a line that the process said: where it serves, or why it does not. What is no JSON object is passed over: a
        library may print there."""
        try:
            fact = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(fact, dict):
            return
        if "url" in fact:
            self.url = str(fact["url"])
            self.state = WebState.SERVING
            self.last_error = ""
            logger.info("web: serving at %s", self.url)
            if self._last_reason:
                self.emit(EventKind.WEB_RECOVERED, None, f"serving at {self.url}")
                self._last_reason = ""
        elif "error" in fact:
            self.last_error = str(fact["error"])

    def _why_it_ended(self) -> str:
        assert self._process is not None
        if not _has_ended(self._process, ENDED_WITHIN_S):
            return "closed its output"
        code = self._process.returncode
        for line in bytes(self._said).splitlines():
            self._take_line(line)
        if code == 1 and self.state is WebState.STARTING and self.last_error:
            return self.last_error
        return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"

    def _replace_process(self, reason: str) -> None:
        """End the process, if it has not ended; another one is started later."""
        process, self._process = self._process, None
        if process is not None:
            self._kill_process(process)
        if self.state is WebState.SERVING and time.monotonic() - self._since > WELL_AFTER_S:
            self._backoff.reset()
        self._note_failure(reason)

    def _kill_process(self, process: subprocess.Popen[bytes]) -> None:
        """Kill it and wait for nothing: one that hangs in the kernel must not hold up the loop."""
        process.kill()
        _close_pipes(process)
        self._killed.append(process)

    def _note_failure(self, reason: str) -> None:
        """Note why there is no process, and when the next one is started."""
        self.state = WebState.DOWN
        self.url = ""
        self.last_error = reason
        pause_s = self._backoff.next_s()
        self._restart_at = time.monotonic() + pause_s
        logger.warning("web: %s; started again in %.1f s; logging goes on", reason, pause_s)
        if reason != self._last_reason:  # a cause that lasts, such as a port that is taken, becomes one event
            self._last_reason = reason
            self.emit(EventKind.WEB_DOWN, None, reason)


def resident_bytes(pid: int) -> int:
    """Memory that the process holds (statm, proc(5)); 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _spawn(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the process, with a pipe to its standard input and a non-blocking pipe from its output.

    Raises OSError; nothing is left open then (``Popen`` of Python before 3.11.4 leaves the pipes it makes).
    """
    with contextlib.ExitStack() as child_ends, contextlib.ExitStack() as parent_ends:
        input_r, input_w = _make_pipe(child_ends, parent_ends)
        output_r, output_w = _make_pipe(parent_ends, child_ends)
        os.set_blocking(output_r.fileno(), False)
        with interrupts.blocked():
            process = subprocess.Popen(command, env=environment, stdin=input_r, stdout=output_w)
        process.stdin, process.stdout = input_w, output_r
        parent_ends.pop_all()
    return process


def _make_pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Its two ends, each to be closed by the stack of its side."""
    read, write = os.pipe2(os.O_CLOEXEC)
    return reader.enter_context(open(read, "rb", 0)), writer.enter_context(open(write, "wb", 0))


def _has_ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    try:
        process.wait(max(within_s, 0.0))
    except subprocess.TimeoutExpired:
        return False
    return True


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for end in (process.stdin, process.stdout):
        if end is not None:
            with contextlib.suppress(OSError):
                end.close()
