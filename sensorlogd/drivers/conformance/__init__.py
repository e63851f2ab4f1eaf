"""A test that any driver can be put to, from its own tests and with any test runner:

    from sensorlogd.drivers.conformance import check_driver

    def test_conformance(port):
        check_driver(Acme, {"driver": "acme", "port": port.path}, feed=port.say_something, missing={"driver": "acme", "port": "/dev/none"})

It makes, opens, reads, stops and closes the driver as the daemon does, and raises NotConforming at the first scenario in which
rules of ``contract.py`` are broken, with all of them and how that was seen. Every scenario gets a driver of its own and runs in a
thread of its own, so that a driver which never returns is a finding and not the end of the test.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.conformance.samples import judge
from sensorlogd.drivers.conformance.subject import Subject, made, opened, read
from sensorlogd.drivers.conformance.watched import Broken, Scenario, WatchedContext, belongings, left_behind, run
from sensorlogd.drivers.contract import Driver, DriverError, EndOfData

STOP_S = 1.0  # a stop must be heeded within this
WAIT_S = 1.5  # for a device that says nothing, when a stop comes
ATTEMPTS = 2  # of what a busy machine may spoil: once in time is enough


class NotConforming(AssertionError):
    """A driver breaks rules of the contract. ``findings``: a line for each of them."""

    def __init__(self, driver: str, findings: Sequence[str]) -> None:
        super().__init__(f"{driver} does not keep to the driver contract:\n  " + "\n  ".join(findings))
        self.findings = list(findings)


def check_driver(
    driver: type[Driver],
    options: Mapping[str, Any],
    *,
    bad_options: Sequence[Mapping[str, Any]] = (),
    missing: Mapping[str, Any] | None = None,
    feed: Callable[[], object] = lambda: None,
    spoil: Callable[[], object] | None = None,
    lose: Callable[[], object] | None = None,
    rows: int = 1,
    deadline_s: float = 30.0,
) -> None:
    """Raise NotConforming unless ``driver`` keeps to the contract.

    options      a sensor's keys, as in YAML, with which the driver finds a device; an ``interval`` is left out once, too
    bad_options  keys that must be refused, each for a reason of its own
    missing      keys that name a device that is not there
    feed         makes the device say something good; called again and again while a reading is waited for
    spoil        makes the device say something bad, which must be counted
    lose         takes the device away for good; the last thing that is done
    rows         how many samples to wait for; 0 for a source without readings
    deadline_s   how long they may take
    """
    subject = Subject(driver, options, bad_options, missing, feed, spoil, lose, rows, deadline_s)
    for check in CHECKS:
        findings = list(dict.fromkeys(check(subject)))
        if findings:
            raise NotConforming(driver.__name__, findings)


def _wait_for_rows(subject: Subject, driver: Driver, host: WatchedContext, rows: int) -> None:
    """Read until this many samples have come, and check each of them."""
    end = time.monotonic() + subject.deadline_s
    found = 0
    while found < rows:
        subject.feed()
        try:
            got = read(driver, host, 0.1)
        except EndOfData:
            raise Broken(f"the data ended after {found} of {rows} samples") from None
        found += judge(got, subject.fields(), host)
        if time.monotonic() > end:
            raise Broken(f"{found} of {rows} samples came in {subject.deadline_s:g} s; counted meanwhile: {host.counts}")


def _run_scenario(subject: Subject, scenario: Scenario) -> list[str]:
    """The findings of one scenario, which has the subject's deadline and a little more."""
    return run(scenario, subject.deadline_s + 3 * STOP_S, 2 * STOP_S)


# ---- the rules -----------------------------------------------------------------------------------------------------------


def _check_options(subject: Subject) -> list[str]:
    """The options are a model that extends SensorOptions; it takes good options, and refuses unknown ones."""
    model = getattr(subject.driver, "Options", None)
    if not (isinstance(model, type) and issubclass(model, SensorOptions)):
        return ["Options: must be a model that extends SensorOptions"]
    findings = []
    try:
        if not subject.model(subject.options).channel_options():
            findings.append("Options: channel_options() is empty; a sensor without channels stores nothing")
    except ValidationError as error:
        return [f"Options: refuses the options of this test: {error.errors(include_url=False)[0]['msg']}"]
    for bad in ({**subject.options, "no_such_key_at_all": 1}, *subject.bad_options):
        try:
            subject.model(bad)
        except ValidationError:
            continue
        except Exception as error:
            findings.append(f"Options: {bad} raised {type(error).__name__}: {error}; a validator must raise ValueError")
            continue
        findings.append(f"Options: takes {bad}, which must be refused")
    return findings


def _check_making(subject: Subject) -> list[str]:
    """``__init__`` touches no device, and a driver that was never opened can be closed."""

    def scenario(host: WatchedContext) -> None:
        before = belongings()
        driver = made(subject, subject.options, host)
        host.findings += [finding.replace("after close()", "in __init__()") for finding in left_behind(before)]
        host.call = "close() without open()"
        driver.close()

    return _run_scenario(subject, scenario)


def _check_reading(subject: Subject) -> list[str]:
    """Samples of the right form come. Then everything is released, and a second close does no harm."""

    def scenario(host: WatchedContext) -> None:
        with opened(subject, host) as driver:
            _wait_for_rows(subject, driver, host, subject.rows)
        host.call = "close() a second time"
        driver.close()

    return _run_scenario(subject, scenario)


def _check_interval(subject: Subject) -> list[str]:
    """A sensor without ``interval:`` is either refused, or read."""
    bare = replace(subject, options={key: value for key, value in subject.options.items() if key != "interval"})
    try:
        bare.model(bare.options)
    except ValidationError:
        return []

    def scenario(host: WatchedContext) -> None:
        with opened(bare, host) as driver:
            for _ in range(3):
                bare.feed()
                try:
                    read(driver, host, 0.05)
                except (DriverError, OSError, EndOfData):
                    return
                except Broken as error:
                    raise Broken(f"without interval: {error}; give it a default in Options, or refuse to be without") from error

    return [] if bare.options == subject.options else _run_scenario(subject, scenario)


def _check_timeouts(subject: Subject) -> list[str]:
    """``read`` returns in time, with or without data; what it returns is checked, too."""

    def scenario(host: WatchedContext) -> None:
        with opened(subject, host) as driver:
            for timeout_s in (0.0, 0.05, 0.05):
                for attempt in range(ATTEMPTS):
                    began = time.monotonic()
                    try:
                        judge(read(driver, host, timeout_s), subject.fields(), host)
                    except EndOfData:
                        return
                    took = time.monotonic() - began
                    if took <= timeout_s + STOP_S:
                        break
                    if attempt == ATTEMPTS - 1:
                        raise Broken(f"read({timeout_s:g}) took {took:.1f} s")

    return _run_scenario(subject, scenario)


def _check_stopping(subject: Subject) -> list[str]:
    """A driver that waits for its device returns at once when a stop is requested."""
    findings: list[str] = []
    for _ in range(ATTEMPTS):
        took: list[float] = []

        def scenario(host: WatchedContext, took: list[float] = took) -> None:
            woken: list[float] = []

            def wake() -> None:
                woken.append(time.monotonic())
                host.wake()

            with opened(subject, host) as driver:
                timer = threading.Timer(0.2, wake)
                timer.start()
                try:
                    while not host.stop.is_set():
                        judge(read(driver, host, WAIT_S), subject.fields(), host)
                    took.append(time.monotonic() - woken[0])
                    if took[0] <= STOP_S:
                        judge(read(driver, host, WAIT_S), subject.fields(), host)  # told already: returns at once
                        took.append(time.monotonic() - woken[0])
                except EndOfData:
                    took.append(0.0)
                finally:
                    timer.join()

        findings = _run_scenario(subject, scenario)
        if findings:
            return findings
        if max(took) <= STOP_S:
            return []
    return [f"read() returns {max(took):.1f} s after the stop; it must wait for wake_fd, too (or with context.wait)"]


def _check_missing(subject: Subject) -> list[str]:
    """A missing device is an error with a message, from ``open`` or from the first ``read``. After that the driver can be closed."""
    missing = subject.missing
    if missing is None:
        return []

    def scenario(host: WatchedContext) -> None:
        driver = made(subject, missing, host)
        try:
            host.call = "open()"
            driver.open()
            end = time.monotonic() + subject.deadline_s
            while time.monotonic() < end:
                read(driver, host, 0.1)
            host.findings.append(
                "a device that is not there is not reported: neither open() nor read() raises DriverError or OSError"
            )
        except DriverError as error:
            if not str(error).strip() or "\n" in str(error):
                host.findings.append(f"DriverError({str(error)!r}): must be one line that says what was found")
        except (OSError, ValueError):
            pass
        except EndOfData:
            host.findings.append("a device that is not there raises EndOfData, after which the daemon never tries again")
        finally:
            call, host.call = host.call, "close() after a failed open()"
            driver.close()
            host.call = call

    return _run_scenario(subject, scenario)


def _check_counting(subject: Subject) -> list[str]:
    """Bytes or samples that the driver discards are counted."""
    spoil = subject.spoil
    if spoil is None:
        return []

    def scenario(host: WatchedContext) -> None:
        with opened(subject, host) as driver:
            _wait_for_rows(subject, driver, host, subject.rows)
            counted = dict(host.counts)
            spoil()
            end = time.monotonic() + subject.deadline_s
            while host.counts == counted:
                if time.monotonic() > end:
                    raise Broken("bad input is discarded without count(): nothing is lost in silence")
                subject.feed()
                judge(read(driver, host, 0.1), subject.fields(), host)

    return _run_scenario(subject, scenario)


def _check_losing(subject: Subject) -> list[str]:
    """A device that disappears makes ``read`` raise DriverError or OSError."""
    lose = subject.lose
    if lose is None:
        return []

    def scenario(host: WatchedContext) -> None:
        with opened(subject, host) as driver:
            _wait_for_rows(subject, driver, host, subject.rows)
            lose()
            end = time.monotonic() + subject.deadline_s
            while time.monotonic() < end:
                try:
                    read(driver, host, 0.1)
                except (DriverError, OSError):
                    return
                except EndOfData:
                    raise Broken("a lost device raises EndOfData, after which the daemon never tries again") from None
            raise Broken("a lost device is not reported: read() goes on as if it were silent")

    return _run_scenario(subject, scenario)


CHECKS: tuple[Callable[[Subject], list[str]], ...] = (
    _check_options,
    _check_making,
    _check_reading,
    _check_interval,
    _check_timeouts,
    _check_stopping,
    _check_missing,
    _check_counting,
    _check_losing,
)
