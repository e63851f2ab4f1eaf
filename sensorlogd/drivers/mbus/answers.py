"""How the answers of a meter are recognised on the bus; see ``drivers.transactions.Awaited``."""

from __future__ import annotations

from collections import deque

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.mbus.frames import LongFrames
from sensorlogd.drivers.transactions import Awaited

ANY_ADDRESS = 254
_CONTROL, _ADDRESS = 4, 5  # their places in a long frame
_FROM_MASTER = 0x40  # the bit of the control field that says so (EN 13757-2, 5.5: PRM)


def _count_nothing(name: str, n: int, example: str) -> None:
    pass


class Acknowledged:
    """The single character E5, which does not say who sent it."""

    def __init__(self, count: Count = _count_nothing) -> None:
        self.damaged = False
        self.foreign = 0
        self._frames = LongFrames(count)

    def feed(self, data: bytes, now_us: int) -> bool | None:
        """True once E5 stood outside a frame. Long frames that pass meanwhile are others' telegrams, and ``foreign``."""
        self.foreign += len(self._frames.feed(data))
        acknowledged, self._frames.acknowledged = self._frames.acknowledged, False
        return acknowledged or None

    def begun(self) -> bool:
        """Never: one byte is there whole or not at all."""
        return False

    def like(self, other: Awaited) -> bool:
        """True but for a telegram: a second E5 could be the answer to either question."""
        return not isinstance(other, Telegram)

    def fresh(self) -> Acknowledged:
        return Acknowledged()


class Telegram:
    """A long frame of one meter. ``before``: its previous telegram, because some meters send one twice."""

    def __init__(self, address: int, count: Count = _count_nothing, before: bytes = b"") -> None:
        self.address = address
        self.before = before
        self.damaged = False
        self.foreign = 0
        self._count = count
        self._frames = LongFrames(self._count_and_note_damage)
        self._found: deque[bytes] = deque()  # frames that are not looked at yet

    def _count_and_note_damage(self, name: str, n: int, example: str) -> None:
        self.damaged = self.damaged or name in ("bad_checksum", "bad_length")
        self._count(name, n, example)

    def feed(self, data: bytes, now_us: int) -> bytes | None:
        """The frame from its first 68 to its 16, once one with our address in it is whole and its checksum right. The previous telegram
        once more is counted as ``repeated_answers``; a frame with another address, or
        of a master, is ``foreign``. What came after the frame is
        looked at by the next call."""
        self._found += self._frames.feed(data)
        while self._found:
            frame = self._found.popleft()
            if frame == self.before:
                self._count("repeated_answers", 1, frame[:16].hex(" "))
            elif not frame[_CONTROL] & _FROM_MASTER and self.address in (ANY_ADDRESS, frame[_ADDRESS]):
                return frame
            else:
                self.foreign += 1
        return None

    def begun(self) -> bool:
        """Whether a long frame has begun and is not over, or one that came after the answer is not looked at yet."""
        return self._frames.waiting or bool(self._found)

    def like(self, other: Awaited) -> bool:
        """Whether one answer could be taken for the other. Meters say their address; a question to any address takes any answer."""
        if not isinstance(other, Telegram):
            return not isinstance(other, Acknowledged)
        return self.address == other.address or ANY_ADDRESS in (self.address, other.address)

    def fresh(self) -> Telegram:
        return Telegram(self.address)
