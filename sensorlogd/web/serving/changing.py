"""The checks before the few requests that write something. Host and token have been checked before.

A page of a stranger can have a browser send requests here, with the rights of whoever looks at it. So: off unless it is
allowed; what a browser says of where a request comes from must be this very server; and only JSON is taken, which no form
can send, and which a script of another origin may not send without asking first (and nobody answers OPTIONS).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from sensorlogd.web.refusal import ApiError
from sensorlogd.web.settings import Settings

PATHS = tuple(f"/api/v1/{name}" for name in ("flag", "undo", "note", "ack", "panel_save", "panel_delete"))
JSON = "application/json"
HOW = "write web: {changes: true} in the configuration, then sensorlogd reload; or use the verbs flag, note and alarms ack in a shell"

OWN = "open these pages by their own address and change it there; a program sends neither Origin nor Sec-Fetch-Site"


def check(headers: Headers, settings: Settings) -> None:
    """Raises ApiError 403 if changes are not allowed or come from another site, 415 for another content type than JSON."""
    if not settings.changes:
        raise ApiError(403, "changes_not_allowed", "nothing may be changed from these pages", hint=HOW)
    if not is_own(headers):
        raise ApiError(403, "cross_site", "this request comes from a page of another site", hint=OWN)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise ApiError(415, "json_only", f"only {JSON} is taken here", hint=f"send the header Content-Type: {JSON}")


def is_own(headers: Headers) -> bool:
    """Whether the browser says that the request comes from our own page. Programs send no such header.

    Sec-Fetch-Site is the browser's own judgement, and right behind a proxy, too; it is not sent over plain HTTP but to this
    machine. Then the origin must have the very name and port that were asked for.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and found.netloc.lower() == headers.get("host", "").strip().lower()
