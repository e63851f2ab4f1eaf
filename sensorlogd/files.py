"""Writes files that people name: regular files as a whole or not at all; devices, pipes and sockets as they are."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_LINKS = 40  # the kernel follows as many
_OWN_DESCRIPTOR = re.compile(r"/proc/(?:self|thread-self|\d+)/fd/(\d+)", re.ASCII)


def meant(target: Path) -> Path:
    """The file that the symbolic links of ``target`` lead to; it need not exist. A name of an open file of this process
    (``/dev/stdout``) is returned as it is.

    Raises OSError for links in a circle.
    """
    path = target
    for _ in range(_LINKS):
        whole = Path(os.path.realpath(path.parent)) / path.name
        if _is_open_file(whole):
            return whole
        if not path.is_symlink():
            return path
        path = path.parent / os.readlink(path)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(target))


def is_ordinary(target: Path) -> bool:
    """Whether ``target`` is a regular file, or a new name: then it can be replaced. Raises IsADirectoryError, and what stat
    raises."""
    path = meant(target)
    if _is_open_file(path):
        return False
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    return stat.S_ISREG(mode)


@contextlib.contextmanager
def written(target: Path) -> Iterator[BinaryIO]:
    """Open a file to write bytes to. A regular file gets its name when it is complete and on the disk, and keeps mode and owner; if
    writing fails, the old file is left as it was. A device, a pipe or a socket is written directly.

    Symbolic links are followed. Raises OSError, always with the name in it.
    """
    try:
        path = meant(target)
        with _beside(path) if is_ordinary(target) else _as_it_is(path) as file:
            yield file
            file.flush()
    except BrokenPipeError as error:
        if error.filename is not None:
            raise
        raise ConnectionError(errno.EPIPE, "its reader left before all was written", str(target)) from error
    except OSError as error:
        if error.filename is None:
            error.filename = str(target)
        raise


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """Write under another name in the same folder, then rename: a reader sees either the old file or the complete new one."""
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        before = path.stat() if path.exists() else None
        with _named(path), temporary.open("xb") as file:
            yield file
            file.flush()
            if before is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
                with contextlib.suppress(OSError):  # only root may give files away
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let errors name ``path``, not the temporary file beside it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and str(error.filename).endswith(".part"):
            error.filename = str(path)
        raise


@contextlib.contextmanager
def _as_it_is(path: Path) -> Iterator[BinaryIO]:
    """Write into a pipe, a device, a socket or a descriptor of our own: nothing can be renamed over it, and it is not emptied."""
    own = _OWN_DESCRIPTOR.fullmatch(str(path))
    if own is not None and _is_own_process(path):
        # A duplicate shares the position in the file with whoever passed the descriptor to us.
        with os.fdopen(os.dup(int(own[1])), "wb") as file:
            yield file
    elif stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(str(path))
            with peer.makefile("wb") as file:
                yield file
    else:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC), "wb") as file:
            yield file


def _is_open_file(path: Path) -> bool:
    return _OWN_DESCRIPTOR.fullmatch(str(path)) is not None


def _is_own_process(path: Path) -> bool:
    return str(path).split("/")[2] in ("self", "thread-self", str(os.getpid()))


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a new name in it survives a power cut. A folder that cannot be synced is ignored: the file itself
    is."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
