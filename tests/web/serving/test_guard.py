"""Who is let in, by which name, and with what around every answer."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sensorlogd.web import forms, token
from sensorlogd.web.serving import hosts, login, server
from sensorlogd.web.settings import Settings
from tests.web.conftest import Served, serving

STREAM = "/api/v1/latest"


@pytest.fixture
def guarded(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server that asks for a token."""
    monkeypatch.setattr(login, "SLOW_S", 0)
    path = tmp_path / token.NAME
    token.ensure(path)
    with serving(Settings(made, auth="token", token_file=path)) as running:
        yield running


@pytest.fixture(scope="module")
def named(made: Path) -> Iterator[Served]:
    """A server with further names."""
    with serving(Settings(made, query_threads=1, allowed_hosts=("logger.example.org", "*.example.net"))) as running:
        running.get("/api/v1/sensors")
        yield running


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8321", True),
        ("127.0.0.1", True),
        ("[::1]:8321", True),
        (socket.gethostname(), True),
        (socket.gethostname().partition(".")[0].upper() + ".local:80", True),
        ("logger.example.org", True),
        ("a.b.example.net", True),
        ("example.net", False),
        ("logger.example.org.evil.test", False),
        ("evil.test:8321", False),
        ("localhost.evil.test", False),
        ("10.9.8.7", False),
        ("", False),
    ],
)
def test_only_our_names_are_answered(named: Served, host: str, allowed: bool) -> None:
    """A name that a stranger points here is refused, with the key that would allow it."""
    answer = named.client.get("/api/v1/sensors", headers={"Host": host})
    assert answer.status_code == (200 if allowed else 421)
    if not allowed:
        assert answer.json()["error"]["code"] == "host_not_allowed"
        assert "allowed_hosts" in answer.json()["error"]["hint"]


def test_the_address_of_the_connection_is_a_name_of_ours() -> None:
    """Also as IPv4 over IPv6; no other address is."""
    assert hosts.is_allowed("192.168.7.5", (), "192.168.7.5", ())
    assert hosts.is_allowed("192.168.7.5", (), "::ffff:192.168.7.5", ())
    assert hosts.is_allowed("fe80::1", (), "fe80::1%eth0", ())
    assert not hosts.is_allowed("192.168.7.6", (), "192.168.7.5", ())
    assert hosts.is_allowed("anything.test", (), None, ("*",))


def test_without_the_token_nothing_is_told(guarded: Served) -> None:
    """Neither values nor the API's description nor the pages; the probes stay open, they tell nothing."""
    for path in ("/", "/api/v1/latest", "/api/v1/stream", "/metrics", "/openapi.json", "/docs", "/nothing"):
        answer = guarded.client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_needed"), path
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert guarded.client.get("/health").json() == {"status": "ok"}
    assert guarded.client.get("/ready").status_code == 503


def test_the_token_opens_in_each_of_its_ways(guarded: Served) -> None:
    """As bearer, as password of any user, as cookie; a wrong one in none."""
    assert guarded.settings.token_file is not None
    right = token.read(guarded.settings.token_file)

    def basic(text: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(f"grafana:{text}".encode()).decode()}

    for headers, status in (
        ({"Authorization": f"Bearer {right}"}, 200),
        ({"Authorization": f"bearer {right}"}, 200),
        ({"Authorization": f"Bearer {right}x"}, 401),
        ({"Authorization": "Bearer"}, 401),
        (basic(right), 200),
        (basic("wrong"), 401),
        ({"Authorization": "Basic %%%"}, 401),
        ({"Cookie": f"other=1; sensorlogd={token.cookie_of(right)}"}, 200),
        ({"Cookie": f"sensorlogd={right}"}, 401),
        ({"Cookie": f'prefs={{"dark": true}}; flag; a b=c; sensorlogd={token.cookie_of(right)}'}, 200),  # of other programs
        (basic("of the proxy") | {"Cookie": f"sensorlogd={token.cookie_of(right)}"}, 200),
    ):
        assert guarded.client.get(STREAM, headers=headers).status_code == status, headers
    denied = [
        line for line in guarded.client.get("/metrics", headers=basic(right)).text.splitlines() if "web_denied_total" in line
    ]
    assert denied[-1] == "sensorlogd_web_denied_total 4.0"
    new = token.ensure(guarded.settings.token_file, new=True)
    assert guarded.client.get(STREAM, headers={"Authorization": f"Bearer {right}"}).status_code == 401
    assert guarded.client.get(STREAM, headers={"Authorization": f"Bearer {new}"}).status_code == 200


def test_the_login_page_gives_a_cookie_to_whoever_has_the_token(guarded: Served) -> None:
    """A browser is led there and back; the cookie is out of reach of scripts and other sites."""
    assert guarded.settings.token_file is not None
    right = token.read(guarded.settings.token_file)
    with httpx.Client(base_url=guarded.url, trust_env=False) as browser:
        sent = browser.get("/docs?a=b", headers={"Accept": "text/html,*/*"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fdocs%3Fa%3Db")
        form = browser.get(sent.headers["location"])
        assert 'name="token"' in form.text
        assert browser.get("/login.css").status_code == 200
        assert browser.post("/login?next=/docs", data={"token": "wrong"}).status_code == 403
        done = browser.post("/login?next=/docs", data={"token": right})
        assert (done.status_code, done.headers["location"]) == (303, "/docs")
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert right not in cookie
        assert browser.get(STREAM).status_code == 200
    with httpx.Client(base_url=guarded.url, trust_env=False) as browser:
        done = browser.get(f"/login?token={right}")
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert browser.get(STREAM).status_code == 200


def test_the_login_leads_to_no_other_server(guarded: Served) -> None:
    """Whatever a link says."""
    assert guarded.settings.token_file is not None
    right = token.read(guarded.settings.token_file)
    for place in ("//evil.test/", "https://evil.test/", "/\\evil.test", "x", "/a\nb"):
        assert guarded.client.post("/login", params={"next": place}, data={"token": right}).headers["location"] == "/"


def test_the_file_of_the_token_is_the_groups_to_read(tmp_path: Path) -> None:
    """Nobody else's."""
    path = tmp_path / token.NAME
    first = token.ensure(path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(first) >= 40
    assert token.ensure(path) == first
    path.write_text("\n")
    assert not token.TokenFile(path).admits("")
    path.unlink()
    assert not token.TokenFile(path).admits("")


@pytest.mark.parametrize("path", ["/", "/api/v1/latest", "/nothing", "/docs", "/login", "/metrics"])
def test_every_answer_is_armoured(served: Served, path: str) -> None:
    """Scripts from here only, no frames, no guessing of types."""
    headers = served.client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "server" not in headers


@pytest.mark.parametrize("keeps", [True, False])
def test_a_proxy_may_keep_or_strip_the_base_path(made: Path, tmp_path: Path, keeps: bool) -> None:
    """Both ways the same answers, and links that lead through the proxy."""
    path = tmp_path / token.NAME
    right = token.ensure(path)
    prefix = "/sensors" if keeps else ""
    with serving(Settings(made, auth="token", token_file=path, base_path="/sensors")) as running:
        sent = running.client.get(f"{prefix}/docs", headers={"Accept": "text/html"})
        assert sent.headers["location"] == "/sensors/login?next=%2Fdocs"
        done = running.client.post(f"{prefix}/login?next=/docs", data={"token": right})
        assert done.headers["location"] == "/sensors/docs"
        assert "Path=/sensors/" in done.headers["set-cookie"]
        headers = {"Authorization": f"Bearer {right}"}
        assert running.client.get(f"{prefix}/api/v1/latest", headers=headers).status_code == 200
        assert running.client.get(f"{prefix}/", headers=headers).status_code == 200
        assert running.client.get("/sensors").headers["location"] == "/sensors/"
        assert running.client.get(f"{prefix}/openapi.json", headers=headers).json()["servers"] == [{"url": "/sensors"}]


def test_what_is_too_large_is_refused(guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses, headers and bodies."""
    assert guarded.client.get("/", params={"x": "y" * 17_000}).status_code == 414
    assert guarded.client.get("/", headers={"X-Large": "y" * 40_000}).status_code == 431
    monkeypatch.setattr(forms, "MAX_FORM_BYTES", 1000)
    assert guarded.client.post("/login", data={"token": "y" * 2000}).status_code == 413


def test_a_request_that_dribbles_is_cut_off(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that never finishes its request does not keep its connection."""
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", 0.2)
    with serving(Settings(made)) as running:
        host, port = running.client.base_url.host, running.client.base_url.port
        for begun in (
            b"",
            b"GET / HTTP/1.1\r\nHost: loc",
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nto",
        ):
            with socket.create_connection((host, port or 0), timeout=30) as peer:
                peer.sendall(begun)
                with contextlib.suppress(ConnectionResetError):
                    assert peer.recv(100) == b""
        assert running.get(STREAM)
