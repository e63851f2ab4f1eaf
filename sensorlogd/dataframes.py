"""Makes pandas dataframes of readings and buckets. The only module that imports pandas (extra ``frame``)."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from sensorlogd import extras, quality
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.log_reader import LogReader, conversion_of
from sensorlogd.storage.series.stored import Series

if TYPE_CHECKING:
    import pandas

NAN = float("nan")


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise ModuleNotFoundError(f"dataframes need the package pandas: {extras.advice('frame')}") from None
    return pandas


def _index(stamps: Any, tz: str) -> Any:
    pd = _pandas()
    return pd.DatetimeIndex(pd.to_datetime(stamps, unit="us", utc=True), name="time").tz_convert(tz)


def of_readings(
    log: LogReader, wanted: list[Series], since_us: int, until_us: int, layout: str, unit: str | None, tz: str
) -> pandas.DataFrame:
    """The readings of series in [since_us, until_us); layouts: see ``sensorlogd.api.Log.frame``."""
    pd = _pandas()
    import numpy as np  # pandas brings it; if it is missing, installing pandas is the cure

    parts = []
    for series in wanted:
        change = conversion_of(series, unit) if unit is not None else None
        stamps, values, flags = array("q"), array("d"), array("q")
        for rows in log.columns(series, since_us, until_us):
            ts, value, flag = zip(*rows, strict=True)
            stamps.extend(ts)
            values.extend(NAN if v is None else v for v in value)
            flags.extend(flag)
        numbers = np.asarray(values)
        codes = np.asarray(flags, dtype="int64")
        if change is not None:
            numbers = change.values(numbers)
        index = _index(np.asarray(stamps, dtype="int64"), tz)
        if layout == "wide":
            numbers = np.where(np.isin(codes & quality.FLAG_MASK, quality.UNUSABLE), np.nan, numbers)
            parts.append(pd.Series(numbers, index=index, name=series.name))
        else:
            parts.append(
                pd.DataFrame(
                    {
                        "sensor": series.sensor,
                        "channel": series.channel,
                        "value": numbers,
                        "unit": unit or series.unit,
                        "quality": _words(codes),
                    },
                    index=index,
                )
            )
    return _joined(parts, layout, tz)


def _joined(parts: list[Any], layout: str, tz: str) -> pandas.DataFrame:
    pd = _pandas()
    if not parts:
        return pd.DataFrame(index=_index([], tz))
    return pd.concat(parts, axis=1, sort=True) if layout == "wide" else pd.concat(parts).sort_index(kind="stable")


def _words(codes: Any) -> Any:
    at, distinct = _pandas().factorize(codes)
    words = _pandas().Series([quality.describe(int(code)) for code in distinct], dtype=object)
    return words.to_numpy()[at]


def of_buckets(log: LogReader, wanted: list[Series], query: Query, layout: str, unit: str | None, tz: str) -> pandas.DataFrame:
    """The answer to ``query``; layouts: see ``sensorlogd.api.Log.frame``."""
    pd = _pandas()
    if layout == "wide" and "states" in query.aggregates:
        raise ValueError("states are several numbers each; take layout='long'")
    parts = []
    for series, answer in log.buckets(wanted, query, unit):
        rows = list(answer.rows)
        index = _index([row.start_us for row in rows], tz)
        table: dict[str, Any] = {name: [row.values[at] for row in rows] for at, name in enumerate(query.aggregates)}
        if layout == "long":
            table = {"sensor": series.sensor, "channel": series.channel, **table}
            table["count"] = [row.readings for row in rows]
            table["coverage"] = [row.coverage for row in rows]
            parts.append(pd.DataFrame(table, index=index))
            continue
        dataframe = pd.DataFrame(table, index=index).astype(float)
        dataframe.columns = (
            pd.Index([series.name])
            if len(query.aggregates) == 1
            else pd.MultiIndex.from_product([[series.name], query.aggregates])
        )
        parts.append(dataframe)
    return _joined(parts, layout, tz)
