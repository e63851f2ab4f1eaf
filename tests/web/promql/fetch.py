"""The scripts by which Prometheus judges its own engine: from Debian's source package, which is kept once it is there."""

from __future__ import annotations

import fcntl
import lzma
import os
import subprocess
import tarfile
import zlib
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sensorlogd-tests" / "prometheus"
FOLDER = "/promql/promqltest/testdata/"
SUITES = ("sid", "forky", "trixie")  # those of Prometheus 3, whose windows are open on the left, come first


def scripts() -> dict[str, str]:
    """Name -> script, of Prometheus 3 or later. Raises OSError if they cannot be had."""
    archive = _kept() or _fetched_by_one()
    found: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            if FOLDER in f"/{member.name}" and member.name.endswith(".test"):
                file = tar.extractfile(member)
                assert file is not None
                found[member.name.rsplit("/", 1)[1]] = file.read().decode()
    return found


def _kept() -> Path | None:
    return next(iter(sorted(CACHE.glob("prometheus_[3-9]*.orig.tar.*"), reverse=True)), None)


def _fetched_by_one() -> Path:
    """Of several processes that want it one fetches; the others wait, and find it kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _kept() or _fetched()


def _fetched() -> Path:
    """Whole or not at all: it comes into a folder beside the others and is moved when it is complete."""
    for folder in ("lists/partial", "archives/partial", "coming"):
        (CACHE / folder).mkdir(parents=True, exist_ok=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    mirror = _mirror()
    reason = ""
    for suite in SUITES:
        sources = CACHE / f"{suite}.list"
        sources.write_text(f"deb-src [signed-by={keyring}] {mirror} {suite} main\n")
        options = [
            f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=-", f"Dir::State::lists={CACHE}/lists",
            f"Dir::Cache::archives={CACHE}/archives", f"Dir::Cache::pkgcache={CACHE}/{suite}.pkg", f"Dir::Cache::srcpkgcache={CACHE}/{suite}.src",
            "APT::Sandbox::User=root", "Acquire::Retries=3",
        ]  # fmt: skip
        arguments = [word for option in options for word in ("-o", option)]
        for command in (
            ["apt-get", "update", "-qq", *arguments],
            ["apt-get", "source", "-qq", "--download-only", *arguments, "prometheus"],
        ):
            done = subprocess.run(command, cwd=CACHE / "coming", capture_output=True, text=True, check=False, timeout=300)
            reason = done.stderr.strip() or reason
        for archive in (CACHE / "coming").glob("prometheus_[3-9]*.orig.tar.*"):
            if _is_whole(archive):  # the packaging beside it may be missing: only the source itself is wanted
                return archive.replace(CACHE / archive.name)
    raise OSError(f"Debian's source package of prometheus 3 cannot be had: {reason[-300:]}")


def _is_whole(archive: Path) -> bool:
    """What was cut off cannot be read to its end."""
    try:
        with tarfile.open(archive) as tar:
            return bool(tar.getmembers())
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error):
        return False


def _mirror() -> str:
    """The mirror that this machine uses."""
    for path in [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]:
        if path.exists():
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] == ["URIs:"]:
                    return words[1]
                if words[:1] == ["deb"]:
                    return next(word for word in words if "://" in word)
    raise OSError("no Debian mirror is configured here")
