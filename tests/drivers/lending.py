"""What the daemon lends a driver, with the stop and the counters in the test's hand."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensorlogd.batch import Batch
from sensorlogd.config.loader import load_text
from sensorlogd.drivers.contract import Driver, DriverContext, EndOfData
from sensorlogd.drivers.registry import driver_class, options_for
from tests.rig import until


class WatchedContext:
    """A context; ``wake`` stops the driver as the daemon would."""

    def __init__(self, now_us: int | None = None) -> None:
        self.read_end, self.write_end = os.pipe()
        self.stop = threading.Event()
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}
        self.now_us = now_us
        self.context = DriverContext(
            "s",
            self.read_end,
            self.stop.wait,
            lambda: time.time_ns() // 1000 if self.now_us is None else self.now_us,
            self.count,
            lambda kind, detail: None,
        )

    def count(self, name: str, n: int, example: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + n
        if example:
            self.examples[name] = example

    def wake(self) -> None:
        self.stop.set()
        os.write(self.write_end, b"x")

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)

    def driver(self, folder: Path, keys: str) -> Any:
        """The driver of the one sensor whose keys are ``keys`` (flow YAML without braces), as the daemon makes it."""
        options = load_text(f"sensors: {{s: {{{keys}}}}}", folder / "x.yaml", options_for).sensors["s"]
        return driver_class(options.driver, folder)(options, self.context)


Rows = list[tuple[int, dict[str, float]]]


def rows_of(got: Any) -> Rows:
    """(time, values) of what ``read`` returned."""
    batch = got if isinstance(got, Batch) else Batch.of(got, 0)
    return [
        (at_us, {name: value for name, column in batch.values.items() if (value := column[index]) is not None})
        for index, at_us in enumerate(batch.times_us)
    ]


def values_of(rows: Rows) -> list[Mapping[str, float]]:
    return [values for _, values in rows]


def read_all(driver: Driver, timeout_s: float = 1.0) -> Rows:
    """Everything until the source ends; the driver is opened before and closed after."""
    driver.open()
    rows: Rows = []

    def ended() -> bool:
        try:
            rows.extend(rows_of(driver.read(timeout_s)))
        except EndOfData:
            return True
        return False

    try:
        until(ended, "the end of the data")
    finally:
        driver.close()
    return rows


def read_some(driver: Driver, count: int) -> Rows:
    """At least so many rows from an open driver."""
    rows: Rows = []

    def enough() -> bool:
        rows.extend(rows_of(driver.read(0.2)))
        return len(rows) >= count

    until(enough, f"{count} rows")
    return rows
