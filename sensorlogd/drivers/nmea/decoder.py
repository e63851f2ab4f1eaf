"""From bytes to batches: the wanted fields of sentences and frames."""

from __future__ import annotations

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.nmea import sentences, ubx
from sensorlogd.drivers.nmea.clock import OF_THE_FIX, DeviceClock
from sensorlogd.drivers.nmea.known import Fields, Nonsense, Void, possible
from sensorlogd.drivers.nmea.options import NmeaDecoding
from sensorlogd.drivers.nmea.stream import Messages

Row = tuple[int, Fields]


class NmeaDecoder:
    """One sample for each sentence or frame that holds a wanted field. Everything that is left out is counted.

    ``bad_sentences``: nonsense under a right checksum; ``bad_fields``: in a place that matters little. ``void_sentences``: the
    device has no fix or no valid value. ``other_sentences``: nothing in them is logged. With the device's time,
    ``undated``: it has not told the time yet; ``repeated_fields``: another sentence gave the same for the same instant.
    """

    def __init__(self, options: NmeaDecoding, count: Count, *, midway: bool = False) -> None:
        self.wanted = {channel.source or name for name, channel in options.channel_options().items()}
        self.count = count
        self.messages = Messages(count, checksum_required=options.checksum, midway=midway)
        self._talkers, self._kinds = frozenset(options.talkers), frozenset(options.sentences)
        self._clock = DeviceClock() if options.time == "device" else None
        self._rpm_names: set[str] | None = None  # of the first source that is heard; ``rpm`` is its alone

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """The samples of the messages that ``data`` completes."""
        rows = [row for message in self.messages.feed(data) if (row := self._row(message, now_us)) is not None]
        return self._batch(rows)

    def idle(self, now_us: int = 0) -> Batch | None:
        """Nothing has come for a while, so bytes that were held back as the possible beginning of a frame are decoded."""
        rows = [row for message in self.messages.give_up() if (row := self._row(message, now_us)) is not None]
        return self._batch(rows)

    def _batch(self, rows: list[Row]) -> Batch | None:
        if not rows:
            return None
        names = dict.fromkeys(name for _, fields in rows for name in fields)
        return Batch(
            [at_us for at_us, _ in rows],
            {name: [fields.get(name) for _, fields in rows] for name in names},
            device_time=self._clock is not None,
        )

    def _row(self, message: str | bytes, now_us: int) -> Row | None:
        """The time and the wanted fields of a message; None where it holds none or cannot be dated, which is counted."""
        try:
            found = self._decode_sentence(message, now_us) if isinstance(message, str) else self._decode_frame(message, now_us)
        except Nonsense as nonsense:
            self.count("bad_sentences", 1, f"{_excerpt(message)}: {nonsense}")
            return None
        except Void:
            self.count("void_sentences", 1, _excerpt(message))
            return None
        if found is None:
            self.count("other_sentences", 1, _excerpt(message))
            return None
        of_fix, tag_us, fields = found
        fields = {name: value for name, value in fields.items() if name in self.wanted}
        if not fields:
            self.count("other_sentences", 1, _excerpt(message))
            return None
        return (now_us, fields) if self._clock is None else self._dated_row(self._clock, of_fix, tag_us, fields, now_us)

    def _decode_sentence(self, text: str, now_us: int) -> tuple[bool, int | None, Fields] | None:
        """(whether it belongs to the fix, the time of its tag block, its fields); None for a sentence that is not chosen or not
        known. Raises Nonsense, Void."""
        cells = sentences.Cells(text.split(","))
        talker, kind = sentences.kind_of(cells)
        chosen = (not self._talkers or talker in self._talkers) and (not self._kinds or kind in self._kinds)
        fields: Fields | None = None
        try:
            if not chosen and self._clock is None:
                return None
            fields = sentences.of_sentence(kind, cells)
            if fields:
                fields = possible(fields, self._count_bad_field)
        finally:
            if self._clock is not None:  # which knows the time from sentences that are not chosen, too
                self._clock.sentence(kind, cells, fields, now_us)
        if fields is None or not chosen:
            return None
        return kind in OF_THE_FIX, self.messages.tag_time_us, self._with_rpm_of_one(fields) if "rpm" in fields else fields

    def _with_rpm_of_one(self, fields: Fields) -> Fields:
        """The fields of an RPM sentence, without ``rpm`` if it is of another engine or shaft than the first one that was heard."""
        if self._rpm_names is None:
            self._rpm_names = set(fields)
        return fields if fields.keys() == self._rpm_names else {name: value for name, value in fields.items() if name != "rpm"}

    def _decode_frame(self, frame: bytes, now_us: int) -> tuple[bool, int | None, Fields] | None:
        """The same for a UBX frame, which has no tag block. Raises Nonsense, Void."""
        if self._kinds and ubx.kind_of(frame) not in self._kinds and self._clock is None:
            return None
        found = ubx.of_frame(frame)
        if found is None:
            return None
        fields, utc_us = possible(found[0], self._count_bad_field), found[1]
        if self._clock is not None:
            self._clock.frame(utc_us, ubx.time_of_week_ms(frame), now_us)
        return None if self._kinds and ubx.kind_of(frame) not in self._kinds else (True, None, fields)

    def _count_bad_field(self, why: str) -> None:
        self.count("bad_fields", 1, why)

    def _dated_row(self, clock: DeviceClock, of_fix: bool, tag_us: int | None, fields: Fields, now_us: int) -> Row | None:
        """The row under the device's time; None, and counted, if that is not known or all fields were given for this instant
        before."""
        at_us = clock.epoch_us
        if not of_fix:
            at_us = clock.between_us(now_us) if tag_us is None else tag_us
        if at_us is None:
            self.count("undated", len(fields), "")
            return None
        if of_fix:
            given, fields = len(fields), clock.of_fix(fields)
            if given > len(fields):
                self.count("repeated_fields", given - len(fields), "")
        return (at_us, fields) if fields else None


def _excerpt(message: str | bytes) -> str:
    return message[:70] if isinstance(message, str) else message[:16].hex(" ")
