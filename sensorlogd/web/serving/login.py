"""The login page: a form for the token, and a cookie for a browser that has sent it."""

from __future__ import annotations

import asyncio
import html
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sensorlogd.web import token
from sensorlogd.web.encode import tagged
from sensorlogd.web.forms import form
from sensorlogd.web.serving.guard import COOKIE
from sensorlogd.web.settings import Settings

KEPT_S = 400 * 86_400  # browsers keep a cookie no longer
SLOW_S = 0.5  # for a wrong token
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>sensorlogd: log in</title><link rel="stylesheet" href="{base}/login.css"></head>
<body><main><h1>sensorlogd</h1><p>{text}</p>
<form method="post" action="{base}/login?next={next}">
<p><label for="token">Token</label> <input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Open</button></p></form>
<p>On the machine itself <code>sensorlogd web token</code> prints the address to open.</p></main></body></html>
"""
STYLE = """:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid; min-height: 100vh; place-items: center; }
main { padding: 2rem; max-width: 32rem; }
input, button { font: inherit; padding: .4rem .6rem; }
"""


async def login(request: Request) -> Response:
    """GET: the form; with ``token`` in the address the browser is signed in at once. POST: the answer to the form."""
    settings: Settings = request.app.state.settings
    wanted = _safe(request.query_params.get("next", "/"))
    given = request.query_params.get("token")
    if request.method == "POST":
        given = (await form(request)).get("token", "")
    if settings.auth == "none" or settings.token_file is None:
        return RedirectResponse(settings.base_path + wanted, 303)
    if given is None:
        return _page(settings, wanted, "This server asks for its token.", 200)
    known = token.TokenFile(settings.token_file)
    if not known.admits(given.strip()):
        request.app.state.denials.add("a wrong token", request.scope)
        await asyncio.sleep(SLOW_S)
        return _page(settings, wanted, "That is not the token.", 403)
    answer = RedirectResponse(settings.base_path + wanted, 303, {"Cache-Control": "no-store"})
    answer.set_cookie(
        COOKIE,
        token.cookie_of(known.current()),
        max_age=KEPT_S,
        path=settings.base_path + "/",
        secure=request.headers.get("x-forwarded-proto", request.url.scheme) == "https",
        httponly=True,
        samesite="lax",
    )
    return answer


def _page(settings: Settings, wanted: str, text: str, status: int) -> Response:
    page = PAGE.format(base=html.escape(settings.base_path), text=html.escape(text), next=quote(wanted, safe=""))
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})


def _safe(wanted: str) -> str:
    """The place to go to after the login, if it is a path of this server; ``//elsewhere`` is not."""
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or any(ord(character) < 32 for character in wanted):
        return "/"
    return wanted


async def style(request: Request) -> Response:
    return tagged(request, STYLE, "text/css")


routes = [Route("/login", login, methods=["GET", "POST"]), Route("/login.css", style)]
