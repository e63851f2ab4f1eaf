"""The time believed last: how it is stored for the next start, and what the next start concludes from it.

``meta`` holds ``believed_us`` and, beside it, ``believed_boot``: which boot of the machine that was, and where its steady
clock stood. Within one boot it is then known to the microsecond how much has passed since; after another one, that at
least all of that boot has.
"""

from __future__ import annotations

from pathlib import Path

from sensorlogd.storage import meta

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id(file: Path = BOOT_ID) -> str:
    """Which boot of the machine this is; empty where the kernel does not tell."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def to_store(believed_us: int, boot: str, steady_us: int) -> dict[str, str]:
    """Keys and values for ``meta``."""
    return {meta.BELIEVED_US: str(believed_us), meta.BELIEVED_BOOT: f"{boot} {steady_us}"}


def elapsed_us(believed_boot: str, boot: str, steady_us: int, begun_us: int) -> int:
    """The time in microseconds that has certainly passed since ``believed_boot`` was stored.

    ``steady_us``: the steady clock now, ``begun_us``: when this process began, which is all that is sure where nothing is
    stored (by an older release), where the kernel does not tell, and in a machine that was put back to an earlier state.
    """
    then, _, steady_text = believed_boot.partition(" ")
    since_us = begun_us
    if then and boot and steady_text.isdecimal():
        since_us = int(steady_text) if then == boot else 0
    return steady_us - (since_us if since_us <= steady_us else begun_us)
