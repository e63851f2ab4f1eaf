"""How long a shared line is idle while a question waits: ten lines with ten polled sensors each, all of them always due.

The far end answers after a time that real devices take. What is measured is the time from the last byte of an answer until the
next question is on the line, in which a sensor has to be told, decode, and pass the turn on; and the share of the time in which
the line was neither asked nor answering.

    python -m benchmarks.shared_lines [seconds] [lines] [sensors per line] [answer in ms]
"""

from __future__ import annotations

import os
import pty
import select
import statistics
import sys
import termios
import threading
import time
import tty

from sensorlogd.drivers.conformance.watched import WatchedContext
from sensorlogd.drivers.serial import SerialDriver


class Far:
    """One line's devices: any question is answered after a while."""

    def __init__(self, answer_s: float, stop: threading.Event) -> None:
        self.master, self.slave = pty.openpty()
        for end in (self.master, self.slave):
            tty.setraw(end, termios.TCSANOW)
        self.path = os.ttyname(self.slave)
        self.gaps: list[float] = []
        self.answers = 0
        self._answer_s = answer_s
        self._stop = stop
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        answered = 0.0
        while not self._stop.is_set():
            if not select.select([self.master], [], [], 0.1)[0]:
                continue
            question = os.read(self.master, 100)
            asked = time.monotonic()
            if answered and self.answers > 100:  # the first answers are heard out, to learn what follows them
                self.gaps.append(asked - answered)
            time.sleep(self._answer_s)
            os.write(self.master, question.strip(b"?\n") + b"\n")
            answered = time.monotonic()
            self.answers += 1


def _sense(path: str, number: int, stop: threading.Event, values: list[int]) -> None:
    keys = {
        "driver": "serial", "port": path, "shared": True, "interval": "1ms", "format": {"type": "csv", "fields": ["v"]},
        "poll": {"command": f"{number}?\n", "turnaround": "100ms"},
    }  # fmt: skip
    lent = WatchedContext()
    driver = SerialDriver(SerialDriver.Options.model_validate(keys), lent.context)
    driver.open()
    while not stop.is_set():
        values[number] += bool(driver.read(0.2))
    driver.close()
    lent.close()


def main() -> None:
    """Print the figures."""
    seconds, lines, sensors, answer_ms = (int(value) for value in (sys.argv[1:] + ["20", "10", "10", "20"][len(sys.argv) - 1 :]))
    stop = threading.Event()
    far = [Far(answer_ms / 1000, stop) for _ in range(lines)]
    values = [[0] * sensors for _ in far]
    threads = [
        threading.Thread(target=_sense, args=(far_end.path, number, stop, values[at]), daemon=True)
        for at, far_end in enumerate(far)
        for number in range(sensors)
    ]
    for far_end in far:
        far_end.thread.start()
    began, cpu = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    stop.set()
    for thread in (*threads, *(far_end.thread for far_end in far)):
        thread.join(10)
    gaps = sorted(gap * 1000 for far_end in far for gap in far_end.gaps)
    answers = sum(far_end.answers for far_end in far)
    each = [count for line in values for count in line]
    print(
        f"{lines} lines, {sensors} sensors each, answers after {answer_ms} ms: {answers / took:.0f} answers/s, {cpu / took:.0%} of a core"
    )
    if gaps:
        idle = statistics.mean(gaps) / (statistics.mean(gaps) + answer_ms)
        print(
            f"from an answer to the next question: median {statistics.median(gaps):.1f} ms, 99 % {gaps[len(gaps) * 99 // 100]:.1f} ms; "
            f"the line was idle for {idle:.0%} of the time"
        )
    print(f"answers for each sensor: {min(each)} to {max(each)}")


if __name__ == "__main__":
    main()
