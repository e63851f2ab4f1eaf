"""Modbus units that are not ours: pymodbus' server, on a serial cable with a hand on it, or on TCP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import struct
import termios
import threading
import tty
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from tests.rig import Port, until

BLOCKS = ("coil", "discrete", "holding", "input")


def f32(*values: float) -> list[int]:
    """The registers of floats, high word first."""
    return [word for value in values for word in struct.unpack(">HH", struct.pack(">f", value))]


def device(unit: int, **blocks: Mapping[int, list[int]]) -> SimDevice:
    """``input={0: [1, 2]}``: input registers 0 and 1. What is not there is answered with an exception."""
    data = []
    for name in BLOCKS:
        kind = DataType.BITS if name in ("coil", "discrete") else DataType.REGISTERS
        entries = [
            SimData(address, values=[bool(value) for value in values] if kind is DataType.BITS else values, datatype=kind)
            for address, values in sorted(blocks.get(name, {65535: [0]}).items())
        ]
        data.append(entries)
    return SimDevice(unit, simdata=tuple(data))  # type: ignore[arg-type]  # a list for each block, four in all


class Units:
    """pymodbus' server on a thread with its own loop. As a context manager."""

    def __init__(self, devices: list[SimDevice], framing: str = "tcp", port: str = "") -> None:
        self.devices = devices
        self.framing = framing
        self.port = port
        self.tcp_port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Any = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="units")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        framer = {"rtu": FramerType.RTU, "ascii": FramerType.ASCII, "tcp": FramerType.SOCKET}[self.framing]
        if self.port:
            self._server = ModbusSerialServer(self.devices, framer=framer, port=self.port, ignore_missing_devices=True)
        else:
            self._server = ModbusTcpServer(
                self.devices, framer=framer, address=("127.0.0.1", self.tcp_port), ignore_missing_devices=True
            )
        await self._server.serve_forever(background=True)
        if not self.port:
            self.tcp_port = self._server.transport.sockets[0].getsockname()[1]
        self._ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.serving

    def __enter__(self) -> Units:
        self._thread.start()
        assert self._ready.wait(60), "the units did not start"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(60)
        self._thread.join(60)


class Cable:
    """Between a sensor's ``port`` and the units' ``far`` end. What passes goes through ``down`` and ``up``.

    A hook gets the bytes and gives those that shall pass; ``asked`` and ``answered`` hold what went by.
    """

    def __init__(self, folder: Path) -> None:
        self.port = Port(folder / "bus")
        self._far, self._far_slave = pty.openpty()
        for end in (self._far, self._far_slave):
            tty.setraw(end, termios.TCSANOW)
        os.set_blocking(self._far, False)
        self.far = os.ttyname(self._far_slave)
        self.down: Callable[[bytes], bytes] = lambda data: data
        self.up: Callable[[bytes], bytes] = lambda data: data
        self.asked: list[bytes] = []
        self.answered: list[bytes] = []
        self._stop_r, self._stop_w = os.pipe()
        self._thread = threading.Thread(target=self._carry, name="cable")
        self._thread.start()

    def _carry(self) -> None:
        while True:
            ready, _, _ = select.select([self.port.master, self._far, self._stop_r], [], [])
            if self._stop_r in ready:
                return
            if self.port.master in ready:
                data = _read(self.port.master)
                self.asked.append(data)
                _write(self._far, self.down(data))
            if self._far in ready:
                data = _read(self._far)
                self.answered.append(data)
                _write(self.port.master, self.up(data))

    def close(self) -> None:
        os.write(self._stop_w, b"x")
        self._thread.join(60)
        self.port.close()
        for end in (self._far, self._far_slave, self._stop_r, self._stop_w):
            os.close(end)


def _read(end: int) -> bytes:
    try:
        return os.read(end, 4096)
    except OSError:
        return b""


def _write(end: int, data: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(end, data)


def question_of(data: bytes) -> tuple[int, int, int, int]:
    """(unit, function, address, count) of an RTU question."""
    unit, function, address, count = struct.unpack(">BBHH", data[:6])
    return unit, function, address, count


__all__ = ["Cable", "Units", "device", "f32", "question_of", "until"]
