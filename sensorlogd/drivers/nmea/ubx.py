"""What u-blox UBX frames say, as named numbers. Taken apart by pyubx2, judged here.

Frames: u-blox M8 and F9 interface descriptions, class UBX-NAV (0x01). Every one of them begins with the time of the week
(after a version byte and three reserved ones in HPPOSLLH).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pyubx2 import UBXReader

from sensorlogd.drivers.nmea.known import Fields, Nonsense, Void

MM = 1000
KNOT_MM_S = 1852 / 3600 * 1000
UNKNOWN_M = 1e6  # a receiver without a fix reports an accuracy of 4,294 km, and a position all the same
UNKNOWN_CM_S = 2000  # likewise of speed

NAV = 0x01
PVT, TIMEUTC, HPPOSLLH = 0x07, 0x21, 0x14
# Number: name, and the length of the payload in the oldest version that there is (later ones only add to it).
FRAMES = {
    PVT: ("NAV-PVT", 84),
    0x02: ("NAV-POSLLH", 28),
    HPPOSLLH: ("NAV-HPPOSLLH", 36),
    0x12: ("NAV-VELNED", 36),
    0x04: ("NAV-DOP", 18),
    0x06: ("NAV-SOL", 52),
    0x03: ("NAV-STATUS", 16),
    0x35: ("NAV-SAT", 8),
    0x05: ("NAV-ATT", 32),
    TIMEUTC: ("NAV-TIMEUTC", 20),
}


def kind_of(frame: bytes) -> str:
    """``NAV-PVT`` for those that are read, else the numbers of class and message."""
    return FRAMES[frame[3]][0] if frame[2] == NAV and frame[3] in FRAMES else f"UBX-{frame[2]:02X}-{frame[3]:02X}"


def of_frame(frame: bytes) -> tuple[Fields, int | None] | None:
    """The numbers in a frame and its UTC (µs) if it tells; None for one that has none of ours. Raises Nonsense, Void."""
    if frame[2] != NAV or frame[3] not in FRAMES:
        return None
    name, least = FRAMES[frame[3]]
    if len(frame) - 8 < least:  # the library would take what is missing for zeros
        raise Nonsense(f"{name} of {len(frame) - 8} bytes, should be {least}")
    try:
        message = UBXReader.parse(frame)
        number = frame[3]
        return _fields(message, number), _utc_us(message, number)
    except (Nonsense, Void):
        raise
    except Exception as error:  # a parser of strangers' bytes: whatever it trips over is the frame's fault
        raise Nonsense(f"{type(error).__name__}: {error}"[:80]) from None


def time_of_week_ms(frame: bytes) -> int:
    """Of a frame that ``of_frame`` reads: when its epoch was, GPS time of the week."""
    at = 10 if frame[3] == HPPOSLLH else 6
    return int.from_bytes(frame[at : at + 4], "little")


def _utc_us(message: Any, number: int) -> int | None:
    if number == PVT:
        if not (message.validDate and message.validTime):
            return None
        second = message.second
    elif number == TIMEUTC:
        if not message.validUTC:
            return None
        second = message.sec
    else:
        return None
    minute = datetime(message.year, message.month, message.day, message.hour, message.min, tzinfo=UTC)
    since = minute + timedelta(seconds=second) - datetime(1970, 1, 1, tzinfo=UTC)
    # What is below a millisecond is the receiver's clock error; sentences of the same fix do not have it.
    return (since.days * 86_400 + since.seconds) * 1_000_000 + round(float(message.nano) / 1e6) * 1000


def _fields(msg: Any, number: int) -> Fields:
    match number:
        case 0x07:
            out = {"fix_mode": msg.fixType, "satellites": msg.numSV}
            if msg.gnssFixOk and not msg.invalidLlh:
                out |= _position(msg) | {
                    "speed": msg.gSpeed / KNOT_MM_S, "course": msg.headMot % 360, "climb": -msg.velD / MM, "pdop": msg.pDOP,
                }  # fmt: skip
        case 0x02:
            out = _position(msg)
        case 0x14:
            if msg.invalidLlh:
                raise Void
            out = _position(msg)
        case 0x12:
            if msg.sAcc >= UNKNOWN_CM_S:
                raise Void
            out = {"speed": msg.gSpeed * 10 / KNOT_MM_S, "course": msg.heading % 360, "climb": -msg.velD / 100}
        case 0x04:
            out = {"hdop": msg.hDOP, "vdop": msg.vDOP, "pdop": msg.pDOP}
        case 0x06:
            out = {"fix_mode": msg.gpsFix, "satellites": msg.numSV}
        case 0x03:
            out = {"fix_mode": msg.gpsFix}
        case 0x35:
            out = {"satellites_in_view": msg.numSvs}
        case 0x05:
            out = {"roll": msg.roll, "pitch": msg.pitch, "heading": msg.heading % 360}
        case _:
            return {}
    return {name: float(value) for name, value in out.items()}


def _position(msg: Any) -> dict[str, Any]:
    if msg.hAcc / MM > UNKNOWN_M:
        raise Void
    return {
        "latitude": msg.lat, "longitude": msg.lon, "altitude": msg.hMSL / MM,
        "horizontal_accuracy": msg.hAcc / MM, "vertical_accuracy": msg.vAcc / MM,
    }  # fmt: skip
