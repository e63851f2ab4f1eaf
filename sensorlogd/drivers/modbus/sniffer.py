"""Finds the frames of another master and its units in what is heard on a bus. RTU only.

Questions and answers look alike. What a frame is follows from its CRC, its length, and from what came before it. An answer
belongs to the question right before it: where anything else was in between, that may have been a question that was missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sensorlogd.drivers.modbus.frames import (
    Answered,
    Asked,
    answer_length,
    crc,
    is_answer,
    is_question,
    question_length,
)

_MAX_FRAME_BYTES = 256
_MIN_FRAME_BYTES = 4
_MISSED_BYTES = 4  # of no frame, between a question and an answer: fewer are the noise of switching directions


class Sniffer:
    """Finds questions and answers in a stream of bytes. ``feed`` returns in order: (question, None) for each question, (its
    question or None, answer) for each answer.

    ``skipped``: bytes so far that belong to no frame.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._question: Asked | None = None
        self.skipped = 0
        self._between = 0  # of them since the last frame

    def feed(self, data: bytes, *, end: bool = False) -> Iterator[tuple[Asked | None, Answered | None]]:
        """The frames that the data completes. ``end``: the line is silent, so an incomplete frame will not go on."""
        buffer, start = self._buffer + data, 0
        while len(buffer) - start >= _MIN_FRAME_BYTES:
            size, question, answer = self._first_frame(buffer[start : start + _MAX_FRAME_BYTES])
            if size:
                start += size
                previous, self._question = self._question, question
                missed, self._between = self._between >= _MISSED_BYTES, 0
                yield (question, None) if answer is None else (None if missed else previous, answer)
            elif len(buffer) - start >= _MAX_FRAME_BYTES or end:
                start += 1
                self.skipped += 1
                self._between += 1
            else:
                break
        if end:
            self.skipped += len(buffer) - start
            self._between += len(buffer) - start
            start = len(buffer)
        self._buffer = buffer[start:]

    @property
    def waiting(self) -> bool:
        """Whether a frame is incomplete."""
        return bool(self._buffer)

    def forget(self) -> None:
        """The next answer does not belong to the last question that was heard."""
        self._question = None

    def _first_frame(self, window: bytes) -> tuple[int, Asked | None, Answered | None]:
        """(length, question, answer) of the frame at the beginning. Length 0: there is none, or it is incomplete."""
        question = self._question
        awaited = question is not None and question.unit == window[0] and question.function == window[1] & 0x7F
        if window[1] & 0x80 and not awaited:
            return 0, None, None  # an exception without its question; in noise five bytes look like one often enough
        if awaited and (size := _whole_length(window, answer_length, is_answer)) and _fits_question(question, window):
            return size, None, Answered(window[0], window[1 : size - 2])
        if size := _whole_length(window, question_length, is_question):
            return size, Asked(window[0], window[1 : size - 2]), None
        if not awaited and (size := _whole_length(window, answer_length, is_answer)):
            return size, None, Answered(window[0], window[1 : size - 2])
        return 0, None, None


def _fits_question(question: Asked | None, answer: bytes) -> bool:
    """Whether a read's answer has as many bytes as the question implies."""
    size = question.data_bytes() if question is not None and not answer[1] & 0x80 else None
    return size is None or answer[2] == size


def _whole_length(window: bytes, length: Callable[[bytes], int], plausible: Callable[[bytes], bool]) -> int:
    """The length of the frame at the beginning of ``window``; 0: there is none."""
    size = length(window)
    if not _MIN_FRAME_BYTES <= size <= len(window) or crc(window[: size - 2]) != window[size - 2 : size]:
        return 0
    return size if plausible(window) else 0
