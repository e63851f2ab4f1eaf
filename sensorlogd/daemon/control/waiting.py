"""How a request waits for the writer, and what its client is answered if the writer does not come to it in time."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from sensorlogd.daemon.control.requests.request import ANSWER_S
from sensorlogd.daemon.writing.writer import Writer

T = TypeVar("T")


class OperationError(ValueError):
    """The operation was not done, as far as is known; the text says why."""


def answer_of(writer: Writer, future: Future[T]) -> T:
    """The result of what ``writer`` was asked to do. Raises OperationError if it is not done within ANSWER_S, and whatever it
    raised."""
    try:
        return future.result(ANSWER_S)
    except TimeoutError:
        if future.done():  # at this very moment, or what was done has raised it
            return future.result()
        reason = writer.stats().state_reason or "the writer is busy"
        what = "nothing was changed" if future.cancel() else "it may still be done, so look before you repeat it"
        raise OperationError(f"not done within {ANSWER_S:.0f} s: {reason}; {what}") from None
