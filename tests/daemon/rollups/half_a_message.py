"""A process that says half of something, then stops as SIGSTOP stops it (``stop``); or that waits to be asked to end (``wait``)."""

from __future__ import annotations

import os
import signal
import sys

from sensorlogd.daemon.rollups.messages import Rows, encode

if __name__ == "__main__":
    os.set_blocking(0, True)
    if sys.argv[1] == "stop":
        data = encode(Rows([(n, str(n) * 100) for n in range(10_000)]))
        os.write(0, data[: len(data) // 2][:100_000])
        os.kill(os.getpid(), signal.SIGSTOP)
    while os.read(0, 1000):
        pass
