"""The checks before every request: size, Host, method, token; and the headers that every answer carries.

Order: size -> Host -> ``base_path`` -> method -> token -> who may change (``changing``). A refusal is an error of the API's one
shape; a browser without the token is sent to the login page.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sensorlogd.web.refusal import ApiError
from sensorlogd.web.serving import changing, hosts
from sensorlogd.web.serving.errors import answer
from sensorlogd.web.settings import Settings
from sensorlogd.web.token import TokenFile

logger = logging.getLogger(__name__)

COOKIE = "sensorlogd"
COUNT_LOGGED_EVERY_S = 60.0
OPEN = ("/health", "/ready", "/login", "/login.css")  # they tell whether it runs, and nothing of what is measured
FORMS = ("/login", "/prometheus/")  # where a POST is a question, too
MAX_URL_BYTES = 16_384
MAX_HEADER_BYTES = 32_768
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self';"
    " manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Denials:
    """Counts refused requests, and writes a line to the journal with the count now and then."""

    def __init__(self) -> None:
        self.count = 0
        self._logged_at = -COUNT_LOGGED_EVERY_S

    def add(self, reason: str, scope: Scope) -> None:
        """Count one more. A log line says the reason, the peer and the count so far, at most every COUNT_LOGGED_EVERY_S."""
        self.count += 1
        if time.monotonic() - self._logged_at >= COUNT_LOGGED_EVERY_S:
            self._logged_at = time.monotonic()
            peer = (scope.get("client") or ("nobody",))[0]
            logger.warning("%s from %s; %d refused so far", reason, peer, self.count)


class Guard:
    """Lets in requests by their host, method and token, and sets headers on every answer; ASGI middleware, the outermost one."""

    def __init__(self, app: ASGIApp, settings: Settings, denials: Denials) -> None:
        self.app = app
        self.denials = denials
        self.settings = settings
        self.names = hosts.own_names() | {settings.host.lower()}
        self.token = TokenFile(settings.token_file) if settings.auth == "token" and settings.token_file else None
        self.base = settings.base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refusal = self._refusal(scope)
        except ApiError as error:
            refusal = answer(error)
        if refusal is not None:
            await refusal(scope, receive, with_headers)
        else:
            await self.app(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that is not let in; None: it is let in. Raises ApiError, too."""
        headers = Headers(scope=scope)
        _check_size(scope)
        self._check_host(headers, scope)
        if self.base and scope["path"] == self.base:
            return RedirectResponse(self.base + "/", 308)
        self._strip(scope)
        path = scope["path"][len(scope["root_path"]) :]
        changes = scope["method"] == "POST" and path in changing.PATHS
        _check_method(scope["method"], path)
        if self.token is None or path in OPEN or self._is_admitted(headers):
            if changes:
                self._check_change(headers, scope)
            return None
        if "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            query = scope["query_string"].decode("latin-1")
            wanted = path + ("?" + query if query else "")
            return RedirectResponse(f"{self.base}/login?next={quote(wanted, safe='')}", 303, {"Cache-Control": "no-store"})
        if "authorization" in headers:
            self.denials.add("a wrong token", scope)
        raise ApiError(
            401,
            "token_needed",
            "this server asks for its token",
            hint="send 'Authorization: Bearer TOKEN', or Basic with the token as password; 'sensorlogd web token' prints it",
            headers={"WWW-Authenticate": 'Bearer realm="sensorlogd"'},
        )

    def _check_host(self, headers: Headers, scope: Scope) -> None:
        """Raise ApiError 421 if the request names a host that this server does not answer to."""
        host = hosts.split_host(headers.get("host", ""))
        address = scope["server"][0] if scope.get("server") else None
        # HTTP/1.0 knows no Host, and no browser speaks it: supervisors do.
        named = "host" in headers or scope.get("http_version") != "1.0"
        if named and not hosts.is_allowed(host, self.names, address, self.settings.allowed_hosts):
            self.denials.add(f"asked for by the name {host[:200]!r}", scope)
            raise ApiError(
                421,
                "host_not_allowed",
                f"this server does not answer to the name {host[:200]!r}",
                hint=f"if it is meant to, write web: {{allowed_hosts: [{host[:200]}]}} in the configuration",
            )

    def _check_change(self, headers: Headers, scope: Scope) -> None:
        try:
            changing.check(headers, self.settings)
        except ApiError:
            self.denials.add("a change that is not allowed", scope)
            raise

    def _strip(self, scope: Scope) -> None:
        """Set ``root_path`` to ``base_path``, and put that back before a path from which the proxy has removed it."""
        path: str = scope["path"]
        if self.base:
            if not path.startswith(self.base + "/"):
                scope["path"] = self.base + path
                scope["raw_path"] = self.base.encode() + scope.get("raw_path", path.encode())
            scope["root_path"] = self.base

    def _is_admitted(self, headers: Headers) -> bool:
        """Whether the request carries the token: as bearer, as password of Basic, or in the cookie. One that is right is enough: a
        proxy with a password of its own sends that along with the cookie."""
        assert self.token is not None
        cookies = cookie_parser(headers.get("cookie", ""))
        if COOKIE in cookies and self.token.admits_cookie(cookies[COOKIE]):
            return True
        kind, _, credentials = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.token.admits(credentials.strip())
        if kind.lower() == "basic":
            try:
                _, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return False
            return self.token.admits(password)
        return False


def _check_size(scope: Scope) -> None:
    """Raise ApiError 414 or 431 if the address or the headers are too long."""
    if len(scope["path"]) + len(scope["query_string"]) > MAX_URL_BYTES:
        raise ApiError(414, "too_large", f"the address is longer than {MAX_URL_BYTES} bytes")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise ApiError(431, "too_large", f"the headers are longer than {MAX_HEADER_BYTES} bytes")


def _check_method(method: str, path: str) -> None:
    """Raise ApiError 405 unless something at this path may be done by this method."""
    if method in ("GET", "HEAD") or (method == "POST" and (path in changing.PATHS or path.startswith(FORMS))):
        return
    raise ApiError(
        405,
        "method_not_allowed",
        f"{method} is not answered here",
        headers={"Allow": "POST" if path in changing.PATHS else "GET, HEAD"},
    )
