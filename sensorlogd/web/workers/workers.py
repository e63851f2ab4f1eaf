"""Runs questions that may take long or much in worker processes that can be ended.

``await workers.run("module:function", *arguments)`` calls the function with a log and the arguments in a worker, and returns
what it returns. A worker that overstays its time is killed and replaced; when the one who asked is cancelled (its client has
gone) the worker is notified, and killed if it does not stop at once. All of it runs on the event loop; no thread is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from sensorlogd.processes import interrupts
from sensorlogd.processes.module_command import module_command
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.admission import MAX_WAIT_S, Admission, ending
from sensorlogd.web.workers.damage_reports import DamageReports
from sensorlogd.web.workers.failures import TOO_LONG, UNAVAILABLE, too_long
from sensorlogd.web.workers.worker import HEAD, PING, frame

logger = logging.getLogger(__name__)

GRACE_S = 2.0  # for a worker to end by itself what takes too long
STOPS_WITHIN_S = 0.5  # when nobody wants its answer
PING_WITHIN_S = 5.0  # a process is started meanwhile, on a slow machine
IDLE_S = 60.0  # then all but one end
LAST_IDLE_S = 300.0  # then the last one does: 10 MB that nobody uses
PART = 1 << 18


class WorkerGone(Exception):
    """The worker ended before it answered."""


class _Worker:
    """One worker process, and the socket to it."""

    def __init__(self, database: Path, memory_bytes: int) -> None:
        """Raises OSError."""
        parent_end, child_end = socket.socketpair()
        with child_end:
            try:
                command, environment = module_command("sensorlogd.web.workers.worker", str(database), str(memory_bytes))
                with interrupts.blocked():
                    self.process = subprocess.Popen(command, env=environment, stdin=child_end.fileno(), stdout=subprocess.DEVNULL)
            except BaseException:
                parent_end.close()
                raise
        parent_end.setblocking(False)
        self._socket = parent_end
        self.hears = False  # a part of an answer has come, and the rest has not been waited for yet
        self.used_at = time.monotonic()

    async def ask(self, question: bytes, within_s: float) -> Any:
        """Send a question and wait for its answer. Raises TimeoutError, WorkerGone."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(within_s):
                await loop.sock_sendall(self._socket, question)
                return await self.hear()
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise WorkerGone from error

    async def hear(self) -> Any:
        """The next answer, unpickled. Raises OSError, and WorkerGone at the end of the socket."""
        size = int.from_bytes(await self._receive(HEAD), "big")
        body = await self._receive(size)
        self.hears = False
        return pickle.loads(body)

    def request_stop(self) -> None:
        """Tell the process that nobody wants the answer any more; it answers with an error and lives on."""
        with contextlib.suppress(OSError):
            self.process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """End the process at once. It only reads, so nothing is lost."""
        self._socket.close()
        self.process.kill()
        self.process.wait()

    async def _receive(self, size: int) -> bytearray:
        """Read exactly this many bytes. Raises WorkerGone."""
        loop, found = asyncio.get_running_loop(), bytearray()
        while len(found) < size:
            part = await loop.sock_recv(self._socket, min(size - len(found), PART))
            if not part:
                raise WorkerGone
            self.hears = True
            found += part
        return found


def _goes_on(answer: Any) -> bool:
    """Whether the worker that gave this answer takes another question: one that needed too much memory ends."""
    return not (answer[0] == "error" and answer[2]["code"] == "takes_too_much")


class Workers:
    """Up to ``count`` processes, started when they are needed. ``memory_bytes``: how much memory one question may need."""

    def __init__(
        self,
        database: Path,
        *,
        count: int = 2,
        timeout_s: float = 10.0,
        memory_bytes: int = 128_000_000,
        report_damage: DamageReports | None = None,
    ) -> None:
        self.database = database
        self.timeout_s = timeout_s
        self.memory_bytes = memory_bytes
        self.admission = Admission(count, retry_after_s=2)
        self.replaced = 0
        self.cancelled = 0
        self._slots = asyncio.Semaphore(count)
        self._idle: list[_Worker] = []  # the one used last stands last
        self._all: set[_Worker] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._retiring: asyncio.TimerHandle | None = None
        self._failed = False  # the last question got no answer
        self._closed = False
        self._report_damage = report_damage or DamageReports(database)

    async def run(self, name: str, *arguments: Any, patient: bool = False) -> Any:
        """Call a function in a worker. ``patient``: wait for a free worker without a limit (for the next page of a stream).

        Raises ApiError: 503 busy, ended or no database, 422 when it takes too long or too much.
        """
        with self.admission.admitted(patient=patient, closed=self._closed):
            await self._take_slot(None if patient else MAX_WAIT_S)
            answer = await self._with_worker(frame((name, arguments, self.timeout_s)), self.timeout_s)
        kind, *rest = answer
        if kind == "ok":
            return rest[0]
        if kind == "error":
            status, body, headers = rest
            self.admission.timeouts += body["code"] == TOO_LONG
            if body["code"] == UNAVAILABLE:
                self._report_damage(body["message"])
            more = {key: value for key, value in body.items() if key not in ("code", "message")}
            raise ApiError(status, body["code"], body["message"], headers=headers, **more)
        name, trace = rest
        logger.error("a question failed:\n%s", trace)
        raise ApiError(500, "internal", f"the question failed: {name}", hint="the daemon's journal says more")

    async def is_well(self) -> bool:
        """Whether a worker answers, or all are busy with questions that are still within their time. One is started if there is
        none."""
        if self._closed or self._slots.locked():
            return not self._closed
        return await self._is_answered(counts=True)

    async def is_still_well(self) -> bool:
        """As ``is_well``, but for the one who looks every few seconds: a worker that nobody else asks ends all the same, and none is
        started, unless the last question got no answer."""
        if self._closed or self._slots.locked():
            return not self._closed
        return not (self._idle or self._failed) or await self._is_answered(counts=False)

    async def _is_answered(self, *, counts: bool) -> bool:
        """``counts``: as a use of the worker."""
        await self._take_slot(None)
        try:
            await self._with_worker(frame((PING, (), 0.0)), PING_WITHIN_S - GRACE_S, counts=counts)
        except ApiError as error:
            logger.warning("no worker answers: %s", error)
            return False
        return True

    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [worker.process.pid for worker in self._all]

    def close(self) -> None:
        """End all workers at once; whoever waits for an answer gets an error. Idempotent."""
        self._closed = True
        if self._retiring is not None:
            self._retiring.cancel()
        for worker in list(self._all):
            worker.process.kill()  # who waits for it hears the end of it
        for worker in self._idle:
            self._end_worker(worker)
        self._idle.clear()

    # ---- inside ----------------------------------------------------------------------------------------------------

    async def _take_slot(self, within_s: float | None) -> None:
        """Wait for a free worker. Raises ApiError 503 if there is none ``within_s``."""
        try:
            async with asyncio.timeout(within_s):
                await self._slots.acquire()
        except TimeoutError:
            raise self.admission.busy() from None

    async def _with_worker(self, question: bytes, seconds: float, *, counts: bool = True) -> Any:
        """Ask a free worker. The caller has taken a slot; it is given back here. ``counts``: as a use of the worker."""
        worker: _Worker | None = None
        keep, settles = False, False
        try:
            worker = self._take_worker()
            answer = await worker.ask(question, seconds + GRACE_S)
            keep = _goes_on(answer)
            self._failed = False
            return answer
        except TimeoutError:
            self._failed = True
            self.replaced += 1
            self.admission.timeouts += 1
            raise too_long(seconds) from None
        except (WorkerGone, OSError) as error:
            self._failed = True
            if not self._closed:
                self.replaced += 1
            raise self._gone_error(error) from None
        except asyncio.CancelledError:
            self.cancelled += 1
            # At the end no further task is begun, since nobody would wait for it. Of an answer that was heard in part, the rest would
            # be taken for another one.
            if worker is not None and not self._closed and not worker.hears:
                settles = True
                task = asyncio.get_running_loop().create_task(self._await_stop(worker))
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
            raise
        finally:
            if not settles:
                self._give_back(worker, keep, counts=counts)

    async def _await_stop(self, worker: _Worker) -> None:
        """After a client has gone: the worker gets a moment to stop by itself, then it is ended."""
        keep = False
        try:
            worker.request_stop()
            async with asyncio.timeout(STOPS_WITHIN_S):
                answer = await worker.hear()
            keep = _goes_on(answer)
        except Exception:  # it said nothing, half of something, or ended: another will be started
            keep = False
        finally:
            self._give_back(worker, keep)

    def _take_worker(self) -> _Worker:
        """An idle worker, or a new one. Raises OSError."""
        if self._closed:
            raise OSError("the web server is ending; ask again when it has started")
        while self._idle:
            worker = self._idle.pop()
            if worker.process.poll() is None:
                return worker
            self._end_worker(worker)
        worker = _Worker(self.database, self.memory_bytes)
        self._all.add(worker)
        return worker

    def _give_back(self, worker: _Worker | None, keep: bool, *, counts: bool = True) -> None:
        """Free the slot, and keep the worker for the next question or end it. ``counts``: that it was used now."""
        self._slots.release()
        if worker is None:
            return
        if not keep or self._closed:
            self._end_worker(worker)
            return
        if counts:
            worker.used_at = time.monotonic()
        self._idle.append(worker)
        if self._retiring is None:
            self._retiring = asyncio.get_running_loop().call_later(IDLE_S, self._retire)

    def _retire(self) -> None:
        """End workers that have been idle for long; the one used last stays longer, for who looks again."""
        now = time.monotonic()
        while self._idle and now - self._idle[0].used_at >= (IDLE_S if len(self._idle) > 1 else LAST_IDLE_S):
            self._end_worker(self._idle.pop(0))
        self._retiring = asyncio.get_running_loop().call_later(IDLE_S, self._retire) if self._all else None

    def _end_worker(self, worker: _Worker) -> None:
        self._all.discard(worker)
        worker.kill()

    def _gone_error(self, error: Exception) -> ApiError:
        if self._closed:
            return ending()
        why = "no process can be started for it" if isinstance(error, OSError) else "the process that looked for it has ended"
        return ApiError(503, "no_worker", f"there is no answer: {why}", hint="try again", headers={"Retry-After": "5"})
