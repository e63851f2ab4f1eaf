"""Lines written by column are those written row by row."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.storage.query.log_reader import SeriesReading
from sensorlogd.storage.query.rows import READING_COLUMNS
from sensorlogd.storage.series.stored import Series
from sensorlogd.web.answering.params import TimeForm
from sensorlogd.web.answering.questions import row_text
from sensorlogd.web.answering.questions.reading_pages import ReadingsQuery, reading_as_row
from sensorlogd.web.workers.texts import rows_as_csv, rows_as_ndjson, safe_cell

NAMES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12)
ZONES = st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"))


@given(
    sensor=NAMES,
    channel=NAMES,
    unit=st.one_of(st.just(""), NAMES).filter(lambda text: safe_cell(text) == text),
    readings=st.lists(
        st.tuples(
            st.integers(-(10**15), 4 * 10**15),
            st.one_of(st.none(), st.floats(), st.integers(-(10**17), 10**17).map(float)),
            st.sampled_from((1, 2, 3, 4, 9, 17, 260)),
        ),
        max_size=30,
    ),
    form=st.builds(TimeForm, st.sampled_from(TimeForm.KINDS), ZONES),
    text=st.sampled_from(("csv", "ndjson")),
)
def test_by_column_is_row_by_row(
    sensor: str, channel: str, unit: str, readings: list[row_text.Row], form: TimeForm, text: str
) -> None:
    """Times of any year and zone, whatever floats there are, names that need quoting."""
    series = Series(1, sensor, channel, unit, "gauge", 1, {}, None)
    query = ReadingsQuery(["*"], 0, 1, None, form)
    writer = row_text._Writer(series, query, text, row_text._Stamps(form, text))
    found = "".join(line for _, _, line in writer.lines(readings)).encode()
    rows = [reading_as_row(SeriesReading(series, *reading), query) for reading in readings]
    assert found == (rows_as_csv if text == "csv" else rows_as_ndjson)(rows, READING_COLUMNS)


def test_a_unit_that_is_a_formula_is_text_in_a_spreadsheet() -> None:
    """Of logs that were made before such units were refused."""
    assert safe_cell("=1+1") == "'=1+1"
    assert [safe_cell(unit) for unit in ("", "-", "°C", "m/s")] == ["", "-", "°C", "m/s"]
