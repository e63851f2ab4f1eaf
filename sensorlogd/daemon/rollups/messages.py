"""What the main process and the aggregator say to each other, and how it travels.

A run, in this order: ``Work``; then any number of ``Rows``, each answered by ``RowsStored`` before the next; then ``RunDone`` or
``Failed``. ``Exit`` may be said at any time.

On the wire a message is its length (4 bytes, big-endian) and then a pickle that may name no class but those of this module.
Both ends of the socket pair are non-blocking: whoever is stopped in the middle of a message holds up nobody.
"""

from __future__ import annotations

import io
import os
import pickle
import select
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sensorlogd.storage.rollups.outdated import Advance, Mark
from sensorlogd.storage.rollups.snapshot import Key, Row

MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # of one message; a peer that announces more is not an aggregator
_READ = 256 * 1024
_MAX_RECEIVED_BYTES = 4 * 1024 * 1024  # read by one receive(): a peer that never stops sending must not hold up the loop
_LENGTH = struct.Struct("!I")


class TooLarge(ValueError):
    """A message of more than ``MAX_MESSAGE_BYTES``; nothing of it was sent."""


class ParentGone(Exception):
    """The main process ended or hung up: there is nobody to work for."""


class ProtocolError(Exception):
    """The main process said what it may not say now: a fault of this program."""


@dataclass(frozen=True, slots=True)
class Work:
    """To the aggregator: close the buckets of [old_edge_us, new_edge_us), then compute again what is outdated before it."""

    old_edge_us: int
    new_edge_us: int
    zone: str  # of the 1d resolution


@dataclass(frozen=True, slots=True)
class Rows:
    """From the aggregator: to be stored in one transaction. Marks and advances hold once all that was sent before is stored."""

    rows: Sequence[Row]
    deletes: Sequence[Key] = ()
    marks: Sequence[Mark] = ()
    advances: Sequence[Advance] = ()


@dataclass(frozen=True, slots=True)
class RowsStored:
    """To the aggregator: the last ``Rows`` are committed. ``seconds``: how long that held the writer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RunDone:
    """From the aggregator: the run is over. ``more``: further work could be done at once; ``left``: some is left at all."""

    seconds: float
    more: bool
    left: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """From the aggregator: the run ended early; what was stored is right as far as it goes. ``damaged``: SQLite says that the
    file is."""

    reason: str
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """To the aggregator: end."""


Message = Work | Rows | RowsStored | RunDone | Failed | Exit
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Work, Rows, RowsStored, RunDone, Failed, Exit)}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module != __name__ or name not in _KINDS:
            raise pickle.UnpicklingError(f"{module}.{name} is not a message")
        return _KINDS[name]


def encode(message: Message) -> bytes:
    """The message as it travels. Raises TooLarge."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    if len(body) > MAX_MESSAGE_BYTES:
        raise TooLarge(f"a message of {len(body)} bytes, where {MAX_MESSAGE_BYTES} are allowed")
    return _LENGTH.pack(len(body)) + body


def _decode(body: bytes) -> Message:
    """Raises whatever unpickling garbage raises."""
    message = _Unpickler(io.BytesIO(body)).load()
    if not isinstance(message, Message):
        raise pickle.UnpicklingError(f"{type(message).__name__} is not a message")
    return message


class MessagePipe:
    """One end of the connection; never blocks and raises no OSError. For one thread.

    ``ended``: why nothing can be said or heard any more; empty while it can. ``heard``: bytes received so far.
    """

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor of a socket."""
        os.set_blocking(descriptor, False)
        self.ended = ""
        self.heard = 0
        self._descriptor = descriptor
        self._in = bytearray()
        self._out = bytearray()

    def fileno(self) -> int:
        """The descriptor, for poll and the like; -1 after ``close``."""
        return self._descriptor

    @property
    def pending(self) -> int:
        """Bytes that wait until the other end takes them: call ``flush`` once the descriptor is writable."""
        return len(self._out)

    @property
    def partial(self) -> bool:
        """Whether a message has begun to arrive and is not complete."""
        return bool(self._in)

    def send(self, message: Message) -> None:
        """Queue the message and write what fits now; does nothing if the other end has closed. Raises TooLarge."""
        if not self.ended:
            self._out += encode(message)
            self.flush()

    def flush(self) -> None:
        """Write what fits of what is pending."""
        try:
            while self._out and not self.ended:
                del self._out[: os.write(self.fileno(), self._out)]
        except BlockingIOError:
            return
        except OSError:
            self._end("closed its end")

    def receive(self) -> list[Message]:
        """The messages that are complete, in order. What came before an end is still handed out."""
        limit = self.heard + _MAX_RECEIVED_BYTES
        end = ""
        try:
            while not self.ended and self.heard < limit:
                data = os.read(self.fileno(), _READ)
                if not data:
                    end = "closed its end"
                    break
                self.heard += len(data)
                self._in += data
        except BlockingIOError:
            pass
        except OSError:  # a reset: it ended before it had read everything
            end = "closed its end"
        messages = self._take_complete()
        if end:
            self._end(f"{end} in the middle of a message" if self._in else end)
        return messages

    def close(self) -> None:
        """Idempotent."""
        self._end("closed")
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _take_complete(self) -> list[Message]:
        """Take the complete messages out of what has arrived. One that is too long or garbage ends the channel."""
        messages: list[Message] = []
        while not self.ended and len(self._in) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._in)
            if length > MAX_MESSAGE_BYTES:
                self._end(f"announced a message of {length} bytes")
                break
            end = _LENGTH.size + length
            if len(self._in) < end:
                break
            try:
                messages.append(_decode(bytes(self._in[_LENGTH.size : end])))
            except Exception as error:  # unpickling garbage may raise anything
                self._end(f"sent garbage: {type(error).__name__}: {error}")
                break
            del self._in[:end]
        return messages

    def _end(self, reason: str) -> None:
        """Close the channel; of several reasons the first is kept."""
        self.ended = self.ended or reason
        self._in.clear()
        self._out.clear()


class ChildEnd:
    """The aggregator's end: it may wait, but never longer than its parent lives, whose end of the socket the kernel closes."""

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor of a socket."""
        self._channel = MessagePipe(descriptor)
        self._arrived: deque[Message] = deque()

    def receive(self) -> Message:
        """The next message. Raises ParentGone."""
        while not self._arrived:
            self._wait_for(select.POLLIN)
            self._arrived += self._channel.receive()
            if self._channel.ended and not self._arrived:
                raise ParentGone(self._channel.ended)
        return self._arrived.popleft()

    def send(self, message: Message) -> None:
        """Return once all of it is written. Raises ParentGone and TooLarge."""
        self._channel.send(message)
        while self._channel.pending:
            self._wait_for(select.POLLOUT)
            self._channel.flush()
        if self._channel.ended:
            raise ParentGone(self._channel.ended)

    def close(self) -> None:
        """Idempotent."""
        self._channel.close()

    def _wait_for(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._channel, event)
        poll.poll()
