"""A request for the end that comes by signal: it may come at any moment, and is never lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from sensorlogd.cli.stopping import stop_by

# Looks and waits without an end while another thread sends signals as fast as it can: each handler interrupts a look or a wait.
BOMBARDED = """
import signal, sys, threading
from sensorlogd.cli.stopping import stop_by
with stop_by(signal.SIGUSR1, signal.SIGINT) as stop:
    main, over = threading.main_thread(), threading.Event()
    def send():
        for _ in range(20_000):
            signal.pthread_kill(main.ident, signal.SIGUSR1)
        over.set()
    sender = threading.Thread(target=send)
    sender.start()
    looks = 0
    while not over.is_set():
        looks += stop.wait(0.0) | stop.is_set()
    sender.join()
    print(looks)
"""


def test_no_moment_is_a_bad_one() -> None:
    """The program comes to its end whenever the signals come."""
    done = subprocess.run([sys.executable, "-c", BOMBARDED], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0


def test_a_wait_ends_when_it_is_asked_for() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with stop_by(signal.SIGUSR1) as stop:
        assert not stop.wait(0.0)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.wait(None)
        assert stop.wait(0.0)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGUSR1) == before
