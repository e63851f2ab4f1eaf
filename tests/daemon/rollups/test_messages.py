"""The channel between main process and aggregator: whole messages in order, whatever the cuts, and never a wait."""

from __future__ import annotations

import os
import pickle
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.daemon.rollups import messages, process
from sensorlogd.daemon.rollups.messages import (
    ChildEnd,
    Exit,
    Failed,
    Message,
    MessagePipe,
    ParentGone,
    ProtocolError,
    Rows,
    RowsStored,
    RunDone,
    TooLarge,
    Work,
)

integers = st.integers(-(2**62), 2**62)
texts = st.text(max_size=40)
values = st.none() | st.floats(allow_nan=False) | integers | texts
rows = st.lists(st.tuples(integers, integers, integers, values, values), max_size=5)
some_message = st.one_of(
    st.builds(Work, integers, integers, texts),
    st.builds(Rows, rows, st.lists(st.tuples(integers, integers, integers), max_size=3)),
    st.builds(RowsStored, st.floats(0, 10)),
    st.builds(RunDone, st.floats(0, 10), st.booleans(), st.booleans()),
    st.builds(Failed, texts),
    st.just(Exit()),
)


class Ends:
    """The channel, and the other end of its connection as a plain descriptor."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.channel = MessagePipe(ours.detach())

    def put(self, data: bytes) -> None:
        assert os.write(self.theirs.fileno(), data) == len(data)

    def close(self) -> None:
        self.channel.close()
        self.theirs.close()

    def __enter__(self) -> Ends:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    with Ends() as made:
        yield made


@given(st.lists(some_message, max_size=6), st.data())
def test_messages_arrive_whole_and_in_order_wherever_they_are_cut(said: list[Message], data: st.DataObject) -> None:
    """Nothing is handed out before its last byte came, and nothing after that is needed."""
    stream = b"".join(messages.encode(message) for message in said)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12), label="cuts"))
    sizes = [len(messages.encode(message)) for message in said]
    with Ends() as ends:
        heard: list[Message] = []
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            ends.put(stream[begin:end])
            heard += ends.channel.receive()
            complete = sum(sum(sizes[: n + 1]) <= end for n in range(len(sizes)))
            assert heard == said[:complete]
            assert ends.channel.partial == (end > sum(sizes[:complete]))
        assert heard == said
        assert not ends.channel.ended


@given(st.lists(some_message, min_size=1, max_size=4), st.data())
def test_what_came_before_an_end_is_handed_out(said: list[Message], data: st.DataObject) -> None:
    """An end is told once the complete messages are; whether one was cut is in its reason."""
    stream = b"".join(messages.encode(message) for message in said)
    cut = data.draw(st.integers(0, len(stream)), label="cut")
    with Ends() as ends:
        ends.put(stream[:cut])
        ends.theirs.close()
        heard = ends.channel.receive()
        assert heard == said[: len(heard)]
        whole = sum(len(messages.encode(message)) for message in heard)
        assert ends.channel.ended == ("closed its end in the middle of a message" if cut > whole else "closed its end")
        assert ends.channel.receive() == []


@given(st.binary(min_size=1, max_size=200))
def test_garbage_raises_nothing(data: bytes) -> None:
    """It may be an unfinished message for all we know; else the channel has ended."""
    with Ends() as ends:
        ends.put(data)
        ends.theirs.close()
        assert ends.channel.receive() == [] or data[4:5] == b"\x80"
        assert ends.channel.ended


@pytest.mark.parametrize("body", [os.system, MessagePipe, {"not": "a message"}, ("work", 1, 2, "UTC")])
def test_only_messages_are_unpickled(ends: Ends, body: Any) -> None:
    """A pickle can name any function there is; ours names the classes of messages."""
    data = pickle.dumps(body)
    ends.put(struct.pack("!I", len(data)) + data)
    assert ends.channel.receive() == []
    assert ends.channel.ended.startswith("sent garbage: UnpicklingError")


def test_nobody_reads(ends: Ends) -> None:
    """What does not fit is pending and goes on when there is room; send returns at once."""
    big = Rows([(n, 60, n, f"{n}" * 300) for n in range(2_000)])
    ends.channel.send(big)
    ends.channel.send(Exit())
    assert ends.channel.pending > 1_000_000
    other = MessagePipe(ends.theirs.fileno())
    heard: list[Message] = []
    while len(heard) < 2:
        heard += other.receive()
        ends.channel.flush()
    assert heard == [big, Exit()]
    assert not ends.channel.pending


def test_nobody_is_there(ends: Ends) -> None:
    """A broken pipe is an outcome, not an exception; further messages go nowhere."""
    ends.theirs.close()
    ends.channel.send(Exit())
    assert ends.channel.ended == "closed its end"
    ends.channel.send(Exit())
    assert (ends.channel.pending, ends.channel.receive()) == (0, [])


def test_a_closed_channel_is_silent(ends: Ends) -> None:
    """Close may be called twice."""
    ends.channel.close()
    ends.channel.close()
    ends.channel.send(Exit())
    ends.channel.flush()
    assert (ends.channel.ended, ends.channel.receive()) == ("closed", [])


def test_a_size_has_a_bound_at_both_ends(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender is told before a byte is sent; the receiver believes no such announcement."""
    monkeypatch.setattr(messages, "MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(TooLarge):
        ends.channel.send(Failed("x" * 1000))
    assert not ends.channel.pending
    ends.put(struct.pack("!I", 1001))
    assert ends.channel.receive() == []
    assert ends.channel.ended == "announced a message of 1001 bytes"


def test_who_never_stops_talking_gets_a_turn_not_the_day(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """One receive takes a bounded amount."""
    monkeypatch.setattr(messages, "_MAX_RECEIVED_BYTES", 1000)
    monkeypatch.setattr(messages, "_READ", 100)
    encoded = messages.encode(RowsStored(1.0))
    ends.put(encoded * 100)
    assert ends.channel.receive() == [RowsStored(1.0)] * (1000 // len(encoded))


class Parent:
    """Both ends of a socket: that of the main process, and the one that the child gets."""

    def __init__(self) -> None:
        self.ours, theirs = socket.socketpair()
        self.end = ChildEnd(theirs.detach())

    def __enter__(self) -> Parent:
        return self

    def __exit__(self, *_: object) -> None:
        self.end.close()
        self.ours.close()


def _later(action: Any) -> threading.Timer:
    timer = threading.Timer(0.05, action)
    timer.start()
    return timer


def test_the_child_waits_for_what_is_said_in_pieces() -> None:
    """And hands out one message after the other."""
    with Parent() as parent:
        data = messages.encode(Work(1, 2, "UTC")) + messages.encode(RowsStored(0.5))
        os.write(parent.ours.fileno(), data[:7])
        timer = _later(lambda: os.write(parent.ours.fileno(), data[7:]))
        assert parent.end.receive() == Work(1, 2, "UTC")
        assert parent.end.receive() == RowsStored(0.5)
        timer.join()


def test_the_child_writes_all_of_a_large_message() -> None:
    """However slowly it is read."""
    big = Rows([(n, 60, n, f"{n}" * 300) for n in range(2_000)])
    with Parent() as parent:
        channel = MessagePipe(parent.ours.fileno())
        heard: list[Message] = []

        def read() -> None:
            while not heard:
                heard.extend(channel.receive())
                time.sleep(0)

        reader = threading.Thread(target=read)
        reader.start()
        parent.end.send(big)
        reader.join()
        assert heard == [big]


@pytest.mark.parametrize("doing", ["receive", "send"])
def test_the_child_ends_with_its_parent(doing: str) -> None:
    """While it waits to hear something and while nobody takes what it writes."""
    with Parent() as parent:
        timer = _later(parent.ours.close)
        with pytest.raises(ParentGone):
            if doing == "receive":
                parent.end.receive()
            else:
                parent.end.send(Failed("x" * 10_000_000))
        timer.join()


def test_a_parent_that_speaks_out_of_turn_is_a_fault() -> None:
    """It is told apart from one that is gone, so that it is not passed over in silence."""
    with Parent() as parent:
        os.write(parent.ours.fileno(), messages.encode(RowsStored(0.5)))
        with pytest.raises(ProtocolError, match="RowsStored was not asked for"):
            process._serve_parent(parent.end, "no.db")
