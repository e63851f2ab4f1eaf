"""Who is going to read the ports and write the log, and whether that user may."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

READ, WRITE, ENTER = os.R_OK, os.W_OK, os.X_OK


@dataclass(frozen=True, slots=True)
class User:
    """The user that is to run the daemon. ``me``: this process's own user, of whom the kernel can be asked."""

    name: str
    uid: int
    groups: frozenset[int]
    me: bool

    @classmethod
    def current(cls) -> User:
        uid = os.geteuid()
        return cls(user_name(uid), uid, frozenset({os.getegid(), *os.getgroups()}), me=True)

    @classmethod
    def owner_of(cls, folder: Path) -> User | None:
        """The user that a folder belongs to; None if there is none of that number."""
        try:
            entry = pwd.getpwuid(folder.stat().st_uid)
            groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
        except (OSError, KeyError):
            return None
        return cls(entry.pw_name, entry.pw_uid, frozenset(groups), me=entry.pw_uid == os.geteuid())

    def may(self, path: Path, access: int) -> bool:
        """Whether this user has ``access`` (READ | WRITE | ENTER) to an existing file, device or folder.

        Raises OSError if it cannot be looked at.
        """
        if self.me:
            return os.access(path, access, effective_ids=True)
        if self.uid == 0:
            return True
        found = path.stat()
        if _has_acl(path):
            return True  # too fine for the mode: it is not said that it may not
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.groups else 0
        return (stat.S_IMODE(found.st_mode) >> shift) & access == access

    def kept_out_by(self, path: Path) -> Path | None:
        """The first folder on the way to an existing file that this user may not enter; None if there is none.

        Raises OSError if it cannot be looked at.
        """
        return next((folder for folder in reversed(path.resolve().parents) if not self.may(folder, ENTER)), None)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def _has_acl(path: Path) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(path)
    except OSError:
        return False
