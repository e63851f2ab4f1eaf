"""``Log.query`` and ``sensorlogd query``: the same words, defaults, errors and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import sensorlogd
from sensorlogd.api import Answer, UnknownSeries
from sensorlogd.cli.query_verb import query as verb
from sensorlogd.notation import times
from sensorlogd.storage.query.aggregates import NAMES
from tests.api.rig import T0, S

SECOND = st.integers(-600, 7800)
EVERY = st.sampled_from([None, "7s", "5min", "15min", "1h", "1d", "1mo", "", "5", "1us"])
AGGREGATES = st.lists(
    st.sampled_from([*NAMES, "nonsense"]),
    max_size=4,
)
QUESTIONS = st.fixed_dictionaries(
    {
        "names": st.lists(st.sampled_from(["lab.t", "lab.n", "lab", "*.n", "lab.*", "lab.x"]), min_size=1, max_size=2),
        "since": SECOND,
        "until": SECOND,
        "every": EVERY,
        "max_points": st.sampled_from([None, None, 1, 7, 500]),
        "agg": st.none() | AGGREGATES,
        "fill": st.sampled_from([None, None, "none", "null", "previous", "linear"]),
        "unit": st.sampled_from([None, None, None, "degF", "K", "hPa"]),
        "limit": st.sampled_from([None, None, 1, 13]),
        "tz": st.sampled_from([None, "UTC", "Europe/Berlin", "Asia/Kathmandu", "Mars/Olympus"]),
    }
)


def of_shell(path: Path, question: dict[str, Any]) -> Any:
    """Its rows, or what it complains of."""
    words = [*question["names"], "--db", str(path), "--format", "json"]
    for name in ("since", "until", "every", "max_points", "agg", "fill", "unit", "limit", "tz"):
        given_ = question[name]
        if name in ("since", "until"):
            given_ = times.format_time(T0 + given_ * S)
        if given_ is not None:
            text = ",".join(given_) if name == "agg" else str(given_)
            words += [f"--{name.replace('_', '-')}", text]
    done = CliRunner().invoke(verb, words)
    if done.exit_code in (0, 3):
        return json.loads(done.stdout)
    assert done.exit_code == 2, done.output
    return done.stderr.strip().splitlines()[-1].removeprefix("sensorlogd: ")


def of_python(path: Path, question: dict[str, Any]) -> Any:
    asked = {key: value for key, value in question.items() if key not in ("names", "tz")}
    asked |= {key: times.format_time(T0 + question[key] * S) for key in ("since", "until")}
    try:
        with sensorlogd.open(path, tz=question["tz"]) as log:
            answer = log.query(question["names"], **asked)
            rows = list(answer)
            assert all(tuple(row) == answer.columns for row in rows)
            return [row | {"time": times.format_time(times.of_datetime(row["time"]), log.tz)} for row in rows]
    except (ValueError, UnknownSeries) as error:
        return str(error)


def of(**words: Any) -> dict[str, Any]:
    usual: dict[str, Any] = dict.fromkeys(("every", "max_points", "agg", "fill", "unit", "limit", "tz"))
    return usual | {"names": ["lab.t"], "since": 0, "until": 7200} | words


@example(of())
@example(of(unit="degF", tz="Europe/Berlin"))
@example(of(unit="degF", limit=13, names=["lab.*"]))
@example(of(every="5min", unit="degF", agg=["mean", "stddev", "count"], fill="null"))
@example(of(every="1h", agg=["states", "p95", "increase"], tz="Asia/Kathmandu"))
@example(of(max_points=7, fill="linear", names=["lab"]))
@example(of(agg=["mean"]))
@example(of(fill="null"))
@example(of(every="5min", max_points=7))
@example(of(since=7200, until=0))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=QUESTIONS)
def test_any_question_has_the_same_answer_in_python_and_in_the_shell(path: Path, question: dict[str, Any]) -> None:
    """The same rows, keys in the same order, or the same complaint in the same words."""
    found, shown = of_python(path, question), of_shell(path, question)
    if isinstance(shown, str):
        for word in ("since", "until", "every", "max-points", "agg", "fill"):
            shown = shown.replace(f"--{word}", word.replace("-", "_"))
    assert found == shown


def test_the_defaults_are_those_of_the_shell() -> None:
    """Read from the verb itself."""
    import inspect

    options = {option.name: option.default for option in verb.params}
    parameters = inspect.signature(sensorlogd.api.Log.query).parameters
    for name in ("since", "until", "every", "max_points", "agg", "fill", "unit", "limit"):
        usual = options[name]
        assert parameters[name].default == (usual if isinstance(usual, str) else None), name


def test_an_answer_says_where_it_comes_from_and_is_asked_anew_each_time(path: Path) -> None:
    with sensorlogd.open(path) as log:
        answer = log.query("lab.t", T0, T0 + 7200 * S, every="15min")
        assert isinstance(answer, Answer)
        assert len(list(answer)) == len(list(answer)) == 8
        assert answer.notes == ["lab.t: steps of 15min from rollups+readings, resolution 15min"]


def test_frames_of_an_answer_hold_what_its_rows_do(path: Path) -> None:
    """In the zone of the log, which is that of the configuration or of the days in the file."""
    with sensorlogd.open(path, tz="Europe/Berlin") as log:
        answer = log.query("lab.*", T0, T0 + 7200 * S, every="15min", agg="mean,max")
        wide, long = answer.frame(), answer.to_pandas("long")
        assert str(wide.index.tz) == str(long.index.tz) == "Europe/Berlin"
        rows = list(answer)
        assert len(long) == len(rows)
        for row in rows:
            assert wide[f"{row['sensor']}.{row['channel']}", "mean"].loc[row["time"]] == row["mean"]
        raw = log.query("lab.t", T0, T0 + 60 * S)
        assert raw.frame()["lab.t"].to_list() == [row["value"] for row in raw]
        none = log.query("lab.*", T0 - 60 * S, T0)
        assert (len(none.frame()), len(none.to_pandas("long")), list(none)) == (0, 0, [])
        assert str(none.frame().index.tz) == "Europe/Berlin"


def test_frames_say_what_they_cannot_hold(path: Path) -> None:
    with sensorlogd.open(path) as log:
        with pytest.raises(ValueError, match="layout='long'"):
            log.query("lab.t", T0, every="1h", agg="states").frame()
        with pytest.raises(ValueError, match="head"):
            log.query("lab.t", T0, limit=3).frame()
        with pytest.raises(ValueError, match="known: wide, long"):
            log.query("lab.t", T0).frame("deep")  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(ValueError, match="limit is 0; at least 1"):
            log.query("lab.t", T0, limit=0)
        with pytest.raises(ValueError, match="max_points is 0; at least 1"):
            log.query("lab.t", T0, max_points=0)
        with pytest.raises(ValueError, match="cannot be converted to 'hPa'"):
            log.query("lab.t", T0, unit="hPa")
