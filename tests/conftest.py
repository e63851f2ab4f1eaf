"""Every test: no warning, and no thread, child process or descriptor left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sensorlogd.storage.schema.check import ensure_schema
from tests.cli import running

# How long what a test left behind may take to go; only the test of this very fixture shortens it.
GRACE_S = float(os.environ.get("SENSORLOGD_TESTS_GRACE_S", "10"))

# Nothing may depend on being fast. `make test` tries the same examples each time, so that what it says of a change is about
# that change; `make soak` (SENSORLOGD_TESTS_SEARCH) looks for new ones.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("search" if os.environ.get("SENSORLOGD_TESTS_SEARCH") else "same")


# Tests that wait or work for long even alone. Begun first, none of them is what three idle workers wait for at the end.
LONG = (
    "tests/torture/test_torture.py",
    "tests/faults/test_kill.py",
    "tests/web/answering/test_openapi.py",
    "tests/faults/test_blocked.py",
    "tests/e2e/test_simulate.py",
    "tests/faults/test_compact_killed.py",
    "tests/daemon/care/test_sign_of_life.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first, in the order of ``LONG``, all others as they were."""
    places = {file: place for place, file in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONG)))


def _descriptors() -> dict[int, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = os.readlink(entry)
        except OSError:
            continue  # the descriptor of this very listing
    return found


def _children() -> set[int]:
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends meanwhile
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


_modules_settled = 0


def _settle() -> None:
    """What has been imported stays to the end. Set apart, it is not searched anew by each of the collections after the tests."""
    global _modules_settled
    if len(sys.modules) != _modules_settled:
        gc.collect()
        gc.freeze()
        _modules_settled = len(sys.modules)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the test that leaks a thread, a child process or a descriptor."""
    # Those of Playwright stay until the last test; those that send files stay as long as the server of a whole module of tests.
    browser, served = request.path.parent.name == "browser", "served" in request.fixturenames
    driven = "asyncio_" if browser else "AnyIO worker thread" if served else "\0"
    _settle()
    threads, descriptors, children = set(threading.enumerate()), _descriptors(), _children()
    yield
    deadline = time.monotonic() + GRACE_S
    while True:
        new_threads = [
            thread.name
            for thread in set(threading.enumerate()) - threads
            if thread.is_alive() and not thread.name.startswith(driven)
        ]
        now = _descriptors()
        new_descriptors = [f"{number} -> {target}" for number, target in now.items() if number not in descriptors]
        new_children = _children() - children
        if not (new_threads or new_descriptors or new_children):
            return
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: threads {new_threads}, descriptors {new_descriptors}, processes {sorted(new_children)}")
        gc.collect()  # only now: it takes long, and what garbage holds on to is seen above
        time.sleep(0.01)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the current schema, to be copied."""
    path = tmp_path_factory.mktemp("fresh") / "log.db"
    ensure_schema(path)
    return path


@pytest.fixture(scope="session")
def forked_verbs() -> Iterator[None]:
    """Verbs that ``tests.cli.running.run`` starts are forked; the process that forks is there before a test looks for any."""
    with running.forking():
        yield
