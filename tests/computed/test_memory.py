"""What an input remembers: the truth, or that it is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.computed.memory import GONE, Found, Memory
from sensorlogd.quality import GOOD

HEARTBEAT = 20


@given(
    st.lists(st.lists(st.integers(0, 120), min_size=1, max_size=6), max_size=12),
    st.integers(1, 4),
    st.lists(st.integers(0, 140), min_size=1, max_size=8),
)
def test_what_is_found_is_what_was_there(hand_overs: list[list[int]], kept: int, asked: list[int]) -> None:
    """In whatever order readings come: an answer other than GONE is that of somebody who never forgets."""
    memory = Memory(HEARTBEAT, kept)
    known: dict[int, Found] = {}
    for times in hand_overs:
        new = [ts for ts in dict.fromkeys(times) if ts not in known]
        memory.insert(new, [float(ts) for ts in new], [GOOD] * len(new))
        known |= {ts: (float(ts), GOOD) for ts in new}
        for ts in asked:
            before = [at for at in known if ts - HEARTBEAT <= at <= ts]
            assert memory.at(ts) in (GONE, known[max(before)] if before else None)
            assert memory.exactly(ts) in (GONE, known.get(ts))


def test_a_late_reading_does_not_stand_for_those_that_were_forgotten() -> None:
    """It is known at its own time; what came behind it is not."""
    memory = Memory(1_000, kept=5)
    for ts in range(10, 120, 10):
        memory.insert([ts], [float(ts)], [GOOD])
    memory.insert([5], [5.0], [GOOD])
    assert memory.at(5) == (5.0, GOOD)
    assert memory.at(55) is GONE
    assert memory.at(110) == (110.0, GOOD)
