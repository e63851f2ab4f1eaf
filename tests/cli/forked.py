"""Verbs as real processes that need not import everything anew.

An interpreter imports what most verbs share and forks for each verb that it is asked for. It was started as the command is
started: environment, user and encoding of the standard streams are those of a person's shell, and each verb has its own
arguments, folder, pipes, exit status and end of the interpreter. Of half a second of processor a verb takes a tenth.
Tests of the start itself (signals, closed descriptors, missing packages) start ``python -m sensorlogd``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE_S = 120.0
_LONGEST_REQUEST = 1 << 17
_SHARED = (
    "sensorlogd.__main__",
    "sensorlogd.cli.main",
    "sensorlogd.cli.common",
    "sensorlogd.cli.output",
    "sensorlogd.config.loader",
    "sensorlogd.daemon.control.offline",
    "sensorlogd.storage.query.log_reader",
)


class Interpreter:
    """Starts verbs; owns the process that forks, which ends with ``close``."""

    def __init__(self, folder: Path, env: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        """``env`` is there before Python begins; ``prefix`` is a command that starts another, like ``setpriv``."""
        self._env = dict(env)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(PATIENCE_S)
        with theirs:
            self._process = subprocess.Popen(
                [*prefix, sys.executable, __file__, str(theirs.fileno())],
                cwd=folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )

    def run(
        self,
        arguments: Sequence[str],
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """One verb, to its end, in ``folder`` or where the interpreter is.

        What it writes to a descriptor ``stdout`` is not returned.
        """
        out, err = (os.pipe(), os.pipe())
        try:
            request = {"arguments": list(arguments), "folder": folder and str(folder), "env": dict(env or self._env)}
            socket.send_fds(self._socket, [json.dumps(request).encode()], [out[1] if stdout is None else stdout, err[1]])
        except BrokenPipeError:
            assert self._process.stderr is not None
            raise AssertionError(f"the interpreter ended: {self._process.stderr.read().decode()}") from None
        finally:
            os.close(out[1])
            os.close(err[1])
        try:
            return self._end(arguments, out[0], err[0])
        finally:
            os.close(out[0])
            os.close(err[0])

    def _end(self, arguments: Sequence[str], out: int, err: int) -> subprocess.CompletedProcess[bytes]:
        first = self._socket.recv(100)
        if not first:
            assert self._process.stderr is not None
            raise AssertionError(f"the interpreter ended: {self._process.stderr.read().decode()}")
        try:
            written = _read_to_end(out, err)
            code = int(self._socket.recv(100))
        except TimeoutError:
            os.kill(int(first), signal.SIGKILL)
            raise AssertionError(f"{list(arguments)} did not end within {PATIENCE_S:.0f} s") from None
        return subprocess.CompletedProcess(list(arguments), code, written[out], written[err])

    def close(self) -> None:
        self._socket.close()
        self._process.communicate(timeout=PATIENCE_S)

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _read_to_end(*pipes: int) -> dict[int, bytes]:
    """All that comes out of them until nobody can write any more.

    Raises:
        TimeoutError: somebody still can after ``PATIENCE_S``.
    """
    written, open_pipes, end = dict.fromkeys(pipes, b""), set(pipes), time.monotonic() + PATIENCE_S
    while open_pipes:
        ready = select.select(list(open_pipes), [], [], max(end - time.monotonic(), 0))[0]
        if not ready:
            raise TimeoutError
        for pipe in ready:
            piece = os.read(pipe, 65536)
            written[pipe] += piece
            if not piece:
                open_pipes.remove(pipe)
    return written


def _serve(connection: socket.socket) -> list[str]:
    """Forks for each request. Returns in the new process only, with its arguments."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 2)
        if not message:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(BrokenPipeError):  # who asked has given up
            connection.send(str(pid).encode())
            connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    connection.close()
    for descriptor, number in zip(descriptors, (1, 2), strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    request: dict[str, Any] = json.loads(message)
    if request["folder"]:
        os.chdir(request["folder"])
        sys.path[0] = os.getcwd()  # as -m has it
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    arguments: list[str] = request["arguments"]
    return arguments


def _main() -> None:
    sys.path[0] = os.getcwd()
    for name in _SHARED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    arguments = _serve(connection)
    command = sys.modules["sensorlogd.__main__"]
    sys.argv = [str(command.__file__), *arguments]
    command.main()


if __name__ == "__main__":
    _main()
