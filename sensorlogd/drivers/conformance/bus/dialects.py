"""The protocols that units of the bus speak: they parse questions and build answers."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sensorlogd.drivers.conformance.bus.oracle import spoken
from sensorlogd.drivers.modbus.frames import crc, lrc

SILENT_REGISTER, REFUSED_REGISTER = 50, 60
Rounds = Callable[[int, int], int]  # (unit, register) -> which time it is asked


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. ``detail``: what the dialect needs to build the answer."""

    unit: int
    detail: bytes


class Dialect(Protocol):
    """A protocol that units of the bus speak."""

    def take(self, data: bytes) -> tuple[list[Asked], bytes]:
        """The whole questions in ``data``, and what is left of it: the beginning of the next one."""

    def answer(self, question: Asked, rounds: Rounds) -> list[bytes]:
        """The parts of an answer, in order (the second only comes from units that speak in two); [] for no answer. ``rounds`` must
        be called once for each value."""

    def damage(self, answer: bytes, chance: random.Random) -> bytes:
        """The answer changed so that no driver may take it for one; empty: it does not arrive."""

    def chatter(self, chance: random.Random) -> bytes:
        """What a unit says unasked, which is no answer."""

    def echo(self, sent: bytes) -> bytes:
        """What the line sends back at once, where it echoes; empty where it cannot."""


class Lines:
    """Lines without an address. ``U3?`` is answered with a number in a line; the second part of an answer is another line. No
    line says which unit it comes from.

    ``prompt``: stands before the echo.
    """

    def __init__(self, prompt: bytes = b"") -> None:
        self.prompt = prompt

    def take(self, data: bytes) -> tuple[list[Asked], bytes]:
        *lines, rest = data.split(b"\n")
        return [Asked(int(line[1:-1]), b"") for line in lines], rest

    def answer(self, question: Asked, rounds: Rounds) -> list[bytes]:
        return [b"%d\r\n" % spoken(question.unit, part, rounds(question.unit, part)) for part in (0, 1)]

    def damage(self, answer: bytes, chance: random.Random) -> bytes:
        """Cut before its end: the rest never comes."""
        return answer[: chance.randint(1, len(answer) - 3)]

    def chatter(self, chance: random.Random) -> bytes:
        """Not a bare line end, which would make somebody's half line a whole one: without a checksum nobody could tell."""
        return chance.choice((b"# all is well\r\n", b"#\r\n", b"ready>"))

    def echo(self, sent: bytes) -> bytes:
        return self.prompt + sent


def _flip_or_cut(data: bytes, chance: random.Random) -> bytes:
    """The data with one wrong bit, or without its end."""
    if chance.random() < 0.5:
        return data[: chance.randint(1, len(data) - 1)]
    index = chance.randrange(len(data))
    return data[:index] + bytes((data[index] ^ 1 << chance.randrange(8),)) + data[index + 1 :]


def _answer_pdu(question: Asked, rounds: Rounds) -> bytes | None:
    """The PDU: a value of 32 bits at every even address. None: a register that silences the unit is among them."""
    function, address, count = struct.unpack(">BHH", question.detail[-5:])
    addresses = range(address, address + count, 2)
    values = [spoken(question.unit, register, rounds(question.unit, register)) for register in addresses]
    if SILENT_REGISTER in addresses:
        return None
    if REFUSED_REGISTER in addresses:
        return bytes((function | 0x80, 2))
    return bytes((function, 2 * count)) + struct.pack(f">{len(values)}I", *values)


class ModbusRtu:
    """Holding and input registers: functions 3 and 4 of the Modbus application protocol (V1.1b3, 6.3 and 6.4), as RTU frames
    (Modbus over serial line V1.02, 2.5.1). ``detail``: the PDU of the question."""

    def take(self, data: bytes) -> tuple[list[Asked], bytes]:
        """Every eight bytes whose last two are the CRC of the others; what stands before them is passed over."""
        found = []
        while len(data) >= 8:
            if crc(data[:6]) == data[6:8]:
                found.append(Asked(data[0], data[1:6]))
                data = data[8:]
            else:
                data = data[1:]
        return found, data

    def answer(self, question: Asked, rounds: Rounds) -> list[bytes]:
        pdu = _answer_pdu(question, rounds)
        if pdu is None:
            return []
        frame = bytes((question.unit,)) + pdu
        return [frame + crc(frame)]

    def damage(self, answer: bytes, chance: random.Random) -> bytes:
        """One wrong bit, which the CRC shows, or no end."""
        return _flip_or_cut(answer, chance)

    def chatter(self, chance: random.Random) -> bytes:
        return chance.randbytes(chance.randint(1, 4))

    def echo(self, sent: bytes) -> bytes:
        return sent


class ModbusAscii(ModbusRtu):
    """The same registers in the ASCII framing (Modbus over serial line V1.02, 2.5.2)."""

    def take(self, data: bytes) -> tuple[list[Asked], bytes]:
        """Every line from ``:`` to CR LF. The LRC of a question is not looked at."""
        *lines, rest = data.split(b"\r\n")
        frames = [bytes.fromhex(line[1:].decode()) for line in lines]
        return [Asked(frame[0], frame[1:6]) for frame in frames], rest

    def answer(self, question: Asked, rounds: Rounds) -> list[bytes]:
        pdu = _answer_pdu(question, rounds)
        if pdu is None:
            return []
        frame = bytes((question.unit,)) + pdu
        return [b":%s%02X\r\n" % (frame.hex().upper().encode(), lrc(frame))]

    def chatter(self, chance: random.Random) -> bytes:
        return chance.choice((b":", b"\r\n", b":0103\r\n", b"\xff"))


class ModbusTcp:
    """The same registers over TCP, where damaged answers do not arrive at all. ``detail``: the number of the transaction, and the
    PDU."""

    def take(self, data: bytes) -> tuple[list[Asked], bytes]:
        """Every twelve bytes: a header of seven (Modbus messaging on TCP/IP V1.0b, 3.1.3) and a PDU of five."""
        found = []
        while len(data) >= 12:
            found.append(Asked(data[6], data[:2] + data[7:12]))
            data = data[12:]
        return found, data

    def answer(self, question: Asked, rounds: Rounds) -> list[bytes]:
        pdu = _answer_pdu(question, rounds)
        return [] if pdu is None else [_tcp_frame(question.detail[:2], question.unit, pdu)]

    def damage(self, answer: bytes, chance: random.Random) -> bytes:
        return b""

    def chatter(self, chance: random.Random) -> bytes:
        """An answer to a question that nobody has asked."""
        return _tcp_frame(chance.randrange(60_000, 65_000).to_bytes(2, "big"), 1, bytes((3, 4)) + chance.randbytes(4))

    def echo(self, sent: bytes) -> bytes:
        return b""


def _tcp_frame(number: bytes, unit: int, pdu: bytes) -> bytes:
    return number + struct.pack(">HHB", 0, len(pdu) + 1, unit) + pdu


class Mbus:
    """SND_NKE and REQ_UD2 with the frame count bit; every meter has energy in one telegram and another storage's in the next.
    ``detail``: the control field of the question."""

    def take(self, data: bytes) -> tuple[list[Asked], bytes]:
        """Every short frame, 10 C A checksum 16 (EN 13757-2), whose checksum is right; other bytes are passed over."""
        found = []
        while len(data) >= 5:
            if data[0] == 0x10 and data[4] == 0x16 and (data[1] + data[2]) & 0xFF == data[3]:
                found.append(Asked(data[2], data[1:2]))
                data = data[5:]
            else:
                data = data[1:]
        return found, data

    def answer(self, question: Asked, rounds: Rounds) -> list[bytes]:
        """E5 to SND_NKE; to REQ_UD2 a long frame of 4 bytes of energy in Wh, by the frame count bit those of storage 0 with a sign
        that more follow (DIF 1F), or those of storage 1."""
        control = question.detail[0]
        if control == 0x40:
            return [b"\xe5"]
        register = 0 if control & 0x20 else 1
        value = spoken(question.unit, register, rounds(question.unit, register)).to_bytes(4, "little")
        body = b"\x04\x03" + value + b"\x1f" if register == 0 else b"\x44\x03" + value
        content = bytes((0x08, question.unit, 0x72)) + bytes.fromhex("785634122423010755000000") + body
        return [bytes((0x68, len(content), len(content), 0x68)) + content + bytes((sum(content) & 0xFF, 0x16))]

    def damage(self, answer: bytes, chance: random.Random) -> bytes:
        return _flip_or_cut(answer, chance) if len(answer) > 1 else b"\x55"

    def chatter(self, chance: random.Random) -> bytes:
        return chance.choice((b"\xe5", b"\x00", b"\x68\x68", b"\xff\xff"))

    def echo(self, sent: bytes) -> bytes:
        return sent
