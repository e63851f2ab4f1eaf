"""A microcontroller that prints two numbers a line."""

from __future__ import annotations

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

CHANNELS = {
    "temperature": Channel("°C", 0.01, {"sine": {"offset": 20, "amplitude": 5, "period": 600_000_000, "noise": 0.05}}),
    "humidity": Channel("%", 0.1, {"random_walk": {"start": 50, "step": 0.3, "low": 0, "high": 100}}),
}


def build(values: Values, now_us: int) -> bytes:
    """Two numbers such as ``21.37,48.2``, and CR LF."""
    return f"{values['temperature']:.2f},{values['humidity']:.1f}\r\n".encode("ascii")


INSTRUMENT = Instrument(
    "csv",
    "lines of comma-separated values, as an Arduino prints them",
    CHANNELS,
    "driver: serial\nport: {port}\nformat: {{type: csv, fields: [temperature, humidity]}}\n"
    "channels:\n  temperature: {{unit: °C}}\n  humidity: {{unit: '%'}}\n",
    build,
)
