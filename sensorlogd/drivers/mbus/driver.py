"""The ``mbus`` driver: asks one meter for its records, once an interval; many meters may share a port (``shared: true``).

SND_NKE resets the link, REQ_UD2 asks for the records; a meter that has more than fits into a frame is asked on, with the frame
count bit flipped (EN 13757-2, 5.5). A question that is sent again, because the connection was closed, has the same bit: a meter
that has heard it before says the same once more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, Name
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.shared import port_for
from sensorlogd.drivers.transactions import Asker, AskingPace, Fate, Outcome, Question
from sensorlogd.drivers.transactions.asking_pace import MAX_OWN_WAIT_S, MAX_SHARED_WAIT_S
from sensorlogd.drivers.transactions.habits import QUIET_TURNAROUNDS
from sensorlogd.drivers.transactions.line import START_QUIET_S

if TYPE_CHECKING:
    from sensorlogd.drivers.mbus.round import Round

LEARNING_S = 0.1  # listened on after a meter's first answers: some repeat themselves
CLOSING_S = 0.1  # how long a server may take to close the connection after an answer
PAUSE_S = 10.0  # beyond what an owed answer is waited for: a round that cannot go on for this long ends with what it has


class MbusOptions(PortOptions):
    """Keys of ``driver: mbus``."""

    baudrate: int = Field(2400, ge=300, le=38400)
    parity: str = Field("even", pattern="^(none|even|odd)$", description="M-Bus has even parity")  # type: ignore[assignment]
    address: int = Field(ge=0, le=254, description="primary address, 0 to 250; 254: whoever is alone on the bus")
    interval: DurationUs | None = Field(
        60_000_000, ge=100_000, description="time between two readings; battery meters mind often"
    )
    turnaround: DurationUs = Field(1_000_000, ge=10_000, le=60_000_000, description="how long an answer may take to begin")
    channels: Mapping[Name, ChannelOptions] = Field(
        min_length=1, description="name: {source: record}; 'try' shows what a meter has"
    )

    @model_validator(mode="after")
    def _has_interval(self) -> MbusOptions:
        if not self.interval:
            raise ValueError("interval: a meter is asked; say how often, e.g. 1min")
        return self


class MbusDriver(Driver):
    """Asks one meter for its records, round after round; see the module."""

    Options = MbusOptions
    summary = "M-Bus meters (heat, water, gas, electricity)"

    def __init__(self, options: MbusOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: MbusOptions = options
        self._turnaround_s = options.turnaround / 1e6
        self._interval_s = (options.interval or 1) / 1e6
        self.port = port_for(options, context, asks=True, quiet_s=min(self._turnaround_s, START_QUIET_S))
        self.asker = Asker(self.port, context)
        self.meter = self._new_pace()
        self.wanted = {channel.source or name for name, channel in options.channels.items()}
        self._due = 0.0
        self._round: Round | None = None
        self._closes = False  # the connection, after the last answer

    @property
    def bytes_seen(self) -> int:
        """How many bytes have arrived; ``try`` shows it when there is no reading."""
        return self.asker.bytes_seen

    def _new_pace(self) -> AskingPace:
        return AskingPace(self._interval_s, MAX_SHARED_WAIT_S if self.options.shared else MAX_OWN_WAIT_S)

    def open(self) -> None:
        """Open the port. What an earlier driver of this sensor learned of the meter, its pause after misses included, is taken over from
        the line. Raises DriverError."""
        self.port.open()
        self.meter = self.port.line.recall(f"{self.context.sensor} {self.options.address} {self._interval_s}", self._new_pace)
        self._due = time.monotonic()
        self._round = None

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """The one sample of a round (SND_NKE, then REQ_UD2 until the meter has no more telegrams), once the round is over; a round that is
        not over by ``timeout_s`` goes on in the next call. Empty for a round without wanted values. Raises DriverError."""
        end = time.monotonic() + timeout_s
        if self._round is None and not self._begin_round(timeout_s):
            return []
        while self.asker.reconnecting(lambda: self._continue_round(max(end - time.monotonic(), 0.0))):
            continue
        return self._finished_sample()

    def _begin_round(self, timeout_s: float) -> bool:
        """Wait until a round is due. False: not yet."""
        from sensorlogd.drivers.mbus.round import Round

        wait_s = self._due - time.monotonic()
        if wait_s > 0 and (self.context.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
            return False
        if not self.meter.due(time.monotonic()):
            self._plan_next_round()
            detail = f"{self.meter.misses} rounds without an answer; asked every {self.meter.wait_s():g} s"
            self.context.count("backed_off", 1, detail)
            return False
        self._round = Round()
        return True

    def _plan_next_round(self) -> None:
        """Set when the next round is due. Rounds whose time has passed are left out."""
        self._due += (max((time.monotonic() - self._due) // self._interval_s, 0) + 1) * self._interval_s

    def _continue_round(self, wait_s: float) -> bool:
        """Ask in one turn, as far as it leads. True: the round is to go on in another one, at once, because this one was cut
        short after an answer: the connection was closed, as some servers do each time. Raises DriverError where nothing was
        answered."""
        from sensorlogd.drivers.mbus.round import MAX_FRAMES

        round_ = self._round
        assert round_ is not None
        first = self._next_question(round_)
        answered = False
        with self.asker.turn(first, wait_s, (MAX_FRAMES + 1) * first.hold_s()) as has_turn:
            while has_turn and round_.control is not None:
                try:
                    generation = self.port.generation
                    outcome = self.asker.ask_now(self._next_question(round_))
                    if outcome.fate in (Fate.NOT_YET, Fate.STOPPED):
                        break
                    self._handle_outcome(round_, outcome)
                    answered = outcome.fate is Fate.ANSWERED
                    closed = self._was_closed(generation)
                except DriverError:
                    if not answered or not self.port.is_connection:
                        raise
                    closed = True
                if closed:
                    self._closes = True
                    return round_.control is not None
        if round_.begun and (self.context.wait(0) or self._too_long(round_)):
            round_.end()
        return False

    def _was_closed(self, generation: int) -> bool:
        """Whether the connection was closed after the answer. Where it always is, a question must not be on its way into it meanwhile:
        nobody could tell whether it will be answered. Raises DriverError when it is closed now."""
        if self.port.generation != generation:
            return True  # it was listened to in the next one already, which is not ours any more
        if self._closes:
            self.port.read(CLOSING_S)
            self._closes = False
        return False

    def _too_long(self, round_: Round) -> bool:
        """Whether the round's telegrams lie too far apart in time for one sample."""
        return time.monotonic() > round_.answered_at + QUIET_TURNAROUNDS * self._turnaround_s + PAUSE_S

    def _next_question(self, round_: Round) -> Question:
        """The reset of the link, or once the meter has answered that, the request for its next records."""
        from sensorlogd.drivers.mbus.answers import Acknowledged, Telegram
        from sensorlogd.drivers.mbus.frames import short_frame

        address, count, before = self.options.address, self.context.count, round_.before
        sent = short_frame(round_.control or 0, address)
        return Question(
            key=f"address {address}, {'records' if round_.begun else 'reset'}",
            make=lambda: (sent, Telegram(address, count, before) if round_.begun else Acknowledged(count)),
            turnaround_s=self._turnaround_s,
            separation="content",
            echo="like",
            learning_s=min(LEARNING_S, self._turnaround_s),
            gap_s=40 * 11 / self.options.baudrate + 0.1,  # it has begun: the rest follows without a pause
        )

    def _handle_outcome(self, round_: Round, outcome: Outcome) -> None:
        """Handle the outcome of one question."""
        from sensorlogd.drivers.mbus.frames import records

        now = time.monotonic()
        if not round_.begun:
            self._plan_next_round()
        if outcome.fate is not Fate.ANSWERED:
            what = "REQ_UD2" if round_.begun else "SND_NKE"
            self.context.count("unanswered", 1, f"address {self.options.address}, {what}")
            self.meter.missed(now)
            round_.end()
        elif not round_.begun:
            round_.note_acknowledged(now)
        else:
            self.meter.answered()
            found = records(outcome.answer, self.context.count, round_.values)
            round_.take_answer(outcome.answer, found, outcome.at_us, now)

    def _finished_sample(self) -> Sequence[Sample]:
        """The sample of a finished round."""
        round_ = self._round
        if round_ is None or round_.control is not None:
            return []
        self._round = None
        for name in sorted(round_.values.keys() - self.wanted):
            self.context.count("unmapped", 1, f"{name}={round_.values[name]:g} {round_.units.get(name, '')}".strip())
        wanted = {name: value for name, value in round_.values.items() if name in self.wanted}
        return [Sample(round_.taken_at_us, wanted)] if wanted else []

    def close(self) -> None:
        self.port.close()
