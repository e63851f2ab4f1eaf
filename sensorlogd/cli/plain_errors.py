"""Puts errors in plain words: what happened, where, and what to do about it. Imports nothing before there is an error."""

from __future__ import annotations

import errno
import os

# What to do, by errno; the sentence follows the system's own words.
_CURES = {
    errno.ENOSPC: "make room there, or write somewhere else",
    errno.EDQUOT: "make room there, or write somewhere else",
    errno.EROFS: "nothing can be written there: name a place on another file system, or mount this one for writing",
    errno.EISDIR: "name a file in it",
    errno.ENOENT: "see whether the name is written right and the folder is there",
    errno.ENOTDIR: "a part of this name is a file, not a folder",
    errno.EMFILE: "too many files are open at once: raise the limit ('ulimit -n')",
    errno.ENFILE: "too many files are open on this machine",
    errno.EADDRINUSE: "another program has this address; choose another, or end that one",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.EFBIG: "no file may be that big there (the file system's limit, or 'ulimit -f')",
    errno.EIO: "the device does not work as it should: see 'dmesg'",
}
_WORDS = {errno.EACCES: "permission denied", errno.EPERM: "not permitted", errno.EISDIR: "is a folder, not a file"}


def os_error(error: OSError, at: object = None) -> str:
    """``where: what; what to do``. ``at``: where it happened, if the error does not know."""
    where = error.filename if error.filename is not None else at
    if where is None and error.errno == errno.ENOENT and _folder_is_gone():
        return "the folder you are in does not exist any more; go to another one with cd"
    number = error.errno or 0
    what = _WORDS.get(number) or _lowered(error.strerror or str(error) or type(error).__name__)
    cure = _CURES.get(number, "")
    if where is not None and number in (errno.EACCES, errno.EPERM):
        cure = _permission(_name(where))
    sentence = what if where is None else f"{_name(where)}: {what}"
    return f"{sentence}; {cure}" if cure else sentence


def _name(where: object) -> str:
    return os.fsdecode(where) if isinstance(where, (str, bytes, os.PathLike)) else str(where)


def _lowered(text: str) -> str:
    """The system's sentence with a small first letter; names (I/O, RPC) stay as they are."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _permission(path: str) -> str:
    """Who has the permission, as far as it can be seen from here."""
    from pathlib import Path

    user, first = _user_name(os.geteuid()), Path(path)
    for folder in (first, *first.absolute().parents):
        try:
            status = folder.stat()
        except OSError:
            continue  # under a folder that is closed, or not there yet: the nearest that can be seen decides
        owner = f"user {_user_name(status.st_uid)}, group {_group_name(status.st_gid)}"
        return f"{user} may not do this; {folder} belongs to {owner}: run this as one of them, or with sudo"
    return f"{user} may not do this: run this as its owner, or with sudo"


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group_name(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _folder_is_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False
