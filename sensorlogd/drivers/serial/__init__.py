"""The ``serial`` driver: line protocols over any pySerial URL.

``options`` what a configuration may say · ``transport``, ``port``, ``telnet_port`` the bytes and when they came · ``shared`` one
port, several sensors · ``polling``, ``gaps`` questions, and when a line has been quiet · ``decoders`` which decoder reads the bytes:
``text`` lines · ``regex`` expressions that cost no more than they may · ``framing`` binary frames · ``telegrams`` blocks and OBIS ·
``checksums``, ``escapes``, ``effort`` what all of these use.
"""

from sensorlogd.drivers.serial.driver import SerialDriver

__all__ = ["SerialDriver"]
