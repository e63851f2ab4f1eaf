"""What the rows of a damaged file may say, rule by rule."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sensorlogd.counters import DIP
from sensorlogd.notation.microseconds import BEGINNING_US, DAY_US, END_US, HOUR_US, MINUTE_US
from sensorlogd.storage.corrections import originals
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.salvage import plausible

T = 1_700_000_000_000_000 - 1_700_000_000_000_000 % DAY_US
YEAR_1 = -62_135_596_800_000_000
YEAR_10000 = 253_402_300_800_000_000


@pytest.mark.parametrize(("us", "is_one"), [(YEAR_1, True), (YEAR_1 - 1, False), (YEAR_10000 - 1, True), (YEAR_10000, False)])
def test_an_instant_lies_in_the_years_1_to_9999(us: int, is_one: bool) -> None:
    assert plausible.is_time(us) is is_one
    assert (plausible.time_or_none(us) == us) is is_one


@pytest.mark.parametrize("wrong", ["0", 1.0, True, None, b""])
def test_of_another_type_nothing_is_an_instant_a_series_or_a_quality(wrong: object) -> None:
    assert not plausible.is_time(wrong)
    assert not plausible.is_bound(wrong)
    assert not plausible.is_series(wrong)
    assert not plausible.is_quality(wrong)
    assert plausible.is_number(wrong) is (type(wrong) is float)


@pytest.mark.parametrize(("us", "is_one"), [(BEGINNING_US, True), (END_US, True), (BEGINNING_US - 1, False), (END_US + 1, False)])
def test_a_bound_may_be_an_end_of_all_time(us: int, is_one: bool) -> None:
    assert plausible.is_bound(us) is is_one


@pytest.mark.parametrize(("series", "is_one"), [(1, True), (0, False), (1_000_000, True), (1_000_001, False)])
def test_a_series_has_an_id_up_to_a_million(series: int, is_one: bool) -> None:
    assert plausible.is_series(series) is is_one


@pytest.mark.parametrize(
    ("quality", "is_one"), [(1, True), (9, True), (1 << 20 | 4, True), (0, False), (5, False), (1 << 31 | 1, False)]
)
def test_a_quality_has_a_flag_that_exists(quality: int, is_one: bool) -> None:
    assert plausible.is_quality(quality) is is_one


@pytest.mark.parametrize(
    ("row", "is_one"),
    [
        ((1, T, 1.0, 1), True),
        ((1, T, None, 9), True),
        ((1, T, math.inf, 1), True),
        ((1, T, 1, 1), False),
        ((1, T, "x", 1), False),
        ((0, T, 1.0, 1), False),
        ((1, YEAR_10000, 1.0, 1), False),
        ((1, T, 1.0, 5), False),
    ],
)
def test_a_reading(row: tuple[Any, ...], is_one: bool) -> None:
    """The value alone may be missing or infinite."""
    assert plausible.is_reading(*row) is is_one


@pytest.mark.parametrize(
    ("labels", "is_sound"),
    [("{}", True), ('{"room": "x"}', True), ('{"room": 1}', False), ("[]", False), ("x", False), (None, False)],
)
def test_labels_are_an_object_of_texts(labels: object, is_sound: bool) -> None:
    assert plausible.labels_or_empty(labels) == (labels if is_sound else "{}")


@pytest.mark.parametrize("wrong", [b"", 7, -1.0, math.nan, math.inf, (1 << 63) - 1])
def test_what_a_named_series_lacks_gets_its_default(wrong: object) -> None:
    assert plausible.kind_or_gauge(wrong) == "gauge"
    assert plausible.wrap_or_none(wrong) is None
    assert plausible.dip_or_usual(wrong) == DIP
    assert plausible.text_or(wrong, "V") == "V"
    assert plausible.name_or_none(wrong) is None
    assert plausible.zero_or_usual(wrong) == (wrong if wrong == -1.0 else 0.0)
    assert plausible.heartbeat_or_minute(wrong) == (wrong if wrong == 7 else MINUTE_US)
    assert plausible.mend_kind(wrong) == "change"
    assert plausible.labels_or_empty(wrong) == "{}"


def test_what_makes_sense_stays() -> None:
    assert plausible.kind_or_gauge("counter") == "counter"
    assert plausible.wrap_or_none(256.0) == 256.0
    assert plausible.dip_or_usual(0.0) == 0.0
    assert plausible.heartbeat_or_minute(1) == 1
    assert plausible.mend_kind("replace") == "replace"
    assert plausible.zone_or_none("Europe/Berlin") == "Europe/Berlin"


@pytest.mark.parametrize("name", ["", None, "Europe/Berl\ufffdn", "/etc/passwd"])
def test_a_zone_is_one_that_exists(name: str | None) -> None:
    assert plausible.zone_or_none(name) is None


@pytest.mark.parametrize(("mark", "is_one"), [(T, True), (T + DAY_US, True), (T + DAY_US + 1, False), (0, False), (-1, False)])
def test_a_mark_lies_before_the_day_after_the_file_was_set_aside(mark: int, is_one: bool) -> None:
    assert plausible.is_mark(mark, T) is is_one


@pytest.mark.parametrize(
    ("cut", "is_one"),
    [
        ((1, 0, T), True),
        ((1, 3600, T), True),
        ((1, 61, T), False),
        ((1, 0, T + 1), False),
        ((1, 0, 0), False),
        ((1, 0, "x"), False),
        ((1.5, 0, T), False),
    ],
)
def test_a_cut_is_of_a_resolution_and_within_what_is_settled(cut: tuple[Any, Any, Any], is_one: bool) -> None:
    assert plausible.is_cut(*cut, settled_us=T) is is_one


def test_marks_of_outdated_roll_ups() -> None:
    """One in bulk may begin with all time, a dirty minute is a minute."""
    assert plausible.is_outdated_mark(1, 60, BEGINNING_US)
    assert not plausible.is_outdated_mark(1, 60, BEGINNING_US - 1)
    assert not plausible.is_outdated_mark(1, "60", T)
    assert plausible.is_dirty_minute(1, T)
    assert not plausible.is_dirty_minute(1, T + 1)
    assert not plausible.is_dirty_minute(1, YEAR_10000)
    assert not plausible.is_dirty_minute(None, T)


@pytest.mark.parametrize(
    ("changed", "is_one"),
    [
        ({}, True),
        ({4: "linear: [[0, 0], [1, 2]]"}, False),
        ({1: BEGINNING_US}, True),
        ({2: math.inf}, False),
        ({3: None}, False),
        ({0: 0}, False),
    ],
)
def test_a_calibration(changed: dict[int, Any], is_one: bool) -> None:
    """Its numbers are finite, and a curve, where it has one, can be read."""
    row = [1, T, 2.0, 0.5, None]
    for column, value in changed.items():
        row[column] = value
    assert plausible.is_calibration(tuple(row)) is is_one


MEND = (2, T, 1, T, T + 2, None, 2.0, 0.0, "n", T + 2, 2, T, None, "change", None)


@pytest.mark.parametrize(
    ("column", "value", "is_one"),
    [
        (0, -3, True), (0, 1 << 40, False), (1, BEGINNING_US, False), (2, 0, False), (3, BEGINNING_US, True), (4, END_US + 1, False),
        (5, 4, True), (5, 5, False), (6, None, True), (6, math.inf, False), (8, None, False), (9, "x", False), (10, -1, False),
        (10, 1 << 40, False), (11, None, True), (12, 1.5, False), (13, b"", True), (14, "x", True),
    ],
)  # fmt: skip
def test_a_mend(column: int, value: object, is_one: bool) -> None:
    """Its kind and its curve are not asked: they get defaults."""
    assert plausible.is_mend(MEND)
    assert plausible.is_mend((*MEND[:column], value, *MEND[column + 1 :])) is is_one


def test_originals_agree_with_their_row() -> None:
    packed = originals.pack([(T, 7.0, 1), (T + 1, 8.0, 1)])
    assert plausible.is_mended(T, 2, packed)
    assert not plausible.is_mended(T + 1, 2, packed)
    assert not plausible.is_mended(T, 3, packed)
    assert not plausible.is_mended(T, 2, packed[:-9])
    assert not plausible.is_mended(T, 2, "text")
    assert not plausible.is_mended(T, 2, originals.pack([(T, 7.0, 1), (T, 8.0, 1)]))
    assert not plausible.is_mended(T, 2, originals.pack([(T, 7.0, 1), (T + 1, 8.0, 5)]))


@pytest.mark.parametrize(
    ("row", "is_one"),
    [
        ((7, T, "lost", "s", ""), True),
        ((-3, T, "lost", None, ""), True),
        ((8, T, "lost", "s", ""), False),
        ((7, "x", "lost", "s", ""), False),
        ((7, T, None, "s", ""), False),
        ((7, T, "lost", 1, ""), False),
        ((7, T, "lost", "s", None), False),
    ],
)
def test_an_event(row: tuple[Any, ...], is_one: bool) -> None:
    assert plausible.is_event(row, 7) is is_one


@pytest.mark.parametrize(("identity", "is_one"), [(0, True), ((1 << 40) - 1, True), (1 << 40, False), (-1, False), ("1", False)])
def test_the_newest_event(identity: object, is_one: bool) -> None:
    assert plausible.is_newest_event(identity) is is_one


def rollup(start: object, **changed: object) -> tuple[Any, ...]:
    """A row of a roll-up of no reading."""
    values: dict[str, object] = dict.fromkeys(RollUp._fields)
    values |= dict.fromkeys(("n", "n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing"), 0)
    return (start, *(values | changed).values())


@pytest.mark.parametrize(
    ("resolution", "start", "is_one"),
    [
        (60, T, True),
        (60, T + 1, False),
        (3600, T + HOUR_US, True),
        (3600, T + MINUTE_US, False),
        (86_400, T + 45 * MINUTE_US, True),
        (86_400, T + 1, False),
        (60, YEAR_10000, False),
        (60, "x", False),
    ],
)
def test_a_roll_up_begins_on_a_bucket(resolution: int, start: object, is_one: bool) -> None:
    assert plausible.is_rollup(resolution, rollup(start)) is is_one


@pytest.mark.parametrize(
    ("changed", "is_one"),
    [
        ({"n": -1}, False),
        ({"n": None}, False),
        ({"mean": 1.0}, True),
        ({"mean": 1}, False),
        ({"max": math.inf}, False),
        ({"first_ts": 1.0}, False),
        ({"states": "{}"}, True),
        ({"states": 1}, False),
    ],
)
def test_the_columns_of_a_roll_up(changed: dict[str, object], is_one: bool) -> None:
    assert plausible.is_rollup(60, rollup(T, **changed)) is is_one
