"""The control socket: one line of JSON in, one line out, whatever is sent."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.daemon import control


def _fail(_: dict[str, Any]) -> dict[str, Any]:
    raise LookupError("not today")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[control.ControlServer]:
    made = control.ControlServer(tmp_path, {"echo": lambda request: {"said": request.get("x")}, "fail": _fail})
    made.start()
    yield made
    made.stop()


def test_a_request_is_answered(server: control.ControlServer, tmp_path: Path) -> None:
    """With ok and whatever the handler says."""
    assert control.ask(tmp_path, {"do": "echo", "x": "ä"}) == {"ok": True, "said": "ä"}


def test_mistakes_are_answered_too(server: control.ControlServer, tmp_path: Path) -> None:
    """Unknown requests and handlers that fail."""
    assert control.ask(tmp_path, {"do": "dance"}) == {"ok": False, "error": "unknown request 'dance'; known: echo, fail"}
    assert control.ask(tmp_path, {"do": "fail"}) == {"ok": False, "error": "LookupError: not today"}


@pytest.mark.parametrize("data", [b"", b"\n", b"{", b"[1]\n", b"\xff\xfe\n", b'{"do": []}\n', b"[" * 10_000 + b"\n"])
def test_garbage_ends_nothing(server: control.ControlServer, tmp_path: Path, data: bytes) -> None:
    """Whatever a client sends, the next one is served."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.socket_path(tmp_path)))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(30)
        answer = client.recv(65536)
    if answer:
        assert json.loads(answer)["ok"] is False
    assert control.ask(tmp_path, {"do": "echo"})["ok"]


def test_only_the_group_may_ask(server: control.ControlServer, tmp_path: Path) -> None:
    """Mode 0660."""
    assert control.socket_path(tmp_path).stat().st_mode & 0o777 == 0o660


def test_a_socket_left_behind_is_replaced(server: control.ControlServer, tmp_path: Path) -> None:
    """After kill -9 the file is still there; the holder of the lock may take it."""
    again = control.ControlServer(tmp_path, {"echo": lambda request: {"second": True}})
    again.start()
    try:
        assert control.ask(tmp_path, {"do": "echo"})["second"]
    finally:
        again.stop()


def test_a_long_path(tmp_path: Path) -> None:
    """A Unix socket's name may have 107 bytes; a data directory may have more."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    server = control.ControlServer(deep, {"echo": lambda request: {}})
    server.start()
    try:
        assert control.ask(deep, {"do": "echo"})["ok"]
    finally:
        server.stop()
