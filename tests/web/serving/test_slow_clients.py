"""Clients that ask and do not read, or not enough: their connections end, are counted, and hold nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from sensorlogd.web.answering.live import stream
from sensorlogd.web.answering.params import TimeForm
from sensorlogd.web.serving import server, slow_clients
from sensorlogd.web.settings import Settings
from tests.rig import DEADLINE_S, until
from tests.web.answering.test_stream import Log
from tests.web.conftest import Served, serving

MUCH = "/api/v1/buckets?" + urlencode(
    {"series": "lab.t", "every": "50ms", "fill": "null", "since": "2026-03-29", "until": "2026-03-29T02:00Z", "format": "ndjson"}
)  # fifteen megabytes


def counted(served: Served, what: str) -> float:
    lines = served.client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"sensorlogd_web_{what} "))


@contextlib.contextmanager
def asking(served: Served, path: str, headers: str = "") -> Iterator[socket.socket]:
    """A client that has asked, and takes little at a time."""
    where = urlsplit(served.url)
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(DEADLINE_S)
        peer.connect((where.hostname, where.port))
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        yield peer


@pytest.mark.parametrize(
    ("path", "headers"), [(MUCH, ""), (MUCH.replace("ndjson", "json").replace("50ms", "100ms"), "Connection: close\r\n")]
)
def test_an_answer_that_nobody_reads_is_cut_off(made: Path, monkeypatch: pytest.MonkeyPatch, path: str, headers: str) -> None:
    """Streamed, or whole in memory already; the metric counts it, and the connection is gone."""
    monkeypatch.setattr(slow_clients, "LOOK_EVERY_S", 0.2)
    with serving(Settings(made, query_timeout_s=50.0)) as served, asking(served, path, headers):
        until(lambda: counted(served, "slow_readers_total") == 1, "the end of the connection", 4 * DEADLINE_S)
        assert served.get("/api/v1/latest")


@pytest.mark.soak  # half a minute each: the buffers of the kernel must fill
@pytest.mark.parametrize("waiting_bytes", [1, 10_000])
def test_a_stream_that_nobody_reads_ends(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting_bytes: int
) -> None:
    """Its viewer is let go, which is counted, its place is free, and its connection ends: by itself where all that was sent fits
    into the buffers of the kernel, else cut off. Which of these comes first depends on how much is pushed at once."""
    monkeypatch.setattr(slow_clients, "LOOK_EVERY_S", 3.0)
    monkeypatch.setattr(stream, "MAX_WAITING_BYTES", waiting_bytes)
    log = Log(fresh, tmp_path / "log.db")
    try:
        with serving(Settings(log.path)) as served, asking(served, "/api/v1/stream?series=lab.t") as peer:
            until(lambda: counted(served, "viewers") == 1, "the viewer")
            until(lambda: log.commit(count=4000) and counted(served, "viewers_let_go_total") == 1, "its end", 4 * DEADLINE_S)
            until(lambda: counted(served, "viewers") == 0, "a free place")
            with contextlib.suppress(ConnectionResetError):
                until(lambda: peer.recv(1_000_000) == b"", "the end of the connection")
    finally:
        log.conn.close()


class Pipe(asyncio.Transport):
    """A transport with so many bytes in its buffer, and no socket."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.bytes

    def abort(self) -> None:
        self.aborted = True


def test_a_slow_client_that_reads_is_not_cut_off() -> None:
    """What counts is what was taken since the look before, in each pause anew; not how much is left."""

    async def looks() -> None:
        pipe, slow = Pipe(), slow_clients.SlowClients()
        pace = slow_clients.ClientPace(pipe, "a client", slow)
        pipe.bytes = 100_000
        pace.begin()
        for _ in range(5):
            pipe.bytes -= slow_clients.MIN_READ_BYTES
            pace._look()
        pace.end()
        pipe.bytes = 5_000_000
        pace.begin()
        pipe.bytes -= slow_clients.MIN_READ_BYTES
        pace._look()
        assert not pipe.aborted
        pipe.bytes -= slow_clients.MIN_READ_BYTES - 1
        pace._look()
        assert pipe.aborted
        assert slow.count == 1
        pace.end()

    asyncio.run(looks())


def test_what_waits_for_a_viewer_is_bounded_in_bytes() -> None:
    """However few the messages are; and what is sent no longer counts."""
    viewer = stream.Viewer(stream.Subscription((), TimeForm("rfc3339", "UTC")))
    message = b"x" * (stream.MAX_WAITING_BYTES // 2)
    for _ in range(10):
        assert [viewer.push(message), viewer.push(message)] == [False, False]
        assert viewer.take() == 2 * message
    assert [viewer.push(message) for _ in range(4)] == [False, False, True, False]
    assert viewer.gone
    assert viewer.take() == b""


def test_half_a_request_behind_another_is_cut_off(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whole request does not buy the next one, which came with it, all the time in the world."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", 0.3)
    with (
        serving(Settings(made)) as served,
        asking(served, "/api/v1/latest", "\r\nPOST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n") as peer,
    ):
        said = b""
        with contextlib.suppress(ConnectionResetError):
            while part := peer.recv(65536):
                said += part
        assert said.startswith(b"HTTP/1.1 200 ")


def test_who_leaves_in_the_middle_of_a_form_is_no_fault(made: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is written to the log, which any stranger could fill that way."""
    with serving(Settings(made)) as served:
        where = urlsplit(served.url)
        for path in ("/login", "/prometheus/api/v1/query"):
            with socket.create_connection((where.hostname, where.port), DEADLINE_S) as peer:
                peer.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n".encode())
        assert served.get("/api/v1/latest")
    assert caplog.records == []
