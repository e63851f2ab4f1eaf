"""The ``nmea`` driver: GNSS receivers and marine instruments on a serial port or a network socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, Name
from sensorlogd.config.names import closest
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.nmea.fields import DEFAULT, KNOWN, Fields, Nonsense, of_sentence, of_ubx
from sensorlogd.drivers.nmea.stream import Count, Messages
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.shared import port_for


class NmeaOptions(PortOptions):
    """Keys of ``driver: nmea``."""

    baudrate: int = Field(4800, ge=50, le=4_000_000, description="4800 in the standard; GNSS modules often 9600, AIS 38400")
    checksum: bool = Field(True, description="false: sentences without a checksum are taken, too")
    channels: Mapping[Name, ChannelOptions] = Field(
        default_factory=dict, description=f"any of {', '.join(KNOWN)}, xdr_NAME; default: {', '.join(DEFAULT)}"
    )

    @model_validator(mode="after")
    def _known(self) -> NmeaOptions:
        for name, channel in self.channels.items():
            source = channel.source or name
            if source not in KNOWN and not source.startswith("xdr_"):
                raise ValueError(
                    f"channels.{name}: no sentence gives {source!r}{closest(source, KNOWN)}; known: {', '.join(KNOWN)}"
                )
        return self

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Units and kinds are known unless the file says otherwise."""
        chosen = dict(self.channels) or {name: ChannelOptions() for name in DEFAULT}
        for name, channel in chosen.items():
            known = KNOWN.get(channel.source or name)
            if known is None:
                continue
            update: dict[str, object] = {}
            if "unit" not in channel.model_fields_set:
                update["unit"] = known.unit
            if "kind" not in channel.model_fields_set:
                update["kind"] = known.kind
            chosen[name] = channel.model_copy(update=update)
        return chosen


class NmeaDecoder:
    """Bytes to batches; ``wanted``: the fields that are logged. Counts what is discarded and what nobody wants."""

    def __init__(self, wanted: set[str], count: Count, *, checksum_required: bool = True) -> None:
        self.wanted = wanted
        self.count = count
        self.messages = Messages(count, checksum_required=checksum_required)

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """One sample for each sentence or frame that holds something wanted."""
        rows = []
        for message in self.messages.feed(data):
            row = self._row(message)
            if row:
                rows.append(row)
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch([now_us] * len(rows), {name: [row.get(name) for row in rows] for name in names})

    def _row(self, message: str | bytes) -> Fields | None:
        shown = message[:70] if isinstance(message, str) else message[:16].hex(" ")
        try:
            fields = of_sentence(message) if isinstance(message, str) else of_ubx(message)
        except Nonsense as nonsense:
            self.count("bad_sentences", 1, f"{shown}: {nonsense}")
            return None
        if fields is None:
            self.count("other_sentences", 1, shown)
            return None
        return {name: value for name, value in fields.items() if name in self.wanted}

    def idle(self) -> None:
        """Nothing to give up."""


class NmeaDriver(Driver):
    """See the module."""

    Options = NmeaOptions
    summary = "GNSS receivers and marine instruments: NMEA 0183 and u-blox UBX"

    def __init__(self, options: NmeaOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.transport = port_for(options, context)
        wanted = {channel.source or name for name, channel in options.channel_options().items()}
        self.decoder = NmeaDecoder(wanted, context.count, checksum_required=options.checksum)
        self.bytes_seen = 0

    def open(self) -> None:
        self.transport.open()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        arrived = self.transport.read(timeout_s)
        if arrived is None or not arrived[1]:
            return []
        self.bytes_seen += len(arrived[1])
        return self.decoder.feed(arrived[1], arrived[0]) or []

    def close(self) -> None:
        self.transport.close()
