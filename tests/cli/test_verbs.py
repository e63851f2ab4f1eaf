"""The command line as a person meets it: output, exit status, and what is imported for it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.test_hostile import READING


def test_latest_is_a_table_of_the_newest(log: Path) -> None:
    """One row a series, with its age; stale ones make the exit status 4."""
    rows = json.loads(run("latest", "--db", str(log), "--format", "json", check=None).stdout)
    assert [(row["sensor"], row["channel"], row["value"], row["unit"], row["quality"]) for row in rows] == [
        ("lab", "n", 599, "", "not_evaluated"),
        ("lab", "t", 29.359375, "°C", "good"),
    ]
    conn = sqlite3.connect(log)
    conn.execute("UPDATE latest SET ts = ts - 3600000000")
    conn.execute("DELETE FROM recent")
    conn.commit()
    conn.close()
    assert run("latest", "--db", str(log), check=4).stdout.count("stale") == 2


def test_query_gives_readings_and_buckets(log: Path) -> None:
    """Readings as they are; buckets leave out what failed and count it not."""
    rows = [json.loads(line) for line in run("query", "lab.t", "--db", str(log), "--format", "ndjson").stdout.splitlines()]
    assert len(rows) == 600
    assert rows[5]["quality"] == "fail:gross_range"
    assert set(rows[0]) == {"time", "sensor", "channel", "value", "unit", "quality"}
    buckets = json.loads(
        run("query", "lab.*", "--db", str(log), "--every", "1min", "--agg", "min,max,count,increase", "--format", "json").stdout
    )
    assert sum(bucket["count"] for bucket in buckets if bucket["channel"] == "t") == 599
    assert max(bucket["max"] for bucket in buckets if bucket["channel"] == "t") == 29.359375
    assert list(buckets[0]) == ["time", "sensor", "channel", "min", "max", "count", "increase", "coverage"]


@pytest.mark.parametrize(
    ("arguments", "exit_status", "message"),
    [
        (["query", "lab.x"], 2, "no series matches 'lab.x'; did you mean lab.t"),
        (["query", "lab.t", "--since", "yesteryear"], 2, "'yesteryear' is not a time; write e.g. now-1h"),
        (["query", "lab.t", "--since", "now", "--until", "now-1h"], 2, "is not before"),
        (["query", "lab.t", "--every", "5 parsecs"], 2, "is not a duration"),
        (["query", "lab.t", "--every", "1ms", "--since", "-1y"], 2, "at most 1,000,000"),
        (
            ["query", "lab.t", "--every", "1min", "--agg", "meen"],
            2,
            "unknown aggregate 'meen' (did you mean 'mean'?); known: mean",
        ),
        (["query", "lab.t", "--agg", "mean"], 2, "--agg needs --every"),
        (["query", "lab.t", "--tz", "Mars/Olympus"], 2, "is not a time zone"),
        (["query", "lab.t", "--since", "2001-01-01", "--until", "2001-01-02"], 3, "no data in this range; stored are "),
        (["plot", "lab.t", "--since", "2001-01-01", "--until", "2001-01-02"], 3, "no data in this range; stored are "),
        (["gaps", "lab.t", "--since", "2001-01-01", "--until", "2001-01-02"], 3, ": try --since "),
        (["export", "lab.t", "--since", "2001-01-01", "--until", "2001-01-02"], 3, ": try --since "),
        (["export", "lab.t", "--until", "2001-01-02"], 3, "no data in this range; stored are "),
        (["events"], 3, "no events"),
        (["events", "--since", "2026-01-01", "--sensor", "lab", "--utc"], 3, "no events of lab since 2026-01-01T00:00:00Z"),
        (["events", "--sensor", "zz"], 2, "no sensor 'zz'; there are lab"),
        (["events", "--sensor", "lob"], 2, "no sensor 'lob' (did you mean 'lab'?)"),
        (["events", "--sensor", "[^k]ab"], 3, "no events of [^k]ab"),
        (["tail", "--format", "json"], 2, "take ndjson"),
    ],
)
def test_mistakes_are_one_line_with_the_cure(log: Path, arguments: list[str], exit_status: int, message: str) -> None:
    """On stderr; stdout stays for data."""
    done = run(*arguments, "--db", str(log), check=exit_status)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_configured_sensor_may_have_no_events_yet(log: Path, tmp_path: Path) -> None:
    """It exists though nothing is stored of it: only a name that nobody has written is a mistake."""
    config = tmp_path / "sensorlogd.yaml"
    config.write_text(f"storage: {{url: sqlite:///{log}}}\nsensors: {{barn: {{driver: simulated}}}}\n")
    assert "no events of barn" in run("events", "-c", str(config), "--sensor", "barn", check=3).stderr
    assert "no sensor 'zz'; there are barn, lab" in run("events", "-c", str(config), "--sensor", "zz", check=2).stderr


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (["--unit", "bar"], "lab.t: its unit '°C' cannot be converted to 'bar'"),
        (["--unit", "bar", "--every", "1s"], "lab.t: its unit '°C' cannot be converted to 'bar'"),
        (["--unit", "bar", "--max-points", "5"], "lab.t: its unit '°C' cannot be converted to 'bar'"),
        (["--unit", "degF", "--every", "1s", "--agg", "sum"], "lab.t: the sum cannot be converted to degF"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "table"])
def test_a_question_that_cannot_be_answered_prints_no_head_of_an_answer(
    log: Path, question: list[str], message: str, form: str
) -> None:
    """Nothing on standard output: a program that reads it would take the head for an answer without rows."""
    pytest.importorskip("pint")
    done = run("query", "lab.t", "--since", "-1min", *question, "--format", form, "--db", str(log), check=2)
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such database"),
        (b"", "not a sensorlogd database"),
        (b"not a database at all, not at all" * 40, "is a text file, not a database; name the file that the daemon writes"),
        (b"sensors: {}\n", "is a text file, not a database"),
        ("# Größe\n".encode() * 600, "is a text file, not a database"),
        (b"\x00 noise \xff" * 400, "is a damaged database (file is not a database)"),
    ],
)
def test_files_that_are_no_log(tmp_path: Path, content: bytes | None, message: str) -> None:
    """Missing, empty, something else: exit 1, one line, nothing created."""
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    done = run("latest", "--db", str(path), check=1)
    assert message in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ([] if content is None else ["x.db"])


def test_status_tells_the_truth_when_the_daemon_is_down(log: Path) -> None:
    """Its last word was an hour ago and its process is another's: crashed, exit 1."""
    done = run("status", "--db", str(log), check=1)
    assert "crashed" in done.stdout
    assert "not running" in done.stdout
    assert "bad_lines=3" in done.stdout
    whole = json.loads(run("status", "--db", str(log), "--format", "json", check=1).stdout)
    assert whole["daemon"]["state_now"] == "crashed"


def test_tail_follows(log: Path) -> None:
    """What is newer than --since, then what comes."""
    done = run("tail", "lab.n", "--db", str(log), "--since", "-20s", "--for", "100ms", "--format", "ndjson")
    assert json.loads(done.stdout.splitlines()[-1])["value"] == 599


def test_init_check_run_is_all_it_takes(tmp_path: Path) -> None:
    """The starter is valid; init never overwrites; the schema knows the drivers."""
    assert "wrote sensorlogd.yaml" in run("init", cwd=tmp_path).stdout
    assert "exists already" in run("init", cwd=tmp_path, check=1).stderr
    assert run("init", "-", cwd=tmp_path).stdout.encode() == (tmp_path / "sensorlogd.yaml").read_bytes()
    assert not (tmp_path / "-").exists()
    done = run("check", cwd=tmp_path)
    assert "valid, 3 sensors, 5 series" in done.stdout
    assert "a day" in done.stdout
    schema = json.loads(run("schema").stdout)
    assert {"SerialOptions", "SimulatedOptions"} <= set(schema["$defs"])
    (tmp_path / "bad.yaml").write_text("sensors: {a: {driver: simulatd}}")
    assert "bad.yaml:1:23: sensors.a.driver: unknown driver" in run("check", "bad.yaml", cwd=tmp_path, check=78).stderr
    assert "no configuration found" in run("check", cwd=tmp_path / "..", check=78).stderr


def test_try_shows_readings_or_the_likely_cause(tmp_path: Path) -> None:
    """Without storing anything."""
    run("init", cwd=tmp_path)
    done = run("try", "meter", "--limit", "1", cwd=tmp_path)
    assert done.stdout.startswith("meter  ")
    assert "energy=0 Wh" in done.stdout
    assert not (tmp_path / "sensorlogd-data").exists()
    assert "no sensor 'metre' is configured (did you mean 'meter'?)" in run("try", "metre", cwd=tmp_path, check=2).stderr
    (tmp_path / "s.yaml").write_text("sensors: {a: {driver: serial, port: /dev/nowhere, format: {fields: [x]}}}")
    assert "no such port; plug the device in" in run("try", "-c", "s.yaml", "--for", "1s", cwd=tmp_path, check=3).stderr


@pytest.mark.parametrize("verb", READING)
def test_reading_verbs_import_neither_pydantic_nor_sqlalchemy(log: Path, verb: str) -> None:
    """They must start fast on a Pi."""
    code = (
        "import sys\nfrom sensorlogd.cli.main import cli\n"
        f"try:\n    cli({[*READING[verb], '--db', str(log)]!r})\nexcept SystemExit:\n    pass\n"
        "heavy = sorted({name.split('.')[0] for name in sys.modules} & {'pydantic', 'sqlalchemy', 'alembic', 'serial'})\n"
        "print('\\nHEAVY', heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=log.parent)
    heavy = done.stdout.splitlines()[-1].removeprefix("HEAVY ")
    assert heavy == "[]", (
        f"{verb} imports {heavy}: import what needs it within the function that does, or read with storage.query"
    )


def test_latest_loads_nothing_that_only_questions_over_time_need(log: Path) -> None:
    """It is what people type most, and on a Pi Zero each module that it does without is tens of milliseconds."""
    code = (
        "import sys\nfrom sensorlogd.cli.main import cli\n"
        f"try:\n    cli(['latest', '--db', {str(log)!r}])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'sensorlogd.storage.query.engine', 'sensorlogd.batch', 'subprocess', 'shutil'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=log.parent)
    assert "series" in done.stdout or "sensor" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_verb_has_help_with_examples() -> None:
    """--help teaches by example; an unknown verb gives the nearest."""
    from sensorlogd.cli.main import VERBS

    assert "latst" not in VERBS
    assert "no such verb: latst (did you mean 'latest'?)" in run("latst", check=2).stderr
    listing = run("--help").stdout
    for verb in VERBS:
        assert f"  {verb} " in listing
        text = run(verb, "--help").stdout
        if verb not in ("version", "schema"):
            assert "Examples:" in text, verb


def test_completion_knows_the_verbs() -> None:
    """click's protocol for bash."""
    import os

    env = os.environ | {"_SENSORLOGD_COMPLETE": "bash_complete", "COMP_WORDS": "sensorlogd la", "COMP_CWORD": "1"}
    done = subprocess.run([Path(sys.executable).with_name("sensorlogd")], env=env, capture_output=True, text=True, check=True)
    assert "plain,latest" in done.stdout
