"""One port, several sensors: everybody hears everything, nobody disturbs anybody, and asking goes in turns."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import DriverError
from sensorlogd.drivers.serial import SerialDriver
from sensorlogd.drivers.serial.options import SerialOptions
from sensorlogd.drivers.serial.shared import MAX_HELD_BYTES, SharedPort, port_for
from sensorlogd.drivers.serial.transport import Transport
from sensorlogd.drivers.transactions import Asker, Awaited, Fate, Question
from tests.drivers.serial.test_transport import WatchedContext
from tests.rig import Port, until

LONG_S = 600.0  # a wait that only an event may end


class Sensor:
    """A sensor's end of a shared port, with its own context; used by the test's thread or by one of its own."""

    def __init__(self, path: object, *, asks: bool = False, **more: Any) -> None:
        self.lent = WatchedContext()
        options = {"driver": "serial", "port": str(path), "shared": True, "format": {"type": "csv", "fields": ["x"]}} | more
        self.port = port_for(SerialOptions.model_validate(options), self.lent.context, asks=asks)
        assert isinstance(self.port, SharedPort)
        self.heard = b""
        self.error: DriverError | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> Sensor:
        self.port.open()
        return self

    def listen(self) -> Sensor:
        """Open, and collect what is heard on a thread."""
        self.open()
        self._thread = threading.Thread(target=self._collect)
        self._thread.start()
        return self

    def _collect(self) -> None:
        try:
            while (arrived := self.port.read(LONG_S)) is not None:
                self.heard += arrived[1]
        except DriverError as error:
            self.error = error

    def leave(self) -> None:
        """As the daemon does: stop, close."""
        self.lent.wake()
        if self._thread is not None:
            self._thread.join()
        self.port.close()
        self.lent.close()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "tty")
    yield made
    made.close()


@pytest.fixture
def sensors(line: Port) -> Iterator[Callable[..., Sensor]]:
    """Makes sensors on the line; those that did not leave by themselves leave at the end."""
    made: list[Sensor] = []

    def make(path: object = line.path, **more: Any) -> Sensor:
        made.append(Sensor(path, **more))
        return made[-1]

    yield make
    for sensor in made:
        if not sensor.lent.stop.is_set():
            sensor.leave()


def descriptors(line: Port) -> int:
    """How many descriptors this process has on the line, the test's own left out."""
    target = os.ttyname(line._slave)
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the listing's own descriptor
            found += os.readlink(entry) == target and int(entry.name) != line._slave
    return found


def test_everybody_hears_everything_in_order(line: Port, sensors: Callable[..., Sensor]) -> None:
    """Each of several sensors gets each byte, over one opening of the port."""
    three = [sensors().listen() for _ in range(3)]
    sent = b"".join(b"%d\n" % n for n in range(20_000))
    line.send(sent)
    until(lambda: all(len(sensor.heard) == len(sent) for sensor in three), "everybody to hear everything")
    assert all(sensor.heard == sent for sensor in three)
    assert descriptors(line) == 1


def test_lines_told_apart_by_what_is_in_them(line: Port) -> None:
    """A gateway's sensors each take their own lines and count the rest as others'."""
    lents = [WatchedContext(), WatchedContext()]
    drivers = [
        SerialDriver(
            SerialOptions.model_validate(
                {
                    "driver": "serial",
                    "port": str(line.path),
                    "shared": True,
                    "format": {"type": "keyvalue", "separator": ";", "only": f"ID={node};"},
                    "channels": {"TEMP": {}},
                }
            ),
            lent.context,
        )
        for node, lent in enumerate(lents)
    ]
    for driver in drivers:
        driver.open()
    line.send(b"begin\n" + b"".join(b"ID=%d;TEMP=%d\n" % (n % 2, n) for n in range(100)))
    for node, driver in enumerate(drivers):
        values: list[float | None] = []
        while len(values) < 50:
            batch = driver.read(LONG_S)
            assert isinstance(batch, Batch)
            values += batch.values["TEMP"]
        assert values == [float(n) for n in range(node, 100, 2)]
        driver.close()
    for lent in lents:
        lent.close()


def test_coming_and_going_costs_the_others_nothing(line: Port, sensors: Callable[..., Sensor]) -> None:
    """While one sensor joins and leaves again and again, the other one hears every byte of a running stream."""
    stays = sensors().listen()
    sent = [b"%d\n" % n for n in range(20_000)]

    def send() -> None:
        for n in range(0, len(sent), 100):
            line.send(b"".join(sent[n : n + 100]))

    sender = threading.Thread(target=send)
    sender.start()
    comings = 0
    while sender.is_alive() or comings < 20:
        sensors().listen().leave()
        comings += 1
    sender.join()
    until(lambda: len(stays.heard) == len(b"".join(sent)), "all of the stream")
    assert stays.heard == b"".join(sent)


def test_the_one_that_opened_may_leave(line: Port, sensors: Callable[..., Sensor]) -> None:
    """The port stays open for those who stay, and is closed by the last."""
    first, second = sensors().listen(), sensors().listen()
    first.leave()
    line.send(b"still here\n")
    until(lambda: second.heard == b"still here\n", "the one that stays to hear")
    assert descriptors(line) == 1
    second.leave()
    assert descriptors(line) == 0


def test_who_does_not_listen_holds_up_nobody(line: Port, sensors: Callable[..., Sensor]) -> None:
    """A sensor that hangs loses its own oldest bytes beyond what is held for it, counted; the other one hears all."""
    hangs, listens = sensors().open(), sensors().listen()
    sent = bytes(range(32, 127)) * (2 * MAX_HELD_BYTES // 95)
    for end in range(0, len(sent) + 50_000, 50_000):  # not faster than the listener's thread gets its turn
        line.send(sent[end - 50_000 : end] if end else b"")
        until(partial(has_heard, listens, min(end, len(sent))), "the listener to hear everything")
    assert listens.heard == sent
    held = b""
    while arrived := hangs.port.read(0.0):
        if not arrived[1]:
            break
        held += arrived[1]
    assert 0 < len(held) <= MAX_HELD_BYTES
    assert sent.endswith(held)
    assert hangs.lent.counts == {"dropped_bytes": len(sent) - len(held)}
    assert listens.lent.counts == {}


def test_a_stop_wakes_whoever_waits(line: Port, sensors: Callable[..., Sensor]) -> None:
    """For bytes or for the line: at once."""
    owner, reads, wants = sensors(asks=True).open(), sensors(), sensors(asks=True).open()
    reads.listen()
    reads.leave()
    with owner.port.transaction(0, LONG_S) as ours:
        assert ours
        timer = threading.Timer(0.05, wants.lent.wake)
        timer.start()
        with wants.port.transaction(LONG_S, LONG_S) as theirs:
            assert not theirs
        timer.join()
    wants.port.close()
    wants.lent.close()


def all_told(sensors: list[Sensor]) -> bool:
    return all(sensor.error is not None for sensor in sensors)


def test_unplugged_all_are_told_and_replugged_all_hear_again(line: Port, sensors: Callable[..., Sensor]) -> None:
    """Each gets the error itself; whoever comes back first opens the port for all."""
    for _ in range(3):
        three = [sensors().listen() for _ in range(3)]
        line.unplug()
        until(partial(all_told, three), "everybody to be told")
        assert {str(sensor.error) for sensor in three} == {str(three[0].error)}
        assert "gone" in str(three[0].error) or "no such port" in str(three[0].error)
        for sensor in three:
            sensor.leave()
        lonely = sensors()
        with pytest.raises(DriverError, match="no such port"):
            lonely.open()
        lonely.leave()
        line.plug()
    three = [sensors().listen() for _ in range(3)]
    line.send(b"back\n")
    until(lambda: all(sensor.heard == b"back\n" for sensor in three), "everybody to hear")
    assert descriptors(line) == 1


def test_who_opened_may_come_back_while_others_are_there(line: Port, sensors: Callable[..., Sensor]) -> None:
    """It joins them; the port is not opened a second time."""
    opener, other = sensors().open(), sensors().listen()
    opener.port.reopen()
    assert descriptors(line) == 1
    line.send(b"1\n")
    until(lambda: other.heard == b"1\n", "the other to hear on")


def test_a_port_that_fails_at_a_question_is_left_by_all(
    line: Port, sensors: Callable[..., Sensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens anew does not meet the one that has failed, also before its thread has seen the failure."""
    asking, other = sensors(asks=True).open(), sensors().listen()

    def fails(self: Transport, data: bytes) -> None:
        raise DriverError("gone")

    with monkeypatch.context() as broken, asking.port.transaction(1.0, 1.0) as ours:
        assert ours
        broken.setattr(Transport, "write", fails)
        with pytest.raises(DriverError, match="gone"):
            asking.port.write(b"?")
    until(lambda: other.error is not None, "the other to be told")
    other.leave()
    before = asking.port.generation
    asking.port.reopen()
    assert asking.port.generation != before


def test_links_lead_to_the_same_port(line: Port, sensors: Callable[..., Sensor], tmp_path: Path) -> None:
    """A stable name and the device's own are one port, opened once."""
    other = tmp_path / "by-id"
    other.symlink_to(line.path)
    by_device, by_link = sensors().listen(), sensors(other).listen()
    line.send(b"both\n")
    until(lambda: by_device.heard == by_link.heard == b"both\n", "both to hear")
    assert descriptors(line) == 1


def test_other_settings_open_the_port_anew(line: Port, sensors: Callable[..., Sensor]) -> None:
    """After a reload that changes the baudrate of all its sensors, the port must not keep the old one."""
    old = sensors(baudrate=9600).listen()
    new = sensors(baudrate=19200).listen()
    until(lambda: old.error is not None, "the old one to be told")
    assert "other settings" in str(old.error)
    line.send(b"new\n")
    until(lambda: new.heard == b"new\n", "the new one to hear")
    assert descriptors(line) == 1


def test_a_port_that_fell_silent_is_opened_anew(line: Port, sensors: Callable[..., Sensor]) -> None:
    """A sensor that comes back after long silence does not sit down on the same silent opening."""
    hears_nothing = sensors(heartbeat="1ms").listen()
    again = sensors(heartbeat="1ms")

    def opened_anew() -> bool:
        again.open()
        if hears_nothing.error is not None:
            return True
        again.port.close()
        return False

    until(opened_anew, "the port to be opened anew")
    assert "silent" in str(hears_nothing.error)


def has_heard(sensor: Sensor, size: int) -> bool:
    return len(sensor.heard) == size


def waits(sensor: Sensor, before: Sensor) -> bool:
    hub: Any = before.port._hub  # type: ignore[attr-defined]  # of a shared one
    return sensor.port in hub.queue


def test_asking_goes_in_turns(line: Port, sensors: Callable[..., Sensor]) -> None:
    """One question at a time, first come first served; only who asks hears the answer, and who only listens hears all."""
    listener = sensors().listen()
    asking = [sensors(asks=True).open() for _ in range(3)]
    order: list[int] = []

    def ask(n: int) -> None:
        with asking[n].port.transaction(LONG_S, LONG_S) as ours:
            assert ours
            order.append(n)
            asking[n].port.write(b"?%d" % n)
            while not asking[n].heard.endswith(b";"):
                asking[n].heard += (asking[n].port.read(LONG_S) or (0, b""))[1]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
    before = sensors(asks=True).open()
    with before.port.transaction(0, LONG_S) as ours:
        assert ours
        for n in (1, 2, 0):
            threads[n].start()
            until(partial(waits, asking[n], before), "its place in the queue")
    for _ in range(3):
        asked = until(lambda: _question(line), "a question")
        line.send(b"answer to %s;" % asked)
    for thread in threads:
        thread.join()
    assert order == [1, 2, 0]
    assert [sensor.heard for sensor in asking] == [b"answer to ?%d;" % n for n in range(3)]
    until(lambda: listener.heard.count(b";") == 3, "the listener to hear all answers")


def _question(line: Port) -> bytes:
    try:
        return os.read(line.master, 100)
    except BlockingIOError:
        return b""


def test_who_has_waited_longest_is_next_and_nobody_waits_for_who_cannot_ask(line: Port, sensors: Callable[..., Sensor]) -> None:
    """A place in the queue holds also while an earlier answer is waited for; whoever comes then is before, but no longer than that."""
    first, second = sensors(asks=True).open(), sensors(asks=True).open()
    may_ask = False
    first.port.queue_up(lambda: may_ask)
    with second.port.transaction(0, LONG_S) as ours:
        assert ours
    may_ask = True
    with second.port.transaction(0, LONG_S) as ours:
        assert not ours
    with first.port.transaction(0, LONG_S) as ours:
        assert ours
    with second.port.transaction(0, LONG_S) as ours:
        assert ours


def test_a_place_in_the_queue_is_taken_before_a_late_answer_is_waited_for(line: Port, sensors: Callable[..., Sensor]) -> None:
    """So who waits for it keeps the place, and is next once that wait is over."""
    asking, other = sensors(asks=True).open(), sensors(asks=True).open()
    question = Question("?", lambda: (b"?", cast(Awaited, object())), LONG_S, "time")
    asking.port.line._quiet_until = time.monotonic() + LONG_S
    outcome = Asker(asking.port, asking.lent.context).ask(question, 0)
    assert outcome.fate is Fate.NOT_YET
    assert waits(asking, other)


def test_who_hangs_with_the_line_loses_it(line: Port, sensors: Callable[..., Sensor]) -> None:
    """Nobody has the line for longer than it said; what it writes afterwards is refused."""
    hangs, waits = sensors(asks=True).open(), sensors(asks=True).open()
    with hangs.port.transaction(0, 0.05) as ours:
        assert ours
        with waits.port.transaction(LONG_S, LONG_S) as theirs:
            assert theirs
            with pytest.raises(DriverError, match="took too long"):
                hangs.port.write(b"?")
            waits.port.write(b"!")
        assert until(lambda: _question(line), "what was written") == b"!"


def test_an_asking_sensor_is_deaf_outside_its_turn_but_the_line_is_not(line: Port, sensors: Callable[..., Sensor]) -> None:
    """What comes late is heard by the line, which all on the port share, and by nobody else."""
    deaf, other = sensors(asks=True).open(), sensors(asks=True).open()
    assert deaf.port.line is other.port.line
    heard: list[bytes] = []

    def hear(data: bytes, now_us: int) -> bool:
        heard.append(data)
        return False

    deaf.port.line.note_arrived = hear  # type: ignore[method-assign]  # listened to
    line.send(b"late")
    until(lambda: b"".join(heard) == b"late", "the line to hear it")
    at_us, nothing = deaf.port.read(0.0) or (0, b"none")
    assert nothing == b""
    assert at_us == pytest.approx(time.time_ns() // 1000, rel=1e-3)


def test_what_was_thrown_away_can_be_looked_at(line: Port, sensors: Callable[..., Sensor]) -> None:
    """discard_input gives back what it discards."""
    sensor = sensors().open()
    line.send(b"old")
    assert until(sensor.port.discard_input, "something to throw away") in (b"old", b"o", b"ol")


def test_when_opening_fails_all_who_wait_are_told(sensors: Callable[..., Sensor], tmp_path: Path) -> None:
    """Nobody waits for a port that somebody else could not open."""
    errors: list[str] = []
    many = [sensors(tmp_path / "nowhere") for _ in range(5)]

    def try_it(sensor: Sensor) -> None:
        try:
            sensor.open()
        except DriverError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=try_it, args=(sensor,)) for sensor in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 5
    assert all("no such port" in error for error in errors)
