"""A log in Python: readings, buckets and frames are what the database holds."""

from __future__ import annotations

import math
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import sensorlogd
from sensorlogd.api import LogUnavailable, UnknownSeries
from sensorlogd.storage.query import segments
from tests.api.rig import T0, S


def test_readings_are_every_one_in_order(path: Path) -> None:
    """By time, then series; values and flags as stored."""
    with sensorlogd.open(path) as log:
        found = list(log.readings("lab.*", "2026-03-29", "2026-03-29T00:01"))
        assert [(r.series.name, (r.ts_us - T0) // S, r.value) for r in found] == [
            ("lab.t", 0, 0.0), ("lab.n", 0, 0.0),
            ("lab.t", 10, 0.1), ("lab.t", 20, 0.2), ("lab.t", 30, 0.3), ("lab.t", 40, 0.4), ("lab.t", 50, 0.5),
        ]  # fmt: skip
        failed = [r for r in log.readings("lab.t", T0, T0 + 7200 * S) if r.quality & 15 == 4]
        assert [r.value for r in failed] == [1.0]
        assert [series.name for series in log.series()] == ["lab.n", "lab.t"]


def test_a_date_is_its_midnight_and_whole_numbers_of_any_kind_are_microseconds(path: Path) -> None:
    class Whole:
        def __index__(self) -> int:
            return T0 + 7200 * S

    with sensorlogd.open(path, tz="Europe/Berlin") as log:
        by_date = [r.ts_us for r in log.readings("lab.t", date(2026, 3, 29), Whole())]
        assert by_date == [r.ts_us for r in log.readings("lab.t", "2026-03-29", T0 + 7200 * S)]


@pytest.mark.parametrize("when", [1.5, None, True])
def test_what_is_no_time_is_refused(path: Path, when: Any) -> None:
    with sensorlogd.open(path) as log, pytest.raises(ValueError, match="allowed are a datetime, a date, a text"):
        list(log.readings("lab.t", when, "now"))


def test_times_are_given_in_any_of_their_forms(path: Path) -> None:
    """Text, microseconds, datetimes with and without a zone: the same instant, the same readings."""
    berlin = ZoneInfo("Europe/Berlin")
    with sensorlogd.open(path, tz="Europe/Berlin") as log:
        counts = {
            sum(1 for _ in log.readings("lab.t", since, T0 + 7200 * S))
            for since in (
                "2026-03-29T03:30",  # there is no 02:30 on that day
                T0 + 5400 * S,
                datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
                datetime(2026, 3, 29, 3, 30, tzinfo=berlin),
                datetime(2026, 3, 29, 3, 30),  # noqa: DTZ001  # the log's zone is what is tested
            )
        }
    assert counts == {180}


def test_buckets_are_dictionaries_with_aware_times(path: Path) -> None:
    """The failed reading is counted, and not in the mean."""
    with sensorlogd.open(path, tz="Europe/Berlin") as log:
        first = next(log.buckets("lab.t", T0, T0 + 7200 * S, every="5min", agg=["mean", "fail"]))
    assert first["time"] == datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
    assert first["time"].utcoffset() == timedelta(hours=1)
    assert (first["count"], first["fail"], first["coverage"]) == (29, 1, 1.0)
    assert math.isclose(first["mean"], sum(s / 100 for s in range(0, 300, 10) if s != 100) / 29)


def test_a_wide_frame_has_a_column_a_series_and_blanks_in_gaps(path: Path) -> None:
    """Rows at every instant of any series; a failed reading and an empty bucket are blank."""
    with sensorlogd.open(path, tz="Europe/Berlin") as log:
        raw = log.frame("lab.*", T0, T0 + 7200 * S)
        assert list(raw.columns) == ["lab.n", "lab.t"]
        assert str(raw.index.tz) == "Europe/Berlin"
        assert len(raw) == len({*range(0, 7200, 60), *(s for s in range(0, 7200, 10) if not 1800 <= s < 2400)})
        assert raw["lab.t"].loc[datetime(2026, 3, 29, 0, 1, 30, tzinfo=UTC)] == 0.9
        assert math.isnan(raw["lab.t"].loc[datetime(2026, 3, 29, 0, 1, 40, tzinfo=UTC)])
        buckets = log.frame("lab.t", T0, T0 + 7200 * S, every="10min", agg="mean,max")
        assert list(buckets.columns) == [("lab.t", "mean"), ("lab.t", "max")]
        assert [math.isnan(value) for value in buckets["lab.t"]["mean"]] == [n == 3 for n in range(12)]


def test_a_long_frame_has_a_row_a_reading(path: Path) -> None:
    """With the words of its quality."""
    with sensorlogd.open(path) as log:
        frame = log.frame("lab", T0, T0 + 7200 * S, layout="long")
        assert list(frame.columns) == ["sensor", "channel", "value", "unit", "quality"]
        assert len(frame) == 660 + 120
        assert frame.index.is_monotonic_increasing
        assert frame[frame.quality == "fail"].value.to_list() == [1.0]
        long = log.frame("lab.n", T0, T0 + 7200 * S, every="1h", agg="increase", layout="long")
        assert long.increase.to_list() == [3540.0, 3600.0]


def test_units_convert_on_request(path: Path) -> None:
    """Values by scale and offset, differences by scale, counts not at all; what has no meaning is refused."""
    with sensorlogd.open(path) as log:
        assert [r.value for r in log.readings("lab.t", T0, T0 + 20 * S, unit="degF")] == [32.0, 32.18]
        (row,) = log.buckets("lab.t", T0, T0 + 60 * S, every="1min", agg="max,range,count", unit="K")
        assert (row["max"], row["range"], row["count"]) == (pytest.approx(273.65), pytest.approx(0.5), 6)
        for agg in ("sum", "rms"):
            with pytest.raises(ValueError, match=f"the {agg} cannot be converted to degF: its zero is another one"):
                list(log.buckets("lab.t", T0, T0 + 60 * S, every="1min", agg=agg, unit="degF"))
        with pytest.raises(ValueError, match=r"lab\.t: its unit '°C' cannot be converted to 'hPa'"):
            list(log.readings("lab.t", T0, T0 + 60 * S, unit="hPa"))
        with pytest.raises(ValueError, match=r"lab\.n: it has no unit"):
            list(log.readings("lab.n", T0, T0 + 60 * S, unit="m"))


def test_mistakes_say_what_they_are(path: Path, tmp_path: Path) -> None:
    """The exceptions that the documentation names."""
    with pytest.raises(LogUnavailable, match="no such database"):
        sensorlogd.open(tmp_path / "none.db")
    with pytest.raises(ValueError, match="not a time zone"):
        sensorlogd.open(path, tz="Mars/Olympus")
    with sensorlogd.open(path) as log:
        with pytest.raises(UnknownSeries, match=r"did you mean lab\.t"):
            log.readings("lab.tt")
        with pytest.raises(ValueError, match="is not before"):
            log.readings("lab.t", "now", "-1h")


def test_without_pandas_a_frame_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And everything else works."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "numpy", None)  # comes with it
    with sensorlogd.open(path) as log:
        with pytest.raises(ModuleNotFoundError, match=r"-m pip .*install .*pandas"):
            log.frame("lab.t", T0, T0 + 60 * S)
        assert sum(1 for _ in log.readings("lab.t", T0, T0 + 60 * S)) == 6


def test_a_percentile_of_too_many_readings_advises_in_words_of_python(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "LIMIT_PERCENTILE", 5)
    with (
        sensorlogd.open(path) as log,
        pytest.raises(ValueError, match=r"more than 5 readings in one bucket; take a shorter step$"),
    ):
        list(log.query("lab.t", since=T0, until=T0 + 3600 * S, every="1h", agg="p95"))
