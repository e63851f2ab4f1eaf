"""From u-blox UBX frames to named numbers.

Frames: u-blox M8 and F9 interface descriptions, class UBX-NAV (0x01). Every one of them begins with the time of the week
(after a version byte and three reserved ones in HPPOSLLH).
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime

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
    """``NAV-PVT`` and the like for known frames; for others the numbers of class and message."""
    return FRAMES[frame[3]][0] if frame[2] == NAV and frame[3] in FRAMES else f"UBX-{frame[2]:02X}-{frame[3]:02X}"


def of_frame(frame: bytes) -> tuple[Fields, int | None] | None:
    """The numbers in a frame, and its UTC (µs) if it has one. None for a frame without known fields. Raises Nonsense, Void."""
    if frame[2] != NAV or frame[3] not in FRAMES:
        return None
    number, payload = frame[3], frame[6:-2]
    name, least = FRAMES[number]
    if len(payload) < least:
        raise Nonsense(f"{name} of {len(payload)} bytes, should be {least}")
    return _fields(payload, number), _utc_us(payload, number)


def time_of_week_ms(frame: bytes) -> int:
    """The GPS time of the week of a frame that ``of_frame`` knows."""
    offset = 10 if frame[3] == HPPOSLLH else 6
    return int.from_bytes(frame[offset : offset + 4], "little")


def _utc_us(payload: bytes, number: int) -> int | None:
    """The UTC in a frame, in microseconds since 1970 and whole milliseconds; None if it holds none, or the receiver does not know
    it. Raises Nonsense for a date that does not exist."""
    if number == PVT:  # from the year on: date, time, what of them is valid, accuracy, the rest of the second
        year, month, day, hour, minute, second, valid, nano = struct.unpack_from("<H6B4xi", payload, 4)
        is_known = valid & 0x03 == 0x03
    elif number == TIMEUTC:
        nano, year, month, day, hour, minute, second, valid = struct.unpack_from("<iH6B", payload, 8)
        is_known = bool(valid & 0x04)
    else:
        return None
    if not is_known:
        return None
    try:
        began = datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError as error:
        raise Nonsense(f"{FRAMES[number][0]}: {error}"[:80]) from None
    # What is below a millisecond is the receiver's clock error; sentences of the same fix do not have it.
    return (round(began.timestamp()) + int(second)) * 1_000_000 + round(int(nano) / 1e6) * 1000


def _fields(payload: bytes, number: int) -> Fields:
    """The fields by their offsets in the payload, whose length has been checked."""
    match number:
        case 0x07:
            out: dict[str, float] = {"fix_mode": payload[20], "satellites": payload[23]}
            if payload[21] & 0x01 and not payload[78] & 0x01:
                down, speed, course = struct.unpack_from("<iii", payload, 56)
                (pdop,) = struct.unpack_from("<H", payload, 76)
                out |= _position(payload, 24) | {
                    "speed": speed / KNOT_MM_S, "course": course / 1e5 % 360, "climb": -down / MM, "pdop": pdop / 100,
                }  # fmt: skip
        case 0x02:
            out = _position(payload, 4)
        case 0x14:
            if payload[3] & 0x01:
                raise Void
            out = _precise_position(payload)
        case 0x12:
            down, _, speed, heading, accuracy = struct.unpack_from("<iIIiI", payload, 12)
            if accuracy >= UNKNOWN_CM_S:
                raise Void
            out = {"speed": speed * 10 / KNOT_MM_S, "course": heading / 1e5 % 360, "climb": -down / 100}
        case 0x04:
            pdop, _, vdop, hdop = struct.unpack_from("<4H", payload, 6)
            out = {"hdop": hdop / 100, "vdop": vdop / 100, "pdop": pdop / 100}
        case 0x06:
            out = {"fix_mode": payload[10], "satellites": payload[47]}
        case 0x03:
            out = {"fix_mode": payload[4]}
        case 0x35:
            out = {"satellites_in_view": payload[5]}
        case 0x05:
            roll, pitch, heading = struct.unpack_from("<iii", payload, 8)
            out = {"roll": roll / 1e5, "pitch": pitch / 1e5, "heading": heading / 1e5 % 360}
        case _:
            return {}
    return {name: float(value) for name, value in out.items()}


def _position(payload: bytes, offset: int) -> dict[str, float]:
    """Longitude, latitude (1e-7 degrees), height over the ellipsoid and the sea, and two accuracies (mm)."""
    longitude, latitude, _, sea, across, up = struct.unpack_from("<iiiiII", payload, offset)
    return _believed_position(latitude / 1e7, longitude / 1e7, sea / MM, across / MM, up / MM)


def _precise_position(payload: bytes) -> dict[str, float]:
    """The same with two more decimal places, which have their own bytes; accuracies in 0.1 mm."""
    longitude, latitude, _, sea, more_longitude, more_latitude, _, more_sea, across, up = struct.unpack_from(
        "<iiiibbbbII", payload, 8
    )
    return _believed_position(
        (latitude * 100 + more_latitude) / 1e9, (longitude * 100 + more_longitude) / 1e9,
        (sea * 10 + more_sea) / (10 * MM), across / (10 * MM), up / (10 * MM),
    )  # fmt: skip


def _believed_position(latitude: float, longitude: float, altitude: float, across_m: float, up_m: float) -> dict[str, float]:
    """The fields of a position. Raises Void for the accuracy of a receiver without a fix."""
    if across_m > UNKNOWN_M:
        raise Void
    return {
        "latitude": latitude, "longitude": longitude, "altitude": altitude,
        "horizontal_accuracy": across_m, "vertical_accuracy": up_m,
    }  # fmt: skip
