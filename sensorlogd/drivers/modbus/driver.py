"""The ``modbus`` driver: asks one unit for its registers, once an interval; or listens to somebody else asking it.

On a shared port each unit's sensor takes the line for one question and its answer, in turn. After a question that nobody
answered the rest of the round is left out, so a dead unit costs the others its ``turnaround`` once in its interval.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.serial.shared import port_for


class ModbusDriver(Driver):
    """See the module."""

    Options = ModbusOptions
    summary = "Modbus RTU, ASCII and TCP: registers as channels; many units may share a port"

    def __init__(self, options: ModbusOptions, context: DriverContext) -> None:
        from sensorlogd.drivers.modbus.listener import Listener  # here: they import pymodbus
        from sensorlogd.drivers.modbus.master import Master

        super().__init__(options, context)
        self.port = port_for(options, context, asks=not options.listen_only)
        self.role = (Listener if options.listen_only else Master)(options, context, self.port)

    def open(self) -> None:
        self.port.open()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        return self.role.read(timeout_s)

    @property
    def bytes_seen(self) -> int:
        """For ``try``, when there is no reading."""
        return self.role.bytes_seen

    def close(self) -> None:
        self.port.close()
