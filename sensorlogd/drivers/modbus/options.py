"""The options of a Modbus sensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from sensorlogd.config.models import ChannelOptions, DurationUs, Name
from sensorlogd.drivers import sentinels
from sensorlogd.drivers.modbus.registers import Register
from sensorlogd.drivers.serial.framing.frame_options import Int
from sensorlogd.drivers.serial.options import PortOptions

Function = Literal["holding", "input", "coil", "discrete"]
Type = Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32"]
Order = Literal["big", "little"]
_NUMBERED: dict[str, Function] = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
TCP_PORT = 502


class ModbusChannel(ChannelOptions):
    """One number of the unit's register map. Options that it leaves out are those of the sensor."""

    address: Int | None = Field(None, ge=0, le=65535, description="as on the wire, counted from 0")
    register_number: str | None = Field(
        None,
        alias="register",
        pattern=r"^[0134]\d{4,5}$",
        description="instead, as many manuals write: 30001 is input register 0",
    )
    function: Function | None = Field(None, description="holding, input, coil or discrete")
    type: Type | None = Field(None, description="of the number; coils and discrete inputs are single bits anyway")
    word_order: Order | None = Field(None, description="of the registers of one number; big: the first is the highest")
    byte_order: Order | None = Field(None, description="inside a register; the standard says big")
    bits: tuple[Int, Int] | None = Field(None, description="[lowest bit, number of bits] of an unsigned number")
    missing: tuple[sentinels.Number, ...] = Field(
        (), description="raw numbers that mean 'no value', before scale, as bits or as the type reads them: [0x8000] or [-32768]"
    )
    missing_only: tuple[sentinels.Number, ...] | None = Field(None, description="the same; those of a profile do not count then")

    @model_validator(mode="after")
    def _one_address(self) -> ModbusChannel:
        if (self.address is None) == (self.register_number is None):
            found = "neither" if self.address is None else "both"
            raise ValueError(f"needs either address: (counted from 0) or register: (as 30001 or 40001); {found} is given")
        if self.register_number is not None:
            if self.function is not None:
                raise ValueError(f"register: {self.register_number} says the function already; leave function: out")
            if not 1 <= int(self.register_number[1:]) <= 65536:
                raise ValueError(f"register: {self.register_number} counts from {self.register_number[0]}0001 on")
        if self.source is not None:
            raise ValueError("source: a Modbus channel is found by its address; leave source: out")
        return self


class ModbusOptions(PortOptions):
    """Keys of ``driver: modbus``."""

    port: str = Field(
        min_length=1, description="/dev/serial/by-id/... (RTU, ASCII), tcp://host (Modbus TCP), socket://host:port (RTU over TCP)"
    )
    unit: int = Field(1, ge=0, le=255, description="address of the device on the bus")
    framing: Literal["rtu", "ascii", "tcp"] = Field("rtu", description="default: tcp where port is tcp://, else rtu")
    interval: DurationUs | None = Field(10_000_000, ge=1_000, description="time between two readings of all channels")
    turnaround: DurationUs = Field(500_000, ge=1_000, le=60_000_000, description="how long an answer may take")
    pause: DurationUs | None = Field(
        None, ge=0, le=10_000_000, description="silence before each question; default: 3.5 characters in RTU, else none"
    )
    retries: int = Field(1, ge=0, le=10, description="how often a question is asked again whose answer came damaged")
    max_gap: int = Field(0, ge=0, le=120, description="this many unwanted registers may be read along, to ask less often")
    max_registers: int = Field(100, ge=1, le=125, description="most registers to ask for at once")
    listen_only: bool = Field(False, description="somebody else asks on this bus; only listen (RTU)")
    function: Function = Field("holding", description="of channels that do not say")
    type: Type = Field("u16", description="of channels that do not say")
    word_order: Order = Field("big", description="of channels that do not say")
    byte_order: Order = Field("big", description="of channels that do not say")
    channels: Mapping[Name, ModbusChannel] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _network(cls, data: Any) -> Any:
        """tcp://host means port 502 and Modbus TCP, unless the file says otherwise."""
        port = data.get("port") if isinstance(data, Mapping) else None
        if not isinstance(port, str) or not re.match(r"(?i)tcp://", port):
            return data
        try:
            url = urlsplit(port)
            host, number = url.hostname, url.port or TCP_PORT
        except ValueError as error:
            raise ValueError(f"port: {port}: {error}") from None
        if not host:
            raise ValueError(f"port: {port!r} names no host; write e.g. tcp://192.168.1.20 or tcp://gateway:1502")
        host = f"[{host}]" if ":" in host else host
        return {"framing": "tcp"} | dict(data) | {"port": f"socket://{host}:{number}"}

    @model_validator(mode="after")
    def _consistent(self) -> ModbusOptions:
        if not self.interval:
            raise ValueError("interval: a Modbus device is asked; say how often, e.g. 10s")
        if self.framing == "tcp" and "://" not in self.port:
            raise ValueError(f"framing: tcp goes over a network, and port: is {self.port}; write port: tcp://host")
        if self.unit == 0 and self.framing != "tcp":
            raise ValueError("unit: 0 is a broadcast, which nobody answers; units are 1 to 247")
        if self.listen_only and self.framing != "rtu":
            raise ValueError(f"listen_only: only RTU can be overheard, and framing: is {self.framing}; leave listen_only: out")
        for name, channel in self.channels.items():
            try:
                self._resolve_register(channel)
            except ValueError as error:
                raise ValueError(f"channels.{name}: {error}") from None
        return self

    def _resolve_register(self, channel: ModbusChannel) -> Register:
        """The place and coding of a channel's number; what the channel leaves out is the sensor's. Raises ValueError."""
        if channel.register_number is not None:
            function, address = _NUMBERED[channel.register_number[0]], int(channel.register_number[1:]) - 1
        else:
            function, address = channel.function or self.function, channel.address or 0
        return Register(
            function,
            address,
            channel.type or self.type,
            channel.word_order or self.word_order,
            channel.byte_order or self.byte_order,
            channel.bits,
            frozenset(sentinels.chosen(channel.missing, channel.missing_only)),
        )

    def registers(self) -> dict[str, Register]:
        """The place and coding of each channel's number."""
        return {name: self._resolve_register(channel) for name, channel in self.channels.items()}

    def pause_s(self) -> float:
        """The silence before a question, in seconds: t3.5 of the standard (serial line V1.02, 2.5.1.1), which is 1.75 ms above
        19200 baud."""
        if self.pause is not None:
            return self.pause / 1e6
        if self.framing != "rtu":
            return 0.0
        character_bits = 1 + self.bytesize + (self.parity != "none") + self.stopbits
        return max(3.5 * character_bits / self.baudrate, 0.00175)
