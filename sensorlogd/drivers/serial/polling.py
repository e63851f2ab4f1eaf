"""Asking a device of lines, frames, blocks or telegrams: a command, and what the sensor's decoder makes of what comes back.

Such answers seldom say whose they are. On a port of one sensor whatever comes is its device's, also when it comes late or unasked.
On a shared port a line that comes in the wrong moment is nobody's: it is counted, and the next question waits until the line has
been quiet (``drivers.transactions.line``). A line format with a ``prefix`` tells its answers apart from those with another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.decoding import Decoder
from sensorlogd.drivers.serial.gaps import GapClock, gap_s
from sensorlogd.drivers.serial.options import LineFormat, SerialOptions
from sensorlogd.drivers.serial.shared import Port
from sensorlogd.drivers.transactions import Asker, AskingPace, Awaited, Fate, Question
from sensorlogd.drivers.transactions.asking_pace import MAX_OWN_WAIT_S, MAX_SHARED_WAIT_S

GAP_S = 0.2  # an answer that has begun within the turnaround goes on within this
LEARNING_S = 1.0  # a second line comes sooner
MAX_HEARD_BYTES = 4096
MAX_HALF_PAUSES = 5.0  # pauses, from the first piece of a line to a question in spite of it


class Poller:
    """Asks one device, again and again. Its ``read`` is that of a driver."""

    def __init__(self, options: SerialOptions, context: DriverContext, port: Port, decoder: Decoder) -> None:
        assert options.poll is not None
        self.options = options
        self.context = context
        self.port = port
        self.decoder = decoder
        self.asker = Asker(port, context)
        self.own = not options.shared
        self._interval_s = (options.interval or 1) / 1e6
        self.device = self._new_pace()
        self.gaps = GapClock(port, gap_s(options))  # between two questions
        self._due = time.monotonic()
        self._asking = False
        self._fed_at = 0.0
        self._half_until = self._half_most = 0.0  # a line has begun; until then it may go on
        self._got: list[Batch] = []
        self._got_before = 0  # how many of ``_got`` had come when the question was sent
        self._terminator = _last_byte(options)
        self._question = self._make_question()

    @property
    def bytes_seen(self) -> int:
        """How many bytes have arrived; ``try`` shows it."""
        return self.asker.bytes_seen

    def _new_pace(self) -> AskingPace:
        return AskingPace(self._interval_s, MAX_OWN_WAIT_S if self.own else MAX_SHARED_WAIT_S)

    def note_opened(self) -> None:
        """The port was opened. What was learned about the device before is still known."""
        self._due = time.monotonic()
        key = f"{self.context.sensor} {self._question.key} {self._interval_s}"
        self.device = self.port.line.recall(key, self._new_pace)

    def _make_question(self) -> Question:
        """The question that is asked each time. A sensor that has the line for itself takes whatever comes as its own; others are told
        apart by time."""
        poll, options = self.options.poll, self.options
        assert poll is not None
        command = poll.payload()
        prefix = options.format.prefix.encode("latin-1", "replace") if isinstance(options.format, LineFormat) else b""
        terminator = self._terminator
        turnaround_s = poll.turnaround / 1e6
        return Question(
            key=f"{command[:40]!r}",
            make=lambda: (command, PolledAnswer(self._decode_answer, prefix, terminator)),
            turnaround_s=turnaround_s,
            separation="own" if self.own else "time",
            echo="known" if options.ignore_echo else "",
            learning_s=0.0 if self.own else min(turnaround_s, LEARNING_S),
            gap_s=(max(GAP_S, self.gaps.gap_s) if self.own else GAP_S) if terminator else 0.0,
            quiet_s=self.gaps.gap_s,
            quiet=self._judge_silence,
            ready=lambda: not self.own or time.monotonic() >= self._half_until,
            begins=self._begin_answer,
            unasked=self._take_more if self.own else None,
            more=self._take_more,
        )

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """What the device has answered or sent unasked."""
        if not self._got and self._listen_until_due(timeout_s) and (self._asking or self._begin_question()):
            self._ask_device(timeout_s)
        return self._got.pop(0) if self._got else []

    def _listen_until_due(self, timeout_s: float) -> bool:
        """Listen until it is time to ask. False: not yet."""
        end = time.monotonic() + timeout_s
        while (left := self._wait_s()) > 0:
            arrived = self.gaps.read(max(min(left, end - time.monotonic()), 0.0))
            if arrived is None:
                return False
            now_us, data, quiet = arrived
            if data:
                self.asker.bytes_seen += len(data)
                if self.own:  # on a shared port: what came after our last answer, and may be anybody's
                    self._take_more(data, now_us)
                return False
            if quiet and (batch := self._end_answer(now_us)) is not None:
                self._got.append(batch)
                return False
            if time.monotonic() >= end:
                return False
        return True

    def _wait_s(self) -> float:
        """How long to wait before asking. On a port of its own the sensor does not ask in the middle of a line, because the end
        of that line would be taken for the whole answer."""
        now = time.monotonic()
        wait_s = 0.0 if self._asking else self._due - now
        return max(wait_s, self.asker.waiting_s(self._question), self._half_until - now) if self.own else wait_s

    def _begin_question(self) -> bool:
        """Begin to ask, and set when the next question is due. False: the device has long been silent, and is left out this
        time."""
        now = time.monotonic()
        self._due += (max((now - self._due) // self._interval_s, 0) + 1) * self._interval_s
        if not self.device.due(now):
            reason = f"{self.device.misses} questions without an answer; asked every {self.device.wait_s():g} s"
            self.context.count("backed_off", 1, reason)
            return False
        self._asking = True
        return True

    def _ask_device(self, timeout_s: float) -> None:
        """Ask for at most this long. An answer becomes the next reading; silence is counted, and the device asked less often."""
        outcome = self.asker.ask(self._question, timeout_s)
        if outcome.fate is Fate.NOT_YET:
            return
        self._asking = False
        self.gaps = GapClock(self.port, self.gaps.gap_s)
        if outcome.fate is Fate.ANSWERED:
            self.device.answered()
            self._got.insert(self._got_before, outcome.answer)
        elif outcome.fate is not Fate.STOPPED:
            self.context.count("unanswered", 1, f"heard {outcome.heard!r}" if outcome.heard else "")
            self.device.missed(time.monotonic())

    def _begin_answer(self) -> None:
        """A question begins. Its answer comes after what has come by now. Give up the rest of an earlier answer, which neither
        goes on in the new one, nor is complete, because no silence has ended it."""
        self._got_before = len(self._got)
        if self._end_answer(self.context.now_us()) is not None:
            self.context.count("cut_short", 1, "the next question was due")

    def _judge_silence(self, now_us: int) -> Batch | None:
        """The reading that silence completes: nothing has come for a while, or the time is over. On a port of its own an answer
        that has begun may go on after that."""
        goes_on = time.monotonic() - self._fed_at < self.gaps.gap_s and not self.options.ends_by_silence()
        return None if self.own and goes_on else self._end_answer(now_us)

    def _end_answer(self, now_us: int) -> Batch | None:
        """The reading that is complete when nothing more comes of the answer that has begun; None if none is."""
        self._half_until = self._half_most = 0.0
        return self.decoder.idle(now_us)

    def _take_more(self, data: bytes, now_us: int) -> None:
        """Keep a reading that was not asked for: what the device sends after its answer is its own, too; on a port of its own
        also what it sends unasked or late."""
        if (batch := self._decode_answer(data, now_us)) is not None:
            self._got.append(batch)

    def _decode_answer(self, data: bytes, now_us: int) -> Batch | None:
        """Decode what has come, and note whether it ends in the middle of a line, which may go on for a while."""
        batch = self.decoder.feed(data, now_us)
        self._fed_at = now = time.monotonic()
        whole = data.endswith(self._terminator) if self._terminator else batch is not None
        if whole:
            self._half_until = self._half_most = 0.0
        else:  # a device that never comes to an end is asked all the same
            self._half_most = self._half_most or now + MAX_HALF_PAUSES * self.gaps.gap_s
            self._half_until = min(now + self.gaps.gap_s, self._half_most)
        return batch


def _last_byte(options: SerialOptions) -> bytes:
    """The last byte of a line; empty for formats that are no lines, and if either of two characters or silence ends a line."""
    if not isinstance(options.format, LineFormat) or options.terminator in ("any", "silence"):
        return b""
    return options.terminator.encode("latin-1")[-1:]


class PolledAnswer:
    """An answer is whatever the decoder makes a reading of; see ``drivers.transactions.Awaited``."""

    damaged = False
    foreign = 0

    def __init__(self, decode: Callable[[bytes, int], Batch | None], prefix: bytes, terminator: bytes) -> None:
        self._decode = decode
        self.prefix = prefix
        self.terminator = terminator
        self._last = b""

    def feed(self, data: bytes, now_us: int) -> Any | None:
        """The readings that the decoder makes of ``data``; None while it makes none."""
        self._last = data[-1:] or self._last
        return self._decode(data, now_us)

    def begun(self) -> bool:
        """Whether an answer is incomplete: a line without its end; for other formats, any bytes."""
        return bool(self._last) and self._last != self.terminator

    def like(self, other: Awaited) -> bool:
        """Whether one answer could be taken for the other: always, unless their prefixes differ."""
        if not isinstance(other, PolledAnswer) or not self.prefix or not other.prefix:
            return True
        return self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)

    def fresh(self) -> PolledAnswer:
        """The answer to a question that nobody waits for any more: any bytes, or a line with the prefix. It is not decoded."""
        return PolledAnswer(_OwedAnswer(self.prefix).feed, self.prefix, self.terminator)


class _OwedAnswer:
    """The answer to a question that nobody waits for any more, known by its prefix alone."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._heard = b""

    def feed(self, data: bytes, now_us: int) -> Any | None:
        self._heard = (self._heard + data)[-MAX_HEARD_BYTES:]
        return self._heard if self._prefix in self._heard else None
