"""Values by rank."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.storage.query import sorted_runs
from sensorlogd.storage.query.sorted_runs import SortedRuns

_values = st.one_of(st.floats(allow_nan=False), st.integers(0, 3).map(float))


@given(st.lists(st.lists(_values, max_size=20), min_size=1, max_size=12), st.integers(1, 9))
def test_every_rank_is_that_of_the_sorted_whole(batches: list[list[float]], run: int) -> None:
    """However the values came, however often they repeat."""
    before, sorted_runs.RUN = sorted_runs.RUN, run
    try:
        values = SortedRuns()
        for batch in batches:
            values.add(batch)
        whole = sorted(value for batch in batches for value in batch)
        assert len(values) == len(whole)
        assert [values[rank] for rank in range(len(whole))] == whole
    finally:
        sorted_runs.RUN = before
