"""``python -m sensorlogd.alarms.notifying.apprise_child``: hand one message to Apprise and end.

A process of its own, because the library has a hundred services, threads that nobody can end, and fifteen megabytes that the
daemon need not hold. Standard input: one JSON object ``{"address", "title", "body", "kind"}``, so that the address is in no
list of processes. Exit status: see below; the reason is the last line on stderr.
"""

from __future__ import annotations

import json
import logging
import os
import sys

NOT_INSTALLED, NOT_UNDERSTOOD, NOT_DELIVERED = 3, 4, 5


def main() -> int:
    """Send the message on standard input. Returns the exit status."""
    request = json.load(sys.stdin)
    try:
        import apprise
    except ImportError:
        return NOT_INSTALLED
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    sender = apprise.Apprise()
    if not sender.add(request["address"]):
        return NOT_UNDERSTOOD
    taken = sender.notify(title=request["title"], body=request["body"], notify_type=getattr(apprise.NotifyType, request["kind"]))
    return 0 if taken else NOT_DELIVERED


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # whatever threads it has left
