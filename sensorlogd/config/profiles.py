"""Finds profiles, named device descriptions: YAML files whose ``sensor:`` holds the keys of a sensor, laid under what the user
writes.

They are looked for in the folder ``profiles`` beside the configuration, in /etc/sensorlogd/profiles, and in the package, in this
order; the name of a profile is that of its file without ``.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "profiles"
SYSTEM = Path("/etc/sensorlogd/profiles")
FOLDER = "profiles"
KEYS = ("title", "source", "sensor")


@dataclass(frozen=True, slots=True)
class Profile:
    """The file of a profile. ``own``: it is the user's, not the package's."""

    name: str
    path: Path
    own: bool


def available(base_dir: Path | None = None) -> dict[str, Profile]:
    """Every profile by its name, sorted; the user's come before the package's of the same name."""
    found: dict[str, Profile] = {}
    folders = [SHIPPED, SYSTEM] + ([base_dir / FOLDER] if base_dir is not None else [])
    for folder in folders:
        try:
            files = sorted(folder.glob("*.yaml"))
        except OSError:
            continue
        for path in files:
            found[path.stem] = Profile(path.stem, path, folder is not SHIPPED)
    return dict(sorted(found.items()))
