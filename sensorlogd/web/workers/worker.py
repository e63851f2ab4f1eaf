"""The worker process: ``python -m sensorlogd.web.workers.worker DATABASE BYTES`` answers one question after another.

Its standard input is a socket to the web process. A question is a frame (eight bytes of length, then a pickle) that holds
``module:function``, arguments and seconds: the function is called with a log and the arguments. The answer is a frame that
begins with a word: ``ok`` and what was found, ``error`` and what to tell, ``fault`` and a traceback.

A question ends when its time is over or SIGUSR1 says that nobody wants the answer any more: a timer looks several times a
second, so that evaluation in Python ends as surely as a statement of SQLite. What needs more than BYTES of memory is
told, and the process ends: what is left of its memory is in pieces. It also ends when the web process is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import pickle
import resource
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.current_log import CurrentLog
from sensorlogd.web.workers.failures import TOO_LONG, refusal_of, too_long

CHECK_EVERY_S = 0.1
STEPS_BETWEEN_CHECKS = 20_000
HEAD = 8  # bytes
PING = "ping"
FUNCTIONS = "sensorlogd.web."  # nothing else is called
ALSO_STREAMED = tuple(f"sensorlogd.web.answering.questions.long_questions:{name}" for name in ("readings", "buckets"))


class Ended(BaseException):
    """The question was stopped. Not an Exception, so that no code on the way handles it as an error of its own."""


class Worker:
    """Answers questions, one after another. ``memory_bytes``: how much memory one question may need."""

    def __init__(self, database: Path, memory_bytes: int) -> None:
        self.current = CurrentLog(database)
        self.database = database
        self.memory_bytes = memory_bytes
        self._parent = os.getppid()
        self._until = 0.0
        self._can_end = False  # whether a signal may raise Ended
        self._cancelled = False
        signal.signal(signal.SIGALRM, self._on_timer)
        signal.signal(signal.SIGUSR1, self._on_cancel)

    def answer(self, name: str, arguments: tuple[Any, ...], seconds: float) -> tuple[Any, ...]:
        """The encoded answer to a question. Raises nothing but MemoryError."""
        if name == PING:
            return "ok", None
        self._cancelled = False
        self._until = time.monotonic() + seconds
        signal.setitimer(signal.ITIMER_REAL, CHECK_EVERY_S, CHECK_EVERY_S)
        try:
            return "ok", self._call(name, arguments)
        except Ended:
            self.current.close()  # it was left in the middle of whatever it did
            return self._error_answer(too_long(seconds))
        except ApiError as error:
            return self._error_answer(error)
        except MemoryError:
            raise
        except Exception as error:
            refusal = refusal_of(error, self.database, seconds)
            if refusal is None:
                return "fault", type(error).__name__, traceback.format_exc()
            if refusal.body["code"] != TOO_LONG:
                self.current.close()
            return self._error_answer(refusal)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def too_much(self, name: str) -> tuple[Any, ...]:
        """The answer when memory was not enough for a question."""
        hint = "ask for fewer series, a shorter range or longer steps"
        if name in ALSO_STREAMED:
            hint += ", or stream it with format=csv"
        return self._error_answer(
            ApiError(
                422,
                "takes_too_much",
                f"the answer needs more than {self.memory_bytes / 1e6:.0f} MB of memory",
                hint=hint,
            )
        )

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Call the function with the log. Raises whatever it raises, and Ended when its time is over.

        Whoever raises Ended has set ``_can_end`` to False: a signal that comes while Ended unwinds, or when the question has just been
        answered, interrupts none of what is done here at the end.
        """
        module, _, function = name.partition(":")
        assert module.startswith(FUNCTIONS)
        call = getattr(importlib.import_module(module), function)
        log = self.current.get()
        log.conn.set_progress_handler(self._is_over, STEPS_BETWEEN_CHECKS)
        try:
            try:
                self._can_end = True
                return call(log, *arguments)
            finally:
                self._can_end = False
        finally:
            self._release(log)

    def _release(self, log: LogReader) -> None:
        """Leave the log as it was before the question."""
        if self.current.holds(log):
            log.conn.set_progress_handler(None, 0)
            if log.conn.in_transaction:  # a stream that was not read to its end
                with contextlib.suppress(Exception):
                    log.conn.execute("ROLLBACK")

    def _is_over(self) -> bool:
        return self._cancelled or time.monotonic() > self._until

    def _on_timer(self, *_: object) -> None:
        """SIGALRM: end the process if the web process is gone, and the question if its time is over."""
        if os.getppid() != self._parent:
            os._exit(1)
        if self._is_over():
            self._end()

    def _on_cancel(self, *_: object) -> None:
        """SIGUSR1: end the question, whose answer nobody wants any more."""
        self._cancelled = True
        self._end()

    def _end(self) -> None:
        """Raise Ended if a question is being answered, once. One that goes on all the same is ended by the web process, with this
        one."""
        if self._can_end:
            self._can_end = False
            raise Ended

    def _error_answer(self, error: ApiError) -> tuple[Any, ...]:
        return "error", error.status, error.body, error.headers


def frame(value: Any) -> bytes:
    """A pickled value with its length in front (HEAD bytes, the highest first), as both ends of the socket write it."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(HEAD, "big") + body


def limit_memory(more_bytes: int) -> None:
    """Limit the memory for data (RLIMIT_DATA) to what the process has now, and this much more."""
    used = 0
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb") as file:
        used = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (used + more_bytes,) * 2)


def _answer_all(worker: Worker, peer: socket.socket) -> None:
    """Answer the questions of the web process until it closes the socket, or one needed too much memory."""
    with peer.makefile("rb") as questions:
        while True:
            head = questions.read(HEAD)
            if len(head) < HEAD:
                return
            name, arguments, seconds = pickle.loads(questions.read(int.from_bytes(head, "big")))
            try:
                peer.sendall(frame(worker.answer(name, arguments, seconds)))
            except MemoryError:
                worker.current.close()
                peer.sendall(frame(worker.too_much(name)))
                return


def main() -> int:
    """The worker process: arguments are the path of the database and its memory in bytes; stdin is the socket."""
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C reaches the whole group; the web process decides
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, format="web: %(message)s")
    with contextlib.suppress(OSError):
        os.nice(5)  # small questions go first
    worker = Worker(Path(sys.argv[1]), int(sys.argv[2]))
    limit_memory(worker.memory_bytes)
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(0)) as peer:
        _answer_all(worker, peer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
