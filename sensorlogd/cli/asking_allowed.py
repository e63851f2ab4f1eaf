"""Says who may ask the daemon, to a user who may not use its control socket."""

from __future__ import annotations

from pathlib import Path


def refusal(folder: Path) -> str:
    """The sentence. ``folder``: where the daemon listens."""
    from sensorlogd.calling import socket_path

    owner = _owner_name(socket_path(folder))
    return f"{folder}: the daemon may not be asked by this user; run this as its user ({owner}) or as root, with sudo"


def _owner_name(path: Path) -> str:
    for place in (path, path.parent):
        try:
            return place.owner()
        except (OSError, KeyError):
            continue
    return "its owner"
