"""A GPS receiver with a depth sounder: GGA, RMC and DPT once a second (NMEA 0183 4.11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

CHANNELS = {
    "latitude": Channel("°", 1e-6, {"random_walk": {"start": 54.32, "step": 0.00001, "low": 54, "high": 55}}),
    "longitude": Channel("°", 1e-6, {"random_walk": {"start": 10.15, "step": 0.00001, "low": 10, "high": 11}}),
    "altitude": Channel("m", 0.1, {"noise": {"mean": 3, "stddev": 0.5}}),
    "speed": Channel("kn", 0.1, {"sine": {"offset": 5, "amplitude": 2, "period": 300_000_000}}),
    "course": Channel("°", 0.1, {"ramp": {"low": 0, "high": 359, "period": 3_600_000_000}}),
    "satellites": Channel("", 1, {"constant": {"value": 9}}),
    "hdop": Channel("", 0.1, {"constant": {"value": 0.9}}),
    "depth": Channel("m", 0.1, {"random_walk": {"start": 12, "step": 0.1, "low": 1, "high": 50}}),
}


def sentence(body: str) -> bytes:
    """``$body*XX`` and CR LF; XX is the exclusive or of the characters of the body."""
    total = 0
    for character in body.encode("ascii"):
        total ^= character
    return f"${body}*{total:02X}\r\n".encode("ascii")


def _angle(value: float, width: int, positive: str, negative: str) -> str:
    """Degrees and minutes with seven decimals, so that a millionth of a degree survives."""
    degrees, minutes = divmod(round(abs(value) * 60 * 10**7), 60 * 10**7)
    return f"{degrees:0{width}d}{minutes // 10**7:02d}.{minutes % 10**7:07d},{positive if value >= 0 else negative}"


def build(values: Values, now_us: int) -> bytes:
    """The three sentences of one second."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
    clock = at.strftime("%H%M%S.") + f"{at.microsecond // 10_000:02d}"
    position = f"{_angle(values['latitude'], 2, 'N', 'S')},{_angle(values['longitude'], 3, 'E', 'W')}"
    return b"".join(
        map(
            sentence,
            (
                f"GPGGA,{clock},{position},1,{values['satellites']:02.0f},{values['hdop']:.1f},{values['altitude']:.1f},M,0.0,M,,",
                f"GPRMC,{clock},A,{position},{values['speed']:.1f},{values['course']:.1f},{at:%d%m%y},,,A",
                f"SDDPT,{values['depth']:.1f},0.0",
            ),
        )
    )


def damage(data: bytes) -> bytes:
    """The same sentences, each with one wrong bit in its checksum."""
    lines = data.split(b"\r\n")
    return b"\r\n".join(line[:-1] + (b"0" if line[-1:] != b"0" else b"1") if line else line for line in lines)


INSTRUMENT = Instrument(
    "nmea",
    "GPS receiver and depth sounder, NMEA 0183",
    CHANNELS,
    "driver: nmea\nport: {port}\nbaudrate: 4800\nchannels:\n" + "".join(f"  {name}: {{{{}}}}\n" for name in CHANNELS),
    build,
    damage=damage,
    baudrate=4800,
)
