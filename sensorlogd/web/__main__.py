"""The process that the daemon starts: ``python -m sensorlogd.web SETTINGS`` (JSON).

Its standard input is a lifeline: when it ends, the daemon is gone, and so is this. On standard output it says in one line
of JSON where it listens (``{"url": ...}``), or why it cannot (``{"error": ...}``, exit 1); then, every few seconds, that its
loop still runs (``{}``): the daemon replaces one that has stopped to say so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import threading

from sensorlogd.web import token
from sensorlogd.web.serving import server
from sensorlogd.web.settings import Settings

GONE_WITHIN_S = 10.0


def main() -> int:
    """Serve until the daemon is gone. Returns the exit status."""
    settings = Settings.from_json(sys.argv[1])
    logging.basicConfig(level=logging.WARNING, format="web: %(message)s")
    _lower_priority(settings.memory_limit_bytes)
    try:
        if settings.auth == "token" and settings.token_file is not None:
            token.ensure(settings.token_file)
        listener = server.bind(settings)
    except OSError as error:
        _say({"error": error.strerror or str(error)})
        return 1
    with listener:
        running = server.make_server(settings)
        running.beat = lambda: _say({})
        threading.Thread(target=_end_with_daemon, args=(running,), name="lifeline", daemon=True).start()
        _say({"url": server.url_of(listener, settings.base_path)})
        running.run(sockets=[listener])
    return 0


def _lower_priority(memory_limit_bytes: int) -> None:
    """Logging goes first: this process yields the CPU, and is the one to die when memory is short."""
    with contextlib.suppress(OSError):
        os.nice(5)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("800")
    # The daemon looks at the memory every second; this stops what grows faster. Stacks of threads count, too.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (2 * memory_limit_bytes + 128_000_000,) * 2)


def _say(fact: dict[str, str]) -> None:
    print(json.dumps(fact), flush=True)


def _end_with_daemon(running: server.Server) -> None:
    """The thread that waits for the end of standard input, then ends the server; the process, if that takes too long."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    running.should_exit = True
    threading.Event().wait(GONE_WITHIN_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
