"""Waking whoever waits: from other threads, from signal handlers, before and after there is anybody."""

from __future__ import annotations

import os
import select
import signal
import threading

from sensorlogd.processes.wake_pipe import WakePipe


def is_awake(pipe: WakePipe) -> bool:
    return bool(select.select([pipe.read_end], [], [], 0)[0])


def test_it_wakes_until_it_is_cleared() -> None:
    with WakePipe() as pipe:
        assert not is_awake(pipe)
        pipe.clear()
        pipe.wake()
        pipe.wake()
        assert is_awake(pipe)
        pipe.clear()
        assert not is_awake(pipe)


def test_a_full_pipe_is_awake() -> None:
    with WakePipe() as pipe:
        for _ in range(70_000):
            pipe.wake()
        assert is_awake(pipe)
        pipe.clear()
        assert not is_awake(pipe)


def test_a_closed_pipe_writes_to_nobody() -> None:
    """Its descriptors may be somebody else's by now."""
    pipe = WakePipe()
    ends = pipe.read_end, pipe._write_end
    pipe.close()
    other = WakePipe()
    assert (other.read_end, other._write_end) == ends, "descriptors are reused"
    pipe.wake()
    pipe.close()
    assert not is_awake(other)
    other.close()


def test_a_signal_handler_wakes_while_its_own_thread_does() -> None:
    """The handler runs on the thread that it interrupts, which may hold the lock."""
    with WakePipe() as pipe:
        before = signal.signal(signal.SIGUSR1, lambda *_: pipe.wake())
        try:
            with pipe._lock:
                os.kill(os.getpid(), signal.SIGUSR1)
                assert is_awake(pipe)
        finally:
            signal.signal(signal.SIGUSR1, before)


def test_closing_beside_those_who_wake() -> None:
    pipe = WakePipe()
    errors: list[BaseException] = []
    begun = threading.Barrier(5)

    def wake_often() -> None:
        begun.wait()
        try:
            for _ in range(2000):
                pipe.wake()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=wake_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    pipe.close()
    for thread in threads:
        thread.join()
    assert errors == []
    assert pipe.read_end == -1
