"""The conformance test: every built-in driver passes it, and every way of breaking the contract is found and named."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field, field_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, SensorOptions
from sensorlogd.drivers.conformance import NotConforming, check_driver
from sensorlogd.drivers.contract import Driver, DriverError, EndOfData
from sensorlogd.drivers.registry import driver_class
from tests.modbus_rig import Cable, Units, device, f32
from tests.rig import Port, until

CSV = {"type": "csv", "fields": ["t"]}


def says(port: Port, data: bytes) -> Callable[[], None]:
    """Writes unless the line is full."""

    def say() -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(port.master, data)

    return say


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "tty")
    yield made
    made.close()


# ---- built-in drivers ----------------------------------------------------------------------------------------------------


def test_simulated(tmp_path: Path) -> None:
    """In its own time, and as fast as possible."""
    keys = {"driver": "simulated", "channels": {"t": {"signal": {"noise": {}}}}}
    for interval in ("20ms", "0s"):
        check_driver(
            driver_class("simulated", tmp_path), keys | {"interval": interval}, bad_options=[keys | {"interval": "-1s"}], rows=5
        )


@pytest.mark.parametrize("shared", [False, True])
def test_serial(tmp_path: Path, port: Port, shared: bool) -> None:
    """On a real pty, for itself and shared."""
    keys = {"driver": "serial", "port": str(port.path), "format": CSV, "shared": shared}
    check_driver(
        driver_class("serial", tmp_path),
        keys,
        bad_options=[keys | {"baudrate": 0}, keys | {"format": {"type": "csv"}}],
        missing=keys | {"port": "/dev/does-not-exist"},
        feed=says(port, b"1.5\n"),
        spoil=says(port, b"nonsense\n"),
        lose=port.unplug,
        rows=3,
    )


def test_nmea(tmp_path: Path, port: Port) -> None:
    """On a real pty."""
    keys = {"driver": "nmea", "port": str(port.path), "channels": {"depth": {}}}
    check_driver(
        driver_class("nmea", tmp_path),
        keys,
        bad_options=[keys | {"channels": {"dept": {}}}, keys | {"time": "gps"}],
        missing=keys | {"port": "/dev/does-not-exist"},
        feed=says(port, b"$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n"),
        spoil=says(port, b"$SDDBT,7.8,f,2.4,M,1.3,F*0E\r\n"),
        lose=port.unplug,
        rows=3,
    )


def test_command(tmp_path: Path) -> None:
    """A program that runs on, and one that is run again and again."""
    (tmp_path / "out").touch()
    script = tmp_path / "program"
    script.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec tail -n +1 -f {tmp_path}/out\n")
    script.chmod(0o755)

    def say(text: str) -> Callable[[], None]:
        def append() -> None:
            with (tmp_path / "out").open("a") as file:
                file.write(text)

        return append

    keys = {"driver": "command", "command": [str(script)], "format": CSV}
    check_driver(
        driver_class("command", tmp_path),
        keys,
        bad_options=[keys | {"command": []}, keys | {"timeout": "0s"}],
        missing=keys | {"command": ["/no/such/program"]},
        feed=say("1.5\n"),
        spoil=say("nonsense\n"),
        lose=lambda: os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL),
        rows=3,
    )
    check_driver(driver_class("command", tmp_path), keys | {"command": ["echo", "1"], "interval": "50ms"}, rows=3)


def test_sysfs(tmp_path: Path) -> None:
    """A file that every Linux has."""
    keys = {"driver": "sysfs", "interval": "20ms", "files": {"b": "net:lo/statistics/rx_bytes"}}
    check_driver(
        driver_class("sysfs", tmp_path),
        keys,
        missing=keys | {"files": {"b": "/no/such"}},
        bad_options=[keys | {"files": {"b": "x"}}],
        rows=3,
    )


def test_replay(tmp_path: Path) -> None:
    """Bytes and readings, in a loop and to their end."""
    (tmp_path / "x.raw").write_bytes(b"1\n" * 50)
    (tmp_path / "x.csv").write_text("time,t\n2026-03-14T12:00:00Z,1\n2026-03-14T13:00:00Z,2\n")
    keys = {"driver": "replay", "file": str(tmp_path / "x.raw"), "format": CSV, "loop": True}
    missing = {"file": str(tmp_path / "none")}
    check_driver(driver_class("replay", tmp_path), keys, missing=keys | missing, bad_options=[keys | {"pace": "slow"}], rows=3)
    keys = {"driver": "replay", "file": str(tmp_path / "x.csv"), "channels": {"t": {}}}
    check_driver(driver_class("replay", tmp_path), keys, missing=keys | missing, bad_options=[keys | {"talkers": ["GP"]}])
    check_driver(driver_class("replay", tmp_path), keys | {"pace": "fast"}, rows=2)


def test_modbus(tmp_path: Path) -> None:
    """Against another library's unit on a serial line; an answer that is damaged on the way is counted."""
    cable = Cable(tmp_path)

    def damage() -> None:
        cable.up = lambda data: bytes((data[0], data[1] ^ 1)) + data[2:]

    keys = {
        "driver": "modbus", "port": str(cable.port.path), "interval": "20ms", "turnaround": "1s",
        "channels": {"voltage": {"register": "30001", "type": "f32"}},
    }  # fmt: skip
    try:
        with Units([device(1, input={0: f32(230.5)})], "rtu", cable.far):
            check_driver(
                driver_class("modbus", tmp_path),
                keys,
                bad_options=[keys | {"unit": 256}, keys | {"channels": {"voltage": {}}}],
                missing=keys | {"port": "/dev/does-not-exist"},
                spoil=damage,
                rows=3,
            )
    finally:
        cable.close()


# ---- broken ones ---------------------------------------------------------------------------------------------------------


class GoodOptions(SensorOptions):
    """Of a device that is a file; ``channels`` has one."""

    device: str = "ok"
    limit: int = Field(1, ge=1)

    def channel_options(self) -> dict[str, ChannelOptions]:
        return {"t": ChannelOptions(), "raw": ChannelOptions(source="u")}


class Good(Driver):
    """Keeps to the contract; the others do not, in one respect each."""

    Options: ClassVar[type[SensorOptions]] = GoodOptions
    summary = "good"

    def open(self) -> None:
        if self.options.device == "none":
            raise DriverError("there is no such device")

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        if self.context.wait(min(timeout_s, 0.01)):
            return []
        self.context.count("seen", 1, "")
        return [Sample(None, {"t": 1.0, "u": math.nan})]

    def close(self) -> None:
        pass


KEYS = {"driver": "good"}
GOOD: dict[str, Any] = {"missing": KEYS | {"device": "none"}, "bad_options": [KEYS | {"limit": 0}], "deadline_s": 2.0}


def returning(value: Any) -> type[Driver]:
    class Returning(Good):
        def read(self, timeout_s: float) -> Any:
            super().read(timeout_s)
            return value

    return Returning


class NoModel(Good):
    Options = BaseModel  # type: ignore[assignment]  # what a wrong driver does


class Lax(Good):
    class Options(GoodOptions):
        model_config = GoodOptions.model_config | {"extra": "ignore"}


class Channelless(Good):
    class Options(GoodOptions):
        def channel_options(self) -> dict[str, ChannelOptions]:
            return {}


class Crashing(Good):
    class Options(GoodOptions):
        limit: int = 1

        @field_validator("limit")
        @classmethod
        def _limit(cls, value: int) -> int:
            return value // value and value // (value - 2) and value if value == 1 else 1 // value


class EarlyBird(Good):
    def __init__(self, options: Any, context: Any) -> None:
        super().__init__(options, context)
        self.file = open("/dev/null")  # noqa: SIM115  # close() closes it

    def close(self) -> None:
        self.file.close()


class NeedsOpening(Good):
    def open(self) -> None:
        super().open()
        self.handle = 1

    def close(self) -> None:
        del self.handle


class ClosesOnce(Good):
    def open(self) -> None:
        self.handles = ["handle"]
        super().open()

    def close(self) -> None:
        if hasattr(self, "handles"):
            self.handles.pop()


class LeaksAFile(Good):
    kept: ClassVar[list[Any]] = []

    def open(self) -> None:
        super().open()
        self.kept.append(open("/dev/null"))  # noqa: SIM115  # a leak, on purpose


class LeaksAThread(Good):
    release = threading.Event()

    def open(self) -> None:
        super().open()
        threading.Thread(target=self.release.wait, name="reader-of-its-own").start()


class LeaksAProcess(Good):
    kept: ClassVar[list[subprocess.Popen[bytes]]] = []

    def open(self) -> None:
        super().open()
        self.kept.append(subprocess.Popen(["sleep", "1000"]))


class RaisesAnything(Good):
    def read(self, timeout_s: float) -> Any:
        raise KeyError("t")


class Silent(Good):
    def read(self, timeout_s: float) -> Any:
        self.context.wait(timeout_s)
        return []


class Sleeper(Good):
    def read(self, timeout_s: float) -> Any:
        time.sleep(timeout_s)
        return [Sample(None, {"t": 1.0})]


class SlowOfItsOwn(Good):
    def read(self, timeout_s: float) -> Any:
        self.context.wait(1.3)
        return [Sample(None, {"t": 1.0})]


class Hanging(Good):
    release = threading.Event()

    def read(self, timeout_s: float) -> Any:
        self.release.wait()
        return []


class Thirsty(Good):
    def read(self, timeout_s: float) -> Any:
        got = super().read(timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.read(self.context.wake_fd, 1)
        return got


class IgnoresAMissingDevice(Good):
    def open(self) -> None:
        pass


class GivesUp(Good):
    def open(self) -> None:
        if self.options.device == "none":
            raise EndOfData


class Speechless(Good):
    def open(self) -> None:
        if self.options.device == "none":
            raise DriverError("")


class WrongError(Good):
    def open(self) -> None:
        if self.options.device == "none":
            raise RuntimeError("gone")


class CannotCloseWhatFailed(Good):
    def open(self) -> None:
        super().open()
        self.opened = True

    def close(self) -> None:
        if self.options.device == "none":
            raise ValueError("was never opened")


class Miscounting(Good):
    def read(self, timeout_s: float) -> Any:
        self.context.count("bad", 0, "")
        return super().read(timeout_s)


class Quiet(Good):
    """Discards without a word."""

    def read(self, timeout_s: float) -> Any:
        self.context.wait(min(timeout_s, 0.01))
        return [Sample(None, {"t": 1.0})]


def test_a_good_driver_passes() -> None:
    """All that is asked for below can be done."""
    check_driver(Good, KEYS, spoil=lambda: None, **GOOD | {"deadline_s": 30.0})


BROKEN: list[tuple[type[Driver], str]] = [
    (NoModel, "Options: must be a model that extends SensorOptions"),
    (Lax, "takes {'driver': 'good', 'no_such_key_at_all': 1}, which must be refused"),
    (Channelless, "channel_options() is empty"),
    (Crashing, "raised ZeroDivisionError"),
    (EarlyBird, "leaves open files behind in __init__(): /dev/null"),
    (NeedsOpening, "close() without open() raised AttributeError"),
    (ClosesOnce, "close() a second time raised"),
    (LeaksAFile, "leaves open files behind after close(): /dev/null"),
    (LeaksAThread, "leaves threads behind after close(): reader-of-its-own"),
    (LeaksAProcess, "leaves processes behind after close()"),
    (RaisesAnything, "read(0.1) raised KeyError: 't'; only DriverError, OSError and EndOfData"),
    (Silent, "0 of 1 samples came in 2 s"),
    (Sleeper, "s after the stop; it must wait for wake_fd"),
    (SlowOfItsOwn, "read(0) took "),
    (Hanging, "read(0.1) does not return, not even when told to stop"),
    (Thirsty, "the driver read from wake_fd"),
    (IgnoresAMissingDevice, "a device that is not there is not reported"),
    (GivesUp, "a device that is not there raises EndOfData"),
    (Speechless, "must be one line that says what was found"),
    (WrongError, "open() raised RuntimeError: gone"),
    (CannotCloseWhatFailed, "close() after a failed open() raised ValueError"),
    (Miscounting, "count('bad', 0, ''): must be a name, a number above 0"),
    (returning(None), "read() returned None; must be a Batch or a list of Sample"),
    (returning([{"t": 1.0}]), "must be a Batch or a list of Sample"),
    (returning([Sample(1_700_000_000, {"t": 1.0})]), "the time 1700000000 is not in microseconds"),
    (returning([Sample(1_700_000_000_000, {"t": 1.0})]), "is not in microseconds"),
    (returning([Sample(1.7e15, {"t": 1.0})]), "is not an int"),  # type: ignore[arg-type]  # wrong on purpose
    (returning([Sample(None, {"t": "1.0"})]), "t = '1.0' is str; values are float"),  # type: ignore[dict-item]  # the same
    (returning([Sample(None, {"t": True})]), "t = True is bool"),
    (returning([Sample(None, {"t": math.inf})]), "t is infinite; what the device does not know is NaN"),
    (returning([Sample(None, {"t": None})]), "'t' is None; a channel without a value is left out"),  # type: ignore[dict-item]  # the same
    (returning([Sample(None, {"raw": 1.0})]), "read() gives raw; the sensor's channels take t, u"),
    (returning(Batch([1_700_000_000_000_000] * 2, {"t": [1.0]})), "1 values of 't' for 2 times"),
]


def test_a_driver_that_asks_does_without_an_interval_or_refuses_to() -> None:
    """Its owner forgets it; that is not for a TypeError to say, when the daemon runs."""

    class Asking(Good):
        def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
            self.context.wait(min(timeout_s, self.options.interval / 1e6))
            return super().read(0.0)

    class HasOne(Asking):
        class Options(GoodOptions):
            interval: DurationUs | None = Field(10_000, ge=1_000)

    keys = KEYS | {"interval": "10ms"}
    with pytest.raises(
        NotConforming, match=r"without interval: read\(0\.05\) raised TypeError.*give it a default in Options, or refuse"
    ):
        check_driver(Asking, keys, **GOOD)
    check_driver(HasOne, keys, **GOOD | {"deadline_s": 30.0})


@pytest.mark.parametrize(("driver", "finding"), BROKEN, ids=[finding[:40] for _, finding in BROKEN])
def test_every_way_of_breaking_the_contract_is_found(driver: type[Driver], finding: str) -> None:
    """And named, so that its author knows what to do."""
    try:
        with pytest.raises(NotConforming) as caught:
            check_driver(driver, KEYS, **GOOD | {"deadline_s": 0.5} if driver is Hanging else GOOD)
        assert any(finding in found for found in caught.value.findings), caught.value.findings
    finally:
        for event in (Hanging.release, LeaksAThread.release):
            event.set()
        for process in LeaksAProcess.kept:
            process.kill()
            process.wait()
        LeaksAProcess.kept.clear()
        for file in LeaksAFile.kept:
            file.close()
        LeaksAFile.kept.clear()
        until(
            lambda: not [t for t in threading.enumerate() if t.name in ("conformance", "reader-of-its-own")], "the threads to end"
        )
        for event in (Hanging.release, LeaksAThread.release):
            event.clear()


def test_what_is_discarded_uncounted_and_what_is_lost_unsaid_is_found() -> None:
    """These need a device that can be spoilt and lost."""
    with pytest.raises(NotConforming, match="bad input is discarded without count"):
        check_driver(Quiet, KEYS, spoil=lambda: None, deadline_s=0.5)
    with pytest.raises(NotConforming, match="a lost device is not reported"):
        check_driver(Good, KEYS, lose=lambda: None, deadline_s=0.5)


def test_the_kit_needs_no_test_library() -> None:
    """Whoever writes a driver chooses theirs; and nothing of the daemon or the database is imported."""
    code = "import sys, sensorlogd.drivers.conformance; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "sensorlogd.drivers.conformance" in loaded
    not_wanted = ("pytest", "sqlalchemy", "serial", "sensorlogd.daemon", "sensorlogd.storage")
    assert [name for name in loaded if name in not_wanted or name.startswith(("sensorlogd.daemon.", "sensorlogd.storage."))] == []
