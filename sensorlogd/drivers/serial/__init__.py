"""The ``serial`` driver: line protocols over any pySerial URL."""

from sensorlogd.drivers.serial.driver import SerialDriver

__all__ = ["SerialDriver"]
