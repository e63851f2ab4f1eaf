"""Receivers as they are when they are ill: each try ends in its time, in bounded memory, and its error holds no secret."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.alarms import processes
from sensorlogd.alarms.notifying import targets
from sensorlogd.alarms.secrecy import MIN_SECRET_CHARS, redacted
from sensorlogd.config.alarms import TargetOptions
from sensorlogd.daemon.control.handlers import alarms as alarm_handlers
from tests.alarms.receiver import Receiver
from tests.alarms.rig import config_of

MESSAGE = {"message": "m", "title": "t", "text": "x", "severity": "warning", "alarms": []}
PIECES = [False] + [True] * 300  # of what is sent slowly, at most

Act = Callable[[socket.socket, threading.Event], None]


@contextlib.contextmanager
def server(act: Act) -> Iterator[int]:
    """Does that with each connection, and gives the port. The event: the test is over."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listening.accept()
                    with peer, contextlib.suppress(OSError):
                        act(peer, over)

        thread = threading.Thread(target=run, name="bad receiver")
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def hangs(peer: socket.socket, over: threading.Event) -> None:
    peer.recv(65_536)
    over.wait(60)


def drips(peer: socket.socket, over: threading.Event) -> None:
    """A byte now and then, each well within the time of the try."""
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 ")
    pieces = PIECES.copy()
    while pieces.pop() and not over.wait(0.05):
        peer.sendall(b" ")


def says_continue(peer: socket.socket, over: threading.Event) -> None:
    peer.recv(65_536)
    pieces = PIECES.copy()
    while pieces.pop() and not over.wait(0.05):
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def shakes_slowly(peer: socket.socket, over: threading.Event) -> None:
    """A TLS record of which a byte comes now and then."""
    peer.sendall(b"\x16\x03\x03\x40\x00")
    pieces = PIECES.copy()
    while pieces.pop() and not over.wait(0.05):
        peer.sendall(b"\x02")


def closes(peer: socket.socket, over: threading.Event) -> None:
    peer.recv(65_536)


def closes_in_the_middle(peer: socket.socket, over: threading.Event) -> None:
    peer.recv(65_536)
    peer.sendall(b"HTTP/1.1 2")


def says_junk(peer: socket.socket, over: threading.Event) -> None:
    peer.recv(65_536)
    peer.sendall(b"\x00\xff\x1b[2J" * 50 + b"\r\n\r\n")


def repeats(peer: socket.socket, over: threading.Event) -> None:
    """The address, in its refusal."""
    path = peer.recv(65_536).decode().split()[1]
    peer.sendall(f"HTTP/1.1 403 {path} is {path.split('=')[-1]}, no\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("act", "scheme", "why"),
    [
        (hangs, "http", "does not answer within 0.5 s"),
        (drips, "http", "does not answer within 0.5 s"),
        (says_continue, "http", "does not answer within 0.5 s"),
        (shakes_slowly, "https", "does not answer within 0.5 s"),
        (closes, "http", "RemoteDisconnected: Remote end closed connection without response"),
        (closes, "https", "cannot be reached: [SSL: UNEXPECTED_EOF_WHILE_READING]"),
        (closes_in_the_middle, "http", ""),
        (says_junk, "http", "BadStatusLine: "),
        (repeats, "http", "answered 403 "),
    ],
)
def test_a_try_ends_in_its_time_and_says_why(act: Act, scheme: str, why: str) -> None:
    """However small the pieces in which the receiver wastes it."""
    with server(act) as port:
        address = f"{scheme}://u5er:pa55word@127.0.0.1:{port}/hook/s3cretpath?token=t0ken"
        began = time.monotonic()
        with pytest.raises(targets.SendError) as caught:
            targets.send(TargetOptions.model_validate({"webhook": address, "timeout": "500ms"}), MESSAGE)
        took = time.monotonic() - began
    message = str(caught.value)
    assert message.startswith(why)
    assert message.isprintable()
    assert took < 10  # the wasteful ones go on for as long as they are let
    assert not [secret for secret in ("u5er", "pa55word", "s3cretpath", "t0ken") if secret in message]


def test_a_test_is_over_before_its_asker_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the target may take: the daemon does what is asked of it one after the other."""
    monkeypatch.setattr(alarm_handlers, "TEST_WITHIN_US", 300_000)
    with server(hangs) as port:
        config = config_of({}, notify={"me": {"webhook": f"http://127.0.0.1:{port}/", "timeout": "10min"}})
        assert alarm_handlers.send_test(config, "me", "here", 0) == "does not answer within 0.3 s"


def test_a_password_in_the_address_is_told_to_the_receiver_only(receiver: Receiver) -> None:
    """As people write it for ntfy and others; it was taken for a part of the name, and the network was asked for it."""
    address = receiver.url.replace("http://", "http://me:p%40ss%3Aword@")
    targets.send(TargetOptions.model_validate({"webhook": address, "timeout": "5s"}), MESSAGE)
    (headers,) = receiver.headers
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'me:p@ss:word').decode()}"
    assert "@" not in headers["Host"]
    targets.send(TargetOptions.model_validate({"webhook": address, "token": "t0ken", "timeout": "5s"}), MESSAGE)
    assert receiver.headers[1]["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("token", ["abc def\nghi", "q'uote\\d s3cret\n", "line\r\ns3cret", "p\tss w\nrd"])
def test_a_token_that_cannot_be_sent_is_not_shown(token: str) -> None:
    """One with a line end from the environment: the library's refusal repeats it."""
    with pytest.raises(targets.SendError, match="Invalid header value") as caught:
        targets.send(TargetOptions.model_validate({"webhook": "http://127.0.0.1:9/", "token": token}), MESSAGE)
    assert str(caught.value).replace('"', "'") == "ValueError: Invalid header value b'Bearer ***'"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=MIN_SECRET_CHARS, max_size=30))
def test_no_spelling_of_a_secret_is_shown(secret: str) -> None:
    """The law of it: as it is, as Python writes it, and as an address has it."""
    for spelled in (secret, repr(secret), repr(secret.encode()), repr({"x": secret}), quote(secret), quote(secret, safe="")):
        shown = redacted(f"<<{spelled}>>", [secret])
        inside = spelled.strip("b'\"")
        if len(inside) >= MIN_SECRET_CHARS and not set(inside) <= {"*"}:
            assert inside not in shown


@given(
    st.text("abcdefgh0123", min_size=MIN_SECRET_CHARS, max_size=12),
    st.text("abcdefgh0123", min_size=MIN_SECRET_CHARS, max_size=12),
)
def test_no_part_of_an_address_is_shown(password: str, key: str) -> None:
    """A server that repeats what it was asked for, a library that names what it could not understand."""
    shown = redacted(f"<{password}> ({key})", [f"mailto://me:{password}@example.org:25/box?to=a&key={key}#x"])
    assert shown == "<***> (***)"


def test_a_command_that_repeats_its_arguments_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came from the environment; the rest of what it says is needed to mend it."""
    monkeypatch.setenv("HOOK", "https://example.org/s3cretpath")
    command = ["sh", "-c", 'echo "cannot reach $0 (/s3cretpath), out of paper" >&2; exit 7', "https://example.org/s3cretpath"]
    with pytest.raises(targets.SendError) as caught:
        targets.send(TargetOptions.model_validate({"command": command, "timeout": "60s"}), MESSAGE)
    assert str(caught.value) == "sh ended with 7: cannot reach *** (/***), out of paper"


def test_a_command_that_never_stops_talking_costs_no_memory() -> None:
    """It is heard to its end, and the last line is what is told."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    command = ["sh", "-c", "head -c 300000000 /dev/zero >&2; echo >&2; echo out of paper >&2; exit 3"]
    with pytest.raises(targets.SendError, match="sh ended with 3: out of paper"):
        targets.send(TargetOptions.model_validate({"command": command, "timeout": "60s"}), MESSAGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_command_that_never_stops_talking_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(targets.SendError, match="sh did not end within"):
        targets.send(TargetOptions.model_validate({"command": ["sh", "-c", "yes >&2"], "timeout": "300ms"}), MESSAGE)
    assert time.monotonic() - began < 30


def test_what_a_command_has_started_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a session of its own. The time is over once that runs, which may be before anybody has looked at the clock."""
    pid = tmp_path / "pid"
    passing = itertools.count(10.0, 10.0)
    monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: next(passing) if pid.exists() else 0.0))
    command = ["sh", "-c", f"setsid sh -c 'echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600' & sleep 600"]
    with pytest.raises(targets.SendError, match="sh did not end within"):
        targets.send(TargetOptions.model_validate({"command": command, "timeout": "5s"}), MESSAGE)
    with contextlib.suppress(FileNotFoundError):  # else it is dead, and waits for init to notice
        assert Path("/proc", pid.read_text().strip(), "stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_command_has_ended_when_it_has_ended(tmp_path: Path) -> None:
    """What it leaves behind holds its pipes open: that is no failure, after which everything would be told again."""
    command = ["sh", "-c", f"cat > {tmp_path}/got; setsid sh -c 'while test -e {tmp_path}/got; do sleep 0.05; done' & exit 0"]
    try:
        targets.send(TargetOptions.model_validate({"command": command, "timeout": "30s"}), MESSAGE)
        assert json.loads((tmp_path / "got").read_text())["text"] == "x"
    finally:
        (tmp_path / "got").unlink()


def test_a_command_need_not_listen(tmp_path: Path) -> None:
    """A long message, of which it reads nothing, or a part."""
    long: dict[str, Any] = MESSAGE | {"text": "x" * 1_000_000}
    ran = tmp_path / "ran"
    for script, length in ((f": > {ran}", 0), (f"head -c 10 > {ran}", 10), (f"exec <&-; : > {ran}", 0)):
        targets.send(TargetOptions.model_validate({"command": ["sh", "-c", script], "timeout": "30s"}), long)
        assert ran.stat().st_size == length
        ran.unlink()
