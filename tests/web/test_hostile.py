"""Questions that mean no good, to a running daemon: no fault, nobody else held up, no reading lost."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sensorlogd.web.serving import server
from tests.rig import DEADLINE_S, Daemon, until
from tests.web.serving.test_process import committed, events, get, url, web_pid, write_config

API, PROMQL = "/api/v1", "/prometheus/api/v1"
NOW = "1790000000"
RANGE = {"start": "1789990000", "end": "1790000000", "step": "1"}
QUESTIONS: list[tuple[str, dict[str, str]]] = [
    (f"{PROMQL}/query_range", {"query": "stddev_over_time(vector(time())[100000s:1s])", **RANGE}),
    (f"{PROMQL}/query_range", {"query": "sum_over_time(sum_over_time(vector(time())[3000s:1s])[3000s:1s])", **RANGE}),
    (f"{PROMQL}/query_range", {"query": 'count_values("x", count_values("y", vector(time())))', **RANGE}),
    (f"{PROMQL}/query_range", {"query": "quantile_over_time(0.5, vector(time())[50000s:1s])", **RANGE}),
    (f"{PROMQL}/query_range", {"query": " or ".join(f"label_replace(vector({n}), 'a', '{n}', '', '')" for n in range(60)), **RANGE}),
    (f"{PROMQL}/query", {"query": "vector(1)[200000s:1s]", "time": NOW}),
    (f"{PROMQL}/query", {"query": "((((" * 70 + "1" + "))))" * 70, "time": NOW}),
    (f"{PROMQL}/query", {"query": "-" * 15_000 + "1", "time": NOW}),
    (f"{PROMQL}/query", {"query": "1+" * 9_000 + "1", "time": NOW}),
    (f"{PROMQL}/query", {"query": '{__name__=~"(.*.*.*.*)*x"}', "time": NOW}),
    (f"{API}/buckets", {"series": "*.*", "every": "1ms", "since": "-60s", "fill": "null"}),
    (f"{API}/buckets", {"series": "*.*", "every": "1ms", "since": "-600s", "fill": "linear", "format": "csv"}),
    (f"{API}/buckets", {"series": "*.*", "every": "1s", "since": "-100d", "fill": "null", "agg": "median,p01,p99"}),
    (f"{API}/readings", {"series": "*.*", "since": "0001-01-02", "until": "9999-12-30", "format": "ndjson"}),
    (f"{API}/events", {"limit": "100000", "kind": "*" * 150, "sensor": "[" * 150}),
]  # fmt: skip


def is_fair(answer: httpx.Response) -> bool:
    """An answer, a refusal in words, or 503 that says when to come again."""
    if answer.status_code >= 500:
        return answer.status_code == 503 and "retry-after" in answer.headers and bool(answer.json()["error"])
    return answer.status_code < 400 or bool(answer.json()["error"])


@contextlib.contextmanager
def daemon_that_is_asked(folder: Path) -> Iterator[tuple[Daemon, str]]:
    """Its readings are the numbers from 0, so that a lost one shows."""
    path = write_config(folder, query_timeout="1s")
    with Daemon(path, folder / "data", web=True).wait_ready() as daemon:
        address = url(daemon).rstrip("/")
        until(lambda: committed(daemon) > 20, "readings")
        yield daemon, address


def counted(address: str, what: str) -> float:
    """The questions that have ended so, of ``/metrics``."""
    text = httpx.get(f"{address}/metrics", trust_env=False, timeout=DEADLINE_S).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"sensorlogd_web_{what}_total"))


def assert_undisturbed(daemon: Daemon, address: str, pid: int) -> None:
    """The same process answers at once, and every reading is there."""
    assert web_pid(daemon) == pid
    assert not events(daemon, "web_down")
    assert get(address, "/health") == {"status": "ok"}
    daemon.commit()
    rows = get(address, "/api/v1/readings?series=greenhouse.temperature&limit=100000")["readings"]
    assert [row["value"] for row in rows] == list(range(len(rows)))
    facts = daemon.ask("status")["daemon"]
    assert not facts.get("dropped")


def test_hostile_questions_harm_nobody(tmp_path: Path) -> None:
    """All of them at once, again and again: fair answers, and the newest values are there for who asks meanwhile."""
    with daemon_that_is_asked(tmp_path) as (daemon, address):
        pid = web_pid(daemon)
        over = threading.Event()
        waited: list[float] = []

        def asks_for_the_newest() -> None:
            while not over.wait(0.2):
                began = time.monotonic()
                assert httpx.get(f"{address}{API}/latest", trust_env=False, timeout=DEADLINE_S).status_code == 200
                waited.append(time.monotonic() - began)

        def asks(question: tuple[str, dict[str, str]]) -> tuple[str, httpx.Response]:
            return str(question)[:200], httpx.get(
                f"{address}{question[0]}", params=question[1], trust_env=False, timeout=DEADLINE_S
            )

        with ThreadPoolExecutor(len(QUESTIONS) + 1) as pool:
            onlooker = pool.submit(asks_for_the_newest)
            try:
                answers = list(pool.map(asks, QUESTIONS * 2))
            finally:
                over.set()
            onlooker.result()
        assert [(name, answer.status_code, answer.text[:200]) for name, answer in answers if not is_fair(answer)] == []
        assert any(answer.status_code == 503 and "was not found within 1 s" in answer.text for _, answer in answers)
        assert len(waited) > 3
        assert max(waited) < 10.0, "small questions wait for no large one"
        assert_undisturbed(daemon, address, pid)
        assert daemon.stop() == 0


def test_clients_that_leave_end_their_questions(tmp_path: Path) -> None:
    """Whoever resets the connection frees the worker: it is seen in the count, and the next question is answered."""
    with daemon_that_is_asked(tmp_path) as (daemon, address):
        pid = web_pid(daemon)
        where = urlsplit(address)
        query = str(httpx.QueryParams(QUESTIONS[0][1]))
        request = f"GET {PROMQL}/query_range?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

        def leave() -> bool:
            """Ask, give it time to begin, and reset the connection."""
            with socket.create_connection((where.hostname, where.port)) as peer:
                peer.sendall(request)
                time.sleep(0.1)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return counted(address, "cancelled") >= 1

        until(leave, "a question that was ended")
        assert get(address, f"{API}/events")["events"]
        assert_undisturbed(daemon, address, pid)


def test_many_and_slow_connections_hold_nobody_up(tmp_path: Path) -> None:
    """One client has so many connections and no more; those that read nothing keep no worker; others are answered."""
    with daemon_that_is_asked(tmp_path) as (daemon, address), contextlib.ExitStack() as stack:
        pid = web_pid(daemon)
        where = urlsplit(address)
        peers = []
        for n in range(server.MAX_CONNECTIONS_OF_ONE_CLIENT + 60):
            peer = stack.enter_context(socket.create_connection((where.hostname, where.port), DEADLINE_S))
            with contextlib.suppress(OSError):  # it was refused at once
                if n < 40:  # asks for much and reads nothing
                    peer.sendall(
                        f"GET {API}/readings?series=*.*&since=-1d&format=csv HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                    )
                elif n % 2:  # half a request
                    peer.sendall(b"GET /api/v1/la")
            peers.append(peer)
        refused = Counter(_refusal(peer) for peer in peers[server.MAX_CONNECTIONS_OF_ONE_CLIENT + 5 :])
        assert set(refused) == {"503 with Retry-After"}
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"), trust_env=False) as other:
            assert other.get(f"{address}{API}/latest", timeout=DEADLINE_S).status_code == 200
            until(lambda: other.get(f"{address}{API}/events", timeout=DEADLINE_S).status_code == 200, "a worker")
        stack.close()
        until(lambda: httpx.get(f"{address}/health", trust_env=False).status_code == 200, "room again")
        assert_undisturbed(daemon, address, pid)


def _refusal(peer: socket.socket) -> str:
    try:
        said = peer.recv(4096)
    except OSError as error:
        return repr(error)
    return "503 with Retry-After" if said.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 5" in said else repr(said)


def test_the_end_takes_a_second(tmp_path: Path) -> None:
    """However much is being asked."""
    with daemon_that_is_asked(tmp_path) as (daemon, address):
        pid = web_pid(daemon)

        over = threading.Event()

        def asks(question: tuple[str, dict[str, str]]) -> None:
            """Again and again, until nobody answers."""
            with contextlib.suppress(httpx.HTTPError):
                while not over.is_set():
                    httpx.get(f"{address}{question[0]}", params=question[1], trust_env=False, timeout=DEADLINE_S)

        with ThreadPoolExecutor(6) as pool:
            try:
                for question in QUESTIONS[:6]:
                    pool.submit(asks, question)
                until(lambda: counted(address, "timeouts") >= 1, "a question that takes too long")
                assert daemon.stop() == 0
            finally:
                over.set()
        assert "web: does not end; killed" not in daemon.log.read_text()
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_http_1_0_without_host(tmp_path: Path, path: str) -> None:
    """As old supervisors ask."""
    from sensorlogd.web.settings import Settings
    from tests.web.conftest import serving

    with serving(Settings(tmp_path / "log.db", query_threads=1)) as served:
        where = urlsplit(served.url)
        with socket.create_connection((where.hostname, where.port), DEADLINE_S) as peer:
            peer.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            said = b""
            while part := peer.recv(4096):
                said += part
        assert said.startswith(b"HTTP/1.1 200 " if path == "/health" else b"HTTP/1.1 503 "), said
