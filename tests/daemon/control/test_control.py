"""The control socket: one line of JSON in, one line out, whatever is sent."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd import calling
from sensorlogd.daemon.control import client_thread, control_socket
from tests.rig import until


def _fail(_: dict[str, Any]) -> dict[str, Any]:
    raise LookupError("not today")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[control_socket.ControlServer]:
    made = control_socket.ControlServer(tmp_path, {"echo": lambda request: {"said": request.get("x")}, "fail": _fail})
    made.start()
    yield made
    made.stop()


def test_a_request_is_answered(server: control_socket.ControlServer, tmp_path: Path) -> None:
    """With ok and whatever the handler says."""
    assert control_socket.ask(tmp_path, {"do": "echo", "x": "ä"}) == {"ok": True, "said": "ä"}


def test_mistakes_are_answered_too(server: control_socket.ControlServer, tmp_path: Path) -> None:
    """Unknown requests and handlers that fail."""
    assert control_socket.ask(tmp_path, {"do": "dance"}) == {"ok": False, "error": "unknown request 'dance'; known: echo, fail"}
    assert control_socket.ask(tmp_path, {"do": "fail"}) == {"ok": False, "error": "LookupError: not today"}


@pytest.mark.parametrize("data", [b"", b"\n", b"{", b"[1]\n", b"\xff\xfe\n", b'{"do": []}\n', b"[" * 10_000 + b"\n"])
def test_garbage_ends_nothing(server: control_socket.ControlServer, tmp_path: Path, data: bytes) -> None:
    """Whatever a client sends, the next one is served."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control_socket.socket_path(tmp_path)))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(30)
        answer = client.recv(65536)
    if answer:
        assert json.loads(answer)["ok"] is False
    assert control_socket.ask(tmp_path, {"do": "echo"})["ok"]


def test_only_the_group_may_ask(server: control_socket.ControlServer, tmp_path: Path) -> None:
    """Mode 0660."""
    assert control_socket.socket_path(tmp_path).stat().st_mode & 0o777 == 0o660


def test_a_socket_left_behind_is_replaced(server: control_socket.ControlServer, tmp_path: Path) -> None:
    """After kill -9 the file is still there; the holder of the lock may take it."""
    again = control_socket.ControlServer(tmp_path, {"echo": lambda request: {"second": True}})
    again.start()
    try:
        assert control_socket.ask(tmp_path, {"do": "echo"})["second"]
    finally:
        again.stop()


def test_a_long_path(tmp_path: Path) -> None:
    """A Unix socket's name may have 107 bytes; a data directory may have more."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    server = control_socket.ControlServer(deep, {"echo": lambda request: {}})
    server.start()
    try:
        assert control_socket.ask(deep, {"do": "echo"})["ok"]
    finally:
        server.stop()


class Acting:
    """A server whose request ``act`` does not end before the test lets it; ``ping`` and ``big`` are answered at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.release = threading.Event()
        self.begun = 0
        self.ended = 0
        handlers = {"act": self._act, "ping": lambda _: {}, "big": lambda _: {"text": "x" * 900_000}}
        self.server = control_socket.ControlServer(folder, handlers, quick={"ping", "big"})
        self.server.start()

    def _act(self, _: dict[str, Any]) -> dict[str, Any]:
        self.begun += 1
        assert self.begun == self.ended + 1, "two act at once"
        self.release.wait()
        self.ended += 1
        return {}

    @contextlib.contextmanager
    def client(self, request: bytes = b"") -> Iterator[socket.socket]:
        """Connected, and that much was said."""
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(30)
            made.connect(str(control_socket.socket_path(self.folder)))
            made.sendall(request)
            yield made


@pytest.fixture
def acting(tmp_path: Path) -> Iterator[Acting]:
    made = Acting(tmp_path)
    yield made
    made.release.set()
    made.server.stop()


ACT = b'{"do": "act"}\n'


def _answer(client: socket.socket) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.makefile().readline())
    return found


def test_who_says_nothing_holds_up_nobody(acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is let go after a while, so that it cannot hold a place for ever."""
    with acting.client(), acting.client(b'{"do": '):
        assert control_socket.ask(tmp_path, {"do": "ping"}, 5.0)["ok"]
    monkeypatch.setattr(client_thread, "SAY_WITHIN_S", 0.05)
    with acting.client(b'{"do": ') as client:
        assert client.recv(100) == b""


def test_who_does_not_take_its_answer_holds_up_nobody(acting: Acting, tmp_path: Path) -> None:
    """A large one arrives whole at who takes it late."""
    with acting.client(b'{"do": "big"}\n') as client:
        assert control_socket.ask(tmp_path, {"do": "ping"}, 5.0)["ok"]
        assert len(_answer(client)["text"]) == 900_000


def test_acts_are_one_after_the_other_and_quick_requests_beside_them(acting: Acting, tmp_path: Path) -> None:
    """Also where a client has left before its turn came."""
    with acting.client(ACT) as first, acting.client(ACT) as second:
        with acting.client(ACT):
            until(lambda: acting.begun, "the first act")
        assert control_socket.ask(tmp_path, {"do": "ping"}, 5.0)["ok"]
        assert (acting.begun, acting.ended) == (1, 0)
        acting.release.set()
        assert _answer(first) == _answer(second) == {"ok": True}
        until(lambda: acting.ended == 3, "what was asked by who left")


def test_too_many_are_told_to_come_again(acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Acts that wait have a bound, and so have clients that say nothing."""
    monkeypatch.setattr(client_thread, "WAITING", 1)
    with acting.client(ACT) as first:
        until(lambda: acting.begun, "the first act")
        with acting.client(ACT) as second:
            answer = until(lambda: control_socket.ask(tmp_path, {"do": "act"}, 5.0), "an answer")
            assert (answer["ok"], answer["busy"]) == (False, True)
            assert answer["error"].startswith("busy")
            monkeypatch.setattr(client_thread, "CLIENTS", 2)
            assert control_socket.ask(tmp_path, {"do": "ping"}, 5.0)["busy"]
            acting.release.set()
            assert _answer(first)["ok"]
            assert _answer(second)["ok"]
    until(lambda: control_socket.ask(tmp_path, {"do": "ping"}, 5.0)["ok"], "room")


def test_who_is_patient_is_served_once_others_are_given_up(
    acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that say nothing take all places, and more stand before the door than fit there."""
    monkeypatch.setattr(client_thread, "SAY_WITHIN_S", 0.5)
    monkeypatch.setattr(client_thread, "CLIENTS", 1)
    monkeypatch.setattr(calling, "PATIENCE_S", 60.0)
    with acting.client():
        answers = [control_socket.ask(tmp_path, {"do": "ping"}, 5.0), control_socket.ask_patiently(tmp_path, {"do": "ping"}, 5.0)]
    assert [answer["ok"] for answer in answers] == [False, True]


def test_whose_door_is_full_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "AGAIN_S", 0.01)
    with socket.socket(socket.AF_UNIX) as server, contextlib.ExitStack() as held:
        server.bind(str(calling.socket_path(tmp_path)))
        server.listen(0)
        with pytest.raises(BlockingIOError):
            while True:  # until no more fit
                client = held.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(5.0)
                client.connect(str(calling.socket_path(tmp_path)))
        monkeypatch.setattr(calling, "PATIENCE_S", 0.0)
        with pytest.raises(BlockingIOError):
            calling.ask_patiently(tmp_path, {"do": "ping"}, 5.0)
        monkeypatch.setattr(calling, "PATIENCE_S", 60.0)
        asker = threading.Thread(target=lambda: answers.append(calling.ask_patiently(tmp_path, {"do": "ping"}, 60.0)))
        answers: list[dict[str, object]] = []
        asker.start()
        held.close()
        while not answers:
            with server.accept()[0] as peer, contextlib.suppress(OSError):
                if peer.recv(100):
                    peer.sendall(b'{"ok": true}\n')
                    asker.join(60)
    assert answers == [{"ok": True}]


def test_a_request_has_a_size(acting: Acting, tmp_path: Path) -> None:
    """Who never comes to an end is told, and costs a bounded amount of memory."""
    with acting.client() as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"x" * (calling.MAX_MESSAGE_BYTES + 100_000))
        assert "at most" in _answer(client)["error"]
    assert control_socket.ask(tmp_path, {"do": "ping"})["ok"]


def test_stop_has_a_deadline_that_no_handler_can_break(acting: Acting) -> None:
    """Those who wait are told, the one that acts and those whose turn did not come."""
    with acting.client(ACT) as first, acting.client() as silent:
        until(lambda: acting.begun, "the act")
        with acting.client(ACT) as second:
            began = time.monotonic()
            acting.server.stop(0.5)
            assert time.monotonic() - began < 0.6
            assert _answer(second)["error"] == _answer(silent)["error"] == "the daemon is ending"
            assert "may still be done" in _answer(first)["error"]
    assert not control_socket.socket_path(acting.folder).exists()
    acting.release.set()
    until(lambda: acting.ended == 1, "the handler's end")
    acting.server.stop()
    assert acting.begun == 1


def test_who_was_not_yet_seen_is_told_that_it_ends(tmp_path: Path) -> None:
    """All of those who knocked before the end, not only the first."""
    server = client_thread.ClientThread(control_socket.socket_path(tmp_path), {}, frozenset())
    with contextlib.ExitStack() as clients:
        knocked = [clients.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(5)]
        for client in knocked:
            client.settimeout(30)
            client.connect(str(control_socket.socket_path(tmp_path)))
            client.sendall(ACT)
        server.stop(time.monotonic() + 0.5)
        server.run()
        assert [_answer(client)["error"] for client in knocked] == ["the daemon is ending"] * 5


def test_stop_lets_the_act_end_that_ends_in_time(acting: Acting) -> None:
    """Its client gets the real answer."""
    with acting.client(ACT) as client:
        until(lambda: acting.begun, "the act")
        timer = threading.Timer(0.05, acting.release.set)
        timer.start()
        acting.server.stop(20.0)
        assert _answer(client) == {"ok": True}
        timer.join()


@contextlib.contextmanager
def descriptors_left(most: int) -> Iterator[None]:
    """No more than so many can be opened."""
    lowest = os.dup(0)
    os.close(lowest)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_start_without_descriptors_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    """Whichever of them is the one that is missing."""
    server = control_socket.ControlServer(tmp_path, {"ping": lambda _: {}})
    for most in range(4):  # two of the pipe, one of the selector, one of the socket
        open_before = set(os.listdir("/proc/self/fd"))
        with descriptors_left(most), pytest.raises(OSError, match="Too many open files"):
            server.start()
        assert set(os.listdir("/proc/self/fd")) == open_before
        assert not control_socket.socket_path(tmp_path).exists()
    server.start()
    try:
        assert control_socket.ask(tmp_path, {"do": "ping"})["ok"]
    finally:
        server.stop()


def test_a_place_that_cannot_be_bound(tmp_path: Path) -> None:
    """Is an OSError; once it can be, the same server starts; and after a stop again."""
    server = control_socket.ControlServer(tmp_path / "later", {"ping": lambda _: {}})
    with pytest.raises(FileNotFoundError):
        server.start()
    server.stop()
    (tmp_path / "later").mkdir()
    for _ in range(2):
        server.start()
        assert control_socket.ask(tmp_path / "later", {"do": "ping"})["ok"]
        server.stop()


def test_a_client_that_no_descriptor_is_left_for_is_served_later(
    acting: Acting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits in the queue of the socket; the thread does not spin meanwhile."""
    monkeypatch.setattr(client_thread, "ACCEPT_AGAIN_S", 0.2)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        with descriptors_left(0):
            client.connect(str(control_socket.socket_path(acting.folder)))
            client.sendall(b'{"do": "ping"}\n')
            until(lambda: "Too many open files" in caplog.text, "the warning")
        assert _answer(client)["ok"]
    assert caplog.text.count("Too many open files") == 1


@pytest.mark.parametrize("works", [0, 1])
def test_a_start_without_threads_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: int) -> None:
    """Neither the first nor the second: the caller sees an OSError as for anything else that is not to be had."""
    server = control_socket.ControlServer(tmp_path, {"ping": lambda _: {}})
    start, left = threading.Thread.start, [works]

    def scarce(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", scarce)
        with pytest.raises(OSError, match="can't start new thread"):
            server.start()
    assert not control_socket.socket_path(tmp_path).exists()
    server.start()
    try:
        assert control_socket.ask(tmp_path, {"do": "ping"})["ok"]
    finally:
        server.stop()


@pytest.mark.parametrize("where", ["_read_request", "_answer", "_watch"])
def test_a_fault_that_shows_with_one_client_costs_that_client_only(
    server: control_socket.ControlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The thread lives on: nobody would start it again."""
    real, faults = getattr(client_thread.ClientThread, where), [KeyError("a fault of ours")]

    def fail_once(*how: Any, **more: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(*how, **more)

    monkeypatch.setattr(client_thread.ClientThread, where, fail_once)
    with pytest.raises((OSError, ValueError)):
        control_socket.ask(tmp_path, {"do": "echo"})
    assert not faults
    assert control_socket.ask(tmp_path, {"do": "echo"})["ok"]
