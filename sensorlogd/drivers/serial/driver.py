"""The ``serial`` driver: transport and decoder; and for polled devices the command that asks for an answer."""

from __future__ import annotations

from collections.abc import Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.serial.decoders import decoder_for
from sensorlogd.drivers.serial.gaps import GapClock, gap_s
from sensorlogd.drivers.serial.options import SerialOptions
from sensorlogd.drivers.serial.polling import Poller
from sensorlogd.drivers.serial.shared import port_for
from sensorlogd.drivers.transactions.line import START_QUIET_S


class SerialDriver(Driver):
    """Reads one port, or asks the device on it; see the module."""

    Options = SerialOptions
    summary = "lines, binary frames, blocks and telegrams over a serial port or network serial server"

    def __init__(self, options: SerialOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: SerialOptions = options
        poll = options.poll
        quiet_s = min(poll.turnaround / 1e6, START_QUIET_S) if poll is not None else 0.0
        self.transport = port_for(options, context, asks=poll is not None, quiet_s=quiet_s)
        self.decoder = decoder_for(options, context.count, midway=poll is None)
        self.poller = Poller(options, context, self.transport, self.decoder) if poll is not None else None
        self.gaps = GapClock(self.transport, gap_s(options))
        self._bytes_seen = 0

    @property
    def bytes_seen(self) -> int:
        """How many bytes have arrived; ``try`` shows it when there is no reading."""
        return self._bytes_seen if self.poller is None else self.poller.bytes_seen

    def open(self) -> None:
        """Open the port; with ``poll:`` also plan the first question. Raises DriverError."""
        self.transport.open()
        if self.poller is not None:
            self.poller.note_opened()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """The readings that were completed by what arrived or by a pause; with ``poll:`` the readings of one answer. Raises DriverError."""
        if self.poller is not None:
            return self.poller.read(timeout_s)
        arrived = self.gaps.read(timeout_s)
        if arrived is None:
            return []
        now_us, data, quiet = arrived
        if not data and not quiet:
            return []
        self._bytes_seen += len(data)
        batch = self.decoder.idle(now_us) if quiet else self.decoder.feed(data, now_us)
        return batch if batch is not None else []

    def close(self) -> None:
        self.decoder.idle(self.context.now_us())  # what never came to an end is counted at last
        self.transport.close()
