"""What a Modbus sensor may say in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from sensorlogd.config.models import ChannelOptions, DurationUs, Finite, Name, Section
from sensorlogd.drivers.serial.frame_options import Int
from sensorlogd.drivers.serial.options import PortOptions

WORDS = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4, "bcd16": 1, "bcd32": 2, "bit": 1}


class RegisterOptions(Section):
    """One number of the unit's register map: value = raw * scale + offset."""

    address: Int = Field(ge=0, le=65535, description="as on the wire, from 0: what manuals call 40001 is holding register 0")
    function: Literal["holding", "input", "coil", "discrete"] = "holding"
    type: str = Field("u16", description=f"{', '.join(WORDS)}; coils and discrete inputs are bits anyway")
    word_order: Literal["big", "little"] = Field(
        "big", description="of the registers of one number; big: the first is the highest"
    )
    byte_order: Literal["big", "little"] = Field("big", description="inside a register; the standard says big")
    bits: tuple[Int, Int] | None = Field(None, description="[lowest bit, number of bits] of an unsigned number")
    scale: Finite = 1.0
    offset: Finite = 0.0
    missing: tuple[Int, ...] = Field((), description="raw numbers that mean 'no value', e.g. [0x8000]")

    @model_validator(mode="after")
    def _known(self) -> RegisterOptions:
        if self.type not in WORDS:
            raise ValueError(f"type: unknown {self.type!r}; known: {', '.join(WORDS)}")
        if self.address + self.words() > 65536:
            raise ValueError("address: the number does not fit before 65536")
        if self.bits is not None:
            low, count = self.bits
            if not self.type.startswith("u") or low < 0 or count < 1 or low + count > 16 * self.words():
                raise ValueError(f"bits: [{low}, {count}] does not fit into {self.type}")
        return self

    def words(self) -> int:
        """Registers (or bits)."""
        return 1 if self.function in ("coil", "discrete") else WORDS[self.type]


class ModbusOptions(PortOptions):
    """Keys of ``driver: modbus``."""

    unit: Annotated[int, BeforeValidator(int)] = Field(1, ge=0, le=255, description="address of the device on the bus")
    framing: Literal["rtu", "ascii", "tcp"] = Field("rtu", description="tcp: port is socket://host:502")
    interval: DurationUs | None = Field(10_000_000, ge=1_000, description="time between two readings of all registers")
    turnaround: DurationUs = Field(500_000, ge=1_000, le=60_000_000, description="how long an answer may take")
    pause: DurationUs = Field(0, ge=0, le=10_000_000, description="silence before each question; slow devices want 50ms")
    max_gap: int = Field(0, ge=0, le=100, description="registers that nobody wants and that may be read along, to ask less often")
    max_registers: int = Field(100, ge=1, le=125, description="most registers to ask for at once")
    registers: Mapping[Name, RegisterOptions] = Field(min_length=1)
    channels: Mapping[Name, ChannelOptions] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> ModbusOptions:
        if not self.interval:
            raise ValueError("interval: a Modbus device is asked; say how often, e.g. 10s")
        for name, channel in self.channels.items():
            source = channel.source or name
            if source not in self.registers:
                raise ValueError(f"channels.{name}: there is no register {source!r}; there are {', '.join(self.registers)}")
        return self

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Every register is a channel, unless channels: names some."""
        return dict(self.channels) or {name: ChannelOptions() for name in self.registers}
