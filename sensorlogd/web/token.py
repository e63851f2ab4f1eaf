"""The token that gives access to the pages. It lies in a file in the data directory, readable by the group."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

NAME = "web-token"


def ensure(path: Path, *, new: bool = False) -> str:
    """The token. It is made if there is none, or if ``new``. Raises OSError."""
    if not new:
        with contextlib.suppress(FileNotFoundError):
            found = read(path)
            if found:
                return found
    token = secrets.token_urlsafe(32)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o640)
        folder = os.stat(path.parent)
        if os.geteuid() == 0:  # the daemon runs as the owner of its folder
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        file.write(token + "\n")
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    return token


def read(path: Path) -> str:
    """The token in the file. Raises OSError."""
    return path.read_text().strip()


def cookie_of(token: str) -> str:
    """The value of the cookie. It is derived from the token, so a new token makes old cookies worthless."""
    return hmac.new(token.encode(), b"sensorlogd web cookie 1", hashlib.sha256).hexdigest()


class TokenFile:
    """The present token: the file is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._token = ""

    def current(self) -> str:
        """The token; empty if there is none, and then nobody is let in."""
        try:
            found = os.stat(self.path)
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                self._token, self._stamp = read(self.path), stamp
        except OSError:
            self._token, self._stamp = "", None
        return self._token

    def admits(self, token: str) -> bool:
        """Whether this is the token; compared in constant time."""
        current = self.current()
        return bool(current) and hmac.compare_digest(token.encode(), current.encode())

    def admits_cookie(self, value: str) -> bool:
        """Whether this is the cookie that the login page sets for the present token; compared in constant time."""
        current = self.current()
        return bool(current) and hmac.compare_digest(value.encode(), cookie_of(current).encode())
