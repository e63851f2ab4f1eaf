"""What ``import`` says about what it took for granted, and what to do about what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_transfer import verb


def importing(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, *options: str) -> tuple[int, str]:
    """(exit status, what was said) of importing a file with these columns: t, and any others."""
    file = tmp_path / "f.csv"
    file.write_text(text)
    status = verb("import", str(file), "--db", str(tmp_path / "log.db"), "--time", "t", "--sensor", "s", *options)
    said = capsys.readouterr()
    return status, said.out + said.err


BERLIN = ("--zone", "Europe/Berlin", "--dry-run")
TWICE = "the hour 02:00-03:00 of 2026-10-25 comes twice in Europe/Berlin"


def test_both_hours_of_the_autumn_night_are_not_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in order that has both is refused until --fold says which is which."""
    text = "t,x\n" + "".join(f"2026-10-25T{at}:00,1\n" for at in ("01:50", "02:00", "02:50", "02:00", "02:50", "03:00"))
    status, said = importing(tmp_path, capsys, text, *BERLIN)
    assert status == 1
    assert f"f.csv:5: local times go back here, from 02:50:00 to 02:00:00 ({TWICE}): say --fold by_order" in said
    assert importing(tmp_path, capsys, text, *BERLIN, "--fold", "by_order")[0] == 0
    status, said = importing(tmp_path, capsys, text, *BERLIN, "--fold", "first")
    assert (status, TWICE in said) == (0, False)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_hour_that_stands_there_once_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], backwards: bool) -> None:
    """The first one is taken, also of a file whose newest line comes first."""
    times = ["01:50", "02:00", "02:20", "02:50", "03:00"]
    text = "t,x\n" + "".join(f"2026-10-25T{at}:00,1\n" for at in (reversed(times) if backwards else times))
    status, said = importing(tmp_path, capsys, text, *BERLIN)
    assert status == 0, said
    assert f"was read as the first one ({TWICE}); if it is not, say --fold second" in said


def test_a_point_that_groups_is_told_where_no_value_has_a_comma(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = importing(
        tmp_path, capsys, "t;x;y;z\n2026-01-01;21.500;1.234;1.234.567\n2026-01-02;3;0,5;1\n", "--decimal", ","
    )
    assert status == 0, said
    assert "no value of column 'x' has a comma; 21.500 was read as 21500: is --decimal right?" in said
    assert said.count("has a comma") == 1


@pytest.mark.parametrize(("bad", "share"), [(1, "50%"), (3, "100%")])
def test_the_proposed_share_of_bad_lines_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: int, share: str
) -> None:
    text = "t,x\n2026-01-01,1\n" + "2026-01-02,?1\n" * bad
    status, said = importing(tmp_path, capsys, text)
    assert (status, f"say --skip-bad {share} to leave such lines out" in said) == (1, True), said
    assert importing(tmp_path, capsys, text, "--skip-bad", share)[0] == 0


def test_what_is_there_already_is_not_stored_a_microsecond_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "t,x\n2026-01-01,1\n2026-01-01,2\n2026-01-01,3\n"
    assert "2 at the time of another, stored a microsecond later" in importing(tmp_path, capsys, text)[1]
    assert "0 new, 3 there already\n" in importing(tmp_path, capsys, text)[1]


def test_a_conflict_of_units_names_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = "t,x\n2026-01-01,1\n"
    assert importing(tmp_path, capsys, file, "--column", "x=s.x:V")[0] == 0
    status, said = importing(tmp_path, capsys, file, "--column", "x=s.x:mV")
    assert (status, "another channel (--column 'COLUMN=s.CHANNEL:mV'), or leave the unit out if they are in 'V'" in said) == (
        1,
        True,
    )
    status, said = importing(tmp_path, capsys, file, "--column", "x=s.x:V:counter")
    assert (status, "(--column 'COLUMN=s.CHANNEL:UNIT:counter'), or leave the kind out if it is a gauge" in said) == (1, True)


def test_each_roll_up_is_compared_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    importing(tmp_path, capsys, "t,x\n2026-01-01,1\n")
    assert verb("db", "check", "--db", str(tmp_path / "log.db")) == 0
    assert "4 roll-ups compared" in capsys.readouterr().out
