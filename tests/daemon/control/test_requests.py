"""Requests and answers of the control socket: what is said is what is heard, and it travels as it always did."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.daemon.control import answers
from sensorlogd.daemon.control.requests.alarms import LONGEST_MUTE_US, AlarmAckRequest, AlarmMuteRequest, AlarmTestRequest
from sensorlogd.daemon.control.requests.daemon import (
    ClockRequest,
    CommitRequest,
    ListenRequest,
    PingRequest,
    ReloadRequest,
    StatusRequest,
)
from sensorlogd.daemon.control.requests.database import (
    CompactRequest,
    MendRequest,
    NoteRequest,
    RebuildRequest,
    RecomputeRequest,
    ResumeRequest,
    RollUpRequest,
    SeriesRequest,
    UndoRequest,
    UpsertRequest,
    WorkRequest,
)
from sensorlogd.daemon.control.requests.registry import REQUESTS, decode, encode
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.daemon.control.requests.saved_views import DeleteViewRequest, SaveViewRequest
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.corrections.upsert import COUNTS
from sensorlogd.storage.series.unconfigured import WantedSeries

INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MAYBE = st.none()
NAMES = st.lists(TEXTS).map(tuple)
WANTED = st.builds(WantedSeries, TEXTS, TEXTS, MAYBE | TEXTS, MAYBE | TEXTS, MAYBE | INTS)


@st.composite
def upserts(draw: st.DrawFn) -> UpsertRequest:
    n = draw(st.integers(0, 20))

    def column(cells: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(cells, min_size=n, max_size=n))

    replace = draw(MAYBE | st.builds(Replace, MAYBE | INTS, TEXTS))
    return UpsertRequest(draw(INTS), column(INTS), column(MAYBE | FLOATS), column(INTS), replace, draw(MAYBE | INTS))


EACH: dict[type[Request[Any]], st.SearchStrategy[Any]] = {
    ClockRequest: st.builds(ClockRequest, st.booleans()),
    ReloadRequest: st.builds(ReloadRequest, MAYBE | TEXTS),
    ListenRequest: st.builds(ListenRequest, TEXTS, MAYBE | INTS),
    RebuildRequest: st.builds(RebuildRequest, st.lists(INTS).map(tuple), MAYBE | INTS, MAYBE | INTS),
    MendRequest: st.builds(
        MendRequest, INTS, INTS, INTS, MAYBE | INTS, FLOATS, FLOATS, MAYBE | TEXTS, TEXTS, MAYBE | INTS, MAYBE | INTS
    ),
    UndoRequest: st.builds(UndoRequest, INTS, MAYBE | INTS),
    ResumeRequest: st.builds(ResumeRequest, INTS, MAYBE | INTS),
    RecomputeRequest: st.builds(RecomputeRequest, TEXTS, INTS, st.dictionaries(TEXTS, TEXTS)),
    WorkRequest: st.builds(WorkRequest, INTS),
    SeriesRequest: st.builds(SeriesRequest, st.lists(WANTED).map(tuple)),
    UpsertRequest: upserts(),
    NoteRequest: st.builds(NoteRequest, TEXTS, MAYBE | TEXTS, TEXTS),
    AlarmAckRequest: st.builds(AlarmAckRequest, NAMES, TEXTS),
    AlarmMuteRequest: st.builds(AlarmMuteRequest, NAMES, st.integers(0, LONGEST_MUTE_US), TEXTS),
    AlarmTestRequest: st.builds(AlarmTestRequest, TEXTS),
    SaveViewRequest: st.builds(SaveViewRequest, TEXTS, TEXTS),
    DeleteViewRequest: st.builds(DeleteViewRequest, TEXTS),
}
SAY_NOTHING = {PingRequest, CommitRequest, StatusRequest, RollUpRequest, CompactRequest}
ANSWERS = st.one_of(
    st.just(answers.Done()),
    st.builds(answers.Freed, INTS, INTS, st.booleans()),
    st.builds(answers.MendOrdered, INTS, INTS),
    st.builds(answers.WorkOrdered, INTS),
    st.builds(answers.WorkProgress, TEXTS, INTS, MAYBE | INTS, TEXTS),
    st.builds(answers.SeriesKnown, st.lists(INTS).map(tuple), MAYBE | INTS),
    st.builds(answers.Acknowledged, NAMES),
    st.builds(answers.Muted, NAMES, NAMES),
    st.builds(answers.Tested, TEXTS),
    st.builds(answers.Upserted, INTS, INTS, INTS, INTS, INTS, MAYBE | INTS, INTS, TEXTS),
)


@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
@given(st.data())
def test_a_request_that_was_encoded_is_the_same_again(kind: type[Request[Any]], data: st.DataObject) -> None:
    """Also for a release that is told more than it knows."""
    request_ = kind() if kind in SAY_NOTHING else data.draw(EACH[kind])
    travels = json.loads(json.dumps(encode(request_)))
    assert decode(travels) == request_
    assert decode(travels | {"of_a_newer_release": [1]}) == request_


@given(ANSWERS)
def test_an_answer_that_was_encoded_is_the_same_again(answer: Any) -> None:
    travels = json.loads(json.dumps({"ok": True} | answer.encoded()))
    assert type(answer).of(travels) == answer


@pytest.mark.parametrize(
    ("request_", "travels"),
    [
        (PingRequest(), {"do": "ping"}),
        (ClockRequest(True), {"do": "clock", "believe": True}),
        (ListenRequest("boiler"), {"do": "listen", "sensor": "boiler", "after": None}),
        (RebuildRequest((1, 2), 3), {"do": "rebuild", "series": [1, 2], "since_us": 3, "epoch": None}),
        (UndoRequest(7), {"do": "undo", "id": 7, "epoch": None}),
        (AlarmAckRequest(("hot", "d*"), "seen"), {"do": "alarm_ack", "alarms": ["hot", "d*"], "note": "seen"}),
        (AlarmMuteRequest(("hot",), 5), {"do": "alarm_mute", "alarms": ["hot"], "for_us": 5, "note": ""}),
        (AlarmTestRequest("me"), {"do": "alarm_test", "target": "me"}),
        (SaveViewRequest("week", "#/chart"), {"do": "panel_save", "name": "week", "view": "#/chart"}),
        (DeleteViewRequest("week"), {"do": "panel_delete", "name": "week"}),
        (
            NoteRequest("imported", "a", "1 new"),
            {"do": "note", "kind": "imported", "sensor": "a", "detail": "1 new", "at_us": None},
        ),
        (
            MendRequest(1, 2, 3, None, 2.0, 0.5, None, "why", 9),
            {
                "do": "mend", "series": 1, "since_us": 2, "until_us": 3, "quality": None, "scale": 2.0, "offset": 0.5,
                "curve": None, "note": "why", "total": 9, "epoch": None,
            },
        ),
        (
            SeriesRequest((WantedSeries("a", "t", "°C", "gauge", 5),)),
            {"do": "series", "specs": [{"sensor": "a", "channel": "t", "unit": "°C", "kind": "gauge", "heartbeat_us": 5}]},
        ),
        (
            UpsertRequest(1, [2], [0.5], [1], Replace(4, "file")),
            {
                "do": "place", "series": 1, "times": "AgAAAAAAAAA=", "values": "AAAAAAAA4D8=", "qualities": "AQAAAAAAAAA=",
                "replace": {"mend": 4, "note": "file"}, "epoch": None,
            },
        ),
    ],
    ids=lambda case: case.name if isinstance(case, Request) else "",
)  # fmt: skip
def test_what_travels(request_: Request[Any], travels: dict[str, Any]) -> None:
    """As releases before this one say and understand it."""
    assert json.loads(json.dumps(encode(request_))) == travels
    assert decode(travels) == request_


def test_a_value_that_is_missing_travels_as_nan() -> None:
    said = encode(UpsertRequest(1, [2], [None], [9]))
    assert math.isnan(*struct.unpack("d", base64.b64decode(said["values"])))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "unknown request None"),
        ({"do": "dance"}, "unknown request 'dance'"),
        ({"do": ["ping"]}, "unknown request"),
        ({"do": "undo"}, "'id' is missing"),
        ({"do": "undo", "id": "seven"}, "invalid literal"),
        ({"do": "clock", "believe": "yes"}, "believe is true or false"),
        ({"do": "alarm_ack", "alarms": "hot"}, "alarms is a list of names"),
        ({"do": "alarm_mute", "alarms": ["hot"]}, "'for_us' is missing"),
        ({"do": "alarm_mute", "alarms": ["hot"], "for_us": -1}, "for_us is 0"),
        ({"do": "alarm_mute", "alarms": ["hot"], "for_us": 10**18}, "for_us is 0"),
    ],
)
def test_what_is_no_request_says_why(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(said)


def test_an_answer_of_an_earlier_release_is_understood() -> None:
    """One that did not say yet how many pages are left, or which alarms stay muted until the daemon runs."""
    assert answers.Muted.of({"ok": True, "muted": ["hot/s.x"]}) == answers.Muted(("hot/s.x",))
    assert answers.Freed.of({"ok": True, "freed_pages": 3, "more": True}) == answers.Freed(3, 0, True)


def test_counts_have_one_name() -> None:
    """In the answer as in the storage."""
    assert set(COUNTS) < set(answers.Upserted.__slots__)
