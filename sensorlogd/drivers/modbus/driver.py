"""The ``modbus`` driver: asks one unit for its registers, once an interval; or listens to somebody else asking it.

On a shared port each unit's sensor takes the line for one question and its answer, in turn. A unit that stays silent is asked less
and less often.
"""

from __future__ import annotations

from collections.abc import Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.modbus.listener import Listener
from sensorlogd.drivers.modbus.master import Master
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.serial.shared import port_for
from sensorlogd.drivers.transactions.line import START_QUIET_S


class ModbusDriver(Driver):
    """Asks one unit, or listens to somebody else asking it; see the module."""

    Options = ModbusOptions
    summary = "Modbus RTU, ASCII and TCP: registers as channels; many units may share a port"

    def __init__(self, options: ModbusOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        quiet_s = min(options.turnaround / 1e6, START_QUIET_S)
        self.port = port_for(options, context, asks=not options.listen_only, quiet_s=quiet_s)
        self.role = (Listener if options.listen_only else Master)(options, context, self.port)

    def open(self) -> None:
        self.port.open()
        self.role.note_opened()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """What the master or the listener has finished within ``timeout_s``; see there. Raises DriverError."""
        return self.role.read(timeout_s)

    @property
    def bytes_seen(self) -> int:
        """How many bytes have arrived; ``try`` shows it when there is no reading."""
        return self.role.bytes_seen

    def close(self) -> None:
        self.port.close()
