"""The ``serial`` driver: transport and decoder; and for polled devices the command that asks for an answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.serial.decoders import decoder_for
from sensorlogd.drivers.serial.echo import without_echo
from sensorlogd.drivers.serial.options import SerialOptions
from sensorlogd.drivers.serial.shared import port_for

GRACE_S = 5.0  # beyond the turnaround, after which a shared line is taken away from us: we hang


class SerialDriver(Driver):
    """See the module."""

    Options = SerialOptions
    summary = "lines, binary frames, blocks and telegrams over a serial port or network serial server"

    def __init__(self, options: SerialOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: SerialOptions = options
        self.transport = port_for(options, context, asks=options.poll is not None)
        self.decoder = decoder_for(options, context.count)
        self.bytes_seen = 0
        self._next_poll = 0.0
        self._answer_until = 0.0
        self._echo = b""
        self._turn = contextlib.ExitStack()  # on a shared port the line is ours until the answer is there

    def open(self) -> None:
        self.transport.open()
        self._next_poll = time.monotonic()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        if self.options.poll is not None:
            timeout_s = self._poll(timeout_s)
        arrived = self.transport.read(timeout_s)
        if arrived is None:
            return []
        now_us, data = arrived
        if not data:
            return []
        self.bytes_seen += len(data)
        if self._echo:
            data, self._echo = without_echo(data, self._echo)
        batch = self.decoder.feed(data, now_us)
        if batch is not None and self._answer_until:
            self._answer_until = 0.0
            self._turn.close()
        return batch if batch is not None else []

    def _poll(self, timeout_s: float) -> float:
        """Send the command when it is due; how long to listen now."""
        poll, interval = self.options.poll, self.options.interval
        assert poll is not None
        assert interval is not None
        now = time.monotonic()
        if self._answer_until and now >= self._answer_until:
            self._answer_until = 0.0
            self._turn.close()
            self.context.count("unanswered", 1, "")
            self.decoder.idle()
        if now >= self._next_poll and not self._answer_until:
            turn = self.transport.transaction(timeout_s, poll.turnaround / 1e6 + GRACE_S)
            if not self._turn.enter_context(turn):
                self._turn.close()
                return 0.0
            now = time.monotonic()
            command = poll.payload()
            self.transport.write(command)
            self._echo = command if self.options.ignore_echo else b""
            self._answer_until = now + poll.turnaround / 1e6
            behind = (now - self._next_poll) // (interval / 1e6)
            self._next_poll += (behind + 1) * interval / 1e6
        due = self._answer_until or self._next_poll
        return float(max(min(timeout_s, due - time.monotonic()), 0.0))

    def close(self) -> None:
        self._turn.close()
        self.transport.close()
