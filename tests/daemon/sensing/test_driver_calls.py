"""Calls of a driver that hang, and return after all."""

from __future__ import annotations

import threading

from sensorlogd.daemon.sensing.driver_calls import HUNG_US, DriverCalls
from tests.daemon.fakes import DEADLINE, FakeClock


def test_a_driver_that_returns_while_it_is_reported_as_hanging_is_told_to_have_returned() -> None:
    class Returning(FakeClock):
        """While the watching thread looks at it, the driver returns."""

        def monotonic_us(self) -> int:
            now = super().monotonic_us()
            if inside.is_set() and threading.current_thread() is not caller:
                may_return.set()
                caller.join(0.2)  # it has returned, or waits for the report to be made
            return now

    clock, inside, may_return = Returning(), threading.Event(), threading.Event()
    reported: list[str] = []
    calls = DriverCalls(clock, 1, lambda kind, detail: reported.append(str(kind)))

    def read() -> None:
        inside.set()
        may_return.wait(DEADLINE)

    caller = threading.Thread(target=lambda: calls.run("read", read))
    caller.start()
    inside.wait(DEADLINE)
    clock.advance(HUNG_US + 1)
    calls.report_overdue()
    caller.join(DEADLINE)
    assert reported == ["stale", "returned"]
