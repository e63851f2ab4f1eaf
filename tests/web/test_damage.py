"""Reading around damage: all that can be read is read, and little more than the damage is called lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.answering import api
from sensorlogd.web.answering.params import TimeForm
from sensorlogd.web.answering.questions import row_text
from sensorlogd.web.answering.questions.reading_pages import ReadingsQuery
from sensorlogd.web.settings import Settings
from sensorlogd.web.workers.damage import DamageSkipper, Lost
from tests.web.conftest import T0, S, serving

END = 5_000 * S
EDGES = st.integers(0, 5_000).map(lambda second: second * S)
SPAN = {"since": "2026-03-29", "until": "2026-03-29T02:00Z", "time": "us"}


@given(
    st.tuples(EDGES, EDGES).map(sorted),
    st.one_of(st.just(END), st.integers(1, END)),
)
def test_no_more_is_lost_than_around_the_damage(damage: list[int], until: int) -> None:
    """Wherever the damage lies: in the middle, at an edge, over all of it. A row each seven seconds."""
    begin, end = damage

    def rows(a: int, b: int) -> list[int]:
        if a < end and b > begin:
            error = sqlite3.DatabaseError("malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error
        step = 7 * S
        return list(range(-(-a // step) * step, b, step))

    skipper = DamageSkipper("a.b", finest_us=S)
    found = skipper.read(rows, 0, until)
    for us in range(0, until, 7 * S):
        is_lost = any(stretch.since_us <= us < stretch.until_us for stretch in skipper.lost)
        assert is_lost != (us in found)
    for stretch in skipper.lost:
        assert begin - 2 * S <= stretch.since_us < stretch.until_us <= end + 3 * S
    assert len(found) == len(set(found))


def hurt(made: Path, path: Path, leaf: int) -> None:
    """Destroy one of the pages that hold the rows of ``recent``, counted from its first or (below 0) its last."""
    with closing(sqlite3.connect(f"file:{made}?mode=ro", uri=True)) as conn:
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        (root,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'recent'").fetchone()
    whole = bytearray(made.read_bytes())
    top = whole[(root - 1) * size : root * size]
    assert top[0] in (2, 5), "a page that leads to others"
    cells = [int.from_bytes(top[at : at + 2], "big") for at in range(12, 12 + 2 * int.from_bytes(top[3:5], "big"), 2)]
    pages = [int.from_bytes(top[at : at + 4], "big") for at in cells] + [int.from_bytes(top[8:12], "big")]
    whole[(pages[leaf] - 1) * size : pages[leaf] * size] = b"\xff" * size
    path.write_bytes(whole)


@pytest.mark.parametrize("leaf", [0, 1, -1])
@pytest.mark.parametrize("width_us", [S, row_text.FIRST_WIDTH_US, 10**10])
def test_a_page_that_is_damaged_at_an_edge_costs_its_own_rows(
    made: Path, tmp_path: Path, leaf: int, width_us: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a whole step of the stream falls into it."""
    path = tmp_path / "log.db"
    hurt(made, path, leaf)
    query = ReadingsQuery(["lab.t"], T0, T0 + 7200 * S, None, TimeForm("us", "UTC"))
    place = row_text.StreamProgress(T0, width_us, 2**62, 20_000)

    def lines(database: Path) -> tuple[list[bytes], list[Lost]]:
        with LogReader.open(database) as log:
            page = row_text.page(log, query, place, "csv")
        assert page.following is None
        return page.body.splitlines(), page.lost

    whole, nothing = lines(made)
    rest, lost = lines(path)
    assert not nothing
    assert lost
    assert len(rest) > 0.7 * len(whole)

    def is_lost(line: bytes) -> bool:
        us = int(line.partition(b",")[0])
        return any(stretch.since_us <= us < stretch.until_us for stretch in lost)

    assert rest == [line for line in whole if not is_lost(line)]


def test_each_lost_range_is_named_once_and_none_behind_the_page(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a span was read again because it held too many rows; as JSON and as a stream with a limit."""
    path = tmp_path / "log.db"
    hurt(made, path, 1)
    query = ReadingsQuery(["lab.*"], T0, T0 + 7200 * S, None, TimeForm("us", "UTC"))
    monkeypatch.setattr(row_text, "MAX_ROWS", 300)
    with LogReader.open(path) as log:
        page = row_text.page(log, query, row_text.StreamProgress(T0, 7200 * S, 2**62, 20_000), "csv")
        assert len(page.lost) == len(set(page.lost)) > 0
        before = [line for line in page.body.splitlines() if int(line.partition(b",")[0]) < page.lost[0].since_us]
        log.conn.execute("ROLLBACK")
        limited = row_text.page(log, query, row_text.StreamProgress(T0, 7200 * S, len(before), 20_000), "csv")
        assert limited.body.splitlines() == before
        assert limited.lost == []
    with serving(Settings(path, query_threads=1)) as running:
        answer = running.get("/api/v1/readings", series="lab.*", limit=len(before), **SPAN)
        assert len(answer["readings"]) == len(before)
        assert "unreadable" not in answer
        rest = running.get("/api/v1/readings", series="lab.*", after=answer["next"], **SPAN)
        assert rest["unreadable"]


def test_more_lost_ranges_than_a_header_holds_are_spanned_by_the_last() -> None:
    """None is left out in silence."""
    lost = [Lost(f"s.{n}", n * S, (n + 5) * S) for n in range(100)]
    named = api._in_short(lost)
    assert named[:19] == lost[:19]
    assert named[19:] == [Lost("*", 19 * S, 104 * S)]
    assert api._in_short(lost[:20]) == lost[:20]
