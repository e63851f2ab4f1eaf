"""--skip-bad: bad lines are left out while they are few, kept as they were, and counted."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.exchange.mapping.planning import plan
from sensorlogd.exchange.options import ColumnTarget, Options
from sensorlogd.exchange.text import bad_lines
from sensorlogd.exchange.text.lines import FileError, Lines
from tests.cli.running import run

pytestmark = pytest.mark.usefixtures("forked_verbs")

FOREIGN = Options(times=("t",), sensor="s")


def read(data: bytes, share: float = 1.0, options: Options = FOREIGN) -> tuple[list[float | None], str, list[str]]:
    """The values, the lines put aside, and what was told."""
    lines = Lines(io.BytesIO(data), "f.csv")
    found = plan(lines, options)
    with bad_lines.BadLines(share, lines.encoding) as bad:
        head = "".join(lines.head or ())
        values = [reading.value for reading in found.read(bad)]
        bad.judge("f.csv", lines.number)
        bad._kept.seek(0)
        kept = bad._kept.read()
        assert kept.startswith(head)
        return values, kept[len(head) :], bad.examples


def test_every_kind_of_bad_line() -> None:
    """Too few cells, a word, no time, a quote that never closes, no text, NULs: each costs itself and nothing else."""
    bad = [
        b"2026-01-02",
        b"2026-01-02,***",
        b"yesterday,1",
        b'2026-01-02,"1',
        b"2026-01-02,\xff",
        b"2026-01-\0\0,1",
        b"# restarted",
    ]
    good = [b"2026-02-%02d,%d" % (n, n) for n in range(1, 15)]
    data = b"t,x\n" + b"".join(good[2 * n] + b"\n" + line + b"\n" + good[2 * n + 1] + b"\n" for n, line in enumerate(bad))
    values, kept, examples = read(data)
    assert values == list(range(1, 15))
    assert sorted(kept.encode("utf-8", "surrogateescape").splitlines()) == sorted(bad)
    assert examples[0] == "f.csv:3: 1 cells, the first line has 2"
    assert len(examples) == bad_lines.MAX_EXAMPLES


@given(
    st.lists(
        st.one_of(
            st.integers(0, 99).map(lambda n: f"2026-01-01,{n}"),
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20),
        ),
        max_size=30,
    )
)
def test_every_line_is_read_or_kept(texts: list[str]) -> None:
    """None is lost, none is changed, whatever stands in it."""
    data = "t,x\n2026-01-01,0\n" + "".join(f"{text}\n" for text in texts)
    lines = Lines(io.BytesIO(data.encode()), "f.csv")
    found = plan(lines, FOREIGN)
    with bad_lines.BadLines(1.0, lines.encoding) as bad:
        values = list(found.read(bad))
        bad._kept.seek(0)
        head, *kept = bad._kept.read().split("\n")[:-1]
    assert head == "t,x"
    good = [text for text in texts if text not in kept]
    assert all(text in texts for text in kept)
    assert all(text.count(",") == 1 or not text.strip(" \0\t,;") or text.isspace() or '"' in text for text in good)
    assert len(values) >= sum(text.startswith("2026-01-01,") and text[11:].isdigit() and text.isascii() for text in good)
    assert len(kept) == bad.lines


@pytest.mark.parametrize("last", ['22,22,22,"', '22,22,22,close"', '22,22,22"'])
def test_two_stray_quotes_cost_no_line_between_them(last: str) -> None:
    """One opens, another closes twenty lines below: what lies between are rows, and no cell of several lines."""
    rows = [f"2026-01-{day:02},{day},{day},ok" for day in range(1, 23)]
    rows[0], rows[21] = '2026-01-01,1,1,"open', f"2026-01-{last}"
    text = "t,a,b,note\n" + "\n".join(rows) + "\n"
    values, kept, _ = read(text.encode(), options=Options(times=("t",), columns={"a": ColumnTarget("s", "a")}))
    assert [value for value in values if value != 22] == list(range(2, 22))
    assert kept.startswith(rows[0])
    with pytest.raises(FileError, match=r"f\.csv:2: .*quotes"):
        list(plan(Lines(io.BytesIO(text.encode()), "f.csv"), FOREIGN).read())


def test_a_cell_of_several_lines_is_one_and_is_told(tmp_path: Path) -> None:
    """Its lines are not rows by themselves."""
    path = tmp_path / "f.csv"
    path.write_text('t,x,note\n2026-01-01,1,"first\nsecond\nthird"\n2026-01-02,2,"a\nb"\n', "utf-8")
    result = run("import", str(path), "--time", "t", "--sensor", "s", "--dry-run")
    assert result.stderr.count("s.x: 2 readings") == 1
    assert "3 lines lie inside quotes, the first inside those of line 2" in result.stderr


def test_a_bad_header_is_never_left_out() -> None:
    with pytest.raises(FileError, match=r"f.csv:1: a column is named twice"):
        read(b"t,x,x\n2026-01-01,1,2\n")


def test_too_many_bad_lines_are_a_mistake() -> None:
    data = b"t,x\n" + b"2026-01-01,1\n" * 7 + b"bad\n" * 2
    assert len(read(data, 0.2)[0]) == 7
    with pytest.raises(FileError, match=r"f.csv: 2 of 10 lines are bad \(20%\), more than 10%; the first is f.csv:9: 1 cells"):
        read(data, 0.1)


def test_our_own_formats_have_bad_lines_too() -> None:
    head = b"time,sensor,channel,value,unit,quality\n"
    assert read(head + b"2026-01-01T00:00:00Z,s,x,1,,good\n2026-01-01T00:00:01Z,s,x\n", 1, Options())[:2] == (
        [1],
        "2026-01-01T00:00:01Z,s,x\n",
    )
    assert read(b"time,s.x,s.y\n2026-01-01T00:00:00Z,1,2\n2026-01-01T00:00:01Z,1,b\n", 1, Options())[0] == [1, 2]
    good = b'{"time": "2026-01-01", "sensor": "s", "channel": "x", "value": 1}\n'
    assert read(good + b"{\n" + good, 1, Options())[:2] == ([1, 1], "{\n")


@pytest.mark.parametrize("text", ["1", "x%", "101%", "-1%"])
def test_shares_are_written_with_a_percent_sign(text: str) -> None:
    with pytest.raises(ValueError, match="write how many in a hundred lines may be bad"):
        bad_lines.share(text)
    assert bad_lines.share("0.5%") == 0.005


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [f"2026-01-01T{n // 60:02}:{n % 60:02},{n}" for n in range(1000)]
    lines[500] = "2026-01-01T08:20,5.5.5"
    path = tmp_path / "f.csv"
    path.write_text("# made by hand\nt,x\n" + "\n".join(lines) + "\n")
    return path


def test_the_verb_tells_counts_and_keeps(tmp_path: Path, file: Path) -> None:
    """Nothing without --skip-bad; with it all but the line, which lies mended-and-importable beside the file."""
    common = (str(file), "--db", str(tmp_path / "log.db"), "--time", "t", "--sensor", "s", "--skip", "1")
    refused = run("import", *common, check=1).stderr.splitlines()[-1]
    assert (
        refused
        == f"sensorlogd: {file}:503: '5.5.5' is not a number; if it means that there is no value, say --null 5.5.5; say --skip-bad 1% to leave such lines out; nothing was imported"
    )
    kept = tmp_path / "f.csv.bad"
    dry = run("import", *common, "--skip-bad", "1%", "--dry-run")
    assert "  read: 2026-01-01T00:00:00Z  s.x = 0\n" in dry.stderr
    assert "left out: 1 of 1,002 lines is bad" in dry.stderr
    assert not kept.exists()
    done = run("import", *common, "--skip-bad", "1%")
    assert done.stdout == f"{file}: 999 new, 0 there already, 1 bad line left out, kept in {kept}\n"
    assert kept.read_text() == "# made by hand\nt,x\n2026-01-01T08:20,5.5.5\n"
    assert "0 new, 999 there already" in run("import", *common, "--skip-bad", "1%").stdout
    assert sorted(tmp_path.glob("*.bad*")) == [kept]
    kept.write_text(kept.read_text().replace("5.5.5", "5.5"))
    assert "1 new" in run("import", str(kept), *common[1:]).stdout
    run("import", *common, "--skip-bad", "1%")
    assert kept.with_name("f.csv.bad2").exists()
    too_many = run("import", *common, "--skip-bad", "0.01%", check=1)
    assert "1 of 1,002 lines is bad (0.1%), more than 0.01%" in too_many.stderr
    assert "write how many in a hundred" in run("import", *common, "--skip-bad", "5", check=2).stderr
